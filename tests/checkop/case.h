/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is checked: one node with its shapes (Case), and the same node with a storage type and constants (Instance).
 */
#ifndef CHECKOP_CASE_H
#define CHECKOP_CASE_H

#include "graph/graph.h"

enum { MAX_TENSORS = 4, MAX_CONSTANTS = 2 };
#define CASE_STEADINESS 0.75 /* of the run */

/* One node without data. Tensors that take the networks' storage type are marked BF16, the others F32. */
typedef struct {
    char *label;                     /* where its shapes come from */
    YonosNode node;                  /* in[], out and constant[] point into this record */
    YonosTensor tensor[MAX_TENSORS]; /* ids 0, 1, ...; an output that is an input too is one tensor */
    int n_tensors;
    YonosConst constant[MAX_CONSTANTS]; /* shapes only */
    const YonosTileGrid *grid;       /* of the graph that the node comes from */
    int column, row;                 /* its tile */
    int width, height;               /* PACK, UNPACK: of the frame */
    double flops;
} Case;

/* Cases, and the graphs whose grids they use. */
typedef struct {
    GPtrArray *cases;  /* Case */
    GPtrArray *graphs; /* YonosGraph */
} CaseList;

CaseList *case_list_new(void);
void case_list_free(CaseList *list);

/*
 * Adds the nodes of `graph`, which was built with BF16 activations, unless the same work is in the list already.
 * Takes ownership of `graph`. A node's label is `label` and the name of its result. TILE nodes stand at the last tile.
 */
void case_list_add_graph(CaseList *list, const char *label, YonosGraph *graph);

/* The shapes that networks have, odd ones and 1x1, for every operation (shapes.c). */
void case_list_add_shapes(CaseList *list);
/* `count` random shapes of convolutions, products, attention and norms (shapes.c). */
void case_list_add_random(CaseList *list, guint32 seed, int count);
/* Every distinct node of a model folder's plan for a frame of width x height input pixels. */
gboolean case_list_add_model(CaseList *list, const char *folder, int width, int height, GError **error);

/* TRUE when some tensor has the storage type, so that the case differs between f32 and bf16. */
gboolean case_has_storage(const Case *c);
/* "conv2d (1,9,7,320)(1,9,7,64) -> (1,9,7,64) label" for people; free with g_free(). */
char *case_describe(const Case *c);

/* A Case with types and random constants; pointers of `node` stay inside. */
typedef struct {
    const Case *of;
    YonosNode node;
    YonosTensor tensor[MAX_TENSORS];
    YonosConst constant[MAX_CONSTANTS];
    void *constant_data[MAX_CONSTANTS];
} Instance;

/*
 * Tensors of the storage type get `dtype`. Constants are stored as `constant_dtype` and follow from `seed`: weights of
 * unit gain, gammas around 1, the rest around 0.
 */
Instance *instance_new(const Case *c, YonosDType dtype, YonosDType constant_dtype, guint32 seed);
/* An f32 instance with the constants of `other` squared and no activation: what errors of products scale with. */
Instance *instance_new_squared(const Instance *other);
void instance_free(Instance *instance);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CaseList, case_list_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Instance, instance_free)

#endif
