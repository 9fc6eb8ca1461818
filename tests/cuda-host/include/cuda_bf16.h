/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * __nv_bfloat16 for the host: storage and conversions.
 */
#ifndef CUDA_HOST_BF16_H
#define CUDA_HOST_BF16_H

#include "util/util.h"

struct __nv_bfloat16 {
    uint16_t bits;
};

static inline float __bfloat162float(__nv_bfloat16 v) { return yonos_bf16_to_f32(v.bits); }
static inline __nv_bfloat16 __float2bfloat16_rn(float v) { return {yonos_f32_to_bf16(v)}; }

#endif
