/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * AutoencoderTiny has no normalisation: a tile with a halo that covers what its convolutions see, cut off afterwards,
 * gives what the whole picture gives. In ref to the bit; in the CPU backend within rounding, as convolutions group
 * pixels from a tile's corner on. A halo that is too small must be seen.
 */
#include <math.h>

#include "model/model.h"
#include "plan/plan.h"
#include "tiny-model.h"

enum {
    SIDE = 40,    /* latent pixels of the whole */
    HALO = 8,     /* latent pixels: conv_in, three of a block, the upsampler's and a block's three at half that size,
                     the last one: 1 + 3 + (1 + 3 + 1) / 2, rounded up */
    FACTOR = 2,   /* picture pixels of a latent pixel, in the tiny model */
    CHANNELS = 2, /* of a latent */
};

typedef struct {
    int x, y, w, h;
} Area;

static YonosBackend *open_backend(const char *name, YonosDType dtype) {
    g_autoptr(GError) error = NULL;
    YonosBackend *backend =
        yonos_backend_open(name, dtype == YONOS_DTYPE_F32 ? YONOS_PRECISION_F32 : YONOS_PRECISION_BF16, 2, NULL, &error);
    if (!backend)
        g_test_skip(error->message);
    return backend;
}

/* The decoder's picture (h FACTOR, w FACTOR, 3) of an area of the latent field. */
static float *decode(YonosModel *model, YonosBackend *backend, YonosDType dtype, const float *field, Area a) {
    g_autoptr(GError) error = NULL;
    YonosGraph *graph = yonos_model_build_part(model, YONOS_PART_DECODER, a.h, a.w, dtype, &error);
    g_assert_no_error(error);
    const YonosTensor *in = NULL, *out = NULL;
    for (guint i = 0; i < graph->tensors->len; i++) {
        const YonosTensor *t = g_ptr_array_index(graph->tensors, i);
        in = t->kind == YONOS_TENSOR_INPUT ? t : in;
        out = t->kind == YONOS_TENSOR_OUTPUT ? t : out;
    }
    g_autofree float *cut = g_new(float, a.w * a.h * CHANNELS);
    for (int y = 0; y < a.h; y++)
        memcpy(cut + y * a.w * CHANNELS, field + ((a.y + y) * SIDE + a.x) * CHANNELS,
               sizeof(float) * CHANNELS * (gsize)a.w);
    YonosPlan *plan = yonos_plan_new(backend, graph, FALSE, &error);
    g_assert_no_error(error);
    float *picture = g_new(float, yonos_shape_count(out->shape));
    g_assert_cmpint(out->shape.w, ==, a.w * FACTOR);
    g_assert_true(yonos_plan_write_tensor(plan, in, cut, &error));
    g_assert_true(yonos_plan_run(plan, NULL, NULL, 0, 0, NULL, &error));
    g_assert_true(yonos_plan_read_tensor(plan, out, picture, &error));
    yonos_plan_free(plan);
    return picture;
}

static Area with_halo(Area a, int halo) {
    int x = MAX(a.x - halo, 0), y = MAX(a.y - halo, 0);
    return (Area){x, y, MIN(a.x + a.w + halo, SIDE) - x, MIN(a.y + a.h + halo, SIDE) - y};
}

/* The largest difference inside of `a` between the whole picture and that of the tile around it. */
static float difference(const float *whole, const float *tile, Area a, Area around) {
    float most = 0.0f;
    for (int y = a.y * FACTOR; y < (a.y + a.h) * FACTOR; y++)
        for (int x = a.x * FACTOR * 3; x < (a.x + a.w) * FACTOR * 3; x++) {
            float v = tile[(y - around.y * FACTOR) * around.w * FACTOR * 3 + x - around.x * FACTOR * 3];
            most = MAX(most, fabsf(v - whole[y * SIDE * FACTOR * 3 + x]));
        }
    return most;
}

static const Area areas[] = {{0, 0, 20, 20}, {20, 0, 20, 20}, {13, 17, 8, 5}, {0, 31, 40, 9}, {19, 19, 1, 1}};

/* The largest difference over all areas. */
static float cut_difference(YonosModel *model, YonosBackend *backend, YonosDType dtype, const float *field, int halo) {
    Area all = {0, 0, SIDE, SIDE};
    g_autofree float *whole = decode(model, backend, dtype, field, all);
    float most = 0.0f;
    for (guint i = 0; i < G_N_ELEMENTS(areas); i++) {
        Area around = with_halo(areas[i], halo);
        g_autofree float *tile = decode(model, backend, dtype, field, around);
        most = MAX(most, difference(whole, tile, areas[i], around));
    }
    return most;
}

static void check(const char *name, YonosDType dtype, float tolerance) {
    g_autoptr(GError) error = NULL;
    char *folder = tiny_model_new();
    YonosModel *model = yonos_model_open(folder, &error);
    g_assert_no_error(error);
    float field[SIDE * SIDE * CHANNELS];
    for (guint i = 0; i < G_N_ELEMENTS(field); i++)
        field[i] = (float)g_test_rand_double_range(-3.0, 3.0);
    YonosBackend *backend = open_backend(name, dtype);
    if (backend) {
        g_assert_cmpfloat(cut_difference(model, backend, dtype, field, HALO), <=, tolerance);
        g_assert_cmpfloat(cut_difference(model, backend, dtype, field, 1), >, MAX(tolerance, 1e-6f));
        yonos_backend_close(backend);
    }
    yonos_model_unref(model);
    tiny_model_remove(folder);
}

static void test_ref(void) {
    check("ref", YONOS_DTYPE_F32, 0.0f);
    check("ref", YONOS_DTYPE_BF16, 0.0f);
}

static void test_cpu_f32(void) { check("cpu", YONOS_DTYPE_F32, 2e-6f); }

static void test_cpu_bf16(void) { check("cpu", YONOS_DTYPE_BF16, 0.02f); }

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cuts/ref", test_ref);
    g_test_add_func("/cuts/cpu/f32", test_cpu_f32);
    g_test_add_func("/cuts/cpu/bf16", test_cpu_bf16);
    return g_test_run();
}
