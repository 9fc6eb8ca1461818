/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Errors and half floats; see util.h.
 */
#include "util/util.h"

#include <stdarg.h>

GQuark yonos_error_quark(void) { return g_quark_from_static_string("yonos-error-quark"); }

gboolean yonos_fail(GError **error, YonosError code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (error)
        g_propagate_error(error, g_error_new_valist(YONOS_ERROR, (int)code, format, args));
    va_end(args);
    return FALSE;
}

float yonos_f16_to_f32(uint16_t v) {
    uint32_t sign = (uint32_t)(v & 0x8000u) << 16;
    uint32_t magnitude = v & 0x7fffu;
    uint32_t bits;
    float f;
    if (magnitude >= 0x7c00u) { /* infinity, NaN */
        bits = sign | 0x7f800000u | (magnitude & 0x3ffu) << 13;
    } else if (magnitude >= 0x0400u) {
        bits = sign | ((magnitude << 13) + ((127u - 15u) << 23));
    } else { /* zero, subnormal: exact as an integer times 2^-24 */
        f = (float)magnitude * 0x1p-24f;
        memcpy(&bits, &f, sizeof bits);
        bits |= sign;
    }
    memcpy(&f, &bits, sizeof f);
    return f;
}

uint16_t yonos_f32_to_f16(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000u;
    uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u | (magnitude >> 13 & 0x3ffu));
    if (magnitude >= 0x477ff000u) /* rounds to 65536 or more */
        return (uint16_t)(sign | 0x7c00u);
    if (magnitude < 0x38800000u) { /* below 2^-14: let the FPU round at 2^-24 */
        float scaled;
        memcpy(&scaled, &magnitude, sizeof scaled);
        scaled += 0x1p-1f; /* the ulp of values in [0.5, 1) is 2^-24 */
        memcpy(&magnitude, &scaled, sizeof magnitude);
        return (uint16_t)(sign | (magnitude - 0x3f000000u));
    }
    magnitude += 0xfffu + (magnitude >> 13 & 1u) - ((127u - 15u) << 23);
    return (uint16_t)(sign | magnitude >> 13);
}
