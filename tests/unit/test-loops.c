/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The CPU's inner loops where checkop's normalised values do not come: SiLU of every bfloat16.
 */
#include <math.h>

#include "backend/cpu/loops.h"
#include "util/util.h"

enum { LANES = 53, ROWS = 0x10000 / LANES + 1 }; /* whole vectors, and some lanes beside them */

static void check_silu(float x, float got) {
    double wanted = (double)x / (1.0 + exp(-(double)x));
    if (isinf(x)) {
        g_assert_true(x > 0 ? got == INFINITY : !isfinite(got)); /* the limit 0 is not taken: infinity over infinity */
        return;
    }
    g_assert_cmpint(isnan(got), ==, isnan(x));
    /* The rounding to bf16, what SiLU is off before it, and denormals as 0. */
    g_assert_true(isnan(x) || fabs((double)got - wanted) <= 0x1.01p-8 * fabs(wanted) + 1e-8 * fabs((double)x) + 1e-35);
}

static void test_silu(void) {
    float mean[LANES], factor[LANES], offset[LANES];
    for (int i = 0; i < LANES; i++) {
        mean[i] = offset[i] = 0.0f;
        factor[i] = 1.0f;
    }
    CpuScale scale = {mean, factor, offset};
    g_autofree uint16_t *x = g_new(uint16_t, ROWS * LANES), *out = g_new(uint16_t, ROWS * LANES);
    for (int i = 0; i < ROWS * LANES; i++)
        x[i] = (uint16_t)i;
    cpu_loops()->normalise(x, LANES, out, LANES, YONOS_DTYPE_BF16, ROWS, LANES, &scale, YONOS_ACTIVATION_SILU);
    for (int i = 0; i < ROWS * LANES; i++)
        check_silu(yonos_bf16_to_f32(x[i]), yonos_bf16_to_f32(out[i]));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_message("%s", cpu_loops()->name);
    g_test_add_func("/loops/silu", test_silu);
    return g_test_run();
}
