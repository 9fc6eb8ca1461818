/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inner loops, compiled once for each instruction set and chosen at run time.
 *
 * All of them work on short runs of floats that the caller has brought into the cache; storage types
 * are converted on the way in and out. loops.c is plain C that the compiler vectorises.
 */
#ifndef YONOS_CPU_LOOPS_H
#define YONOS_CPU_LOOPS_H

#include "backend/cpu/winograd_kernels.h"
#include "backend/format.h"
#include "graph/graph.h"

enum {
    CPU_CHUNK = 4096,        /* floats that a caller keeps on its stack */
    CPU_LANES = 1024,        /* most lanes that moments() takes */
    CPU_QUERIES = 16,        /* attention works on this many queries at a time, one for each lane */
};

/* (x - mean) factor + offset, per lane. */
typedef struct {
    float *mean, *factor, *offset;
} CpuScale;

typedef struct {
    const char *name;
    const WinogradKernels *winograd; /* in f32 */

    /* count elements of a storage type to and from f32; round to nearest even. */
    void (*load)(const void *from, YonosDType dtype, float *to, gsize count);
    void (*store)(const float *from, YonosDType dtype, void *to, gsize count);

    void (*activate)(float *x, gsize count, YonosActivation activation);
    /* out = a x + b y + c; y may be NULL; out may be x. */
    void (*affine)(const float *x, float a, const float *y, float b, float c, float *out, gsize count);
    /* out = value * gelu(gate). */
    void (*geglu)(const float *value, const float *gate, float *out, gsize count);

    /*
     * The norms work on rows of lanes in f32 or bf16 storage, `stride` elements from row to row. moments(): per lane,
     * pivot = the first row's value, total = sum of x - pivot, squares = sum of (x - pivot)^2, whatever the values'
     * mean and outliers, to f32 precision of the variance. 1 <= rows, lanes <= CPU_LANES.
     */
    void (*moments)(const void *x, YonosDType dtype, gsize stride, gsize rows, int lanes, float *pivot, double *total,
                    double *squares);
    /* out = act((x - mean) factor + offset); any number of lanes. */
    void (*normalise)(const void *x, gsize x_stride, void *out, gsize out_stride, YonosDType dtype, gsize rows,
                      int lanes, const CpuScale *scale, YonosActivation activation);
    /* LAYER_NORM of `pixels` neighbouring pixels of c channels. */
    void (*layer_norm)(const void *x, void *out, YonosDType dtype, gsize pixels, int c, float eps, const float *gamma,
                       const float *beta);

    /* out[i] += weight * x[i]. */
    void (*accumulate)(float *out, const float *x, float weight, gsize count);
    /* out = sum of `taps` rows times their weights. */
    void (*sum_rows)(const float *const *rows, const float *weight, int taps, gsize count, float *out);
    /* out = (a + 2 b + c) / 4. */
    void (*blur)(const float *a, const float *b, const float *c, gsize count, float *out);
    /* Resampling along a row of pixels: output x is the sum of `taps` pixels from first[x] on. With 3 channels one
     * float behind the row is read, and not used. */
    void (*resample_row)(const float *row, int channels, const int *first, const float *weight, int taps, int out_w,
                         float *out);

    /*
     * One step of attention for CPU_QUERIES queries: with q (dim, CPU_QUERIES), keys and values (tokens, dim),
     * rows `stride` floats apart, updates the running maximum and sum (CPU_QUERIES) and out (dim, CPU_QUERIES).
     * score: scratch (tokens, CPU_QUERIES).
     */
    void (*attend)(const float *q, const float *k, const float *v, gsize stride, int tokens, int dim, float scale,
                   float *max, float *sum, float *score, float *out);

    /* 8-bit packed pixels (pixel_bytes apart, components at r, g, b) <-> [-1,1] triples. A fourth byte
     * becomes 255. */
    void (*pack_bytes)(const guint8 *row, int pixel_bytes, int r, int g, int b, int width, float *out);
    void (*unpack_bytes)(const float *in, int pixel_bytes, int r, int g, int b, int width, guint8 *row);

    /* Codes of `depth` bits, `shift` bits up in bytes or little-endian words that are `step` samples apart (1, 2, in
     * bytes also 4), and back: round(in scale + offset), clipped. */
    void (*load_codes)(const void *row, int depth, int shift, int step, int width, float *out);
    void (*store_codes)(const float *in, float scale, float offset, int depth, int shift, int step, int width,
                        void *row);
    /* A row of chroma from (width + 1) / 2 samples to `width`, linearly, and back, by siting. */
    void (*spread_chroma)(const float *half, gboolean cosited, int width, float *out);
    void (*gather_chroma)(const float *full, gboolean cosited, int width, float *out);
    /* Codes to [-1,1] triples; triples to luma in [0,1] and chroma in [-1/2,1/2]. */
    void (*yuv_to_rgb)(const float *luma, const float *cb, const float *cr, const YonosYuv *yuv, int width,
                       float *out);
    void (*rgb_to_yuv)(const float *in, const YonosYuv *yuv, int width, float *luma, float *cb, float *cr);

    /* NOISE of `width` latents from (x0, y) on, (width, channels): philox.h's bits. */
    void (*noise_row)(guint64 seed, guint64 frame, int y, int x0, int width, int channels, float *out);
} CpuLoops;

/* The compiled sets; those of other processors are in no binary. */
extern const CpuLoops cpu_loops_baseline, cpu_loops_avx2, cpu_loops_avx512;

/* The best set this CPU has; YONOS_CPU_ISA=baseline|avx2|avx512 in the environment asks for a lower one. */
const CpuLoops *cpu_loops(void);

#endif
