/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The three steps of a 3x3 convolution by Winograd's F(2x2, 3x3) on bf16 pairs (AVX512-BF16), for one batch of tiles.
 *
 * A tile is 2x2 outputs and the 4x4 inputs that they see; its 16 coefficients are independent matrix products, so that
 * 16 multiplications stand where the plain convolution has 36. Source: Lavin and Gray, "Fast Algorithms for
 * Convolutional Neural Networks", CVPR 2016. All steps need a CPU with AVX512-BF16.
 */
#ifndef YONOS_CPU_WINOGRAD_BF16_H
#define YONOS_CPU_WINOGRAD_BF16_H

#include <stdint.h>

enum {
    WINOGRAD_COEFFICIENTS = 16, /* of a tile; coefficient 4 * row + column */
    WINOGRAD_LANES = 16,        /* channels come in multiples of these */
    WINOGRAD_PANEL = 64,        /* output channels done at a time */
    WINOGRAD_ROWS = 6,          /* tiles come in multiples of these in memory */
};

/*
 * coefficient (16, `stride`, channels) of tile `index`, from its 4x4 input pixels of `channels` bf16 each, row by row.
 */
void cpu_winograd_input(const uint16_t *const pixel[16], int channels, uint16_t *coefficient, int index, int stride);

/*
 * product (tiles, lanes) f32 = coefficient (tiles, channels) bf16 x weight (channels / 2, lanes) pairs of neighbouring
 * input channels; tiles a multiple of WINOGRAD_ROWS, lanes 16, 32, 48 or 64.
 */
void cpu_winograd_multiply(const uint16_t *coefficient, const uint32_t *weight, int tiles, int channels, int lanes,
                           float *product);

/*
 * The 2x2 output pixels of tile `index` from product (16, stride, lanes): + bias (lanes) + residual, relu, to bf16.
 * out[2 * row + column] may be NULL: behind the image's border. residual[] as out[], or all NULL.
 */
void cpu_winograd_output(const float *product, int index, int stride, int lanes, const float *bias,
                         const uint16_t *const residual[4], int relu, uint16_t *const out[4]);

#endif
