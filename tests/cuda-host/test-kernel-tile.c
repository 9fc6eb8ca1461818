/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernels on tiles on the host, against ref: their windows, blending and noise; a batch is its tiles one by one.
 */
#include "fixture.h"

/* A grid of 2 x 2 overlapping tiles that overhang a frame of 20 x 14. */
enum { TILE_H = 9, TILE_W = 13, FRAME_H = 14, FRAME_W = 20 };
static int tile_x0[2] = {-2, 8}, tile_y0[2] = {-1, 6};
static float ramp_y[2][TILE_H], ramp_x[2][TILE_W];

static YonosTileGrid small_grid(void) {
    static float *rows[2] = {ramp_y[0], ramp_y[1]}, *columns[2] = {ramp_x[0], ramp_x[1]};
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < TILE_H; k++)
            ramp_y[i][k] = 0.1f * (float)(k + i);
        for (int k = 0; k < TILE_W; k++)
            ramp_x[i][k] = 0.2f + 0.05f * (float)(k - i);
    }
    return (YonosTileGrid){2, 2, 1, TILE_W, TILE_H, tile_x0, tile_y0, columns, rows};
}

static const YonosCudaTile tile = {6, -2, 1, 0}; /* row 1, column 0 */

/* The fixture's run is at `tile` of `grid`. */
static void at_tile(Fixture *f, const YonosTileGrid *grid) {
    f->run.grid = grid;
    f->run.row = tile.row;
    f->run.column = tile.column;
}

static int launch_window(Fixture *f) {
    const YonosNode *n = f->node;
    return yonos_cuda_window(fixture_tensor(f, n->out), fixture_tensor(f, n->in[0]), n->attr.window.y0,
                             n->attr.window.x0, n->attr.window.follow_tile, f->extra, NULL);
}

static void window_case(int c, int follow, YonosDType from, YonosDType to) {
    Fixture f;
    fixture_init(&f);
    YonosTileGrid grid = small_grid();
    at_tile(&f, &grid);
    f.extra = follow ? &tile : NULL;
    const YonosTensor *x = fixture_input(&f, from, (YonosShape){1, FRAME_H, FRAME_W, c});
    yonos_window(f.graph, x, follow ? 0 : -3, follow ? 1 : 2, TILE_H, TILE_W, follow, to, NULL);
    fixture_compare(&f, launch_window, -1.0f, 0.0f);
    fixture_clear(&f);
}

static void test_window(void) {
    for (int follow = 0; follow < 3; follow++)
        for (int c = 1; c < 20; c += 7)
            for (guint i = 0; i < 9; i++)
                window_case(c, follow, fixture_dtypes[i % 3], fixture_dtypes[i / 3]);
}

static int launch_blend(Fixture *f) {
    return yonos_cuda_blend(fixture_tensor(f, f->node->out), fixture_tensor(f, f->node->in[0]), ramp_y[0], ramp_x[0],
                            f->extra, NULL);
}

static void test_blend(void) {
    for (int c = 1; c < 5; c++) {
        Fixture f;
        fixture_init(&f);
        YonosTileGrid grid = small_grid();
        at_tile(&f, &grid);
        f.extra = &tile;
        f.graph->grid->tile_h = TILE_H; /* what the node is checked against */
        f.graph->grid->tile_w = TILE_W;
        const YonosTensor *x = fixture_input(&f, YONOS_DTYPE_F32, (YonosShape){1, TILE_H, TILE_W, c});
        const YonosTensor *frame = fixture_input(&f, YONOS_DTYPE_F32, (YonosShape){1, FRAME_H, FRAME_W, c});
        yonos_blend(f.graph, x, (YonosTensor *)frame);
        fixture_compare(&f, launch_blend, -1.0f, 0.0f);
        fixture_clear(&f);
    }
}

/* Windows of, and blends from, a batch of tiles are those of its tiles one by one. */
static void test_batch(void) {
    static const YonosCudaTile tiles[4] = {{-1, -2, 0, 0}, {-1, 8, 0, 1}, {6, -2, 1, 0}, {6, 8, 1, 1}};
    enum { C = 3, TILE = TILE_H * TILE_W * C, FRAME = FRAME_H * FRAME_W * C };
    float frame[FRAME], batch[4 * TILE], one[TILE], sum[FRAME] = {0}, expected[FRAME] = {0};
    small_grid();
    for (int i = 0; i < FRAME; i++)
        frame[i] = fixture_normal();
    const YonosCudaTensor whole = {frame, YONOS_DTYPE_F32, {1, FRAME_H, FRAME_W, C}};
    const YonosCudaTensor all = {batch, YONOS_DTYPE_F32, {4, TILE_H, TILE_W, C}};
    const YonosCudaTensor single = {one, YONOS_DTYPE_F32, {1, TILE_H, TILE_W, C}};
    const YonosCudaTensor to = {sum, YONOS_DTYPE_F32, whole.shape}, by_one = {expected, YONOS_DTYPE_F32, whole.shape};
    g_assert_cmpint(yonos_cuda_window(&all, &whole, 0, 0, 1, tiles, NULL), ==, 0);
    g_assert_cmpint(yonos_cuda_blend(&to, &all, ramp_y[0], ramp_x[0], tiles, NULL), ==, 0);
    for (int i = 0; i < 4; i++) {
        g_assert_cmpint(yonos_cuda_window(&single, &whole, 0, 0, 1, &tiles[i], NULL), ==, 0);
        g_assert_cmpmem(one, sizeof one, batch + i * TILE, sizeof one);
        g_assert_cmpint(yonos_cuda_blend(&by_one, &single, ramp_y[0], ramp_x[0], &tiles[i], NULL), ==, 0);
    }
    g_assert_cmpmem(sum, sizeof sum, expected, sizeof expected);
}

static const YonosCudaPerFrame per_frame = {.seed = 0x123456789abcdefULL, .frame = 0x100000007ULL};

static int launch_noise(Fixture *f) {
    return yonos_cuda_noise(fixture_tensor(f, f->node->out), &per_frame, f->node->attr.noise.factor, f->extra, NULL);
}

static void test_noise(void) {
    for (int c = 1; c <= 16; c += 3) {
        Fixture f;
        fixture_init(&f);
        YonosTileGrid grid = small_grid();
        static const YonosCudaTile last = {6, 8, 1, 1};
        f.run = (YonosRun){.data = f.data, .grid = &grid, .row = 1, .column = 1, .seed = per_frame.seed,
                         .frame = per_frame.frame};
        f.extra = &last;
        yonos_noise(f.graph, (YonosShape){1, 5, 70, c}, 2, NULL);
        fixture_compare(&f, launch_noise, -1.0f, 0.0f);
        fixture_clear(&f);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tile/window", test_window);
    g_test_add_func("/tile/blend", test_blend);
    g_test_add_func("/tile/batch", test_batch);
    g_test_add_func("/noise", test_noise);
    return g_test_run();
}
