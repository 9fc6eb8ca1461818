/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What kernels are tried on before one of them is chosen, and whether two of them had the same results (choose.c).
 */
#include "device.h"

enum { THREADS = 256, BLOCKS = YONOS_CUDA_DIFFERENCES / (THREADS / WARP) };

/* In [-1, 1), from the bits of i mixed as by Wellons' "lowbias32" (github.com/skeeto/hash-prospector). */
__device__ static inline float number(size_t i) {
    uint32_t h = static_cast<uint32_t>(i) ^ static_cast<uint32_t>(i >> 32) * 0x9e3779b9u;
    h = (h ^ h >> 16) * 0x7feb352du;
    h = (h ^ h >> 15) * 0x846ca68bu;
    return static_cast<float>((h ^ h >> 16) >> 8) * 0x1p-23f - 1.0f;
}

template <typename T> __global__ void numbers(T *to, size_t count) {
    size_t i = static_cast<size_t>(blockIdx.x) * THREADS + threadIdx.x;
    if (i < count)
        to[i] = from_float<T>(number(i));
}

int yonos_cuda_numbers(void *to, YonosDType dtype, gsize count, YonosCudaStream stream) {
    return dispatch(dtype, [=](auto zero) {
        typedef decltype(zero) T;
        return YONOS_LAUNCH((numbers<T>), blocks_for(count, THREADS), THREADS, 0, stream, static_cast<T *>(to), count);
    });
}

/* A warp each; NaN of either side is an infinite excess. */
template <typename T>
__global__ void difference(YonosCudaDifference *to, const T *is, const T *should, size_t count, float relative) {
    YonosCudaDifference d = {0.0f, 0.0f};
    for (size_t i = static_cast<size_t>(blockIdx.x) * THREADS + threadIdx.x; i < count; i += BLOCKS * THREADS) {
        float a = to_float(is[i]), b = to_float(should[i]), excess = fabsf(a - b) - relative * fabsf(b);
        d.excess = excess <= d.excess ? d.excess : excess <= INFINITY ? excess : INFINITY;
        d.largest = fmaxf(d.largest, fabsf(b));
    }
    for (unsigned lanes = WARP / 2; lanes > 0; lanes /= 2) {
        d.excess = fmaxf(d.excess, __shfl_xor_sync(ALL_LANES, d.excess, lanes));
        d.largest = fmaxf(d.largest, __shfl_xor_sync(ALL_LANES, d.largest, lanes));
    }
    if (threadIdx.x % WARP == 0)
        to[(blockIdx.x * THREADS + threadIdx.x) / WARP] = d;
}

int yonos_cuda_difference(YonosCudaDifference *to, const void *is, const void *should, YonosDType dtype, gsize count,
                          float relative, YonosCudaStream stream) {
    return dispatch(dtype, [=](auto zero) {
        typedef decltype(zero) T;
        return YONOS_LAUNCH((difference<T>), BLOCKS, THREADS, 0, stream, to, static_cast<const T *>(is),
                            static_cast<const T *>(should), count, relative);
    });
}
