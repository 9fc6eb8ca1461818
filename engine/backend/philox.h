/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The noise field: a standard normal value for (seed, frame, y, x, channel), the same
 * bits on every backend.
 *
 * Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011)
 * with counter (x | y << 16, channel / 4, frame low, frame high) and key = seed. Its four
 * words make two Box-Muller pairs with our own polynomials, so that no libm decides a bit.
 * Only IEEE add, multiply and square root are used, each rounded by itself: compile
 * without contraction (-ffp-contract=off, nvcc --fmad=false).
 */
#ifndef YONOS_PHILOX_H
#define YONOS_PHILOX_H

#include <stdint.h>

#ifdef __CUDACC__
#define YONOS_BOTH __host__ __device__ static inline
#else
#define YONOS_BOTH static inline
#endif

/* One Philox4x32-10 block: counter in, four random words out, in place. */
YONOS_BOTH void yonos_philox4x32_10(uint32_t counter[4], uint32_t key0, uint32_t key1) {
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * counter[0];
        uint64_t p1 = (uint64_t)0xCD9E8D57u * counter[2];
        uint32_t c0 = (uint32_t)(p1 >> 32) ^ counter[1] ^ key0;
        uint32_t c2 = (uint32_t)(p0 >> 32) ^ counter[3] ^ key1;
        counter[0] = c0;
        counter[1] = (uint32_t)p1;
        counter[2] = c2;
        counter[3] = (uint32_t)p0;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
}

#endif
