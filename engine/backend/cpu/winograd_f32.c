/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Winograd's F(4x4, 3x3) in f32, on the vectors of GCC and clang; compiled once for each instruction set, like the loops.
 *
 * The points 0, 2/3, -2/3, 3/2, -3/2 and infinity: rounding errors are then 1.8 times those of the plain convolution, where
 * the usual 0, 1, -1, 2, -2 make them 4.3 times as large (normal numbers, 64 channels; docs/speed.md). Why such points:
 * Barabasz et al., "Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural Networks", ACM TOMS
 * 2020.
 */
#include "backend/cpu/loops_math.h"
#include "backend/cpu/winograd_kernels.h"

#include <stdint.h>

#if defined(__AVX512F__)
enum { LANES = 16, VECTORS = 4 };
#elif defined(__AVX__)
enum { LANES = 8, VECTORS = 2 };
#else
enum { LANES = 4, VECTORS = 2 };
#endif

typedef float Vector __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t Mask __attribute__((vector_size(4 * LANES)));
typedef float Element;

enum { PAIR = 1, SIDE = 6 };

static const float p = 2.0f / 3.0f, q = 3.0f / 2.0f; /* p q = 1 */

static inline Vector load_f32(const float *x) { return *(const Vector *)x; }

static inline Vector load(const Element *x) { return load_f32(x); }

static inline void store_f32(float *to, Vector x) { *(Vector *)to = x; }

static inline void store(Element *to, Vector x) { store_f32(to, x); }

static inline Vector positive(Vector x) { return (Vector)((Mask)x & (x > 0.0f)); }

static inline void plain_input_axis(Vector *d, int step) {
    Vector d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
    Vector even_p = d4 - q * q * d2, odd_p = p * d3 - q * d1, even_q = d4 - p * p * d2, odd_q = q * d3 - p * d1;
    d[0] = d0 + d4 - (p * p + q * q) * d2;
    d[step] = even_p + odd_p;
    d[2 * step] = even_p - odd_p;
    d[3 * step] = even_q + odd_q;
    d[4 * step] = even_q - odd_q;
    d[5 * step] = d1 + d5 - (p * p + q * q) * d3;
}

static inline void plain_output_axis(Vector *m, int step) {
    Vector even_p = m[step] + m[2 * step], odd_p = m[step] - m[2 * step];
    Vector even_q = m[3 * step] + m[4 * step], odd_q = m[3 * step] - m[4 * step];
    m[0] += even_p + even_q;
    m[step] = p * odd_p + q * odd_q;
    m[2 * step] = p * p * even_p + q * q * even_q;
    m[3 * step] = p * p * p * odd_p + q * q * q * odd_q + m[5 * step];
}

/* A row for the point x is (1, x, x^2) over the product of its distances from the other finite points. */
static void filter_axis(const float *g, int from_step, float *u, int step) {
    float g0 = g[0], g1 = g[from_step], g2 = g[2 * from_step], distances = 2.0f * (p * p - q * q);
    u[0] = g0;
    u[step] = (g0 + p * g1 + p * p * g2) / (p * p * distances);
    u[2 * step] = (g0 - p * g1 + p * p * g2) / (p * p * distances);
    u[3 * step] = (g0 + q * g1 + q * q * g2) / (-q * q * distances);
    u[4 * step] = (g0 - q * g1 + q * q * g2) / (-q * q * distances);
    u[5 * step] = g2;
}

typedef Vector Weights;
typedef float Spread;

static inline Weights load_weights(const Element *x) { return load(x); }

static inline Spread spread(const Element *x) { return *x; }

static inline Vector add_product(Vector sum, Spread x, Weights w) { return sum + x * w; }

#include "backend/cpu/winograd_tiles.h"

const WinogradKernels loops_name(cpu_winograd) = {
    .name = "winograd f32",
    .doubled_name = "winograd f32 2x up",
    .side = SIDE,
    .lanes = LANES,
    .panel = LANES * VECTORS,
    .pair = PAIR,
    .tiles = 24,
    .element = sizeof(Element),
    .filter_axis = filter_axis,
    .input = transform_input,
    .multiply = multiply,
    .output = transform_output,
};
