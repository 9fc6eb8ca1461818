/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tensor cores and asynchronous copies as sm_80 and later have them, by the names and layouts of the PTX manual
 * (mma.m16n8k16, ldmatrix, cp.async). On the host tests/cuda-host stands in.
 *
 * Lane l of a warp, g = l / 4, t = l % 4, holds of
 *   A (16,16): a[0] (g, 2t..2t+1), a[1] (g + 8, 2t..), a[2] (g, 2t + 8..), a[3] (g + 8, 2t + 8..)
 *   B (16,8):  b0 (2t..2t+1, g), b1 (2t + 8.., g)
 *   C (16,8):  c[0], c[1] (g, 2t..2t+1), c[2], c[3] (g + 8, 2t..2t+1)
 */
#ifndef YONOS_CUDA_TENSOR_CORE_H
#define YONOS_CUDA_TENSOR_CORE_H

#include "device.h"

#ifndef __CUDACC__
#include "tensor_core_host.h"
#else

__device__ static inline uint32_t shared_address(const void *p) {
    return static_cast<uint32_t>(__cvta_generic_to_shared(p));
}

/* Four 8x8 matrices of 16-bit elements from shared memory: `row` is lane l's, row l % 8 of matrix l / 8, 16-byte aligned.
 * m[i] holds elements 2t, 2t + 1 of row g of matrix i. */
__device__ static inline void load_matrices(uint32_t (&m)[4], const void *row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
                 : "r"(shared_address(row))
                 : "memory");
}

/* The same of the transposed matrices: m[i] holds rows 2t, 2t + 1 of column g. */
__device__ static inline void load_matrices_transposed(uint32_t (&m)[4], const void *row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
                 : "r"(shared_address(row))
                 : "memory");
}

/* c += a b, by a whole warp; T is the type of a and b. */
template <typename T>
__device__ static inline void multiply_add(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1);

template <>
__device__ inline void multiply_add<__half>(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

template <>
__device__ inline void multiply_add<__nv_bfloat16>(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/* Starts a copy of 16 bytes to shared memory, or of zeros where `from` is not to be read. Both 16-byte aligned. */
__device__ static inline void copy_async(void *to, const void *from, bool read) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(read ? 16 : 0)
                 : "memory");
}

/* Ends a group of the calling thread's copies. */
__device__ static inline void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

/* Waits for the calling thread's groups but for the latest N; others see the data after a barrier. */
template <int N> __device__ static inline void wait_for_copies() {
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

#endif

#endif
