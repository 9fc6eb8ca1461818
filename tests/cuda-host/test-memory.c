/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Device memory, through the public API and the module: weights are there once for all users; where there is too little
 * memory, smaller tiles and one warning, else an error.
 */
#include "host.h"
#include "plan/shared.h"

enum { WIDTH = 160, HEIGHT = 120 };

/* Prepares a frame with `max_vram` MiB; FALSE with `error` set. *warning: the upscaler's, to be freed. */
static gboolean prepare(int max_vram, YonosUpscalerInfo *info, char **warning, GError **error) {
    YonosOptions options = YONOS_OPTIONS_INIT;
    options.backend = "cuda";
    options.precision = YONOS_PRECISION_F32;
    options.max_vram = max_vram;
    g_autoptr(YonosModel) model = yonos_model_open(GOLDEN_MODELS "/text-free", error);
    g_autoptr(YonosUpscaler) upscaler = model ? yonos_upscaler_new(model, &options, error) : NULL;
    if (!upscaler || !yonos_upscaler_prepare(upscaler, WIDTH, HEIGHT, YONOS_FORMAT_RGB, NULL, error))
        return FALSE;
    yonos_upscaler_get_info(upscaler, info);
    *warning = g_strdup(info->warning);
    return TRUE;
}

static void test_smaller_tiles(void) {
    g_autoptr(GError) error = NULL;
    YonosUpscalerInfo whole, tiled;
    g_autofree char *none = NULL, *warning = NULL;
    prepare(0, &whole, &none, &error);
    g_assert_no_error(error);
    g_assert_null(none);
    g_assert_cmpstr(whole.backend, ==, "cuda");
    g_assert_cmpint(whole.tiles_x * whole.tiles_y, ==, 1);
    int needed = (int)(whole.arena_bytes >> 20);
    g_assert_cmpint(needed, >, 4);
    prepare(needed, &tiled, &warning, &error);
    g_assert_no_error(error);
    g_assert_cmpint(tiled.tiles_x * tiled.tiles_y, >, 1);
    g_assert_cmpuint(tiled.arena_bytes, <, whole.arena_bytes);
    g_assert_nonnull(warning);
    g_assert_nonnull(strstr(warning, "max-vram is"));
    g_assert_nonnull(strstr(warning, "tiles of"));
}

static void test_too_little(void) {
    g_autoptr(GError) error = NULL;
    YonosUpscalerInfo info;
    char *warning;
    g_assert_false(prepare(1, &info, &warning, &error));
    g_assert_error(error, YONOS_ERROR, YONOS_ERROR_MEMORY);
    g_assert_nonnull(g_strstr_len(error->message, -1, "use a larger max-vram"));
    g_clear_error(&error);
    g_assert_false(prepare(-1, &info, &warning, &error));
    g_assert_error(error, YONOS_ERROR, YONOS_ERROR_ARGUMENT);
}

static YonosShared *open_shared(YonosModel *model, const char *backend, YonosPrecision precision, int threads,
                                void *cuda_context) {
    g_autoptr(GError) error = NULL;
    YonosOptions options = YONOS_OPTIONS_INIT;
    options.backend = backend;
    options.precision = precision;
    options.threads = threads;
    options.cuda_context = cuda_context;
    YonosShared *shared = yonos_shared_open(model, &options, &error);
    g_assert_no_error(error);
    return shared;
}

/* Whatever the names and the threads, one context and one way of computing have one backend, which holds the weights. */
static void test_shared(void) {
    static const char *const names[] = {"cuda", "cuda:0", "auto", "auto:0"};
    g_autoptr(GError) error = NULL;
    g_autoptr(YonosModel) model = yonos_model_open(GOLDEN_MODELS "/text-free", &error);
    for (gsize first = 0; first < G_N_ELEMENTS(names); first++) {
        YonosShared *shared = open_shared(model, names[first], YONOS_PRECISION_F32, 1, NULL);
        for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
            YonosShared *again = open_shared(model, names[i], YONOS_PRECISION_F32, (int)i, NULL);
            g_assert_true(again == shared);
            yonos_shared_close(again);
        }
        YonosShared *other = open_shared(model, names[first], YONOS_PRECISION_BF16, 1, NULL),
                    *elsewhere = open_shared(model, names[first], YONOS_PRECISION_F32, 1, CUDA_HOST_CONTEXTS);
        g_assert_true(other && other != shared && elsewhere && elsewhere != shared);
        yonos_shared_close(other);
        yonos_shared_close(elsewhere);
        yonos_shared_close(shared);
    }
    YonosShared *cpu[2] = {open_shared(model, "cpu", YONOS_PRECISION_F32, 1, NULL),
                           open_shared(model, "cpu", YONOS_PRECISION_F32, 2, NULL)};
    g_assert_true(cpu[0] && cpu[1] && cpu[0] != cpu[1]);
    YonosShared *same = open_shared(model, "cpu", YONOS_PRECISION_F32, 1, CUDA_HOST_CONTEXTS);
    g_assert_true(same == cpu[0]);
    yonos_shared_close(same);
    yonos_shared_close(cpu[0]);
    yonos_shared_close(cpu[1]);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/memory/smaller-tiles", test_smaller_tiles);
    g_test_add_func("/memory/too-little", test_too_little);
    g_test_add_func("/memory/shared", test_shared);
    return g_test_run();
}
