/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mean and square deviation of every channel of one picture (pixels, c), and the pass that applies them: what
 * GROUP_NORM and ADAIN share.
 *
 * Blocks of pixels, their number fixed by the shape, are measured in parallel and joined in their order
 * (Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979).
 * Narrow pictures fold `fold` neighbouring pixels into one row of lanes, so that the loops have long rows.
 */
#ifndef YONOS_CPU_MOMENTS_H
#define YONOS_CPU_MOMENTS_H

#include "backend/cpu/loops.h"

typedef struct {
    gsize pixels;
    int c, left;          /* channels; those of the first source, the rest are the second's */
    int fold;             /* pixels in a row of lanes */
    int blocks;           /* the picture's parts; one more part holds the pixels that fill no row */
    double *mean, *square; /* (c): mean, and sum of (x - mean)^2, after measure() */
    double *part_mean, *part_square; /* (blocks + 1, c) */
    CpuScale scale;       /* (fold * c) of factors for apply() */
} CpuMoments;

/* Sizes for a picture with x_channels + y_channels (0: one source). */
CpuMoments cpu_moments_plan(gsize pixels, int x_channels, int y_channels);
gsize cpu_moments_bytes(const CpuMoments *m);
/* Points the arrays into a workspace of that many bytes. */
void cpu_moments_place(CpuMoments *m, void *workspace);

/* Fills mean and square from x (pixels, left) and y (pixels, c - left) or NULL. f32 or bf16. */
void cpu_moments_measure(CpuMoments *m, const void *x, const void *y, YonosDType dtype);

/* Channel i becomes (x - mean) factor + offset in the apply() that follows. */
void cpu_moments_set_scale(const CpuMoments *m, int i, double mean, double factor, double offset);
/* out (pixels, c), in the same storage; may not overlap x or y. */
void cpu_moments_apply(const CpuMoments *m, const void *x, const void *y, YonosDType dtype, YonosActivation activation,
                       void *out);

#endif
