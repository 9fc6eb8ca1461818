/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Attention on bf16 pairs with AVX512-BF16 intrinsics; see attend_bf16.h. One lane is one query, so that nothing is
 * ever summed across lanes. The build compiles this file with the instruction set on; callers check the CPU.
 */
#include "backend/cpu/attend_bf16.h"

#include <immintrin.h>
#include <string.h>

#define LOOPS_ISA avx512bf16
#include "backend/cpu/loops_math.h"

enum { Q = ATTEND_QUERIES, GROUP = 8 };

static inline __m512bh pairs(const uint32_t *x) {
    __m512i v = _mm512_loadu_si512(x);
    return (__m512bh)v;
}

static inline __m512bh broadcast(uint32_t pair) { return (__m512bh)_mm512_set1_epi32((int)pair); }

/* score (tokens, Q) = scale k q; GROUP keys at a time hide the latency of the products. */
static void scores(const uint32_t *q, const uint32_t *k, int tokens, int half, float scale, float *score) {
    int t = 0;
    for (; t + GROUP <= tokens; t += GROUP) {
        __m512 sum[GROUP];
        for (int j = 0; j < GROUP; j++)
            sum[j] = _mm512_setzero_ps();
        const uint32_t *row = k + (size_t)t * half;
        for (int c = 0; c < half; c++) {
            __m512bh lanes = pairs(q + c * Q);
            for (int j = 0; j < GROUP; j++)
                sum[j] = _mm512_dpbf16_ps(sum[j], lanes, broadcast(row[j * half + c]));
        }
        for (int j = 0; j < GROUP; j++)
            _mm512_storeu_ps(score + (t + j) * Q, _mm512_mul_ps(sum[j], _mm512_set1_ps(scale)));
    }
    for (; t < tokens; t++) {
        __m512 sum = _mm512_setzero_ps();
        for (int c = 0; c < half; c++)
            sum = _mm512_dpbf16_ps(sum, pairs(q + c * Q), broadcast(k[(size_t)t * half + c]));
        _mm512_storeu_ps(score + t * Q, _mm512_mul_ps(sum, _mm512_set1_ps(scale)));
    }
}

/* Turns scores into weights under the running maximum; factor rescales what was summed under the old one. */
static void soften(float *score, int tokens, float *max, float *sum, float *factor) {
    float high[Q];
    memcpy(high, max, sizeof high);
    for (int t = 0; t < tokens; t++)
        for (int i = 0; i < Q; i++)
            high[i] = score[t * Q + i] > high[i] ? score[t * Q + i] : high[i];
    for (int i = 0; i < Q; i++) {
        factor[i] = exp_of_number(max[i] - high[i]);
        max[i] = high[i];
        sum[i] *= factor[i];
    }
    for (int t = 0; t < tokens; t++)
        for (int i = 0; i < Q; i++) {
            float p = exp_of_number(score[t * Q + i] - high[i]);
            score[t * Q + i] = p;
            sum[i] += p;
        }
}

/* Weights of two tokens as pairs; the second of an odd last one is 0. */
static void pair_weights(const float *score, int tokens, uint32_t *weight) {
    for (int t = 0; t < tokens; t += 2) {
        __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(score + t * Q)));
        __m512i high = _mm512_setzero_si512();
        if (t + 1 < tokens)
            high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(score + (t + 1) * Q)));
        _mm512_storeu_si512(weight + t / 2 * Q, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
    }
}

/* out (dim, Q) = factor out + weight v. */
static void weigh_values(const uint32_t *weight, const uint32_t *v, int token_pairs, int dim, const float *factor,
                         float *out) {
    __m512 rescale = _mm512_loadu_ps(factor);
    int c = 0;
    for (; c + GROUP <= dim; c += GROUP) {
        __m512 sum[GROUP];
        for (int j = 0; j < GROUP; j++)
            sum[j] = _mm512_mul_ps(_mm512_loadu_ps(out + (c + j) * Q), rescale);
        for (int t = 0; t < token_pairs; t++) {
            __m512bh lanes = pairs(weight + t * Q);
            const uint32_t *row = v + (size_t)t * dim + c;
            for (int j = 0; j < GROUP; j++)
                sum[j] = _mm512_dpbf16_ps(sum[j], lanes, broadcast(row[j]));
        }
        for (int j = 0; j < GROUP; j++)
            _mm512_storeu_ps(out + (c + j) * Q, sum[j]);
    }
    for (; c < dim; c++) {
        __m512 sum = _mm512_mul_ps(_mm512_loadu_ps(out + c * Q), rescale);
        for (int t = 0; t < token_pairs; t++)
            sum = _mm512_dpbf16_ps(sum, pairs(weight + t * Q), broadcast(v[(size_t)t * dim + c]));
        _mm512_storeu_ps(out + c * Q, sum);
    }
}

void cpu_attend_bf16(const uint32_t *q, const uint32_t *k, const uint32_t *v, int tokens, int dim, float scale,
                     float *max, float *sum, float *out) {
    float score[ATTEND_TOKENS * Q], factor[Q];
    uint32_t weight[ATTEND_TOKENS / 2 * Q];
    scores(q, k, tokens, dim / 2, scale, score);
    soften(score, tokens, max, sum, factor);
    pair_weights(score, tokens, weight);
    weigh_values(weight, v, (tokens + 1) / 2, dim, factor, out);
}
