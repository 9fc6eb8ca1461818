/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a result should be, how far it may be off, and whether it is.
 *
 * The expectation is what ref computes in f32 from the same numbers. An element may be off by
 *
 *   tolerance.element * magnitude + 4e-6 * condition + the rounding of its storage type
 *
 * with the magnitude of what was summed up to it (for a product the root of the sum of squares, so that a hostile
 * input that cancels is no excuse elsewhere) and the condition of sums that cancel by their nature (a norm's x - mean).
 * All elements together may be off by tolerance.rms of the root mean square of the magnitudes, likewise extended.
 */
#ifndef CHECKOP_JUDGE_H
#define CHECKOP_JUDGE_H

#include "run.h"

typedef struct {
    double element, rms; /* both 0: the same bits */
} Tolerance;

/* The table of tolerances: per backend, operation and storage type. */
Tolerance tolerance_of(const char *backend, YonosOpKind op, YonosDType dtype);

typedef struct {
    gsize count;
    float *expected, *magnitude, *condition;
} Expectation;

/*
 * `reference` is a ref backend, `exact` an f32 instance with the same constants as `instance`. NULL with `error` set:
 * the backend's.
 */
Expectation *expectation_new(YonosBackend *reference, const Instance *exact, const Inputs *inputs, GError **error);
void expectation_free(Expectation *expectation);

/* How far element i may be from `wanted` in a storage type. */
double judge_bound(const Expectation *expectation, gsize i, double wanted, Tolerance tolerance, YonosDType dtype);

/* TRUE when `result` is near enough, and how much of the bounds it used; else *why says where it is not (g_free). */
gboolean judge(const Expectation *expectation, const Instance *instance, const Result *result, Tolerance tolerance,
               Tolerance *used, char **why);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Expectation, expectation_free)

#endif
