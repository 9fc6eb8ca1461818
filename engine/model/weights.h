/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One weights file: which of its tensors have been claimed, and what was folded from them.
 *
 * Builders claim tensors by the path that diffusers gives them. The claims of the first build
 * show whether any tensor is left over. Claiming and folding are thread-safe; the constants
 * live as long as the weights.
 */
#ifndef YONOS_WEIGHTS_H
#define YONOS_WEIGHTS_H

#include "graph/graph.h"

typedef struct _YonosWeights YonosWeights;

/* Opens a safetensors file. Errors: FILE, FORMAT, MEMORY. */
YonosWeights *yonos_weights_open(const char *path, GError **error);
void yonos_weights_free(YonosWeights *weights);

gboolean yonos_weights_has(const YonosWeights *weights, const char *name);
/* The number of dimensions of a tensor; 0 where there is none of that name. */
int yonos_weights_rank(const YonosWeights *weights, const char *name);

/*
 * The tensor `name`, whose shape must be the `rank` dimensions given (as gint64). NULL with `error` set
 * (MODEL: missing or of another shape). On the first claim it is looked through for values that are not finite.
 */
const YonosConst *yonos_weights_claim(YonosWeights *weights, GError **error, const char *name, int rank,
                                      const gint64 *dim);
/* About the first tensor with such values; NULL while none was found. Lives as long as the weights. */
const char *yonos_weights_get_warning(YonosWeights *weights);

/* TRUE when every tensor of the file has been claimed; else MODEL with the first names left over. */
gboolean yonos_weights_finish(YonosWeights *weights, GError **error);

/* Folded constants: f32, computed once. _derived returns NULL where there is none of that name yet;
 * _derive adds one and takes ownership of `data` (g_free), or frees it and returns the one that another
 * thread added meanwhile. */
const YonosConst *yonos_weights_derived(YonosWeights *weights, const char *name);
const YonosConst *yonos_weights_derive(YonosWeights *weights, const char *name, int rank, const gint64 *dim,
                                       float *data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(YonosWeights, yonos_weights_free)

#endif
