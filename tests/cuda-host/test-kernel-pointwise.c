/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pointwise kernels on the host, against ref: all storage types, sizes with and without the 16-byte paths.
 */
#include "fixture.h"

/* Channel counts that take the fast path in every type, in f32 only, in none; one pixel; more than a block. */
static const YonosShape shapes[] = {{1, 1, 1, 1},  {1, 1, 1, 8},  {2, 3, 5, 3},
                                    {1, 7, 9, 16}, {1, 5, 3, 20}, {2, 9, 31, 24}};

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
                affine_case(shapes[s], fixture_dtypes[i % 3], fixture_dtypes[i / 3], two,
                            (YonosActivation)((i + s) % 5), s % 2 ? 4 : 0);
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
            const YonosTensor *x = fixture_input(&f, fixture_dtypes[i % 3], shapes[s]);
            yonos_affine(f.graph, x, 1.0f, NULL, 0.0f, 0.0f, YONOS_ACTIVATION_NONE, fixture_dtypes[i / 3], NULL);
            fixture_compare(&f, launch_convert, -1.0f, 0.0f);
            fixture_clear(&f);
        }
}

static int launch_geglu(Fixture *f) {
    return yonos_cuda_geglu(fixture_tensor(f, f->node->out), fixture_tensor(f, f->node->in[0]), NULL);
}

static void test_geglu(void) {
    for (guint s = 0; s < G_N_ELEMENTS(shapes); s++)
        for (guint d = 0; d < G_N_ELEMENTS(fixture_dtypes); d++) {
            Fixture f;
            fixture_init(&f);
            YonosShape wide = shapes[s];
            wide.c *= 2;
            yonos_geglu(f.graph, fixture_input(&f, fixture_dtypes[d], wide), NULL);
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
        for (guint d = 0; d < G_N_ELEMENTS(fixture_dtypes); d++)
            for (int more = 1; more <= 8; more += 7) {
                Fixture f;
                fixture_init(&f);
                YonosShape second = shapes[s];
                second.c += more;
                const YonosTensor *x = fixture_input(&f, fixture_dtypes[d], shapes[s]);
                yonos_concat(f.graph, x, fixture_input(&f, fixture_dtypes[d], second), NULL);
                fixture_compare(&f, launch_concat, -1.0f, 0.0f);
                fixture_clear(&f);
            }
}

/* No node of its own either: what comes out is compared by hand. */
static void pad_case(YonosShape shape, int channels, YonosDType from, YonosDType to, gsize skew) {
    Fixture f;
    fixture_init(&f);
    f.skew = skew;
    YonosShape padded = shape;
    padded.c = channels;
    const YonosTensor *x = fixture_input(&f, from, shape), *out = fixture_input(&f, to, padded);
    g_assert_cmpint(yonos_cuda_pad_channels(fixture_tensor(&f, out), fixture_tensor(&f, x), NULL), ==, 0);
    gsize pixels = yonos_shape_count(shape) / (gsize)shape.c;
    for (gsize p = 0; p < pixels; p++)
        for (int c = 0; c < channels; c++) {
            float expected = c < shape.c ? fixture_get(&f, x, p * (gsize)shape.c + (gsize)c, to) : 0.0f;
            g_assert_cmpfloat(fixture_get(&f, out, p * (gsize)channels + (gsize)c, to), ==, expected);
        }
    fixture_clear(&f);
}

static void test_pad_channels(void) {
    for (guint s = 0; s < G_N_ELEMENTS(shapes); s++)
        for (guint i = 0; i < 9; i++) {
            pad_case(shapes[s], (shapes[s].c + 7) / 8 * 8, fixture_dtypes[i % 3], fixture_dtypes[i / 3], 0);
            pad_case(shapes[s], shapes[s].c + 5, fixture_dtypes[i % 3], fixture_dtypes[i / 3], 4);
            pad_case(shapes[s], MAX(1, shapes[s].c - 2), fixture_dtypes[i % 3], fixture_dtypes[i / 3], 0);
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
        for (guint d = 0; d < G_N_ELEMENTS(fixture_dtypes); d++)
            for (int k = 0; k < 4; k++)
                epilogue_case(shapes[s], fixture_dtypes[d], k % 2, k / 2, (int)(s + d) + k);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pointwise/affine", test_affine);
    g_test_add_func("/pointwise/convert", test_convert);
    g_test_add_func("/pointwise/epilogue", test_epilogue);
    g_test_add_func("/pointwise/geglu", test_geglu);
    g_test_add_func("/pointwise/concat", test_concat);
    g_test_add_func("/pointwise/pad-channels", test_pad_channels);
    g_test_add_func("/pointwise/fill", test_fill);
    return g_test_run();
}
