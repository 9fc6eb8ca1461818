/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernels of group norm and layer norm on the host, against ref: groups within a block and beyond, one source and
 * two, large means, outliers.
 */
#include "fixture.h"

typedef struct {
    const float *gamma, *beta;
} Affines;

static int launch_group_norm(Fixture *f) {
    const YonosNode *n = f->node;
    const Affines *k = f->extra;
    fixture_workspace(f, yonos_cuda_group_norm_workspace(n->out->shape));
    return yonos_cuda_group_norm(fixture_tensor(f, n->out), fixture_tensor(f, n->in[0]), fixture_tensor(f, n->in[1]),
                                 k->gamma, k->beta, n->attr.group_norm.groups, n->attr.group_norm.eps,
                                 n->attr.group_norm.activation, f->workspace, NULL);
}

typedef struct {
    YonosShape x;
    int y_channels; /* 0: one source */
    int groups;
    float mean, spread, outlier;
    gboolean plain; /* no gamma, no beta */
} NormCase;

static const NormCase group_norm_cases[] = {
    {{1, 1, 1, 1}, 0, 1, 0.0f, 1.0f, 0.0f, FALSE},
    {{1, 1, 1, 32}, 0, 32, 0.0f, 1.0f, 0.0f, FALSE},
    {{2, 7, 5, 320}, 0, 32, 0.5f, 2.0f, 0.0f, FALSE},
    {{1, 33, 31, 64}, 0, 32, 0.0f, 1.0f, 0.0f, TRUE},
    {{2, 5, 9, 32}, 16, 8, 0.0f, 1.0f, 0.0f, FALSE},
    {{1, 4, 3, 20}, 13, 3, 1.0f, 1.0f, 0.0f, FALSE},    /* no 16-byte accesses */
    {{1, 3, 2, 1288}, 1280, 8, 0.0f, 1.0f, 0.0f, FALSE}, /* several tiles of channels */
    {{1, 40, 41, 8}, 0, 1, 0.0f, 1.0f, 0.0f, FALSE},
    {{1, 90, 80, 16}, 0, 2, 100.0f, 0.5f, 0.0f, FALSE}, /* groups beyond one block */
    {{2, 110, 50, 16}, 8, 2, 0.0f, 1.0f, 0.0f, FALSE},
    {{1, 111, 90, 7}, 6, 1, 0.0f, 1.0f, 0.0f, FALSE},
    {{1, 3, 2, 2100}, 0, 1, 0.0f, 1.0f, 0.0f, TRUE}, /* a pixel's share of the group beyond one block, unless wide */
    {{1, 3, 5, 24}, 0, 2, 0.0f, 1.0f, 0.0f, FALSE}, /* accesses of 4 elements */
    {{1, 17, 19, 32}, 0, 4, 100.0f, 0.5f, 0.0f, FALSE}, /* large mean, small variance */
    {{1, 17, 19, 32}, 0, 4, 3.0f, 0.0f, 0.0f, FALSE},    /* constant */
    {{1, 17, 19, 32}, 0, 4, 0.0f, 1.0f, 30000.0f, FALSE},
    /* Groups of 2, 4, 3, 10, 1 and 8 channels, beyond one block. */
    {{1, 70, 90, 16}, 0, 8, 0.0f, 1.0f, 30000.0f, FALSE},
    {{1, 65, 67, 24}, 0, 6, 100.0f, 0.5f, 0.0f, FALSE},
    {{1, 65, 67, 24}, 0, 8, 0.0f, 1.0f, 0.0f, TRUE},
    {{2, 40, 41, 320}, 0, 32, 0.0f, 1.0f, 0.0f, FALSE},
    {{1, 65, 79, 8}, 0, 8, 100.0f, 0.5f, 0.0f, FALSE},
    {{1, 71, 73, 64}, 0, 8, 0.0f, 1.0f, 30000.0f, FALSE},
};

static void group_norm_case(const NormCase *c, YonosDType dtype, YonosActivation activation, gsize skew) {
    Fixture f;
    fixture_init(&f);
    f.skew = skew;
    int channels = c->x.c + c->y_channels;
    g_autofree float *gamma = g_new(float, channels), *beta = g_new(float, channels);
    for (int i = 0; i < channels; i++) {
        gamma[i] = 1.0f + 0.3f * fixture_normal();
        beta[i] = 0.3f * fixture_normal();
    }
    YonosConst scale = {"gamma", YONOS_DTYPE_F32, 1, {channels}, gamma}, shift = scale;
    shift.data = beta;
    const YonosTensor *x = fixture_input(&f, dtype, c->x), *y = NULL;
    fixture_fill(&f, x, c->mean, c->spread);
    if (c->outlier != 0.0f)
        fixture_set(&f, x, 0, c->outlier);
    YonosShape second = c->x;
    second.c = c->y_channels;
    if (c->y_channels)
        y = fixture_input(&f, dtype, second);
    Affines k = {c->plain ? NULL : gamma, c->plain ? NULL : beta};
    f.extra = &k;
    yonos_group_norm(f.graph, x, y, c->plain ? NULL : &scale, c->plain ? NULL : &shift, c->groups, 1e-5f, activation,
                     NULL);
    fixture_compare(&f, launch_group_norm, 4e-6f, 1e-5f);
    fixture_clear(&f);
}

static void test_group_norm(void) {
    for (guint i = 0; i < G_N_ELEMENTS(group_norm_cases); i++)
        for (guint d = 0; d < G_N_ELEMENTS(fixture_dtypes); d++) {
            group_norm_case(&group_norm_cases[i], fixture_dtypes[d], YONOS_ACTIVATION_NONE, 0);
            group_norm_case(&group_norm_cases[i], fixture_dtypes[d], YONOS_ACTIVATION_SILU, 4);
        }
}

static int launch_layer_norm(Fixture *f) {
    const YonosNode *n = f->node;
    const Affines *k = f->extra;
    return yonos_cuda_layer_norm(fixture_tensor(f, n->out), fixture_tensor(f, n->in[0]), k->gamma, k->beta,
                                 n->attr.layer_norm.eps, NULL);
}

static int launch_layer_norm_in_place(Fixture *f) {
    const YonosNode *n = f->node;
    const Affines *k = f->extra;
    const YonosCudaTensor *out = fixture_tensor(f, n->out);
    memcpy(out->data, fixture_tensor(f, n->in[0])->data, yonos_shape_count(out->shape) * yonos_dtype_size(out->dtype));
    return yonos_cuda_layer_norm(out, out, k->gamma, k->beta, n->attr.layer_norm.eps, NULL);
}

static void layer_norm_case(YonosShape shape, YonosDType dtype, FixtureLaunch launch, gboolean plain, float mean,
                            gsize skew) {
    Fixture f;
    fixture_init(&f);
    f.skew = skew;
    g_autofree float *gamma = g_new(float, shape.c), *beta = g_new(float, shape.c);
    for (int i = 0; i < shape.c; i++) {
        gamma[i] = 1.0f + 0.3f * fixture_normal();
        beta[i] = 0.3f * fixture_normal();
    }
    YonosConst scale = {"gamma", YONOS_DTYPE_F32, 1, {shape.c}, gamma}, shift = scale;
    shift.data = beta;
    Affines k = {plain ? NULL : gamma, plain ? NULL : beta};
    f.extra = &k;
    const YonosTensor *x = fixture_input(&f, dtype, shape);
    fixture_fill(&f, x, mean, 1.0f);
    yonos_layer_norm(f.graph, x, plain ? NULL : &scale, plain ? NULL : &shift, 1e-5f, NULL);
    fixture_compare(&f, launch, 4e-6f + 0x1p-22f * mean, 1e-5f);
    fixture_clear(&f);
}

static void test_layer_norm(void) {
    /* Up to 40 a lane are held, and 1280 a pixel; where a lane's accesses have one, 8 and 256. */
    static const int channels[] = {1, 7, 8, 31, 40, 72, 257, 320, 640, 1280, 1283, 2056};
    for (guint i = 0; i < G_N_ELEMENTS(channels); i++)
        for (guint d = 0; d < G_N_ELEMENTS(fixture_dtypes); d++) {
            YonosDType dtype = fixture_dtypes[d];
            YonosShape some = {1, 3, 7, channels[i]}, two = {2, 1, 1, channels[i]};
            layer_norm_case(some, dtype, launch_layer_norm, FALSE, 0.0f, 0);
            layer_norm_case(some, dtype, launch_layer_norm_in_place, FALSE, 0.0f, 0);
            layer_norm_case(two, dtype, launch_layer_norm, TRUE, 100.0f, 0);
            layer_norm_case(two, dtype, launch_layer_norm, FALSE, 0.0f, 4);
        }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/norm/group", test_group_norm);
    g_test_add_func("/norm/layer", test_layer_norm);
    return g_test_run();
}
