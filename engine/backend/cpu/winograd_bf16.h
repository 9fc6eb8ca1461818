/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The three steps of a 3x3 convolution by Winograd's F(2x2, 3x3) on bf16 pairs (AVX512-BF16), for one batch of tiles.
 *
 * A tile is 2x2 outputs and the 4x4 inputs that they see; its 16 coefficients are independent matrix products, so that
 * 16 multiplications stand where the plain convolution has 36. Source: Lavin and Gray, "Fast Algorithms for
 * Convolutional Neural Networks", CVPR 2016. All steps need a CPU with AVX512-BF16.
 *
 * Of a picture that is doubled by nearest neighbour first, a tile sees three pixels each way, a, b, b and c, and in the
 * middle d1 = d2 = b: a coefficient of four is 0, and those left are a - b, b (the weight has its 2) and b - c. 9
 * multiplications then stand where the plain convolution has 36, and nothing is doubled in memory.
 */
#ifndef YONOS_CPU_WINOGRAD_BF16_H
#define YONOS_CPU_WINOGRAD_BF16_H

#include <stddef.h>
#include <stdint.h>

enum {
    WINOGRAD_SIDE = 4,          /* a tile's coefficients each way; coefficient side * row + column */
    WINOGRAD_DOUBLED_SIDE = 3,  /* the same where the picture is doubled */
    WINOGRAD_LANES = 16,        /* channels come in multiples of these */
    WINOGRAD_PANEL = 64,        /* output channels done at a time */
    WINOGRAD_ROWS = 6,          /* tiles come in multiples of these in memory */
};

/* A run of tiles side by side: where their input is. Pixels outside of the image are zeros. */
typedef struct {
    const uint16_t *row[WINOGRAD_SIDE]; /* the input rows that the tiles see, as many as `side`, at pixel 0 */
    size_t step[WINOGRAD_SIDE]; /* from pixel to pixel of each row; 0: a row outside, which repeats one pixel of zeros */
    int x, width;           /* the first tile's first column, which may be outside, and the pixels of a row */
    int channels;
} WinogradInput;

/* Where their output goes, and the residual with it. */
typedef struct {
    uint16_t *row[2];            /* at the first tile's pixel and the first lane; the second one may be NULL: outside */
    const uint16_t *residual[2]; /* the same; NULL where there is none */
    int pixels;                  /* of a row that are inside: 2 for each tile, 1 where the last is cut */
    size_t step;                 /* from pixel to pixel */
} WinogradOutput;

/*
 * coefficient + e * plane (tiles, channels), e < side^2, of `tiles` tiles; side: WINOGRAD_SIDE or WINOGRAD_DOUBLED_SIDE,
 * where `in` has the picture before it is doubled.
 */
void cpu_winograd_input(const WinogradInput *in, int side, int tiles, uint16_t *coefficient, size_t plane);

/*
 * product (tiles, lanes) f32 = coefficient (tiles, channels) bf16 x weight (channels / 2, lanes) pairs of neighbouring
 * input channels; tiles a multiple of WINOGRAD_ROWS, lanes 16, 32, 48 or 64.
 */
void cpu_winograd_multiply(const uint16_t *coefficient, const uint32_t *weight, int tiles, int channels, int lanes,
                           float *product);

/*
 * The 2x2 output pixels of each of `tiles` tiles from product + e * plane (tiles, lanes), e < side^2: + bias (lanes) +
 * residual, relu, to bf16.
 */
void cpu_winograd_output(const float *product, size_t plane, int side, int tiles, int lanes, const float *bias, int relu,
                         const WinogradOutput *out);

#endif
