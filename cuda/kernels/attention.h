/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the two attention kernels share.
 */
#ifndef YONOS_CUDA_ATTENTION_H
#define YONOS_CUDA_ATTENTION_H

#include "device.h"

/* One of Q, K, V: rows are tokens of an image's head. */
struct Rows {
    const void *data;
    YonosDType dtype;
    size_t first, step; /* elements: token 0, from token to token */
    int tokens, channels;
};

__device__ static inline Rows query_rows(const YonosCudaAttention &a, size_t image, size_t head) {
    return {a.q, a.dtype, image * a.q_image + head * a.head_dim, a.q_token, a.q_tokens, a.head_dim};
}
__device__ static inline Rows key_rows(const YonosCudaAttention &a, size_t image, size_t head) {
    return {a.k, a.dtype, image * a.k_image + head * a.head_dim, a.k_token, a.kv_tokens, a.head_dim};
}
__device__ static inline Rows value_rows(const YonosCudaAttention &a, size_t image, size_t head) {
    return {a.v, a.dtype, image * a.v_image + head * a.head_dim, a.v_token, a.kv_tokens, a.head_dim};
}

/* Scores in powers of two: e^x = 2^(x log2 e). */
__device__ static inline float score_scale(const YonosCudaAttention &a) { return a.scale * 1.44269504f; }

/* attention_tensor.cu, f16 and bf16; every row of Q, K, V and out begins at a multiple of 16 bytes. */
int attention_on_tensor_cores(const YonosCudaAttention *a, YonosCudaStream stream);

#endif
