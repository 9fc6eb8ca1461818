/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Resampling against Pillow's results and against the filters' definitions, evaluated pixel by pixel in two dimensions
 * and in double, on every backend.
 */
#include "plan/plan.h"

#include <math.h>

static const char *const backends[] = {"ref", "cpu"};

/* Runs one RESIZE; returns (shape.n,h,w,shape.c) floats. */
static float *resize(const char *backend_name, YonosShape shape, const float *values, int h, int w,
                     YonosFilter filter) {
    g_autoptr(GError) error = NULL;
    YonosBackend *backend = yonos_backend_open(backend_name, YONOS_PRECISION_F32, 2, NULL, &error);
    g_assert_no_error(error);
    YonosGraph *graph = yonos_graph_new();
    YonosTensor *x = yonos_graph_tensor(graph, YONOS_TENSOR_INPUT, YONOS_DTYPE_F32, shape, "x");
    const YonosTensor *y = yonos_resize(graph, x, h, w, filter, "y");
    YonosPlan *plan = yonos_plan_new(backend, graph, TRUE, &error);
    g_assert_no_error(error);
    float *out = g_new(float, yonos_shape_count(y->shape));
    g_assert_true(yonos_plan_write_tensor(plan, x, values, &error));
    g_assert_true(yonos_plan_run(plan, NULL, NULL, 0, 0, NULL, &error));
    g_assert_true(yonos_plan_read_tensor(plan, y, out, &error));
    yonos_plan_free(plan);
    yonos_backend_close(backend);
    return out;
}

/* Pillow 13.0: Image.fromarray(source, "F").resize((out, 1), filter), source of five floats. */
static void test_pillow(void) {
    enum { IN = 5, MAX_OUT = 8 };
    static const float source[IN] = {0.5f, -1.0f, 2.0f, 0.25f, 3.0f};
    static const struct {
        YonosFilter filter;
        int out;
        float wanted[MAX_OUT];
    } cases[] = {
        {YONOS_FILTER_BILINEAR, 8,
         {0.5f, -0.15625f, -0.8125f, 1.0625f, 1.453125f, 0.359375f, 1.796875f, 3.0f}},
        {YONOS_FILTER_BILINEAR, 3, {-0.1428571f, 0.9444444f, 1.821429f}},
        {YONOS_FILTER_BILINEAR, 1, {0.9210526f}},
        {YONOS_FILTER_BICUBIC, 8,
         {0.6079336f, -0.2432355f, -0.9273987f, 1.262238f, 1.652863f, 0.2444763f, 1.826207f, 3.197878f}},
        {YONOS_FILTER_BICUBIC, 3, {-0.1615385f, 0.8476744f, 1.896154f}},
        {YONOS_FILTER_BICUBIC, 5, {0.5f, -1.0f, 2.0f, 0.25f, 3.0f}},
        {YONOS_FILTER_BICUBIC, 1, {0.8899431f}},
        {YONOS_FILTER_LANCZOS, 8,
         {0.7468674f, -0.3761143f, -0.9173002f, 1.345835f, 1.675943f, 0.2362766f, 1.741193f, 3.335566f}},
        {YONOS_FILTER_LANCZOS, 3, {-0.1370347f, 0.7218935f, 1.960967f}},
        {YONOS_FILTER_LANCZOS, 1, {0.8956584f}},
        {YONOS_FILTER_AREA, 8, {0.5f, 0.5f, -1.0f, 2.0f, 2.0f, 0.25f, 3.0f, 3.0f}},
        {YONOS_FILTER_AREA, 3, {-0.25f, 2.0f, 1.625f}},
        {YONOS_FILTER_AREA, 1, {0.95f}},
    };
    for (guint b = 0; b < G_N_ELEMENTS(backends); b++)
        for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
            g_autofree float *wide =
                resize(backends[b], (YonosShape){1, 1, IN, 1}, source, 1, cases[i].out, cases[i].filter);
            g_autofree float *high =
                resize(backends[b], (YonosShape){1, IN, 1, 1}, source, cases[i].out, 1, cases[i].filter);
            for (int k = 0; k < cases[i].out; k++) {
                g_assert_cmpfloat_with_epsilon(wide[k], cases[i].wanted[k], 1e-6f);
                g_assert_cmpfloat_with_epsilon(high[k], cases[i].wanted[k], 1e-6f);
            }
        }
}

/* ---- by definition -------------------------------------------------------------------------------- */

/* The kernels of Pillow's filters at distance x, in input samples when enlarging. */
static double kernel(YonosFilter filter, double x) {
    double d = fabs(x);
    switch (filter) {
    case YONOS_FILTER_BILINEAR:
        return MAX(0.0, 1.0 - d);
    case YONOS_FILTER_BICUBIC: /* Keys (1981) with a = -1/2, expanded */
        return d < 1.0 ? 1.5 * d * d * d - 2.5 * d * d + 1.0
               : d < 2.0 ? -0.5 * d * d * d + 2.5 * d * d - 4.0 * d + 2.0 : 0.0;
    case YONOS_FILTER_LANCZOS:
        return d < 1e-12 ? 1.0 : d < 3.0 ? 3.0 * sin(G_PI * d) * sin(G_PI * d / 3.0) / (G_PI * G_PI * d * d) : 0.0;
    default: /* a box is closed on its right */
        return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
    }
}

/* Pillow's box takes samples from one rounded edge to the other, so where an edge falls on a sample's centre the order
 * of operations decides. */
static gboolean in_box(double centre, double half, int from) {
    return from >= (int)MAX(centre - half + 0.5, 0.0) && from < (int)(centre + half + 0.5);
}

static double weight(YonosFilter filter, int in, int out, int from, int to) {
    double scale = (double)in / out, centre = (to + 0.5) * scale, stretch = MAX(scale, 1.0);
    if (filter == YONOS_FILTER_AREA && !in_box(centre, 0.5 * stretch, from))
        return 0.0;
    return kernel(filter, (from - centre + 0.5) / stretch);
}

static double by_definition(const float *values, YonosShape s, YonosFilter filter, int h, int w, int n, int y, int x,
                            int c) {
    double sum = 0.0, weights = 0.0;
    if (filter == YONOS_FILTER_NEAREST)
        return (double)values[(((gsize)n * s.h + (gsize)(y * s.h / h)) * s.w + (gsize)(x * s.w / w)) * s.c + c];
    for (int j = 0; j < s.h; j++)
        for (int i = 0; i < s.w; i++) {
            double factor = weight(filter, s.h, h, j, y) * weight(filter, s.w, w, i, x);
            sum += factor * (double)values[(((gsize)n * s.h + j) * s.w + i) * s.c + c];
            weights += factor;
        }
    return sum / weights;
}

static void check_definition(const char *backend, YonosShape s, int h, int w, YonosFilter filter) {
    gsize count = yonos_shape_count(s);
    g_autofree float *values = g_new(float, count);
    for (gsize i = 0; i < count; i++)
        values[i] = (float)g_test_rand_double_range(-1.0, 1.0);
    g_autofree float *result = resize(backend, s, values, h, w, filter);
    const float *at = result;
    for (int n = 0; n < s.n; n++)
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++)
                for (int c = 0; c < s.c; c++, at++)
                    g_assert_cmpfloat_with_epsilon(*at, by_definition(values, s, filter, h, w, n, y, x, c), 4e-6);
}

static void test_definition(gconstpointer data) {
    for (YonosFilter filter = YONOS_FILTER_NEAREST; filter <= YONOS_FILTER_AREA; filter++) {
        for (int round = 0; round < 12; round++) {
            YonosShape s = {g_test_rand_int_range(1, 3), g_test_rand_int_range(1, 24), g_test_rand_int_range(1, 24),
                            g_test_rand_int_range(1, 5)};
            check_definition(data, s, g_test_rand_int_range(1, 30), g_test_rand_int_range(1, 30), filter);
        }
        for (int scale = 1; scale <= 8; scale *= 2) { /* what models do: up by whole factors, and back */
            check_definition(data, (YonosShape){1, 7, 5, 3}, 7 * scale, 5 * scale, filter);
            check_definition(data, (YonosShape){1, 3 * scale, 4 * scale, 3}, 3, 4, filter);
        }
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/resize/pillow", test_pillow);
    for (guint i = 0; i < G_N_ELEMENTS(backends); i++) {
        g_autofree char *path = g_strdup_printf("/resize/definition/%s", backends[i]);
        g_test_add_data_func(path, backends[i], test_definition);
    }
    return g_test_run();
}
