/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What every floor of the engine uses: the log domain, half floats, checked sizes.
 *
 * Errors: functions that can fail return gboolean or a pointer, take GError **error last,
 * and set it in the YONOS_ERROR domain with yonos_fail(). Misuse by the programmer is
 * g_return_val_if_fail(). Log: g_debug() for developers, g_info() once per start; never
 * per frame. What users should know is a warning that callers ask for.
 */
#ifndef YONOS_UTIL_H
#define YONOS_UTIL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "yonos.h"

G_BEGIN_DECLS

/* Sets *error and returns FALSE, so that `return yonos_fail(error, ...)` reads as one step. */
gboolean yonos_fail(GError **error, YonosError code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Sizes: FALSE when the product or sum does not fit into a gsize; *out is untouched then. */
static inline gboolean yonos_size_mul(gsize a, gsize b, gsize *out) { return !__builtin_mul_overflow(a, b, out); }
static inline gboolean yonos_size_add(gsize a, gsize b, gsize *out) { return !__builtin_add_overflow(a, b, out); }
/* `alignment` is a power of two. */
static inline gsize yonos_size_align(gsize n, gsize alignment) { return (n + alignment - 1) & ~(alignment - 1); }

/* IEEE binary16 and bfloat16, round to nearest even, NaN stays NaN. */
static inline float yonos_bf16_to_f32(uint16_t v) {
    uint32_t bits = (uint32_t)v << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline uint16_t yonos_f32_to_bf16(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)((bits >> 16) | 0x40u);
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

float yonos_f16_to_f32(uint16_t v);
uint16_t yonos_f32_to_f16(float f);

G_END_DECLS

#endif
