/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Device memory, through the public API and the module: weights are there once for all users; where there is too little
 * memory, smaller tiles and one warning, else an error.
 */
#include "host.h"
#include "plan/shared.h"

enum { WIDTH = 160, HEIGHT = 120 };

static GString *logged; /* warnings, a line each */

static GLogWriterOutput keep_warnings(GLogLevelFlags level, const GLogField *fields, gsize count,
                                      gpointer data G_GNUC_UNUSED) {
    for (gsize i = 0; i < count; i++)
        if ((level & G_LOG_LEVEL_WARNING) && g_str_equal(fields[i].key, "MESSAGE"))
            g_string_append_printf(logged, "%s\n", (const char *)fields[i].value);
    return G_LOG_WRITER_HANDLED;
}

/* Prepares a frame with `max_vram` MiB; FALSE with `error` set. */
static gboolean prepare(int max_vram, YonosUpscalerInfo *info, GError **error) {
    YonosOptions options = YONOS_OPTIONS_INIT;
    options.backend = "cuda";
    options.precision = YONOS_PRECISION_F32;
    options.max_vram = max_vram;
    g_autoptr(YonosModel) model = yonos_model_open(GOLDEN_MODELS "/text-free", error);
    g_autoptr(YonosUpscaler) upscaler = model ? yonos_upscaler_new(model, &options, error) : NULL;
    g_string_truncate(logged, 0);
    if (!upscaler || !yonos_upscaler_prepare(upscaler, WIDTH, HEIGHT, YONOS_FORMAT_RGB, NULL, error))
        return FALSE;
    yonos_upscaler_get_info(upscaler, info);
    return TRUE;
}

static guint warnings(void) {
    guint count = 0;
    for (const char *at = logged->str; *at; at++)
        count += *at == '\n';
    return count;
}

static void test_smaller_tiles(void) {
    g_autoptr(GError) error = NULL;
    YonosUpscalerInfo whole, tiled;
    prepare(0, &whole, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(warnings(), ==, 0);
    g_assert_cmpstr(whole.backend, ==, "cuda");
    g_assert_cmpint(whole.tiles_x * whole.tiles_y, ==, 1);
    int needed = (int)(whole.arena_bytes >> 20);
    g_assert_cmpint(needed, >, 4);
    prepare(needed, &tiled, &error);
    g_assert_no_error(error);
    g_assert_cmpint(tiled.tiles_x * tiled.tiles_y, >, 1);
    g_assert_cmpuint(tiled.arena_bytes, <, whole.arena_bytes);
    g_assert_cmpuint(warnings(), ==, 1);
    g_assert_nonnull(g_strstr_len(logged->str, -1, "max-vram is"));
    g_assert_nonnull(g_strstr_len(logged->str, -1, "tiles of"));
}

static void test_too_little(void) {
    g_autoptr(GError) error = NULL;
    YonosUpscalerInfo info;
    g_assert_false(prepare(1, &info, &error));
    g_assert_error(error, YONOS_ERROR, YONOS_ERROR_MEMORY);
    g_assert_nonnull(g_strstr_len(error->message, -1, "use a larger max-vram"));
    g_clear_error(&error);
    g_assert_false(prepare(-1, &info, &error));
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
    yonos_shared_close(cpu[0]);
    yonos_shared_close(cpu[1]);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    logged = g_string_new(NULL);
    g_log_set_writer_func(keep_warnings, NULL, NULL);
    g_test_add_func("/memory/smaller-tiles", test_smaller_tiles);
    g_test_add_func("/memory/too-little", test_too_little);
    g_test_add_func("/memory/shared", test_shared);
    int result = g_test_run();
    g_string_free(logged, TRUE);
    return result;
}
