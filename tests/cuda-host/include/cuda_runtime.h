/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CUDA's device language for the host, as far as cuda/kernels uses it (see cuda/kernels/device.h).
 *
 * A launch goes into its stream (cuda_runtime_api.h), or runs at once where there is none: blocks one after the other,
 * the threads of a block as fibers that switch only where a kernel synchronises (../launch.cc). Dynamic shared memory is a heap block of exactly the size
 * asked for, filled with NaN before each block. Device memory is the host's; AddressSanitizer watches both.
 */
#ifndef CUDA_HOST_RUNTIME_H
#define CUDA_HOST_RUNTIME_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include <functional>
#include <tuple>

#include "cuda_runtime_api.h"

#define __global__ static
#define __device__
#define __host__
#define __restrict__ __restrict
#define __launch_bounds__(...)

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct alignas(16) uint4 {
    uint32_t x, y, z, w;
};

/* Of the fiber that runs. */
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;

namespace cuda_host {

/* Puts body() for every thread of every block into the stream. The value is a cudaError_t. */
int launch(dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream, std::function<void()> body);

void *shared_memory();
void check_aligned(const void *p, size_t bytes);

/* Waits for the whole block; for the lanes of the warp. */
void synchronise_block();
/* Puts `value` where the warp's lanes see it and waits for them: all values, until the next call but one. */
const uint64_t *exchange(unsigned mask, uint64_t value);
unsigned lane();
unsigned lanes_of_warp();

/* Arguments are evaluated at the launch, as on a device. */
template <typename... Parameters, typename... Arguments>
int launch_kernel(dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream, void (*kernel)(Parameters...),
                  Arguments &&...arguments) {
    std::tuple<Parameters...> copies(static_cast<Parameters>(arguments)...);
    return launch(grid, block, shared_bytes, stream, [kernel, copies] { std::apply(kernel, copies); });
}

template <typename T> uint64_t to_bits(T value) {
    static_assert(sizeof(T) <= 8, "a shuffle moves up to eight bytes");
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof value);
    return bits;
}
template <typename T> T from_bits(uint64_t bits) {
    T value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

} // namespace cuda_host

#define YONOS_LAUNCH(kernel, grid, block, shared, stream, ...)                                                         \
    cuda_host::launch_kernel((grid), (block), (shared), (stream), kernel, __VA_ARGS__)
#define YONOS_SHARED(type, name) type *name = static_cast<type *>(cuda_host::shared_memory())
#define YONOS_CHECK_ALIGNED(p, bytes) cuda_host::check_aligned((p), (bytes))
#define YONOS_UNROLL
#define YONOS_UNROLL_4
#define YONOS_NO_UNROLL

/* ---- synchronisation, shuffles, votes ---------------------------------------------------------- */

static inline void __syncthreads() { cuda_host::synchronise_block(); }
static inline void __syncwarp(unsigned mask = 0xffffffffu) { cuda_host::exchange(mask, 0); }

/* A lane beyond the block's end keeps the caller's value. */
template <typename T> T __shfl_sync(unsigned mask, T value, unsigned from) {
    const uint64_t *values = cuda_host::exchange(mask, cuda_host::to_bits(value));
    return from < cuda_host::lanes_of_warp() ? cuda_host::from_bits<T>(values[from]) : value;
}
template <typename T> T __shfl_xor_sync(unsigned mask, T value, unsigned lanes) {
    return __shfl_sync(mask, value, cuda_host::lane() ^ lanes);
}
template <typename T> T __shfl_down_sync(unsigned mask, T value, unsigned delta) {
    return __shfl_sync(mask, value, cuda_host::lane() + delta);
}

static inline unsigned __ballot_sync(unsigned mask, bool vote) {
    const uint64_t *votes = cuda_host::exchange(mask, vote);
    unsigned ballot = 0;
    for (unsigned i = 0; i < cuda_host::lanes_of_warp(); i++)
        ballot |= (mask >> i & 1) && votes[i] ? 1u << i : 0;
    return ballot;
}
static inline bool __any_sync(unsigned mask, bool vote) { return __ballot_sync(mask, vote) != 0; }

/* ---- arithmetic -------------------------------------------------------------------------------- */

static inline int __float2int_rn(float v) { return static_cast<int>(lrintf(v)); }
static inline int min(int a, int b) { return a < b ? a : b; }
/* Approximate on a device. */
static inline float __fdividef(float a, float b) { return a / b; }
#define __expf(v) expf(v)

#endif
