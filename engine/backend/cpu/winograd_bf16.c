/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Winograd's F(2x2, 3x3) with AVX512-BF16 intrinsics; see winograd_bf16.h. One lane is one channel in the transforms and
 * one output channel in the products. The build compiles this file with the instruction set on; callers check the CPU.
 */
#include "backend/cpu/winograd_bf16.h"

#include <immintrin.h>
#include <stddef.h>
#include <string.h>

enum { LANES = WINOGRAD_LANES, SIDE = WINOGRAD_SIDE, DOUBLED_SIDE = WINOGRAD_DOUBLED_SIDE };

/* Functions that take `side` as a constant, so that loops over it unroll and arrays stay in registers. */
#define ONE_SIDE static inline __attribute__((always_inline))

static inline __m512 load_bf16(const uint16_t *x) {
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)x));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

static inline void store_bf16(uint16_t *to, __m512 x) {
    _mm256_storeu_si256((__m256i *)to, (__m256i)_mm512_cvtneps_pbh(x));
}

/* B^T d along one axis, elements `step` apart: (d0 - d2, d1 + d2, d2 - d1, d1 - d3); doubled (a - b, b, b - c). */
ONE_SIDE void input_axis(__m512 *d, int step, int side) {
    __m512 d0 = d[0], d1 = d[step], d2 = d[2 * step];
    if (side == DOUBLED_SIDE) {
        d[0] = _mm512_sub_ps(d0, d1);
        d[2 * step] = _mm512_sub_ps(d1, d2);
        return;
    }
    __m512 d3 = d[3 * step];
    d[0] = _mm512_sub_ps(d0, d2);
    d[step] = _mm512_add_ps(d1, d2);
    d[2 * step] = _mm512_sub_ps(d2, d1);
    d[3 * step] = _mm512_sub_ps(d1, d3);
}

typedef struct {
    __m512 v[SIDE];
} Column;

/* The pixels of column x that a tile sees, transformed along it. */
ONE_SIDE Column load_column(const WinogradInput *in, int x, int c, int side) {
    Column column;
    if (x < 0 || x >= in->width) {
        for (int i = 0; i < side; i++)
            column.v[i] = _mm512_setzero_ps();
        return column;
    }
    for (int i = 0; i < side; i++)
        column.v[i] = load_bf16(in->row[i] + (size_t)x * in->step[i] + c);
    input_axis(column.v, 1, side);
    return column;
}

/* LANES channels of some tiles, each of which shares two columns with the one before. */
ONE_SIDE void transform_lanes(const WinogradInput *in, int side, int first, int tiles, int c, uint16_t *coefficient,
                              size_t plane) {
    int fresh = side - 2, x = in->x + fresh * first;
    Column column[SIDE] = {load_column(in, x, c, side), load_column(in, x + 1, c, side)};
    for (int tile = 0; tile < tiles; tile++, x += fresh) {
        for (int i = 2; i < side; i++)
            column[i] = load_column(in, x + i, c, side);
        uint16_t *to = coefficient + (size_t)(first + tile) * in->channels + c;
        for (int i = 0; i < side; i++, to += side * plane) {
            __m512 m[SIDE];
            for (int j = 0; j < side; j++)
                m[j] = column[j].v[i];
            input_axis(m, 1, side);
            for (int j = 0; j < side; j++)
                store_bf16(to + j * plane, m[j]);
        }
        column[0] = column[side - 2];
        column[1] = column[side - 1];
    }
}

ONE_SIDE void transform_tiles(const WinogradInput *in, int side, int tiles, uint16_t *coefficient, size_t plane) {
    enum { TOGETHER = 8 }; /* tiles whose coefficients stay in the first-level cache until their lines are full */
    for (int first = 0; first < tiles; first += TOGETHER)
        for (int c = 0; c < in->channels; c += LANES)
            transform_lanes(in, side, first, tiles - first < TOGETHER ? tiles - first : TOGETHER, c, coefficient, plane);
}

void cpu_winograd_input(const WinogradInput *in, int side, int tiles, uint16_t *coefficient, size_t plane) {
    if (side == DOUBLED_SIDE)
        transform_tiles(in, DOUBLED_SIDE, tiles, coefficient, plane);
    else
        transform_tiles(in, SIDE, tiles, coefficient, plane);
}

/* WINOGRAD_ROWS tiles x `vectors` vectors of output channels, kept in registers over all input channels. */
ONE_SIDE void multiply_block(const uint16_t *coefficient, const uint32_t *weight, int channels, int vectors,
                             float *product) {
    enum { ROWS = WINOGRAD_ROWS, MOST = WINOGRAD_PANEL / LANES };
    __m512 sum[ROWS][MOST];
    for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < vectors; v++)
            sum[r][v] = _mm512_setzero_ps();
    for (int pair = 0; pair < channels / 2; pair++) {
        __m512bh w[MOST];
        for (int v = 0; v < vectors; v++)
            w[v] = (__m512bh)_mm512_loadu_si512(weight + ((size_t)pair * vectors + v) * LANES);
        for (int r = 0; r < ROWS; r++) {
            uint32_t x;
            memcpy(&x, coefficient + (size_t)r * channels + 2 * pair, sizeof x);
            __m512bh both = (__m512bh)_mm512_set1_epi32((int)x);
            for (int v = 0; v < vectors; v++)
                sum[r][v] = _mm512_dpbf16_ps(sum[r][v], both, w[v]);
        }
    }
    for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < vectors; v++)
            _mm512_storeu_ps(product + ((size_t)r * vectors + v) * LANES, sum[r][v]);
}

void cpu_winograd_multiply(const uint16_t *coefficient, const uint32_t *weight, int tiles, int channels, int lanes,
                           float *product) {
    for (int tile = 0; tile < tiles; tile += WINOGRAD_ROWS) {
        const uint16_t *x = coefficient + (size_t)tile * channels;
        float *out = product + (size_t)tile * lanes;
        switch (lanes / LANES) { /* constants, so that the sums stay in registers */
        case 1: multiply_block(x, weight, channels, 1, out); break;
        case 2: multiply_block(x, weight, channels, 2, out); break;
        case 3: multiply_block(x, weight, channels, 3, out); break;
        default: multiply_block(x, weight, channels, 4, out); break;
        }
    }
}

/*
 * A^T m along one axis, elements `step` apart, the result in the first two: (m0 + m1 + m2, m1 - m2 - m3); doubled (m0 + m1,
 * m1 - m2). Where the doubled picture is cut behind the first, b's copy is outside: what it gave, m2 as c is 0, is taken
 * from the first.
 */
ONE_SIDE void output_axis(__m512 *m, int step, int side, int cut) {
    __m512 m0 = m[0], m1 = m[step], m2 = m[2 * step];
    if (side == DOUBLED_SIDE) {
        m[step] = _mm512_sub_ps(m1, m2);
        m[0] = _mm512_add_ps(m0, cut ? m[step] : m1);
        return;
    }
    __m512 m3 = m[3 * step];
    m[0] = _mm512_add_ps(_mm512_add_ps(m0, m1), m2);
    m[step] = _mm512_sub_ps(_mm512_sub_ps(m1, m2), m3);
}

static inline void finish_pixel(const WinogradOutput *out, int row, int pixel, int c, __m512 y, int relu) {
    if (!out->row[row] || pixel >= out->pixels)
        return;
    size_t at = (size_t)pixel * out->step + c;
    if (out->residual[row])
        y = _mm512_add_ps(y, load_bf16(out->residual[row] + at));
    if (relu)
        y = _mm512_max_ps(y, _mm512_setzero_ps());
    store_bf16(out->row[row] + at, y);
}

ONE_SIDE void finish_tiles(const float *product, size_t plane, int side, int tiles, int lanes, const float *bias, int relu,
                           const WinogradOutput *out) {
    int row_cut = !out->row[1];
    for (int tile = 0; tile < tiles; tile++)
        for (int c = 0; c < lanes; c += LANES) {
            const float *from = product + (size_t)tile * lanes + c;
            __m512 m[SIDE * SIDE], b = _mm512_loadu_ps(bias + c);
            for (int i = 0; i < side * side; i++)
                m[i] = _mm512_loadu_ps(from + i * plane);
            for (int i = 0; i < side; i++)
                output_axis(m + i, side, side, row_cut);
            for (int row = 0; row < 2; row++) {
                output_axis(m + side * row, 1, side, 2 * tile + 1 >= out->pixels);
                for (int i = 0; i < 2; i++)
                    finish_pixel(out, row, 2 * tile + i, c, _mm512_add_ps(m[side * row + i], b), relu);
            }
        }
}

void cpu_winograd_output(const float *product, size_t plane, int side, int tiles, int lanes, const float *bias, int relu,
                         const WinogradOutput *out) {
    if (side == DOUBLED_SIDE)
        finish_tiles(product, plane, DOUBLED_SIDE, tiles, lanes, bias, relu, out);
    else
        finish_tiles(product, plane, SIDE, tiles, lanes, bias, relu, out);
}
