/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions of one number for the inner loops: storage conversions, exp, erf, tanh and the activations.
 *
 * No libm call, no branch and no table, so that a loop around them vectorises. Included by the files that are
 * compiled once per instruction set; everything here is inlined. `dtype` and `activation` are constants at
 * every call, and the tests on them go away.
 */
#ifndef YONOS_CPU_LOOPS_MATH_H
#define YONOS_CPU_LOOPS_MATH_H

#include "graph/graph.h"

#include <math.h>

#define LOOPS_INLINE static inline __attribute__((always_inline))
/* loops_name(moments) -> moments_avx2: functions that several files of one instruction set share. */
#define LOOPS_PASTE2(name, isa) name##_##isa
#define LOOPS_PASTE(name, isa) LOOPS_PASTE2(name, isa)
#define loops_name(name) LOOPS_PASTE(name, LOOPS_ISA)

LOOPS_INLINE float bits_to_float(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

LOOPS_INLINE uint32_t float_to_bits(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

LOOPS_INLINE uint16_t float_to_bf16(float f) {
    uint32_t bits = float_to_bits(f), nan = bits >> 16 | 0x40u, rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
    return (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? nan : rounded);
}

/* Element i of f32 or bf16 storage. */
LOOPS_INLINE float get_element(const void *x, YonosDType dtype, gsize i) {
    return dtype == YONOS_DTYPE_F32 ? ((const float *)x)[i] : bits_to_float((uint32_t)((const uint16_t *)x)[i] << 16);
}

LOOPS_INLINE void set_element(void *x, YonosDType dtype, gsize i, float value) {
    if (dtype == YONOS_DTYPE_F32)
        ((float *)x)[i] = value;
    else
        ((uint16_t *)x)[i] = float_to_bf16(value);
}

/*
 * e^x for numbers, relative error below 2 ulp: x = k log 2 + r, |r| <= log(2) / 2, a minimax polynomial of degree 6
 * in r (3e-9 by itself), then k into the exponent. Flushes to 2^-125 below -86.6, saturates above 88; NaN gives a
 * number. The clamps compare bits: on floats gcc makes them branches, and then two copies of all that follows.
 */
LOOPS_INLINE float exp_of_number(float x) {
    int32_t high = (int32_t)float_to_bits(x);
    high = high < 0x42b00000 ? high : 0x42b00000; /* 88; negative numbers are negative integers */
    uint32_t low = (uint32_t)high;
    low = low < 0xc2ad3333u ? low : 0xc2ad3333u; /* -86.6; positive numbers are smaller unsigned integers */
    x = bits_to_float(low);
    float k = x * 1.44269504f + 12582912.0f; /* 1.5 2^23: rounds to an integer in the low bits */
    uint32_t integer = float_to_bits(k);
    k -= 12582912.0f;
    float r = x - k * 0.693145752f;
    r -= k * 1.42860677e-6f; /* log 2 in two parts */
    float p = 0.00836874545f + r * 0.00138145395f;
    p = 0.0416683890f + r * p;
    p = 0.166665211f + r * p;
    p = 0.499999940f + r * p;
    p = 1.0f + r * p;
    p = 1.0f + r * p;
    return bits_to_float(float_to_bits(p) + (integer << 23));
}

/* The same, and NaN stays NaN. */
LOOPS_INLINE float exp_of(float x) {
    float e = exp_of_number(x);
    return x == x ? e : x;
}

/* erf by the rational Chebyshev fit of Numerical Recipes (erfcc), absolute error below 2e-7. */
LOOPS_INLINE float erf_of(float x) {
    float z = fabsf(x), t = 1.0f / (1.0f + 0.5f * z);
    float p = -1.26551223f + t * (1.00002368f + t * (0.37409196f + t * (0.09678418f + t * (-0.18628806f +
              t * (0.27886807f + t * (-1.13520398f + t * (1.48851587f + t * (-0.82215223f + t * 0.17087277f))))))));
    return copysignf(1.0f - t * exp_of_number(p - z * z), x);
}

LOOPS_INLINE float gelu_of(float x) { return 0.5f * x * (1.0f + erf_of(x * 0.70710678f)); }

/* x / (1 + e^-x), relative error below 3 ulp. */
LOOPS_INLINE float silu_of(float x) { return x / (1.0f + exp_of_number(-x)); }

/* Odd by construction; small arguments keep their relative precision through a series. */
LOOPS_INLINE float tanh_of(float x) {
    float z = fabsf(x), e = exp_of(2.0f * z), t = 1.0f - 2.0f / (e + 1.0f);
    float small = z - z * z * z * (1.0f / 3) + z * z * z * z * z * (2.0f / 15);
    t = z < 0.1f ? small : t;
    return copysignf(t, x);
}

LOOPS_INLINE float activation_of(float x, YonosActivation activation) {
    switch (activation) {
    case YONOS_ACTIVATION_RELU:
        return x > 0.0f ? x : 0.0f;
    case YONOS_ACTIVATION_SILU:
        return silu_of(x);
    case YONOS_ACTIVATION_GELU:
        return gelu_of(x);
    case YONOS_ACTIVATION_TANH_CLAMP:
        return 3.0f * tanh_of(x * (1.0f / 3));
    case YONOS_ACTIVATION_NONE:
        break;
    }
    return x;
}

/* Clipped, to the nearest integer, ties to even by the float addition's own rounding; NaN gives 0. */
LOOPS_INLINE uint32_t code_of(float v, float max) {
    v = v > 0.0f ? v : 0.0f;
    v = v < max ? v : max;
    return float_to_bits(v + 8388608.0f) & 0xffffu;
}

#endif
