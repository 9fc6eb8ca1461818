/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernels of convolution on the host: the own 3x3 one against ref, and what trials of engines take: numbers to
 * convolve, and how far apart two results are.
 */
#include "fixture.h"

#include <math.h>

#include "stored.h"

/* ---- convolution ----------------------------------------------------------------------------------- */

typedef struct {
    YonosShape x;
    int oc;
    gboolean doubled; /* x is, by the convolution */
} ConvCase;

/* One pixel; the edges of tiles of 8 x 32; channels in every number of slices and groups, with a rest and without. */
static const ConvCase conv_cases[] = {
    {{1, 1, 1, 16}, 16, FALSE},  {{1, 7, 31, 16}, 8, FALSE},  {{2, 8, 32, 16}, 16, FALSE},
    {{1, 9, 33, 32}, 16, FALSE}, {{1, 17, 5, 16}, 32, FALSE}, {{1, 3, 67, 48}, 24, FALSE},
    {{3, 5, 34, 32}, 32, FALSE}, {{1, 11, 9, 64}, 40, FALSE}, {{1, 10, 40, 64}, 64, FALSE},
    {{1, 2, 3, 80}, 72, FALSE},  {{2, 5, 17, 16}, 16, TRUE},  {{1, 1, 1, 32}, 24, TRUE},
};

/* In the activations' type, as the backend packs them. */
typedef struct {
    const void *weight, *bias;
} ConvConstants;

static int launch_conv(Fixture *f) {
    const YonosNode *n = f->node;
    const ConvConstants *k = f->extra;
    const YonosCudaTensor *x = fixture_tensor(f, n->in[0]), *y = fixture_tensor(f, n->out),
                          *residual = fixture_tensor(f, n->in[1]);
    int ic = x->shape.c, oc = y->shape.c;
    gsize bytes = yonos_cuda_conv3x3_weight_bytes(ic, oc);
    g_autofree void *packed = g_malloc(bytes);
    yonos_cuda_conv3x3_pack(ic, oc, k->weight, packed);
    YonosCudaConv3x3 conv = {.dtype = y->dtype,
                             .n = y->shape.n,
                             .h = y->shape.h,
                             .w = y->shape.w,
                             .ic = ic,
                             .oc = oc,
                             .doubled = y->shape.h != x->shape.h,
                             .relu = n->attr.conv2d.activation == YONOS_ACTIVATION_RELU,
                             .x = x->data,
                             .weight = packed,
                             .bias = k->bias,
                             .residual = residual ? residual->data : NULL,
                             .y = y->data};
    return yonos_cuda_conv3x3(&conv, NULL);
}

/* The sums differ from ref's in their order alone: 9 ic products of about 1/sqrt(9 ic). */
static void conv_case(const ConvCase *c, YonosDType dtype, gboolean with_bias, gboolean with_residual, gboolean relu) {
    static const int padding[4] = {1, 1, 1, 1};
    enum { TAPS = 9 };
    Fixture f;
    fixture_init(&f);
    int ic = c->x.c, oc = c->oc;
    gsize count = (gsize)(oc * ic * TAPS);
    g_autofree float *weight = g_new(float, count), *turned = g_new(float, count), *bias = g_new(float, oc);
    for (gsize i = 0; i < count; i++) /* few bits: the same number in every type */
        weight[i] = (float)g_test_rand_int_range(-31, 32) / 256.0f;
    for (int o = 0; o < oc; o++)
        bias[o] = (float)g_test_rand_int_range(-31, 32) / 16.0f;
    for (int o = 0; o < oc; o++)
        for (int i = 0; i < ic; i++)
            for (int tap = 0; tap < TAPS; tap++)
                turned[(o * TAPS + tap) * ic + i] = weight[(o * ic + i) * TAPS + tap];
    g_autofree void *w = stored_new(turned, count, dtype), *b = stored_new(bias, (gsize)oc, dtype);
    ConvConstants k = {w, with_bias ? b : NULL};
    f.extra = &k;
    YonosConst weights = {"weight", YONOS_DTYPE_F32, 4, {oc, ic, 3, 3}, weight};
    YonosConst offsets = {"bias", YONOS_DTYPE_F32, 1, {oc}, bias};
    int times = c->doubled ? 2 : 1;
    YonosShape out = {c->x.n, times * c->x.h, times * c->x.w, oc};
    const YonosTensor *x = fixture_input(&f, dtype, c->x);
    const YonosTensor *residual = with_residual ? fixture_input(&f, dtype, out) : NULL;
    yonos_conv2d(f.graph, x, &weights, with_bias ? &offsets : NULL, residual, 1, padding, c->doubled ? out.h : 0,
                 c->doubled ? out.w : 0, relu ? YONOS_ACTIVATION_RELU : YONOS_ACTIVATION_NONE, NULL);
    fixture_compare(&f, launch_conv, 1e-5f, 0.0f);
    fixture_clear(&f);
}

static void test_conv(void) {
    for (guint i = 0; i < G_N_ELEMENTS(conv_cases); i++)
        for (guint d = 1; d < G_N_ELEMENTS(fixture_dtypes); d++)
            for (int k = 0; k < 4; k += i < 5 ? 1 : 3)
                conv_case(&conv_cases[i], fixture_dtypes[d], k % 2, k / 2, (int)(i + d) % 4 == k);
}

/* What it does not take it refuses, and starts nothing. */
static void test_conv_refused(void) {
    guint16 *data = g_malloc0(4096);
    YonosCudaConv3x3 whole = {.dtype = YONOS_DTYPE_BF16, .n = 1, .h = 1, .w = 1, .ic = 16, .oc = 8, .x = data,
                              .weight = data, .y = data + 512};
    YonosCudaConv3x3 refused[] = {whole, whole, whole, whole, whole};
    refused[0].ic = 24;
    refused[1].oc = 12;
    refused[2].dtype = YONOS_DTYPE_F32;
    refused[3].x = data + 1;
    refused[4].doubled = TRUE; /* 1 x 1 */
    for (guint i = 0; i < G_N_ELEMENTS(refused); i++)
        g_assert_cmpint(yonos_cuda_conv3x3(&refused[i], NULL), !=, 0);
    g_free(data);
}

/* ---- trials ---------------------------------------------------------------------------------------- */

/* As many as asked for, in [-1, 1), around 0, and hardly one like its neighbour. */
static void test_numbers(void) {
    enum { COUNT = 5000 };
    for (guint d = 0; d < G_N_ELEMENTS(fixture_dtypes); d++) {
        Fixture f;
        fixture_init(&f);
        const YonosTensor *x = fixture_input(&f, fixture_dtypes[d], (YonosShape){1, 1, 1, COUNT + 1});
        fixture_set(&f, x, COUNT, 7.0f);
        g_assert_cmpint(yonos_cuda_numbers(fixture_tensor(&f, x)->data, fixture_dtypes[d], COUNT, NULL), ==, 0);
        float sum = 0.0f, squares = 0.0f, last = 2.0f;
        int same = 0;
        for (gsize i = 0; i < COUNT; i++) {
            float v = fixture_get(&f, x, i, YONOS_DTYPE_F32);
            g_assert_true(v >= -1.0f && v <= 1.0f);
            sum += v;
            squares += v * v;
            same += v == last;
            last = v;
        }
        g_assert_cmpfloat(fabsf(sum) / COUNT, <, 0.05f);
        g_assert_cmpfloat(fabsf(squares / COUNT - 1.0f / 3.0f), <, 0.02f);
        g_assert_cmpint(same, <, COUNT / 50);
        g_assert_cmpfloat(fixture_get(&f, x, COUNT, YONOS_DTYPE_F32), ==, 7.0f);
        fixture_clear(&f);
    }
}

static YonosCudaDifference difference_of(const Fixture *f, const YonosTensor *is, const YonosTensor *should) {
    static YonosCudaDifference parts[YONOS_CUDA_DIFFERENCES];
    YonosCudaDifference all = {0.0f, 0.0f};
    memset(parts, 0xff, sizeof parts);
    const void *a = fixture_tensor(f, is)->data, *b = fixture_tensor(f, should)->data;
    g_assert_cmpint(yonos_cuda_difference(parts, a, b, is->dtype, yonos_shape_count(is->shape), 0.125f, NULL), ==, 0);
    for (int i = 0; i < YONOS_CUDA_DIFFERENCES; i++) {
        g_assert_true(parts[i].excess >= 0.0f && parts[i].largest >= 0.0f);
        all.excess = MAX(all.excess, parts[i].excess);
        all.largest = MAX(all.largest, parts[i].largest);
    }
    return all;
}

/* Wherever it is: in the first element, in the last, behind the first round of all threads. */
static void test_difference(void) {
    enum { COUNT = 70001 };
    static const gsize places[] = {0, COUNT / 2, 65537, COUNT - 1};
    for (guint d = 0; d < G_N_ELEMENTS(fixture_dtypes); d++)
        for (guint p = d; p < G_N_ELEMENTS(places); p += 2) {
            Fixture f;
            fixture_init(&f);
            const YonosTensor *is = fixture_input(&f, fixture_dtypes[d], (YonosShape){1, 1, 1, COUNT});
            const YonosTensor *should = fixture_input(&f, fixture_dtypes[d], is->shape);
            fixture_fill(&f, is, 1.0f, 0.0f);
            fixture_fill(&f, should, 1.0f, 0.0f);
            YonosCudaDifference none = difference_of(&f, is, should);
            g_assert_true(none.excess == 0.0f && none.largest == 1.0f);
            fixture_set(&f, should, places[p], -8.0f);
            YonosCudaDifference one = difference_of(&f, is, should);
            g_assert_true(one.excess == 8.0f && one.largest == 8.0f); /* 9 - 1 */
            fixture_set(&f, should, places[p], 1.0f);
            fixture_set(&f, is, places[p], NAN);
            g_assert_true(isinf(difference_of(&f, is, should).excess));
            fixture_clear(&f);
        }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/conv/3x3", test_conv);
    g_test_add_func("/conv/refused", test_conv_refused);
    g_test_add_func("/trial/numbers", test_numbers);
    g_test_add_func("/trial/difference", test_difference);
    return g_test_run();
}
