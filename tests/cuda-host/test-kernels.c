/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every CUDA kernel, run on the host, against ref: all storage types, sizes with and without the 16-byte paths.
 */
#include "fixture.h"

static const YonosDType dtypes[] = {YONOS_DTYPE_F32, YONOS_DTYPE_F16, YONOS_DTYPE_BF16};

/* Channel counts that take the fast path in every type, in f32 only, in none; one pixel; more than a block. */
static const YonosShape shapes[] = {{1, 1, 1, 1}, {1, 1, 1, 8}, {2, 3, 5, 3}, {1, 7, 9, 16}, {1, 5, 3, 20}, {2, 9, 31, 24}};

/* ---- pointwise ----------------------------------------------------------------------------------- */

static int launch_affine(Fixture *f) {
    const YonosNode *n = f->node;
    return yonos_cuda_affine(fixture_tensor(f, n->out), fixture_tensor(f, n->in[0]), fixture_tensor(f, n->in[1]),
                             n->attr.affine.a, n->attr.affine.b, n->attr.affine.c, n->attr.affine.activation, NULL);
}

static void affine_case(YonosShape shape, YonosDType in, YonosDType out, gboolean two, YonosActivation activation,
                        gsize skew) {
    Fixture f;
    fixture_init(&f);
    f.skew = skew;
    const YonosTensor *x = fixture_input(&f, in, shape), *y = two ? fixture_input(&f, YONOS_DTYPE_F32, shape) : NULL;
    yonos_affine(f.graph, x, 14.6488f, y, -0.5f, 0.25f, activation, out, NULL);
    fixture_compare(&f, launch_affine, 1e-6f, 1e-6f);
    fixture_clear(&f);
}

static void test_affine(void) {
    for (guint s = 0; s < G_N_ELEMENTS(shapes); s++)
        for (guint i = 0; i < 9; i++)
            for (int two = 0; two < 2; two++)
                affine_case(shapes[s], dtypes[i % 3], dtypes[i / 3], two, (YonosActivation)((i + s) % 5), s % 2 ? 4 : 0);
}

static int launch_convert(Fixture *f) {
    return yonos_cuda_affine(fixture_tensor(f, f->node->out), fixture_tensor(f, f->node->in[0]), NULL, 1.0f, 0.0f, 0.0f,
                             YONOS_ACTIVATION_NONE, NULL);
}

static void test_convert(void) {
    for (guint s = 0; s < G_N_ELEMENTS(shapes); s++)
        for (guint i = 0; i < 9; i++) {
            Fixture f;
            fixture_init(&f);
            const YonosTensor *x = fixture_input(&f, dtypes[i % 3], shapes[s]);
            yonos_affine(f.graph, x, 1.0f, NULL, 0.0f, 0.0f, YONOS_ACTIVATION_NONE, dtypes[i / 3], NULL);
            fixture_compare(&f, launch_convert, -1.0f, 0.0f);
            fixture_clear(&f);
        }
}

static int launch_geglu(Fixture *f) {
    return yonos_cuda_geglu(fixture_tensor(f, f->node->out), fixture_tensor(f, f->node->in[0]), NULL);
}

static void test_geglu(void) {
    for (guint s = 0; s < G_N_ELEMENTS(shapes); s++)
        for (guint d = 0; d < G_N_ELEMENTS(dtypes); d++) {
            Fixture f;
            fixture_init(&f);
            YonosShape wide = shapes[s];
            wide.c *= 2;
            yonos_geglu(f.graph, fixture_input(&f, dtypes[d], wide), NULL);
            fixture_compare(&f, launch_geglu, 1e-6f, 1e-6f);
            fixture_clear(&f);
        }
}

static int launch_concat(Fixture *f) {
    return yonos_cuda_concat(fixture_tensor(f, f->node->out), fixture_tensor(f, f->node->in[0]),
                             fixture_tensor(f, f->node->in[1]), NULL);
}

static void test_concat(void) {
    for (guint s = 0; s < G_N_ELEMENTS(shapes); s++)
        for (guint d = 0; d < G_N_ELEMENTS(dtypes); d++)
            for (int more = 1; more <= 8; more += 7) {
                Fixture f;
                fixture_init(&f);
                YonosShape second = shapes[s];
                second.c += more;
                const YonosTensor *x = fixture_input(&f, dtypes[d], shapes[s]);
                yonos_concat(f.graph, x, fixture_input(&f, dtypes[d], second), NULL);
                fixture_compare(&f, launch_concat, -1.0f, 0.0f);
                fixture_clear(&f);
            }
}

static int launch_fill(Fixture *f) {
    return yonos_cuda_fill(fixture_tensor(f, f->node->out), f->node->attr.fill.value, NULL);
}

static void test_fill(void) {
    for (guint s = 0; s < G_N_ELEMENTS(shapes); s++) {
        Fixture f;
        fixture_init(&f);
        yonos_fill(f.graph, shapes[s], -1.25f, NULL);
        fixture_compare(&f, launch_fill, -1.0f, 0.0f);
        fixture_clear(&f);
    }
}

/* The epilogue has no node of its own: bias and residual are a pointwise convolution with the unit matrix. */
static int launch_epilogue(Fixture *f) {
    return yonos_cuda_epilogue(fixture_tensor(f, f->node->out), fixture_tensor(f, f->node->in[0]), f->extra,
                               fixture_tensor(f, f->node->in[1]), f->node->attr.linear.activation, NULL);
}

static void epilogue_case(YonosShape shape, YonosDType dtype, gboolean with_bias, gboolean with_residual, int k) {
    Fixture f;
    fixture_init(&f);
    int c = shape.c;
    g_autofree float *unit = g_new0(float, c * c), *bias = g_new(float, c);
    for (int i = 0; i < c; i++) {
        unit[i * c + i] = 1.0f;
        bias[i] = fixture_normal();
    }
    YonosConst weight = {"unit", YONOS_DTYPE_F32, 2, {c, c}, unit}, offset = {"bias", YONOS_DTYPE_F32, 1, {c}, bias};
    f.extra = with_bias ? bias : NULL;
    const YonosTensor *x = fixture_input(&f, dtype, shape);
    const YonosTensor *residual = with_residual ? fixture_input(&f, dtype, shape) : NULL;
    yonos_linear(f.graph, x, &weight, with_bias ? &offset : NULL, residual, (YonosActivation)(k % 5), NULL);
    fixture_compare(&f, launch_epilogue, 1e-6f, 1e-6f);
    fixture_clear(&f);
}

static void test_epilogue(void) {
    for (guint s = 0; s < G_N_ELEMENTS(shapes); s++)
        for (guint d = 0; d < G_N_ELEMENTS(dtypes); d++)
            for (int k = 0; k < 4; k++)
                epilogue_case(shapes[s], dtypes[d], k % 2, k / 2, (int)(s + d) + k);
}

/* ---- tiles and noise ------------------------------------------------------------------------------- */

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
    return (YonosTileGrid){2, 2, TILE_W, TILE_H, tile_x0, tile_y0, columns, rows};
}

static const YonosCudaTile tile = {6, -2, 1, 0}; /* row 1, column 0 */

static int launch_window(Fixture *f) {
    const YonosNode *n = f->node;
    return yonos_cuda_window(fixture_tensor(f, n->out), fixture_tensor(f, n->in[0]), n->attr.window.y0,
                             n->attr.window.x0, n->attr.window.follow_tile, f->extra, NULL);
}

static void window_case(int c, int follow, YonosDType from, YonosDType to) {
    Fixture f;
    fixture_init(&f);
    YonosTileGrid grid = small_grid();
    f.run.grid = &grid;
    f.run.row = tile.row;
    f.run.column = tile.column;
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
                window_case(c, follow, dtypes[i % 3], dtypes[i / 3]);
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
        f.run.grid = &grid;
        f.run.row = tile.row;
        f.run.column = tile.column;
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

static const YonosCudaSeed seed = {0x123456789abcdefULL, 0x100000007ULL};

static int launch_noise(Fixture *f) {
    return yonos_cuda_noise(fixture_tensor(f, f->node->out), &seed, f->node->attr.noise.factor, f->extra, NULL);
}

static void test_noise(void) {
    for (int c = 1; c <= 16; c += 3) {
        Fixture f;
        fixture_init(&f);
        YonosTileGrid grid = small_grid();
        static const YonosCudaTile last = {6, 8, 1, 1};
        f.run = (YonosRun){.data = f.data, .grid = &grid, .row = 1, .column = 1, .seed = seed.seed, .frame = seed.frame};
        f.extra = &last;
        yonos_noise(f.graph, (YonosShape){1, 5, 70, c}, 2, NULL);
        fixture_compare(&f, launch_noise, -1.0f, 0.0f);
        fixture_clear(&f);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pointwise/affine", test_affine);
    g_test_add_func("/pointwise/convert", test_convert);
    g_test_add_func("/pointwise/epilogue", test_epilogue);
    g_test_add_func("/pointwise/geglu", test_geglu);
    g_test_add_func("/pointwise/concat", test_concat);
    g_test_add_func("/pointwise/fill", test_fill);
    g_test_add_func("/tile/window", test_window);
    g_test_add_func("/tile/blend", test_blend);
    g_test_add_func("/tile/batch", test_batch);
    g_test_add_func("/noise", test_noise);
    return g_test_run();
}
