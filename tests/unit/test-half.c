/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Half floats: every binary16 and bfloat16 to f32 against its definition, and rounding from f32 at, just below and just
 * above every midpoint between two neighbours.
 */
#include "util/util.h"

#include <float.h>
#include <math.h>

static uint32_t bits_of(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* The value of a 16-bit float with `fraction` bits of fraction, by IEEE 754's definition. */
static double value_of(uint16_t v, int fraction) {
    int exponent_bits = 15 - fraction, bias = (1 << (exponent_bits - 1)) - 1;
    int exponent = (v & 0x7fff) >> fraction, mantissa = v & ((1 << fraction) - 1);
    double sign = v & 0x8000 ? -1.0 : 1.0;
    if (exponent == (1 << exponent_bits) - 1)
        return mantissa ? NAN : sign * INFINITY;
    if (exponent == 0)
        return sign * ldexp(mantissa, 1 - bias - fraction);
    return sign * ldexp((1 << fraction) + mantissa, exponent - bias - fraction);
}

typedef struct {
    const char *name;
    int fraction;
    float (*widen)(uint16_t);
    uint16_t (*narrow)(float);
} Half;

static float widen_bf16(uint16_t v) { return yonos_bf16_to_f32(v); }
static uint16_t narrow_bf16(float f) { return yonos_f32_to_bf16(f); }

static const Half halves[] = {
    {"f16", 10, yonos_f16_to_f32, yonos_f32_to_f16},
    {"bf16", 7, widen_bf16, narrow_bf16},
};

static void test_all_values(gconstpointer data) {
    const Half *half = data;
    for (uint32_t i = 0; i <= 0xffff; i++) {
        double wanted = value_of((uint16_t)i, half->fraction);
        float f = half->widen((uint16_t)i);
        if (isnan(wanted)) {
            g_assert_true(isnan(f));
            g_assert_true(isnan(value_of(half->narrow(f), half->fraction)));
            continue;
        }
        g_assert_true((double)f == wanted && !signbit(f) == !(i & 0x8000));
        g_assert_cmpuint(half->narrow(f), ==, i);
    }
}

static void check_narrow(const Half *half, float f, uint16_t wanted) {
    g_assert_cmphex(half->narrow(f), ==, wanted);
    g_assert_cmphex(half->narrow(-f), ==, wanted | 0x8000);
}

/* Between each finite value and the next one, which for the largest is where infinity begins. */
static void test_rounding(gconstpointer data) {
    const Half *half = data;
    uint16_t infinity = (uint16_t)(0x7fff >> half->fraction << half->fraction);
    for (uint16_t i = 0; i < infinity; i++) {
        double low = value_of(i, half->fraction), high = value_of((uint16_t)(i + 1), half->fraction);
        if (i + 1 == infinity)
            high = 2.0 * low - value_of((uint16_t)(i - 1), half->fraction);
        float middle = (float)((low + high) / 2.0); /* a float has more bits: exact */
        g_assert_true((double)middle == (low + high) / 2.0);
        check_narrow(half, middle, i % 2 == 0 ? i : (uint16_t)(i + 1));
        check_narrow(half, nextafterf(middle, 0.0f), i);
        check_narrow(half, nextafterf(middle, INFINITY), (uint16_t)(i + 1));
    }
    check_narrow(half, INFINITY, infinity);
    check_narrow(half, FLT_MAX, infinity);
    check_narrow(half, 0x1p-149f, 0);
}

/* A NaN whose payload lies in the bits that are cut off must not become infinity. */
static void test_nan_payloads(gconstpointer data) {
    const Half *half = data;
    for (int bit = 0; bit < 23; bit++)
        for (uint32_t sign = 0; sign <= 1; sign++) {
            uint32_t bits = sign << 31 | 0x7f800000u | 1u << bit;
            float f;
            memcpy(&f, &bits, sizeof f);
            g_assert_cmphex(bits_of(f), ==, bits);
            uint16_t v = half->narrow(f);
            g_assert_true(isnan(value_of(v, half->fraction)));
            g_assert_cmpuint(v >> 15, ==, sign);
        }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(halves); i++) {
        g_autofree char *all = g_strdup_printf("/half/%s/all-values", halves[i].name);
        g_autofree char *rounding = g_strdup_printf("/half/%s/rounding", halves[i].name);
        g_autofree char *nan = g_strdup_printf("/half/%s/nan-payloads", halves[i].name);
        g_test_add_data_func(all, &halves[i], test_all_values);
        g_test_add_data_func(rounding, &halves[i], test_rounding);
        g_test_add_data_func(nan, &halves[i], test_nan_payloads);
    }
    return g_test_run();
}
