/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Plans of real networks: the arena is within 5 % of the bytes alive at one node (what no placement can undercut), and
 * a plan's memory grows with the frame as its tensors do.
 *
 * The backend here has memory that nobody writes and operations that are never run, so that plans of any size can be
 * made without their memory or time.
 */
#include "model/model.h"
#include "plan/plan.h"
#include "sd-model.h"
#include "tiny-model.h"

static void *give_place(YonosBackend *backend, gsize bytes, GError **error) {
    static char place[64];
    (void)backend;
    (void)bytes;
    (void)error;
    return place;
}

static void take_place(YonosBackend *backend, void *memory) {
    (void)backend;
    (void)memory;
}

static YonosBackend paper = {.name = "paper", .device = "none", .threads = 1, .allocate = give_place,
                             .release = take_place};

/* Takes ownership of `graph`. */
static YonosPlanInfo info_of(YonosGraph *graph) {
    g_autoptr(GError) error = NULL;
    YonosPlanInfo info;
    g_assert_nonnull(graph);
    YonosPlan *plan = yonos_plan_new(&paper, graph, FALSE, &error);
    g_assert_no_error(error);
    yonos_plan_get_info(plan, &info);
    yonos_plan_free(plan);
    return info;
}

static void check_arena(const char *what, int width, int height, YonosGraph *graph) {
    YonosPlanInfo info = info_of(graph);
    g_test_message("%s, %d x %d: arena %.3f MiB, %.2f %% above the bound", what, width, height,
                   (double)info.arena_bytes / (1 << 20),
                   100.0 * ((double)info.arena_bytes / (double)info.peak_live_bytes - 1.0));
    g_assert_cmpuint(info.arena_bytes, >=, info.peak_live_bytes);
    g_assert_cmpuint(info.arena_bytes * 100, <=, info.peak_live_bytes * 105);
}

static YonosGraph *part(YonosModel *model, YonosPart which, int width, int height, YonosDType dtype) {
    g_autoptr(GError) error = NULL;
    YonosGraph *graph = yonos_model_build_part(model, which, height, width, dtype, &error);
    g_assert_no_error(error);
    return graph;
}

static YonosGraph *frame(YonosModel *model, int width, int height, int tile_size, YonosDType dtype) {
    g_autoptr(GError) error = NULL;
    YonosFrameSpec spec = {.width = width, .height = height, .format = YONOS_FORMAT_NV12, .tile_size = tile_size,
                           .tile_overlap = -1, .colour = {.kr = 0.2126, .kb = 0.0722}, .dtype = dtype,
                           .colour_fix = YONOS_COLOUR_FIX_BACK_PROJECTION};
    YonosGraph *graph = yonos_model_build_frame(model, &spec, &error);
    g_assert_no_error(error);
    return graph;
}

static YonosModel *open_model(const char *folder) {
    g_autoptr(GError) error = NULL;
    YonosModel *model = yonos_model_open(folder, &error);
    g_assert_no_error(error);
    return model;
}

static const YonosDType dtypes[] = {YONOS_DTYPE_F32, YONOS_DTYPE_BF16};

static void test_default_model(void) {
    static const int sizes[][2] = {{320, 180}, {640, 360}, {960, 540}, {961, 541}, {31, 17}, {1, 1}};
    g_autoptr(YonosModel) model = open_model(DEFAULT_MODEL);
    for (guint d = 0; d < G_N_ELEMENTS(dtypes); d++)
        for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
            int width = sizes[i][0], height = sizes[i][1];
            check_arena("default model", width, height, frame(model, width, height, 0, dtypes[d]));
            check_arena("default model in tiles", width, height, frame(model, width, height, 256, dtypes[d]));
        }
}

static void test_sd(void) {
    static const int latents[][2] = {{64, 64}, {96, 64}, {63, 37}, {240, 135}};
    char *folder = sd_model_new();
    YonosModel *model = open_model(folder);
    for (guint d = 0; d < G_N_ELEMENTS(dtypes); d++)
        for (guint i = 0; i < G_N_ELEMENTS(latents); i++) {
            int w = latents[i][0], h = latents[i][1];
            check_arena("SD 1.5 U-Net", w, h, part(model, YONOS_PART_UNET, w, h, dtypes[d]));
            check_arena("SD decoder", w, h, part(model, YONOS_PART_DECODER, w, h, dtypes[d]));
            check_arena("SD encoder", 8 * w, 8 * h, part(model, YONOS_PART_ENCODER, 8 * w, 8 * h, dtypes[d]));
        }
    check_arena("SD 1.5 whole", 480, 270, frame(model, 480, 270, 0, YONOS_DTYPE_BF16));
    yonos_model_unref(model);
    tiny_model_remove(folder);
}

static void test_golden_models(void) {
    static const char *const names[] = {"text-free", "cross-conv", "cross-linear", "null-mid"};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *folder = g_build_filename(GOLDEN_MODELS, names[i], NULL);
        g_autoptr(YonosModel) model = open_model(folder);
        for (int side = 1; side <= 40; side += 3)
            check_arena(names[i], side, 41 - side, frame(model, side, 41 - side, 0, YONOS_DTYPE_F32));
    }
}

/* Four times the pixels take four times the memory: nothing is held that does not belong to the frame. */
static void test_growth(void) {
    g_autoptr(YonosModel) model = open_model(DEFAULT_MODEL);
    YonosPlanInfo small = info_of(frame(model, 320, 192, 0, YONOS_DTYPE_BF16));
    YonosPlanInfo large = info_of(frame(model, 640, 384, 0, YONOS_DTYPE_BF16));
    g_assert_cmpfloat_with_epsilon((double)large.arena_bytes / (double)small.arena_bytes, 4.0, 0.05);
    g_assert_cmpfloat_with_epsilon(large.flops / small.flops, 4.0, 0.05);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/plans/default-model", test_default_model);
    g_test_add_func("/plans/sd", test_sd);
    g_test_add_func("/plans/golden-models", test_golden_models);
    g_test_add_func("/plans/growth", test_growth);
    return g_test_run();
}
