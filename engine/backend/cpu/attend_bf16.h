/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inner step of attention on bf16 pairs (AVX512-BF16: two products and a sum per lane and cycle).
 *
 * A pair is two neighbouring bf16 values in one 32-bit word: of channels in q and k, of tokens in v.
 */
#ifndef YONOS_CPU_ATTEND_BF16_H
#define YONOS_CPU_ATTEND_BF16_H

#include <stdint.h>

enum { ATTEND_QUERIES = 16, ATTEND_TOKENS = 128 };

/*
 * As CpuLoops.attend for ATTEND_QUERIES queries and up to ATTEND_TOKENS tokens: q (dim/2, ATTEND_QUERIES) pairs,
 * k (tokens, dim/2) pairs, v ((tokens + 1)/2, dim) pairs whose missing last token is 0; dim is even. Updates max and
 * sum (ATTEND_QUERIES) and out (dim, ATTEND_QUERIES). Needs a CPU with AVX512-BF16.
 */
void cpu_attend_bf16(const uint32_t *q, const uint32_t *k, const uint32_t *v, int tokens, int dim, float scale,
                     float *max, float *sum, float *out);

#endif
