/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The noise field: a standard normal value for (seed, frame, y, x, channel), the same
 * bits on every backend.
 *
 * Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011)
 * with counter (x | y << 16, channel / 4, frame low, frame high) and key = seed. Its four
 * words make two Box-Muller pairs with our own polynomials, so that no libm decides a bit.
 * Only IEEE add, multiply, divide and square root are used, each rounded by itself: compile
 * without contraction (-ffp-contract=off, nvcc --fmad=false).
 */
#ifndef YONOS_PHILOX_H
#define YONOS_PHILOX_H

#include <math.h>
#include <stdint.h>
#include <string.h>

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

/* 24 random bits as a number in (0, 1]; never 0, so its logarithm exists. */
YONOS_BOTH float yonos_philox_unit(uint32_t word) { return ((float)(word >> 8) + 0.5f) * 0x1p-24f; }

/*
 * Natural logarithm of x in (0, 1]: x = m 2^e with m in [sqrt(1/2), sqrt(2)), log m = 2 artanh((m - 1) / (m + 1))
 * by its series up to the 9th power; absolute error below 1.1e-6.
 */
YONOS_BOTH float yonos_philox_log(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits -= 0x3f3504f3u; /* sqrt(1/2) */
    int e = (int)bits >> 23;
    bits = (bits & 0x7fffffu) + 0x3f3504f3u;
    float m;
    memcpy(&m, &bits, sizeof m);
    float s = (m - 1.0f) / (m + 1.0f), q = s * s;
    float series = 1.0f + q * (1.0f / 3 + q * (1.0f / 5 + q * (1.0f / 7 + q * (1.0f / 9))));
    return (float)e * 0.69314718f + 2.0f * s * series;
}

/* Cosine and sine of 2 pi u, u in (0, 1]: reduced to an eighth of the circle, Taylor; absolute error below 1e-7. */
YONOS_BOTH void yonos_philox_cos_sin(float u, float *cosine, float *sine) {
    float t = 4.0f * u;
    int k = (int)(t + 0.5f);
    float x = (t - (float)k) * 1.57079633f, q = x * x;
    float c = 1.0f + q * (-1.0f / 2 + q * (1.0f / 24 + q * (-1.0f / 720 + q * (1.0f / 40320))));
    float s = x * (1.0f + q * (-1.0f / 6 + q * (1.0f / 120 + q * (-1.0f / 5040 + q * (1.0f / 362880)))));
    float even = (k & 1) ? s : c, odd = (k & 1) ? c : s;
    *cosine = ((k + 1) & 2) ? -even : even;
    *sine = (k & 2) ? -odd : odd;
}

/* Box-Muller (Box and Muller, 1958) on two words. */
YONOS_BOTH void yonos_philox_normal_pair(uint32_t a, uint32_t b, float out[2]) {
    float radius = sqrtf(-2.0f * yonos_philox_log(yonos_philox_unit(a))), cosine, sine;
    yonos_philox_cos_sin(yonos_philox_unit(b), &cosine, &sine);
    out[0] = radius * cosine;
    out[1] = radius * sine;
}

/* The noise of channels 4 group .. 4 group + 3 at latent pixel (x, y); 0 <= x, y < 65536. */
YONOS_BOTH void yonos_noise_normals(uint64_t seed, uint64_t frame, int y, int x, int group, float out[4]) {
    uint32_t counter[4] = {(uint32_t)x | (uint32_t)y << 16, (uint32_t)group, (uint32_t)frame, (uint32_t)(frame >> 32)};
    yonos_philox4x32_10(counter, (uint32_t)seed, (uint32_t)(seed >> 32));
    yonos_philox_normal_pair(counter[0], counter[1], out);
    yonos_philox_normal_pair(counter[2], counter[3], out + 2);
}

#endif
