/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the public API refuses: options, frame sizes, formats, planes and strides out of range, each with one ARGUMENT
 * error that names the option or the plane; and that it still works afterwards.
 */
#include <math.h>

#include "picture.h"
#include "remove-tree.h"
#include "tiny-model.h"

typedef struct {
    const char *name;
    YonosOptions options;
    YonosError code;
    const char *says;
} OptionCase;

/* What is not set is 0, which every option takes. */
static const OptionCase option_cases[] = {
    {"threads-minus", {.threads = -1}, YONOS_ERROR_ARGUMENT, "threads"},
    {"threads-257", {.threads = 257}, YONOS_ERROR_ARGUMENT, "threads"},
    {"threads-max", {.threads = G_MAXINT}, YONOS_ERROR_ARGUMENT, "threads"},
    {"threads-ref", {.threads = -5, .backend = "ref"}, YONOS_ERROR_ARGUMENT, "threads"},
    {"backend", {.backend = "vulkan"}, YONOS_ERROR_ARGUMENT, "backend is \"vulkan\""},
    {"backend-empty", {.backend = ""}, YONOS_ERROR_ARGUMENT, "backend"},
    {"precision", {.precision = (YonosPrecision)99}, YONOS_ERROR_ARGUMENT, "precision"},
    {"precision-minus", {.precision = (YonosPrecision)-1}, YONOS_ERROR_ARGUMENT, "precision"},
    {"precision-f16", {.backend = "cpu", .precision = YONOS_PRECISION_F16}, YONOS_ERROR_ARGUMENT, "f16"},
    {"noise-mode", {.noise_mode = (YonosNoiseMode)7}, YONOS_ERROR_ARGUMENT, "noise-mode"},
    {"colour-fix", {.colour_fix = (YonosColourFix)77}, YONOS_ERROR_ARGUMENT, "colour-fix"},
    {"tile-size-63", {.tile_size = 63}, YONOS_ERROR_ARGUMENT, "tile-size"},
    {"tile-size-8193", {.tile_size = 8193}, YONOS_ERROR_ARGUMENT, "tile-size"},
    {"tile-size-minus", {.tile_size = -64}, YONOS_ERROR_ARGUMENT, "tile-size"},
    {"tile-overlap", {.tile_overlap = -2}, YONOS_ERROR_ARGUMENT, "tile-overlap"},
};

static char *folder;
static YonosModel *model;

static void test_option(gconstpointer data) {
    const OptionCase *c = data;
    g_autoptr(GError) error = NULL;
    g_assert_null(yonos_upscaler_new(model, &c->options, &error));
    g_assert_error(error, YONOS_ERROR, (int)c->code);
    if (!strstr(error->message, c->says))
        g_error("says \"%s\", not \"%s\"", error->message, c->says);
}

static YonosUpscaler *new_upscaler(int tile_size) {
    g_autoptr(GError) error = NULL;
    YonosOptions options = {.backend = "cpu", .tile_size = tile_size};
    YonosUpscaler *upscaler = yonos_upscaler_new(model, &options, &error);
    g_assert_no_error(error);
    return upscaler;
}

/* 0 threads is one per processor. */
static void test_zero_threads(void) {
    g_autoptr(GError) error = NULL;
    YonosOptions options = {.backend = "cpu", .threads = 0};
    g_autoptr(YonosUpscaler) upscaler = yonos_upscaler_new(model, &options, &error);
    YonosUpscalerInfo info;
    g_assert_no_error(error);
    yonos_upscaler_get_info(upscaler, &info);
    g_assert_cmpint(info.threads, ==, (int)g_get_num_processors());
}

static void expect_refusal(gboolean ok, GError **error, const char *says) {
    g_assert_false(ok);
    g_assert_error(*error, YONOS_ERROR, YONOS_ERROR_ARGUMENT);
    if (!strstr((*error)->message, says))
        g_error("says \"%s\", not \"%s\"", (*error)->message, says);
    g_clear_error(error);
}

static void test_sizes(void) {
    static const int sizes[][2] = {{0, 10}, {10, 0}, {-1, 10}, {10, G_MININT}, {8193, 10}, {10, 8193},
                                   {G_MAXINT, G_MAXINT}, {65536, 65536}};
    g_autoptr(YonosUpscaler) upscaler = new_upscaler(0);
    GError *error = NULL;
    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree char *size = g_strdup_printf("%d x %d", sizes[i][0], sizes[i][1]);
        expect_refusal(yonos_upscaler_prepare(upscaler, sizes[i][0], sizes[i][1], YONOS_FORMAT_RGB, NULL, &error),
                       &error, size);
    }
}

static void test_formats(void) {
    static const YonosColour bad[] = {
        {.kr = 0, .kb = 0.1}, {.kr = 0.5, .kb = 0.5}, {.kr = -0.2, .kb = 0.1}, {.kr = NAN, .kb = 0.1},
        {.kr = 0.3, .kb = INFINITY},
    };
    static const int formats[] = {YONOS_FORMAT_UNKNOWN, YONOS_FORMAT_COUNT, -1, 1000000};
    g_autoptr(YonosUpscaler) upscaler = new_upscaler(0);
    GError *error = NULL;
    for (guint i = 0; i < G_N_ELEMENTS(formats); i++)
        expect_refusal(yonos_upscaler_prepare(upscaler, 8, 8, (YonosFormat)formats[i], NULL, &error), &error, "format");
    expect_refusal(yonos_upscaler_prepare(upscaler, 8, 8, YONOS_FORMAT_NV12, NULL, &error), &error, "NV12");
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++)
        expect_refusal(yonos_upscaler_prepare(upscaler, 8, 8, YONOS_FORMAT_I420, &bad[i], &error), &error, "kr");
}

/* ---- frames ---------------------------------------------------------------------------------------------- */

typedef struct {
    YonosUpscaler *upscaler;
    Picture *in, *out;
} Frames;

static gboolean process(const Frames *f, const YonosFrame *in, const YonosFrame *out, GError **error) {
    YonosFrame written = *out;
    return yonos_upscaler_process(f->upscaler, in, &written, 0, error);
}

static void expect_input(const Frames *f, const YonosFrame *in, const char *says) {
    GError *error = NULL;
    expect_refusal(process(f, in, &f->out->frame, &error), &error, says);
}

static void expect_output(const Frames *f, const YonosFrame *out, const char *says) {
    GError *error = NULL;
    expect_refusal(process(f, &f->in->frame, out, &error), &error, says);
}

static void refuse_planes(const Frames *f, int planes, int row) {
    for (int plane = 0; plane < planes; plane++) {
        g_autofree char *name = g_strdup_printf("plane %d", plane);
        YonosFrame in = f->in->frame, out = f->out->frame;
        in.plane[plane] = NULL;
        out.plane[plane] = NULL;
        expect_input(f, &in, name);
        expect_output(f, &out, name);
        int shorter = plane ? row / 2 - 1 : row - 1;
        for (int sign = -1; sign <= 1; sign++) {
            in = f->in->frame;
            in.stride[plane] = sign * shorter;
            expect_input(f, &in, name);
        }
    }
}

static void test_frames(void) {
    GError *error = NULL;
    Frames f = {new_upscaler(0), picture_new(YONOS_FORMAT_I420, 10, 6, PICTURE_PADDED),
                picture_new(YONOS_FORMAT_I420, 20, 12, PICTURE_PADDED)};
    refuse_planes(&f, 3, 10);
    YonosFrame device = f.in->frame;
    device.cuda_context = &device;
    expect_input(&f, &device, "input frame: is in a GPU's memory, which backend cpu cannot use");
    device = f.out->frame;
    device.cuda_context = &device;
    expect_output(&f, &device, "output frame: is in a GPU's memory");
    YonosFrame out = f.out->frame;
    out.width = 19;
    expect_output(&f, &out, "20 x 12");
    out = f.out->frame;
    out.height = 24;
    expect_output(&f, &out, "20 x 12");
    out = f.out->frame;
    out.format = YONOS_FORMAT_NV12;
    expect_output(&f, &out, "I420");
    YonosFrame in = f.in->frame;
    in.colour.kr = 2.0;
    expect_input(&f, &in, "kr");
    g_assert_true(picture_is_intact(f.out));
    g_assert_true(process(&f, &f.in->frame, &f.out->frame, &error)); /* nothing above has left a mark */
    g_assert_no_error(error);
    yonos_upscaler_free(f.upscaler);
    picture_free(f.in);
    picture_free(f.out);
}

/* Samples of several bytes at odd addresses or distances. */
static void test_alignment(void) {
    static const struct {
        YonosFormat format;
        int by;
    } cases[] = {{YONOS_FORMAT_P010_10LE, 1}, {YONOS_FORMAT_I420_10LE, 1}, {YONOS_FORMAT_RGB_F32, 2}};
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        Frames f = {new_upscaler(0), picture_new(cases[i].format, 10, 6, PICTURE_PADDED),
                    picture_new(cases[i].format, 20, 12, PICTURE_PADDED)};
        YonosFrame in = f.in->frame;
        in.plane[0] = (guint8 *)in.plane[0] + cases[i].by;
        expect_input(&f, &in, "plane 0");
        in = f.in->frame;
        in.stride[0] += cases[i].by;
        expect_input(&f, &in, "plane 0");
        yonos_upscaler_free(f.upscaler);
        picture_free(f.in);
        picture_free(f.out);
    }
}

static void make_model(const char *place, const char *name) {
    g_autofree char *inside = g_build_filename(place, name, NULL);
    g_autofree char *index = g_build_filename(inside, "model_index.json", NULL);
    g_assert_cmpint(g_mkdir_with_parents(inside, 0700), ==, 0);
    g_assert_true(g_file_set_contents(index, "{}", -1, NULL));
}

/* The models that there are, each once and in order, whatever order the folders have them in. */
static void test_model_name(void) {
    g_autoptr(GError) error = NULL;
    g_autofree char *first = g_dir_make_tmp("yonos-XXXXXX", NULL), *second = g_dir_make_tmp("yonos-XXXXXX", NULL);
    g_autofree char *path = g_strjoin(G_SEARCHPATH_SEPARATOR_S, first, second, NULL);
    static const char *const names[] = {"d", "a", "e", "c"};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        make_model(first, names[i]);
    make_model(second, "b");
    make_model(second, "c");
    g_setenv("YONOS_MODELS_PATH", path, TRUE);
    g_assert_null(yonos_model_find("f", &error));
    g_assert_error(error, YONOS_ERROR, YONOS_ERROR_FILE);
    g_assert_nonnull(strstr(error->message, "models there: a, b, c, d, e"));
    g_unsetenv("YONOS_MODELS_PATH");
    remove_tree(first);
    remove_tree(second);
}

int main(int argc, char **argv) {
    g_autoptr(GError) error = NULL;
    g_test_init(&argc, &argv, NULL);
    folder = tiny_model_new();
    model = yonos_model_open(folder, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < G_N_ELEMENTS(option_cases); i++) {
        g_autofree char *path = g_strdup_printf("/refusals/options/%s", option_cases[i].name);
        g_test_add_data_func(path, &option_cases[i], test_option);
    }
    g_test_add_func("/refusals/zero-threads", test_zero_threads);
    g_test_add_func("/refusals/model-name", test_model_name);
    g_test_add_func("/refusals/sizes", test_sizes);
    g_test_add_func("/refusals/formats", test_formats);
    g_test_add_func("/refusals/frames", test_frames);
    g_test_add_func("/refusals/alignment", test_alignment);
    int result = g_test_run();
    yonos_model_unref(model);
    tiny_model_remove(folder);
    return result;
}
