/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tile grid: every pixel is covered, ramps sum to 1, tiles start on whole latents and
 * stay in the frame, cuts keep a halo, and the choice follows from size and options alone.
 */
#include "model/model.h"

#include <math.h>

static YonosModelInfo info_of(int factor, gboolean global, gboolean attention, int halo) {
    return (YonosModelInfo){.name = (char *)"test",
                            .latent_factor = factor,
                            .global_statistics = global,
                            .has_attention = attention,
                            .halo = halo};
}

/* Sum of one axis' ramps at each pixel; also checks starts, and the halo around used pixels where cuts are exact. */
static void check_axis(const YonosModelInfo *info, int length, int count, int size, const int *start,
                       float *const *ramp) {
    g_autofree double *sum = g_new0(double, length);
    g_assert_cmpint(start[0], ==, 0);
    g_assert_cmpint(start[count - 1] + size, ==, length);
    for (int i = 0; i < count; i++) {
        g_assert_cmpint(start[i] % info->latent_factor, ==, 0);
        g_assert_true(i == 0 || start[i] > start[i - 1]);
        g_assert_true(i == 0 || start[i] <= start[i - 1] + size);
        for (int x = 0; x < size; x++) {
            g_assert_true(ramp[i][x] >= 0.0f && ramp[i][x] <= 1.0f);
            sum[start[i] + x] += ramp[i][x];
            if (info->global_statistics || ramp[i][x] == 0.0f)
                continue;
            g_assert_true(ramp[i][x] == 1.0f);
            g_assert_true(i == 0 || x >= info->halo * info->latent_factor);
            g_assert_true(i + 1 == count || size - x > info->halo * info->latent_factor);
        }
    }
    for (int x = 0; x < length; x++)
        g_assert_cmpfloat(fabs(sum[x] - 1.0), <=, info->global_statistics ? 2e-7 : 0.0);
}

static void check_grid(const YonosModelInfo *info, int width, int height, int tile_size, int overlap) {
    g_autoptr(GError) error = NULL;
    YonosTileGrid *grid = yonos_tile_grid_new(width, height, tile_size, overlap, info, &error);
    g_assert_no_error(error);
    g_assert_cmpint(grid->tile_w % info->latent_factor, ==, 0);
    g_assert_cmpint(grid->tile_h % info->latent_factor, ==, 0);
    g_assert_cmpint(grid->tile_w, <=, width);
    g_assert_cmpint(grid->tile_h, <=, height);
    if (tile_size > 0) {
        g_assert_cmpint(grid->tile_w, <=, MAX(tile_size, info->latent_factor));
        g_assert_cmpint(grid->tile_h, <=, MAX(tile_size, info->latent_factor));
    }
    check_axis(info, width, grid->columns, grid->tile_w, grid->x0, grid->ramp_x);
    check_axis(info, height, grid->rows, grid->tile_h, grid->y0, grid->ramp_y);
    yonos_tile_grid_free(grid);
}

static void test_every_small_size(void) {
    YonosModelInfo blended = info_of(2, TRUE, TRUE, 4), cut = info_of(2, FALSE, FALSE, 3);
    for (int size = 1; size <= 40; size++) {
        for (int tile = 64; tile <= 80; tile += 16) {
            check_grid(&blended, size * 8, 328 - size * 8, tile, -1);
            check_grid(&blended, size * 8, 2, tile, size % 33);
            check_grid(&cut, size * 8, 328 - size * 8, tile, -1);
        }
        check_grid(&blended, size * 2, size * 4, 0, -1);
        check_grid(&cut, size * 2, size * 4, 0, -1);
    }
}

static void test_random(void) {
    for (int round = 0; round < 400; round++) {
        int factor = 1 << g_test_rand_int_range(0, 5), tile = g_test_rand_int_range(64, 700);
        gboolean global = g_test_rand_int_range(0, 2);
        YonosModelInfo info = info_of(factor, global, g_test_rand_int_range(0, 2), global ? 0 : 16 / factor);
        int width = g_test_rand_int_range(1, 2000 / factor) * factor;
        int height = g_test_rand_int_range(1, 2000 / factor) * factor;
        int overlap = g_test_rand_int_range(-1, MAX(tile / 2 - factor, 1));
        /* Half of the tile in whole latents is the limit. */
        overlap = MIN(overlap, tile / factor / 2 * factor);
        check_grid(&info, width, height, tile, overlap);
    }
}

static void test_automatic(void) {
    g_autoptr(GError) error = NULL;
    YonosModelInfo plain = info_of(8, TRUE, FALSE, 40), attention = info_of(8, TRUE, TRUE, 40);
    /* 1080p and 1440p are one tile without attention; 4K is not. */
    const struct {
        const YonosModelInfo *info;
        int width, height, columns, rows;
    } cases[] = {
        {&plain, 1920, 1080, 1, 1},   {&plain, 2560, 1440, 1, 1},   {&plain, 3840, 2160, 2, 2},
        {&attention, 768, 768, 1, 1}, {&attention, 512, 512, 1, 1}, {&attention, 1280, 720, 2, 1},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        YonosTileGrid *grid = yonos_tile_grid_new(cases[i].width, cases[i].height, 0, -1, cases[i].info, &error);
        g_assert_no_error(error);
        g_assert_cmpint(grid->columns, ==, cases[i].columns);
        g_assert_cmpint(grid->rows, ==, cases[i].rows);
        yonos_tile_grid_free(grid);
    }
    check_grid(&plain, 16384, 16384, 0, -1);
    check_grid(&attention, 16384, 64, 0, -1);
}

static void expect_refusal(const YonosModelInfo *info, int tile_size, int overlap, const char *part) {
    g_autoptr(GError) error = NULL;
    g_assert_null(yonos_tile_grid_new(1024, 1024, tile_size, overlap, info, &error));
    g_assert_error(error, YONOS_ERROR, YONOS_ERROR_ARGUMENT);
    g_assert_nonnull(strstr(error->message, part));
}

static void test_refusals(void) {
    YonosModelInfo blended = info_of(8, TRUE, TRUE, 4), cut = info_of(8, FALSE, FALSE, 19);
    expect_refusal(&blended, 63, -1, "tile-size");
    expect_refusal(&blended, -1, -1, "tile-size");
    expect_refusal(&blended, 8193, -1, "tile-size");
    expect_refusal(&blended, 256, 129, "tile-overlap");
    expect_refusal(&blended, 256, -2, "tile-overlap");
    expect_refusal(&blended, 0, 500, "tile-overlap");
    expect_refusal(&cut, 256, -1, "tile-size must be at least 312");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tiles/every-small-size", test_every_small_size);
    g_test_add_func("/tiles/random", test_random);
    g_test_add_func("/tiles/automatic", test_automatic);
    g_test_add_func("/tiles/refusals", test_refusals);
    return g_test_run();
}
