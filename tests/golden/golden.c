/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Golden models: every block that diffusers computed (make_golden.py) against the engine's tensor of the same
 * name, on each backend and precision.
 *
 *   golden FOLDER BACKEND PRECISION [-v]
 *
 * f32: the picture within 2e-3, blocks within 1e-3 of the largest value of the block. bf16 keeps 8 bits, and errors
 * add up over the layers: the bounds below were set at twice what was seen. Exit status 77: no such precision here.
 */
#include <math.h>
#include <stdio.h>

#include "model/model.h"
#include "plan/plan.h"

static const double f32_bound = 1e-3, bf16_bound = 0.05;
static const double f32_picture = 2e-3, bf16_picture = 0.12;

typedef struct {
    YonosModel *model;
    YonosBackend *backend;
    YonosSafetensors *golden;
    YonosPlan *plan;
    float *picture;
    gboolean verbose;
} Golden;

static const YonosTensor *tensor_named(const YonosGraph *graph, const char *name) {
    for (guint i = 0; i < graph->tensors->len; i++) {
        const YonosTensor *t = g_ptr_array_index(graph->tensors, i);
        if (t->name && strcmp(t->name, name) == 0)
            return t;
    }
    return NULL;
}

static gboolean make_plan(Golden *g, GError **error) {
    const YonosConst *image = yonos_safetensors_find(g->golden, "image");
    YonosFrameSpec spec = {.width = (int)image->dim[2], .height = (int)image->dim[1], .format = YONOS_FORMAT_RGB_F32,
                           .tile_overlap = -1, .dtype = g->backend->dtype, .external_noise = TRUE};
    YonosGraph *graph = yonos_model_build_frame(g->model, &spec, error);
    if (!graph)
        return FALSE;
    g->plan = yonos_plan_new(g->backend, graph, TRUE, error);
    return g->plan != NULL;
}

/* Runs the frame; its picture, [0,1], goes to g->picture. */
static gboolean run_plan(Golden *g, GError **error) {
    const YonosConst *image = yonos_safetensors_find(g->golden, "image"), *noise = yonos_safetensors_find(g->golden, "noise");
    const YonosTensor *field = tensor_named(yonos_plan_get_graph(g->plan), "noise");
    int w = (int)image->dim[2], h = (int)image->dim[1], scale = yonos_model_get_scale(g->model);
    g->picture = g_new(float, (gsize)w * h * scale * scale * 3);
    YonosFrame in = {.format = YONOS_FORMAT_RGB_F32, .width = w, .height = h, .plane = {(void *)image->data},
                     .stride = {12 * (gssize)w}};
    YonosFrame out = {.format = YONOS_FORMAT_RGB_F32, .width = w * scale, .height = h * scale, .plane = {g->picture},
                      .stride = {12 * (gssize)w * scale}};
    if (field && !yonos_plan_write_tensor(g->plan, field, noise->data, error))
        return FALSE;
    return yonos_plan_run(g->plan, &in, &out, 0, 0, NULL, error);
}

/* The engine's values under `name`; NULL when there is no such tensor or another shape. Free with g_free(). */
static float *values_of(Golden *g, const YonosConst *expected, const char *name) {
    gsize count = yonos_const_count(expected);
    if (strcmp(name, "image") == 0) {
        for (gsize i = 0; i < count; i++)
            g->picture[i] = 2.0f * g->picture[i] - 1.0f;
        return g_steal_pointer(&g->picture);
    }
    const YonosTensor *t = tensor_named(yonos_plan_get_graph(g->plan), name);
    if (!t || yonos_shape_count(t->shape) != count || t->shape.h != expected->dim[1] || t->shape.w != expected->dim[2]) {
        printf("%s: %s\n", name, t ? "has another shape" : "is not in the graph");
        return NULL;
    }
    float *values = g_new(float, count);
    g_autoptr(GError) error = NULL;
    if (yonos_plan_read_tensor(g->plan, t, values, &error))
        return values;
    printf("%s: %s\n", name, error->message);
    g_free(values);
    return NULL;
}

/* Largest difference and largest expected value. */
static gboolean compare(Golden *g, const YonosConst *expected, const char *name, double *difference, double *largest) {
    g_autofree float *values = values_of(g, expected, name);
    if (!values)
        return FALSE;
    *difference = *largest = 0.0;
    for (gsize i = 0; i < yonos_const_count(expected); i++) {
        double d = fabs((double)values[i] - yonos_const_get(expected, i));
        *difference = isnan(d) ? INFINITY : MAX(*difference, d);
        *largest = MAX(*largest, fabs((double)yonos_const_get(expected, i)));
    }
    return TRUE;
}

static int check_all(Golden *g) {
    gboolean f32 = g->backend->dtype == YONOS_DTYPE_F32;
    int failures = 0, compared = 0;
    for (guint i = 0; i < yonos_safetensors_get_count(g->golden); i++) {
        const YonosConst *expected = yonos_safetensors_get(g->golden, i);
        if (!g_str_has_prefix(expected->name, "expect."))
            continue;
        const char *name = expected->name + strlen("expect.");
        double difference, largest;
        if (!compare(g, expected, name, &difference, &largest)) {
            failures++;
            continue;
        }
        gboolean picture = strcmp(name, "image") == 0;
        double bound = picture ? (f32 ? f32_picture : bf16_picture) : (f32 ? f32_bound : bf16_bound) * largest;
        gboolean ok = difference <= bound;
        compared++;
        failures += !ok;
        if (!ok || g->verbose || picture)
            printf("%-60s difference %.2e, bound %.2e, largest %.2e%s\n", name, difference, bound, largest,
                   ok ? "" : "  FAILED");
    }
    printf("%d tensors compared, %d failures\n", compared, failures);
    return failures || !compared;
}

static int run(Golden *g, const char *folder, const char *backend, YonosPrecision precision, GError **error) {
    g_autofree char *path = g_build_filename(folder, "golden.safetensors", NULL);
    g->backend = yonos_backend_open(backend, precision, 1, NULL, error);
    if (!g->backend && precision == YONOS_PRECISION_BF16)
        return 77;
    if (g->backend)
        g->model = yonos_model_open(folder, error);
    if (g->model)
        g->golden = yonos_safetensors_open(path, error);
    if (!g->golden || !make_plan(g, error) || !run_plan(g, error))
        return 1;
    return check_all(g);
}

int main(int argc, char **argv) {
    Golden g = {.verbose = argc > 4};
    g_autoptr(GError) error = NULL;
    if (argc < 4) {
        fprintf(stderr, "usage: golden FOLDER BACKEND f32|bf16 [-v]\n");
        return 2;
    }
    int result = run(&g, argv[1], argv[2], strcmp(argv[3], "bf16") == 0 ? YONOS_PRECISION_BF16 : YONOS_PRECISION_F32,
                     &error);
    if (error)
        printf("%s\n", error->message);
    g_free(g.picture);
    g_clear_pointer(&g.plan, yonos_plan_free);
    g_clear_pointer(&g.golden, yonos_safetensors_free);
    g_clear_pointer(&g.model, yonos_model_unref);
    g_clear_pointer(&g.backend, yonos_backend_close);
    return result;
}
