/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Winograd's F(2x2, 3x3) on pairs of bf16. The build compiles this file with AVX512-BF16 on; callers check the CPU.
 */
#include "backend/cpu/winograd_kernels.h"

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

typedef __m512 Vector;
typedef uint16_t Element;

enum { LANES = 16, VECTORS = 4, PAIR = 2, SIDE = 4 };

static inline Vector load_f32(const float *x) { return _mm512_loadu_ps(x); }

static inline Vector load(const Element *x) {
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)x));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

static inline void store_f32(float *to, Vector x) { _mm512_storeu_ps(to, x); }

static inline void store(Element *to, Vector x) { _mm256_storeu_si256((__m256i *)to, (__m256i)_mm512_cvtneps_pbh(x)); }

static inline Vector positive(Vector x) { return _mm512_max_ps(x, _mm512_setzero_ps()); }

/* The points 0, 1, -1 and infinity. */
static inline void plain_input_axis(Vector *d, int step) {
    Vector d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step];
    d[0] = d0 - d2;
    d[step] = d1 + d2;
    d[2 * step] = d2 - d1;
    d[3 * step] = d1 - d3;
}

static inline void plain_output_axis(Vector *m, int step) {
    Vector m0 = m[0], m1 = m[step], m2 = m[2 * step], m3 = m[3 * step];
    m[0] = m0 + m1 + m2;
    m[step] = m1 - m2 - m3;
}

static void filter_axis(const float *g, int from_step, float *u, int step) {
    float g0 = g[0], g1 = g[from_step], g2 = g[2 * from_step];
    u[0] = g0;
    u[step] = 0.5f * (g0 + g1 + g2);
    u[2 * step] = 0.5f * (g0 - g1 + g2);
    u[3 * step] = g2;
}

typedef __m512bh Weights, Spread;

static inline Weights load_weights(const Element *x) { return (__m512bh)_mm512_loadu_si512(x); }

static inline Spread spread(const Element *x) {
    uint32_t pair;
    memcpy(&pair, x, sizeof pair);
    return (__m512bh)_mm512_set1_epi32((int)pair);
}

static inline Vector add_product(Vector sum, Spread x, Weights w) { return _mm512_dpbf16_ps(sum, x, w); }

#include "backend/cpu/winograd_tiles.h"

const WinogradKernels cpu_winograd_bf16 = {
    .name = "winograd bf16",
    .doubled_name = "winograd bf16 2x up",
    .side = SIDE,
    .lanes = LANES,
    .panel = LANES * VECTORS,
    .pair = PAIR,
    .tiles = 48,
    .element = sizeof(Element),
    .filter_axis = filter_axis,
    .input = transform_input,
    .multiply = multiply,
    .output = transform_output,
};
