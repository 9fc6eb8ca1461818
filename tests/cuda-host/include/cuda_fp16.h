/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * __half for the host: storage and conversions.
 */
#ifndef CUDA_HOST_FP16_H
#define CUDA_HOST_FP16_H

#include "util/util.h"

struct __half {
    uint16_t bits;
};

static inline float __half2float(__half v) { return yonos_f16_to_f32(v.bits); }
static inline __half __float2half_rn(float v) { return {yonos_f32_to_f16(v)}; }

#endif
