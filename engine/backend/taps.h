/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One axis of a separable resampling as a table of taps, in Pillow's convention (Image.resize):
 * half-pixel centres, support scaled by the reduction factor, taps cut at the border and renormalised.
 */
#ifndef YONOS_TAPS_H
#define YONOS_TAPS_H

#include "graph/graph.h"

typedef struct {
    int out, width;  /* outputs; the most taps an output has */
    int *first;      /* [out]: first input of an output */
    int *count;      /* [out]: 1..width */
    float *weight;   /* [out][width], 0 behind count; sums to 1 */
} YonosTaps;

/* From `in` to `out` samples, both >= 1. Computed in double. Free with yonos_taps_free(). */
YonosTaps *yonos_taps_new(YonosFilter filter, int in, int out);
void yonos_taps_free(YonosTaps *taps);

/* The bicubic filter: cubic convolution of a distance, a = -0.5 (Keys, IEEE Trans. ASSP 1981). */
double yonos_keys(double x);

#endif
