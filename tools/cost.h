/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What nodes cost, and what the machine can do at most: for yonos-bench.
 */
#ifndef YONOS_TOOLS_COST_H
#define YONOS_TOOLS_COST_H

#include "plan/plan.h"

/* 2 x multiply-adds of one execution; 0 for all but convolutions, matrix products and attention. */
double cost_flops(const YonosNode *node);
/* Bytes of the tensors and constants that one execution has to touch at least once. */
double cost_bytes(const YonosNode *node);
/* "1x64x64x320 -> 1x64x64x640 3x3" in a string to g_free(). */
char *cost_shape(const YonosNode *node);

/*
 * FLOP/s of a large matrix product (a LINEAR node) on a backend of its own; the best of a second of runs.
 * 0 where the backend cannot compute in this precision.
 */
double cost_measure_peak(const char *backend, YonosPrecision precision, int threads);

#endif
