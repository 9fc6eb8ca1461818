/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inner loops, compiled once for each instruction set and chosen at run time.
 *
 * All of them work on short runs of floats that the caller has brought into the cache; storage types
 * are converted on the way in and out. loops.c is plain C that the compiler vectorises.
 */
#ifndef YONOS_CPU_LOOPS_H
#define YONOS_CPU_LOOPS_H

#include "graph/graph.h"

enum {
    CPU_CHUNK = 4096,        /* floats that a caller keeps on its stack */
    CPU_QUERIES = 16,        /* attention works on this many queries at a time, one for each lane */
};

typedef struct {
    const char *name;

    /* count elements of a storage type to and from f32; round to nearest even. */
    void (*load)(const void *from, YonosDType dtype, float *to, gsize count);
    void (*store)(const float *from, YonosDType dtype, void *to, gsize count);

    void (*activate)(float *x, gsize count, YonosActivation activation);
    /* out = a x + b y + c; y may be NULL; out may be x. */
    void (*affine)(const float *x, float a, const float *y, float b, float c, float *out, gsize count);
    /* out = value * gelu(gate). */
    void (*geglu)(const float *value, const float *gate, float *out, gsize count);

    /* Per channel: sum += x - shift, square += (x - shift)^2 over `pixels` of `channels`. */
    void (*moments)(const float *x, const float *shift, gsize pixels, int channels, float *sum, float *square);
    /* x = (x - mean) * scale + offset per channel, in place. */
    void (*normalise)(float *x, const float *mean, const float *scale, const float *offset, gsize pixels, int channels);

    /* out[i] += weight * x[i]. */
    void (*accumulate)(float *out, const float *x, float weight, gsize count);
    /* Horizontal resampling of a row of pixels with 1 or 3 channels: taps of YonosTaps from first_out on. */
    void (*resample_row)(const float *row, int channels, const int *first, const float *weight, int width, int out_w,
                         float *out);

    /*
     * One step of attention for CPU_QUERIES queries: with q (dim, CPU_QUERIES), keys and values (tokens, dim),
     * rows `stride` floats apart, updates the running maximum and sum (CPU_QUERIES) and out (dim, CPU_QUERIES).
     * score: scratch (tokens, CPU_QUERIES).
     */
    void (*attend)(const float *q, const float *k, const float *v, gsize stride, int tokens, int dim, float scale,
                   float *max, float *sum, float *score, float *out);

    /* 8-bit packed pixels (pixel_bytes apart, components at r, g, b) <-> [-1,1] triples. */
    void (*pack_bytes)(const guint8 *row, int pixel_bytes, int r, int g, int b, int width, float *out);
    void (*unpack_bytes)(const float *in, int pixel_bytes, int r, int g, int b, int width, guint8 *row);
} CpuLoops;

/* The best set this CPU has; YONOS_CPU_ISA=baseline|avx2|avx512 in the environment asks for a lower one. */
const CpuLoops *cpu_loops(void);

#endif
