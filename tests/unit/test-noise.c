/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The noise field: Random123's known answers, a normal distribution, and the same bits in every tile, with every
 * backend and number of threads.
 */
#include "backend/philox.h"
#include "model/model.h"
#include "plan/plan.h"

/* Philox4x32-10 of Random123's kat_vectors. */
static void test_known_answers(void) {
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } cases[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        uint32_t block[4];
        memcpy(block, cases[i].counter, sizeof block);
        yonos_philox4x32_10(block, cases[i].key[0], cases[i].key[1]);
        for (int k = 0; k < 4; k++)
            g_assert_cmphex(block[k], ==, cases[i].out[k]);
    }
}

static void test_polynomials(void) {
    for (uint32_t i = 0; i < 1u << 24; i += 13) {
        uint32_t word = i << 8 | 0xa5;
        float u = yonos_philox_unit(word), cosine, sine;
        g_assert_true(u > 0.0f && u <= 1.0f);
        yonos_philox_cos_sin(u, &cosine, &sine);
        g_assert_cmpfloat_with_epsilon(yonos_philox_log(u), log((double)u), 1.1e-6);
        g_assert_cmpfloat_with_epsilon(cosine, cos(2 * G_PI * (double)u), 1e-7);
        g_assert_cmpfloat_with_epsilon(sine, sin(2 * G_PI * (double)u), 1e-7);
    }
    /* The ends, where a logarithm of 0 or a positive one would make the radius NaN. */
    for (guint i = 0; i < 2; i++) {
        float pair[2];
        yonos_philox_normal_pair(i ? 0xffffffffu : 0, 0, pair);
        g_assert_true(isfinite(pair[0]) && isfinite(pair[1]));
    }
}

static float value(guint64 seed, guint64 frame, int y, int x, int channel) {
    float out[4];
    yonos_noise_normals(seed, frame, y, x, channel / 4, out);
    return out[channel % 4];
}

static void test_distribution(void) {
    enum { SIDE = 128, CHANNELS = 8 };
    double moments[5] = {0}, neighbours = 0.0, count = (double)SIDE * SIDE * CHANNELS;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            for (int c = 0; c < CHANNELS; c++) {
                double v = value(7, 3, y, x, c), power = 1.0;
                for (int k = 0; k < 5; k++, power *= v)
                    moments[k] += power / count;
                neighbours += v * value(7, 3, y, x + 1, c) / count;
            }
    /* Five standard errors of each moment of 131072 standard normal values. */
    g_assert_cmpfloat_with_epsilon(moments[1], 0.0, 5.0 * sqrt(1.0 / count));
    g_assert_cmpfloat_with_epsilon(moments[2], 1.0, 5.0 * sqrt(2.0 / count));
    g_assert_cmpfloat_with_epsilon(moments[3], 0.0, 5.0 * sqrt(15.0 / count));
    g_assert_cmpfloat_with_epsilon(moments[4], 3.0, 5.0 * sqrt(96.0 / count));
    g_assert_cmpfloat_with_epsilon(neighbours, 0.0, 5.0 * sqrt(1.0 / count));
}

/* Every bit of what a value depends on counts, and no two coordinates are mixed up. */
static void test_independence(void) {
    float here = value(0, 0, 0, 0, 0);
    for (int bit = 0; bit < 64; bit++) {
        g_assert_cmpfloat(value(1ull << bit, 0, 0, 0, 0), !=, here);
        g_assert_cmpfloat(value(0, 1ull << bit, 0, 0, 0), !=, here);
        g_assert_cmpfloat(value(1ull << bit, 0, 0, 0, 0), !=, value(0, 1ull << bit, 0, 0, 0));
    }
    for (int bit = 0; bit < 16; bit++) {
        g_assert_cmpfloat(value(0, 0, 1 << bit, 0, 0), !=, here);
        g_assert_cmpfloat(value(0, 0, 0, 1 << bit, 0), !=, here);
        g_assert_cmpfloat(value(0, 0, 1 << bit, 0, 0), !=, value(0, 0, 0, 1 << bit, 0));
    }
    for (int channel = 1; channel < 64; channel++)
        g_assert_cmpfloat(value(0, 0, 0, 0, channel), !=, here);
}

/* ---- in plans ----------------------------------------------------------------------------------- */

enum { FACTOR = 8, WIDTH = 200, HEIGHT = 136, CHANNELS = 5 };

typedef struct {
    float *field; /* (HEIGHT / FACTOR, WIDTH / FACTOR, CHANNELS) as the header's function has it */
    const YonosTensor *noise;
    guint tiles;
} Field;

static float *whole_field(void) {
    float *field = g_new(float, HEIGHT / FACTOR * (WIDTH / FACTOR) * CHANNELS), *at = field;
    for (int y = 0; y < HEIGHT / FACTOR; y++)
        for (int x = 0; x < WIDTH / FACTOR; x++)
            for (int c = 0; c < CHANNELS; c++)
                *at++ = value(0xfeedfacecafebeefu, 0x1234567890u, y, x, c);
    return field;
}

/* Hook: the tile's noise against its place in the field. */
static void check_tile(YonosPlan *plan, guint node, gpointer data) {
    Field *f = data;
    (void)node;
    const YonosRun *run = yonos_plan_get_run(plan);
    int y0 = run->grid->y0[run->row] / FACTOR, x0 = run->grid->x0[run->column] / FACTOR;
    YonosShape s = f->noise->shape;
    g_autofree float *tile = g_new(float, yonos_shape_count(s));
    g_assert_true(yonos_plan_read_tensor(plan, f->noise, tile, NULL));
    for (int y = 0; y < s.h; y++) {
        gsize row = (gsize)s.w * s.c * sizeof(float);
        g_assert_cmpmem(tile + (gsize)y * s.w * s.c, row,
                        f->field + ((gsize)(y0 + y) * (WIDTH / FACTOR) + x0) * CHANNELS, row);
    }
    f->tiles++;
}

static void check_plan(const char *backend_name, int threads, int tile_size) {
    g_autoptr(GError) error = NULL;
    YonosModelInfo info = {.name = (char *)"noise", .latent_factor = FACTOR, .global_statistics = TRUE};
    YonosTileGrid *grid = yonos_tile_grid_new(WIDTH, HEIGHT, tile_size, -1, &info, &error);
    g_assert_no_error(error);
    guint tiles = (guint)(grid->columns * grid->rows);
    YonosGraph *graph = yonos_graph_new();
    yonos_graph_set_grid(graph, grid);
    graph->section = YONOS_SECTION_TILE;
    Field field = {.field = whole_field()};
    field.noise =
        yonos_noise(graph, (YonosShape){1, grid->tile_h / FACTOR, grid->tile_w / FACTOR, CHANNELS}, FACTOR, "noise");
    YonosBackend *backend = yonos_backend_open(backend_name, YONOS_PRECISION_F32, threads, NULL, &error);
    g_assert_no_error(error);
    YonosPlan *plan = yonos_plan_new(backend, graph, TRUE, &error);
    g_assert_no_error(error);
    yonos_plan_set_hook(plan, check_tile, &field);
    g_assert_true(yonos_plan_run(plan, NULL, NULL, 0xfeedfacecafebeefu, 0x1234567890u, NULL, &error));
    g_assert_cmpuint(field.tiles, ==, tiles);
    yonos_plan_free(plan);
    yonos_backend_close(backend);
    g_free(field.field);
}

static void test_tiles(void) {
    static const int sizes[] = {0, 64, 72, 136};
    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        check_plan("ref", 1, sizes[i]);
        for (int threads = 1; threads <= 3; threads++)
            check_plan("cpu", threads, sizes[i]);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/noise/known-answers", test_known_answers);
    g_test_add_func("/noise/polynomials", test_polynomials);
    g_test_add_func("/noise/distribution", test_distribution);
    g_test_add_func("/noise/independence", test_independence);
    g_test_add_func("/noise/tiles", test_tiles);
    return g_test_run();
}
