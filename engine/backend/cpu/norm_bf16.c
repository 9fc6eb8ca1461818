/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GROUP_NORM's loops with AVX512-BF16 intrinsics; see norm_bf16.h. The build compiles this file with the instruction
 * set on; callers check the CPU.
 */
#include "backend/cpu/norm_bf16.h"

#include <immintrin.h>

enum { LANES = 16 };

/* bf16 to f32: each word into the upper half of its lane, in one instruction instead of widening and shifting. */
static inline __m512 widen(__m256i x) {
    const __m512i word = _mm512_set_epi16(15, 0, 14, 0, 13, 0, 12, 0, 11, 0, 10, 0, 9, 0, 8, 0,
                                          7, 0, 6, 0, 5, 0, 4, 0, 3, 0, 2, 0, 1, 0, 0, 0);
    return _mm512_castsi512_ps(_mm512_maskz_permutexvar_epi16(0xaaaaaaaau, word, _mm512_castsi256_si512(x)));
}

/* 2^x, relative error below 4e-6: a minimax polynomial in x - floor(x). Infinity and NaN as by exp2f(). */
static inline __m512 exp2_of(__m512 x) {
    __m512 r = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    __m512 p = _mm512_set1_ps(0.0135341678f);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.0520114601f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.241442755f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.693003833f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.00000262f));
    return _mm512_scalef_ps(p, x);
}

static inline __m512 silu_of(__m512 x) {
    __m512 e = exp2_of(_mm512_mul_ps(x, _mm512_set1_ps(-1.44269504f)));
    return _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1.0f), e));
}

/* Lanes i to i + 15, of which `mask` are there. */
static inline __m512 normalised(const uint16_t *x, const CpuScale *scale, int i, __mmask16 mask, gboolean silu) {
    __m512 mean = _mm512_maskz_loadu_ps(mask, scale->mean + i);
    __m512 factor = _mm512_maskz_loadu_ps(mask, scale->factor + i);
    __m512 offset = _mm512_maskz_loadu_ps(mask, scale->offset + i);
    __m512 v = _mm512_sub_ps(widen(_mm256_maskz_loadu_epi16(mask, x + i)), mean);
    v = _mm512_fmadd_ps(v, factor, offset);
    return silu ? silu_of(v) : v;
}

/* Lanes i to i + 31; two vectors are rounded to bf16 by one instruction. */
static inline void normalise_pair(const uint16_t *x, uint16_t *out, const CpuScale *scale, int i, __mmask32 mask,
                                  gboolean silu) {
    __m512 low = normalised(x, scale, i, (__mmask16)mask, silu);
    __m512 high = normalised(x, scale, i + LANES, (__mmask16)(mask >> LANES), silu);
    _mm512_mask_storeu_epi16(out + i, mask, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

static inline void normalise_row(const uint16_t *x, uint16_t *out, int lanes, const CpuScale *scale, gboolean silu) {
    int i = 0;
    for (; i + 2 * LANES <= lanes; i += 2 * LANES)
        normalise_pair(x, out, scale, i, ~0u, silu);
    if (i < lanes)
        normalise_pair(x, out, scale, i, (1u << (lanes - i)) - 1, silu);
}

void cpu_normalise_bf16(const void *x, gsize x_stride, void *out, gsize out_stride, YonosDType dtype, gsize rows,
                        int lanes, const CpuScale *scale, YonosActivation activation) {
    gboolean silu = activation == YONOS_ACTIVATION_SILU;
    if (dtype != YONOS_DTYPE_BF16 || (!silu && activation != YONOS_ACTIVATION_NONE)) {
        cpu_loops_avx512.normalise(x, x_stride, out, out_stride, dtype, rows, lanes, scale, activation);
        return;
    }
    for (gsize r = 0; r < rows; r++) {
        const uint16_t *from = (const uint16_t *)x + r * x_stride;
        uint16_t *to = (uint16_t *)out + r * out_stride;
        if (silu) /* constants, so that no row asks again */
            normalise_row(from, to, lanes, scale, TRUE);
        else
            normalise_row(from, to, lanes, scale, FALSE);
    }
}
