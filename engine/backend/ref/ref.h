/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the reference operations share: reading and writing any storage type as float.
 */
#ifndef YONOS_REF_H
#define YONOS_REF_H

#include <math.h>

#include "backend/backend.h"

static inline float ref_load(const void *data, YonosDType dtype, gsize i) {
    if (dtype == YONOS_DTYPE_F32)
        return ((const float *)data)[i];
    uint16_t v = ((const uint16_t *)data)[i];
    return dtype == YONOS_DTYPE_BF16 ? yonos_bf16_to_f32(v) : yonos_f16_to_f32(v);
}

static inline void ref_store(void *data, YonosDType dtype, gsize i, float v) {
    if (dtype == YONOS_DTYPE_F32)
        ((float *)data)[i] = v;
    else
        ((uint16_t *)data)[i] = dtype == YONOS_DTYPE_BF16 ? yonos_f32_to_bf16(v) : yonos_f32_to_f16(v);
}

/* Element i of a node's tensor. */
static inline float ref_get(const YonosRun *run, const YonosTensor *t, gsize i) {
    return ref_load(run->data[t->id], t->dtype, i);
}

static inline void ref_set(const YonosRun *run, const YonosTensor *t, gsize i, float v) {
    ref_store(run->data[t->id], t->dtype, i, v);
}

static inline gsize ref_index(YonosShape s, int n, int y, int x, int c) {
    return (((gsize)n * s.h + y) * s.w + x) * s.c + c;
}

static inline float ref_gelu(float x) { return 0.5f * x * (1.0f + erff(x * 0.70710678f)); }

static inline float ref_activate(float x, YonosActivation activation) {
    switch (activation) {
    case YONOS_ACTIVATION_RELU:
        return x > 0.0f ? x : 0.0f;
    case YONOS_ACTIVATION_SILU:
        return x / (1.0f + expf(-x));
    case YONOS_ACTIVATION_GELU:
        return ref_gelu(x);
    case YONOS_ACTIVATION_TANH_CLAMP:
        return 3.0f * tanhf(x / 3.0f);
    case YONOS_ACTIVATION_NONE:
        break;
    }
    return x;
}

/* The table's rows, one declaration for each file's operations. */
extern const YonosOp ref_conv2d, ref_linear, ref_group_norm, ref_layer_norm, ref_attention, ref_geglu, ref_affine,
    ref_concat, ref_resize, ref_window, ref_fill, ref_blend, ref_noise, ref_pack, ref_unpack, ref_adain, ref_blur,
    ref_motion, ref_warp, ref_stillness, ref_keep;

#endif
