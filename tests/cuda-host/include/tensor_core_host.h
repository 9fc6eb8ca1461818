/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cuda/kernels/tensor_core.h for the host. Copies happen when they are waited for, not before.
 */
#ifndef CUDA_HOST_TENSOR_CORE_H
#define CUDA_HOST_TENSOR_CORE_H

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

namespace cuda_host {
void start_copy(void *to, const void *from, bool read);
void end_group();
void wait_for_groups(unsigned but_latest);
} // namespace cuda_host

static inline void load_matrices(uint32_t (&m)[4], const void *row) {
    cuda_host::check_aligned(row, 16);
    const uint64_t *rows = cuda_host::exchange(0xffffffffu, reinterpret_cast<uint64_t>(row));
    unsigned g = cuda_host::lane() / 4, t = cuda_host::lane() % 4;
    for (unsigned i = 0; i < 4; i++)
        memcpy(&m[i], reinterpret_cast<const char *>(rows[8 * i + g]) + 4 * t, sizeof m[i]);
}

static inline void load_matrices_transposed(uint32_t (&m)[4], const void *row) {
    cuda_host::check_aligned(row, 16);
    const uint64_t *rows = cuda_host::exchange(0xffffffffu, reinterpret_cast<uint64_t>(row));
    unsigned g = cuda_host::lane() / 4, t = cuda_host::lane() % 4;
    for (unsigned i = 0; i < 4; i++) {
        const uint16_t *even = reinterpret_cast<const uint16_t *>(rows[8 * i + 2 * t]);
        const uint16_t *odd = reinterpret_cast<const uint16_t *>(rows[8 * i + 2 * t + 1]);
        m[i] = even[g] | static_cast<uint32_t>(odd[g]) << 16;
    }
}

static inline float host_to_float(__half v) { return __half2float(v); }
static inline float host_to_float(__nv_bfloat16 v) { return __bfloat162float(v); }

/* Both elements of a register. */
template <typename T> void split_register(uint32_t bits, float *to) {
    to[0] = host_to_float(T{static_cast<uint16_t>(bits)});
    to[1] = host_to_float(T{static_cast<uint16_t>(bits >> 16)});
}

template <typename T> void multiply_add(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    unsigned g = cuda_host::lane() / 4, t = cuda_host::lane() % 4;
    float rows[2][16], columns[2][16]; /* of A: g, g + 8; of B: 2t, 2t + 1 */
    for (int high = 0; high < 2; high++) {
        const uint64_t *halves = cuda_host::exchange(0xffffffffu, a[2 * high] | static_cast<uint64_t>(a[2 * high + 1]) << 32);
        for (unsigned k = 0; k < 4; k++)
            for (int row = 0; row < 2; row++)
                split_register<T>(static_cast<uint32_t>(halves[4 * g + k] >> 32 * row), &rows[row][8 * high + 2 * k]);
    }
    const uint64_t *halves = cuda_host::exchange(0xffffffffu, b0 | static_cast<uint64_t>(b1) << 32);
    for (unsigned k = 0; k < 4; k++)
        for (unsigned column = 0; column < 2; column++)
            for (int high = 0; high < 2; high++)
                split_register<T>(static_cast<uint32_t>(halves[4 * (2 * t + column) + k] >> 32 * high),
                                  &columns[column][8 * high + 2 * k]);
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 16; k++)
            c[i] += rows[i / 2][k] * columns[i % 2][k];
}

static inline void copy_async(void *to, const void *from, bool read) { cuda_host::start_copy(to, from, read); }
static inline void commit_copies() { cuda_host::end_group(); }
template <int N> void wait_for_copies() { cuda_host::wait_for_groups(N); }

#endif
