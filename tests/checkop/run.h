/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One node on a backend's own memory, every tensor between canaries, results poisoned before each run.
 */
#ifndef CHECKOP_RUN_H
#define CHECKOP_RUN_H

#include "backend/backend.h"
#include "case.h"
#include "numbers.h"
#include "picture.h"

/* What a node reads. */
typedef struct {
    float *values[MAX_TENSORS]; /* per tensor id, representable in its type; NULL: only written */
    Picture *picture;           /* PACK */
    Pattern pattern;
} Inputs;

Inputs *inputs_new(const Instance *instance, Pattern pattern, guint32 seed);
void inputs_free(Inputs *inputs);

/* What a node wrote. Of an UNPACKed frame: its rows without their padding, and codes as numbers. */
typedef struct {
    GByteArray *bytes;
    float *values;
    gsize count;
    const char *damage; /* what it must not have touched; or NULL */
} Result;

void result_clear(Result *result);

/* A prepared node with its memory. */
typedef struct {
    YonosBackend *backend;
    const Instance *instance;
    YonosKernel kernel;
    char *memory[MAX_TENSORS], *workspace; /* with guards on both sides */
    void *data[MAX_TENSORS];               /* between them */
    Picture *picture;                      /* UNPACK: written by the latest run */
    gboolean unpoisoned;                   /* results and workspace stay as they are before a run, but for the guards */
} Placed;

enum { PLACED_GUARD = 256 };

/* `instance` must outlive it. Errors: the backend's. */
Placed *placed_new(YonosBackend *backend, const Instance *instance, GError **error);
void placed_free(Placed *placed);

/* Uploads inputs and `poison`, runs, and fills *result (clear it with result_clear()). Errors: the backend's. */
gboolean placed_run(Placed *placed, const Inputs *inputs, guint8 poison, Result *result, GError **error);

/* The run alone, over what the latest placed_run() left in memory: for timing. */
gboolean placed_run_again(Placed *placed, const Inputs *inputs, GError **error);

/* Bytes of the tensor with this id. */
gsize placed_bytes(const Placed *placed, int id);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Placed, placed_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Inputs, inputs_free)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Result, result_clear)

#endif
