/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks one case on backends, and times it.
 */
#ifndef CHECKOP_CHECK_H
#define CHECKOP_CHECK_H

#include "judge.h"

/* The name under which ref runs to say what is expected. */
#define EXPECTATION "expectation"

/* A backend by name, and the storage types that it opened with. */
typedef struct {
    const char *name;
    gboolean has[YONOS_DTYPE_BF16 + 1];
} Candidate;

typedef struct {
    guint32 seed;
    gboolean quiet, verbose, unpoisoned; /* unpoisoned: as in Placed */
    guint checks, failures; /* counted up */
    char *failure;          /* the first one's message; g_free() */
} Check;

/* Opens `name` for a storage type; threads as in yonos_backend_open(). */
YonosBackend *candidate_open(const char *name, YonosDType dtype, int threads, GError **error);

/* Runs a case in one storage type on all of the candidates that have it, with every pattern and number of threads. */
void check_case(Check *check, const Case *c, YonosDType dtype, const Candidate *candidates, guint n_candidates);

/* Prints one line: median time, GFLOP/s, implementation. */
void bench_case(const Case *c, YonosDType dtype, const char *backend, int threads, guint32 seed);

#endif
