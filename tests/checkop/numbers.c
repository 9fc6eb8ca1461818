/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random and hostile numbers; see numbers.h.
 */
#include "numbers.h"

#include <math.h>

#include "backend/ref/ref.h"

const char *pattern_name(Pattern pattern) {
    static const char *const names[PATTERN_COUNT] = {"plain", "zero", "offset", "outlier", "denormal"};
    return names[pattern];
}

/* Sum of four uniform numbers: close enough to normal, and bounded. */
static float normal(GRand *rand) {
    double sum = -2.0;
    for (int i = 0; i < 4; i++)
        sum += g_rand_double(rand);
    return (float)(sum * sqrt(3.0));
}

float *numbers_normal(gsize count, float mean, float deviation, guint32 seed) {
    GRand *rand = g_rand_new_with_seed(seed);
    float *values = g_new(float, count);
    for (gsize i = 0; i < count; i++)
        values[i] = mean + deviation * normal(rand);
    g_rand_free(rand);
    return values;
}

float *numbers_pattern(gsize count, Pattern pattern, YonosDType dtype, guint32 seed) {
    static const float deviation[PATTERN_COUNT] = {1.0f, 0.0f, 0.25f, 1.0f, 1e-39f};
    /* With a half's 8 or 11 bits, a larger constant would leave no variance at all. */
    float mean = pattern != PATTERN_OFFSET ? 0.0f : dtype == YONOS_DTYPE_F32 ? 1000.0f : 16.0f;
    float *values = numbers_normal(count, mean, deviation[pattern], seed);
    if (pattern == PATTERN_OUTLIER)
        values[count / 2] = 3e4f;
    for (gsize i = 0; i < count; i++)
        values[i] = numbers_round(values[i], dtype);
    return values;
}

void numbers_store(const float *from, void *to, YonosDType dtype, gsize count) {
    for (gsize i = 0; i < count; i++)
        ref_store(to, dtype, i, from[i]);
}

void numbers_load(const void *from, YonosDType dtype, float *to, gsize count) {
    for (gsize i = 0; i < count; i++)
        to[i] = ref_load(from, dtype, i);
}

float numbers_round(float v, YonosDType dtype) {
    float stored;
    ref_store(&stored, dtype, 0, v);
    return ref_load(&stored, dtype, 0);
}

double numbers_rounding(YonosDType dtype) {
    static const double rounding[] = {[YONOS_DTYPE_F32] = 0x1p-24, [YONOS_DTYPE_F16] = 0x1p-11,
                                      [YONOS_DTYPE_BF16] = 0x1p-8};
    return rounding[dtype];
}
