/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Numbers as a storage type holds them, at any address.
 */
#ifndef CUDA_HOST_STORED_H
#define CUDA_HOST_STORED_H

#include "backend/backend.h"

static inline float stored_get(const void *data, YonosDType dtype, gsize i) {
    if (dtype == YONOS_DTYPE_F32)
        return ((const float *)data)[i];
    uint16_t v;
    memcpy(&v, (const char *)data + 2 * i, sizeof v);
    return dtype == YONOS_DTYPE_BF16 ? yonos_bf16_to_f32(v) : yonos_f16_to_f32(v);
}

static inline void stored_set(void *data, YonosDType dtype, gsize i, float v) {
    if (dtype == YONOS_DTYPE_F32)
        ((float *)data)[i] = v;
    else
        ((uint16_t *)data)[i] = dtype == YONOS_DTYPE_BF16 ? yonos_f32_to_bf16(v) : yonos_f32_to_f16(v);
}

/* `count` numbers in `dtype`; g_free() them. */
static inline void *stored_new(const float *from, gsize count, YonosDType dtype) {
    void *to = g_malloc(count * yonos_dtype_size(dtype));
    for (gsize i = 0; i < count; i++)
        stored_set(to, dtype, i, from[i]);
    return to;
}

#endif
