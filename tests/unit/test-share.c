/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Threads of the CPU backend that have nothing to do use no processor time between yonos_cpu_share_begin() and _end().
 */
#include <time.h>

#include "golden-upscaler.h"
#include "picture.h"
#include "yonos.h"

enum { SIDE = 24, SCALE = 2, ROUNDS = 20, PAUSE = 10 * 1000 /* microseconds */ };

static YonosUpscaler *open_upscaler(void) {
    YonosOptions options = YONOS_OPTIONS_INIT;
    options.backend = "cpu";
    return golden_upscaler("text-free", &options);
}

static void upscale(YonosUpscaler *upscaler) {
    g_autoptr(GError) error = NULL;
    g_autoptr(Picture) in = picture_new(YONOS_FORMAT_RGB, SIDE, SIDE, PICTURE_TIGHT);
    g_autoptr(Picture) out = picture_new(YONOS_FORMAT_RGB, SIDE * SCALE, SIDE * SCALE, PICTURE_TIGHT);
    picture_fill_noise(in, 1);
    yonos_upscaler_process(upscaler, &in->frame, &out->frame, 0, &error);
    g_assert_no_error(error);
}

/* Processor time of all threads in pauses after frames, as a share of the pauses. */
static double idle_load(YonosUpscaler *upscaler) {
    clock_t spent = 0;
    for (int i = 0; i < ROUNDS; i++) {
        upscale(upscaler);
        clock_t begin = clock();
        g_usleep(PAUSE);
        spent += clock() - begin;
    }
    return (double)spent / CLOCKS_PER_SEC / (ROUNDS * PAUSE * 1e-6);
}

static const char *reason_to_skip(void) {
#ifdef __clang__
    return "clang's OpenMP waits in another way";
#endif
    return g_getenv("OMP_WAIT_POLICY") || g_getenv("GOMP_SPINCOUNT") ? "the environment says how threads wait" : NULL;
}

static void test_idle(void) {
    if (reason_to_skip()) {
        g_test_skip(reason_to_skip());
        return;
    }
    g_autoptr(YonosUpscaler) upscaler = open_upscaler();
    g_test_message("load while idle, spinning: %.3f", idle_load(upscaler));
    yonos_cpu_share_begin();
    yonos_cpu_share_begin();
    yonos_cpu_share_end();
    g_usleep(PAUSE);
    double load = idle_load(upscaler);
    g_test_message("load while idle, sharing: %.3f", load);
    g_assert_cmpfloat(load, <, 0.05);
    yonos_cpu_share_end();
}

/* Uses that overlap and begin anew; more ends than begins do nothing. */
static void test_counted(void) {
    for (int i = 0; i < 50; i++) {
        yonos_cpu_share_begin();
        if (i % 3 == 0) {
            yonos_cpu_share_begin();
            yonos_cpu_share_end();
        }
        yonos_cpu_share_end();
    }
    yonos_cpu_share_end();
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/share/idle", test_idle);
    g_test_add_func("/share/counted", test_counted);
    return g_test_run();
}
