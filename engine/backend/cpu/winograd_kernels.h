/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The three steps of a 3x3 convolution by Winograd's algorithm, for one batch of tiles, as different CPUs do them.
 *
 * A tile is a square of outputs and the inputs that they see, two more each way; its coefficients, as many as it has inputs,
 * are independent matrix products. F(2x2, 3x3) multiplies 16 times where the plain convolution does 36 times, F(4x4, 3x3)
 * 36 times where that does 144 times, with larger rounding errors. Source: Lavin and Gray, "Fast Algorithms for
 * Convolutional Neural Networks", CVPR 2016.
 *
 * Of a picture that is doubled by nearest neighbour first, a tile of 2x2 outputs sees three pixels each way, a, b, b and c:
 * of the four coefficients of F(2, 3) one is 0, and those left are a - b, b (the weight has its 2) and b - c. 9
 * multiplications then stand where the plain convolution has 36, and nothing is doubled in memory.
 */
#ifndef YONOS_CPU_WINOGRAD_KERNELS_H
#define YONOS_CPU_WINOGRAD_KERNELS_H

#include <stddef.h>

enum {
    WINOGRAD_MOST_SIDE = 6,    /* a tile's coefficients each way, at most; coefficient side * row + column */
    WINOGRAD_DOUBLED_SIDE = 3, /* the same where the picture is doubled */
    WINOGRAD_ROWS = 6,         /* tiles come in multiples of these in memory */
};

/* Of a tile, each way. */
static inline int winograd_outputs(int side) { return side == WINOGRAD_DOUBLED_SIDE ? 2 : side - 2; }

/* A run of tiles side by side: where their input is. Pixels outside of the image are zeros. */
typedef struct {
    const void *row[WINOGRAD_MOST_SIDE]; /* the input rows that the tiles see, `side` of them, at pixel 0 */
    size_t step[WINOGRAD_MOST_SIDE]; /* elements from pixel to pixel; 0: a row outside, which repeats one pixel of zeros */
    int x, width;                    /* the first tile's first column, which may be outside, and the pixels of a row */
    int channels;
} WinogradInput;

/* Where their output goes, and the residual with it. */
typedef struct {
    void *row[WINOGRAD_MOST_SIDE - 2]; /* at the first tile's pixel and the first lane; NULL behind the first: outside */
    const void *residual[WINOGRAD_MOST_SIDE - 2]; /* the same; NULL where there is none */
    int pixels;                                   /* of a row that are inside; the last tile may have some outside */
    size_t step;                                  /* elements from pixel to pixel */
} WinogradOutput;

/* G g along one axis: from three weights `from_step` apart to `side` ones `step` apart. */
typedef void (*WinogradFilterAxis)(const float *g, int from_step, float *u, int step);

typedef struct {
    const char *name, *doubled_name;
    int side;  /* WINOGRAD_DOUBLED_SIDE for doubled pictures, whatever it is for others */
    int lanes; /* channels, in and out, come in multiples of these */
    int panel; /* output channels done at a time, a multiple of `lanes` */
    int pair;  /* input channels that lie together in a weight */
    int tiles; /* of a job: as many as keep the packed weights busy and the coefficients in the cache */
    size_t element; /* bytes of activations, coefficients and weights */
    WinogradFilterAxis filter_axis; /* for pictures that are not doubled */

    /* coefficient + e * plane (tiles, channels), e < side^2, of `tiles` tiles. A doubled `in` is as it was before. */
    void (*input)(const WinogradInput *in, int side, int tiles, void *coefficient, size_t plane);

    /*
     * product (tiles, lanes) f32 = coefficient (tiles, channels) x weight (channels / pair, lanes, pair); tiles a multiple
     * of WINOGRAD_ROWS, lanes at most a panel.
     */
    void (*multiply)(const void *coefficient, const void *weight, int tiles, int channels, int lanes, float *product);

    /* The outputs of `tiles` tiles from product + e * plane (tiles, lanes): + bias (lanes) + residual, relu. */
    void (*output)(const float *product, size_t plane, int side, int tiles, int lanes, const float *bias, int relu,
                   const WinogradOutput *out);
} WinogradKernels;

/* F(2x2, 3x3) on pairs of bf16; AVX512-BF16. */
extern const WinogradKernels cpu_winograd_bf16;

/* F(4x4, 3x3) in f32, compiled for each instruction set; see loops.h. */
extern const WinogradKernels cpu_winograd_baseline, cpu_winograd_avx2, cpu_winograd_avx512;

#endif
