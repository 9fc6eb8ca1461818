/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernels share: the launch macro, storage types, 16-byte accesses, activations.
 *
 * The host build (tests/cuda-host) puts its own cuda_runtime.h, cuda_fp16.h and cuda_bf16.h before CUDA's; they
 * define YONOS_LAUNCH and what follows it here for fibers on the host. Kernels therefore keep to
 * what is emulated there: __syncthreads, __syncwarp, shuffles and votes of whole warps, dynamic shared memory.
 */
#ifndef YONOS_CUDA_DEVICE_H
#define YONOS_CUDA_DEVICE_H

#include <stdint.h>

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include "kernels.h"

#ifndef YONOS_LAUNCH
/* Launches `kernel` (in parentheses where template arguments have commas); its value is the cudaError_t as int. */
#define YONOS_LAUNCH(kernel, grid, block, shared, stream, ...)                                                         \
    (kernel<<<(grid), (block), (shared), (stream)>>>(__VA_ARGS__), (int)cudaGetLastError())
/* Declares `type *name`: the block's dynamic shared memory, 16-byte aligned. */
#define YONOS_SHARED(type, name)                                                                                       \
    extern __shared__ __align__(16) unsigned char yonos_shared[];                                                      \
    type *name = reinterpret_cast<type *>(yonos_shared)
/* On the host: stops with a message where p is not a multiple of `bytes`, as a device would. */
#define YONOS_CHECK_ALIGNED(p, bytes) ((void)0)
#define YONOS_UNROLL _Pragma("unroll")
#define YONOS_UNROLL_4 _Pragma("unroll 4")
#define YONOS_NO_UNROLL _Pragma("unroll 1")
#endif

enum { WARP = 32 };
static const unsigned ALL_LANES = 0xffffffffu;

/* ---- storage types --------------------------------------------------------------------------- */

__device__ static inline float to_float(float v) { return v; }
__device__ static inline float to_float(__half v) { return __half2float(v); }
__device__ static inline float to_float(__nv_bfloat16 v) { return __bfloat162float(v); }

template <typename T> __device__ T from_float(float v);
template <> __device__ inline float from_float<float>(float v) { return v; }
template <> __device__ inline __half from_float<__half>(float v) { return __float2half_rn(v); }
template <> __device__ inline __nv_bfloat16 from_float<__nv_bfloat16>(float v) { return __float2bfloat16_rn(v); }

/* N elements that one access moves. */
template <typename T, int N> struct alignas(sizeof(T) * N) Vector {
    T v[N];
};

/* Elements of a 16-byte access. */
template <typename T> struct Width {
    enum { value = 16 / sizeof(T) };
};

template <int N, typename T> __device__ static inline Vector<T, N> load_vector(const T *from) {
    YONOS_CHECK_ALIGNED(from, sizeof(T) * N);
    return *reinterpret_cast<const Vector<T, N> *>(from);
}

template <int N, typename T> __device__ static inline void load(const T *from, float (&to)[N]) {
    const Vector<T, N> vector = load_vector<N>(from);
    YONOS_UNROLL
    for (int i = 0; i < N; i++)
        to[i] = to_float(vector.v[i]);
}

template <int N, typename T> __device__ static inline void store(T *to, const float (&from)[N]) {
    YONOS_CHECK_ALIGNED(to, sizeof(T) * N);
    Vector<T, N> vector;
    YONOS_UNROLL
    for (int i = 0; i < N; i++)
        vector.v[i] = from_float<T>(from[i]);
    *reinterpret_cast<Vector<T, N> *>(to) = vector;
}

/* Elements first .. first + 7 of a tensor of any type; its data is 16-byte aligned and `first` a multiple of 8. */
__device__ static inline void load_eight(const YonosCudaTensor &tensor, size_t first, float (&to)[8]) {
    if (tensor.dtype == YONOS_DTYPE_F16) {
        load<8>(static_cast<const __half *>(tensor.data) + first, to);
    } else if (tensor.dtype == YONOS_DTYPE_BF16) {
        load<8>(static_cast<const __nv_bfloat16 *>(tensor.data) + first, to);
    } else {
        float half[2][4];
        load<4>(static_cast<const float *>(tensor.data) + first, half[0]);
        load<4>(static_cast<const float *>(tensor.data) + first + 4, half[1]);
    YONOS_UNROLL
        for (int i = 0; i < 8; i++)
            to[i] = half[i / 4][i % 4];
    }
}

__device__ static inline void store_eight(const YonosCudaTensor &tensor, size_t first, const float (&from)[8]) {
    if (tensor.dtype == YONOS_DTYPE_F16) {
        store<8>(static_cast<__half *>(tensor.data) + first, from);
    } else if (tensor.dtype == YONOS_DTYPE_BF16) {
        store<8>(static_cast<__nv_bfloat16 *>(tensor.data) + first, from);
    } else {
        const float low[4] = {from[0], from[1], from[2], from[3]}, high[4] = {from[4], from[5], from[6], from[7]};
        store<4>(static_cast<float *>(tensor.data) + first, low);
        store<4>(static_cast<float *>(tensor.data) + first + 4, high);
    }
}

__device__ static inline float load_one(const YonosCudaTensor &tensor, size_t i) {
    if (tensor.dtype == YONOS_DTYPE_F16)
        return to_float(static_cast<const __half *>(tensor.data)[i]);
    if (tensor.dtype == YONOS_DTYPE_BF16)
        return to_float(static_cast<const __nv_bfloat16 *>(tensor.data)[i]);
    return static_cast<const float *>(tensor.data)[i];
}

__device__ static inline void store_one(const YonosCudaTensor &tensor, size_t i, float v) {
    if (tensor.dtype == YONOS_DTYPE_F16)
        static_cast<__half *>(tensor.data)[i] = from_float<__half>(v);
    else if (tensor.dtype == YONOS_DTYPE_BF16)
        static_cast<__nv_bfloat16 *>(tensor.data)[i] = from_float<__nv_bfloat16>(v);
    else
        static_cast<float *>(tensor.data)[i] = v;
}

/* Calls f(T()) with the C++ type of `dtype`. */
template <typename F> static inline int dispatch(YonosDType dtype, F f) {
    if (dtype == YONOS_DTYPE_F16)
        return f(__half());
    if (dtype == YONOS_DTYPE_BF16)
        return f(__nv_bfloat16());
    return f(float());
}

/* ---- sizes and launches ---------------------------------------------------------------------- */

static inline bool is_aligned(const void *p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }
static inline bool is_aligned(const YonosCudaTensor *tensor) { return !tensor || is_aligned(tensor->data); }

static inline unsigned blocks_for(size_t items, unsigned per_block) {
    return static_cast<unsigned>((items + per_block - 1) / per_block);
}

/* a / b; a 64-bit division costs as much as moving several elements, and few tensors need it. */
__device__ static inline size_t divide(size_t a, unsigned b) { return a >> 32 ? a / b : static_cast<unsigned>(a) / b; }

/* Pixels of all images. */
static inline size_t pixel_count(const YonosCudaTensor *tensor) {
    return static_cast<size_t>(tensor->shape.n) * tensor->shape.h * tensor->shape.w;
}

/* One thread per element of a row, rows and images as the grid's y and z. */
enum { ROW_THREADS = 256 };
static inline dim3 row_grid(YonosShape shape, int per_row) {
    return dim3(blocks_for(per_row, ROW_THREADS), shape.h, shape.n);
}

/* ---- arithmetic ------------------------------------------------------------------------------ */

__device__ static inline int clamp_int(int v, int low, int high) { return v < low ? low : v > high ? high : v; }

__device__ static inline float gelu(float x) { return 0.5f * x * (1.0f + erff(x * 0.70710678f)); }

/* x / (1 + e^-x) by the approximate exponential and division: a few units in the last place of f32. */
__device__ static inline float silu(float x) { return __fdividef(x, 1.0f + __expf(-x)); }

__device__ static inline float activate(float x, YonosActivation activation) {
    switch (activation) {
    case YONOS_ACTIVATION_RELU:
        return x > 0.0f ? x : 0.0f;
    case YONOS_ACTIVATION_SILU:
        return silu(x);
    case YONOS_ACTIVATION_GELU:
        return gelu(x);
    case YONOS_ACTIVATION_TANH_CLAMP:
        return 3.0f * tanhf(x / 3.0f);
    case YONOS_ACTIVATION_NONE:
        break;
    }
    return x;
}

/* Activations as types: in loops that are unrolled over elements, a switch for each keeps them from overlapping. */
struct Identity {
    __device__ float operator()(float x) const { return x; }
};
struct Silu {
    __device__ float operator()(float x) const { return silu(x); }
};
struct AnyActivation {
    YonosActivation activation;
    __device__ float operator()(float x) const { return activate(x, activation); }
};

/* Calls f with the activation's type; those that networks have few of share one. */
template <typename F> static inline int dispatch_activation(YonosActivation activation, F f) {
    if (activation == YONOS_ACTIVATION_NONE)
        return f(Identity());
    if (activation == YONOS_ACTIVATION_SILU)
        return f(Silu());
    return f(AnyActivation{activation});
}

#endif
