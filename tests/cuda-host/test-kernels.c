/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every CUDA kernel, run on the host, against ref: all storage types, sizes with and without the 16-byte paths.
 */
#include "fixture.h"

#include <math.h>

#include "backend/taps.h"

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
            pad_case(shapes[s], (shapes[s].c + 7) / 8 * 8, dtypes[i % 3], dtypes[i / 3], 0);
            pad_case(shapes[s], shapes[s].c + 5, dtypes[i % 3], dtypes[i / 3], 4);
            pad_case(shapes[s], MAX(1, shapes[s].c - 2), dtypes[i % 3], dtypes[i / 3], 0);
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

/* ---- norms --------------------------------------------------------------------------------------- */

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
    {{1, 70, 90, 16}, 0, 8, 0.0f, 1.0f, 30000.0f, FALSE}, /* groups of 2, 4, 3, 10, 1 and 8 channels, beyond one block */
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
        for (guint d = 0; d < G_N_ELEMENTS(dtypes); d++) {
            group_norm_case(&group_norm_cases[i], dtypes[d], YONOS_ACTIVATION_NONE, 0);
            group_norm_case(&group_norm_cases[i], dtypes[d], YONOS_ACTIVATION_SILU, 4);
        }
}

static int launch_layer_norm(Fixture *f) {
    const YonosNode *n = f->node;
    const Affines *k = f->extra;
    return yonos_cuda_layer_norm(fixture_tensor(f, n->out), fixture_tensor(f, n->in[0]), k->gamma, k->beta,
                                 n->attr.layer_norm.eps, NULL);
}

static void layer_norm_case(YonosShape shape, YonosDType dtype, gboolean plain, float mean) {
    Fixture f;
    fixture_init(&f);
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
    fixture_compare(&f, launch_layer_norm, 4e-6f + 0x1p-22f * mean, 1e-5f);
    fixture_clear(&f);
}

static void test_layer_norm(void) {
    static const int channels[] = {1, 7, 8, 31, 320, 1283};
    for (guint i = 0; i < G_N_ELEMENTS(channels); i++)
        for (guint d = 0; d < G_N_ELEMENTS(dtypes); d++) {
            layer_norm_case((YonosShape){1, 3, 7, channels[i]}, dtypes[d], FALSE, 0.0f);
            layer_norm_case((YonosShape){2, 1, 1, channels[i]}, dtypes[d], TRUE, 100.0f);
        }
}

/* ---- attention ----------------------------------------------------------------------------------- */

static gsize tokens_of(const YonosTensor *t) { return (gsize)t->shape.h * (gsize)t->shape.w; }

static int launch_attention(Fixture *f) {
    const YonosNode *n = f->node;
    const YonosTensor *q = n->in[0], *k = n->in[1], *v = n->in[2], *out = n->out;
    gsize width = yonos_dtype_size(q->dtype);
    gsize k_step = k ? (gsize)k->shape.c : (gsize)n->constant[0]->dim[1];
    gsize v_step = v ? (gsize)v->shape.c : (gsize)n->constant[1]->dim[1];
    const void *const *constants = f->extra;
    YonosCudaAttention a = {
        .dtype = q->dtype,
        .images = out->shape.n,
        .heads = n->attr.attention.heads,
        .head_dim = n->attr.attention.head_dim,
        .q_tokens = (int)tokens_of(q),
        .kv_tokens = k ? (int)tokens_of(k) : (int)n->constant[0]->dim[0],
        .scale = n->attr.attention.scale,
        .q = (char *)fixture_tensor(f, q)->data + (gsize)n->attr.attention.q_offset * width,
        .k = k ? (char *)fixture_tensor(f, k)->data + (gsize)n->attr.attention.k_offset * width : constants[0],
        .v = v ? (char *)fixture_tensor(f, v)->data + (gsize)n->attr.attention.v_offset * width : constants[1],
        .out = fixture_tensor(f, out)->data,
        .q_token = (gsize)q->shape.c,
        .k_token = k_step,
        .v_token = v_step,
        .out_token = (gsize)out->shape.c,
        .q_image = tokens_of(q) * (gsize)q->shape.c,
        .k_image = k ? tokens_of(k) * k_step : 0,
        .v_image = v ? tokens_of(v) * v_step : 0,
        .out_image = tokens_of(out) * (gsize)out->shape.c,
    };
    return yonos_cuda_attention(&a, NULL);
}

typedef struct {
    int images, h, w, heads, head_dim;
    int prompt; /* tokens of constant keys and values; 0: self-attention on packed Q, K, V */
    float spread;
} AttentionCase;

static const AttentionCase attention_cases[] = {
    {1, 1, 1, 1, 1, 0, 1.0f},    {2, 5, 7, 2, 8, 0, 1.0f},    {1, 9, 8, 3, 40, 0, 1.0f},   {1, 6, 11, 2, 64, 0, 3.0f},
    {1, 5, 9, 1, 80, 0, 1.0f},   {1, 7, 5, 1, 160, 0, 1.0f},  {1, 9, 8, 1, 512, 0, 1.0f}, {2, 3, 5, 2, 40, 77, 1.0f},
    {1, 8, 9, 2, 13, 0, 1.0f},   {1, 4, 9, 1, 64, 1, 1.0f},   {1, 11, 12, 1, 16, 0, 20.0f},
    {1, 9, 8, 1, 256, 0, 1.0f},  {1, 3, 3, 1, 640, 0, 1.0f},  {1, 3, 3, 1, 1024, 0, 1.0f},
};

/* Keys and values in the activations' type, as the backend packs them. */
static void *pack_constant(const float *from, gsize count, YonosDType dtype) {
    if (dtype == YONOS_DTYPE_F32)
        return g_memdup2(from, count * sizeof *from);
    uint16_t *to = g_new(uint16_t, count);
    for (gsize i = 0; i < count; i++)
        to[i] = dtype == YONOS_DTYPE_BF16 ? yonos_f32_to_bf16(from[i]) : yonos_f32_to_f16(from[i]);
    return to;
}

/* f16 and bf16 round the weights, which sum to 1, before they multiply the values; exponents grow with spread^2. */
static float attention_bound(YonosDType dtype, float spread) {
    float rounding = dtype == YONOS_DTYPE_F32 ? 0.0f : dtype == YONOS_DTYPE_F16 ? 0x1p-11f : 0x1p-8f;
    return spread * (6e-6f * spread * spread + 2.0f * rounding);
}

static void attention_case(const AttentionCase *c, YonosDType dtype, gsize skew) {
    Fixture f;
    fixture_init(&f);
    f.skew = skew;
    int channels = c->heads * c->head_dim;
    gsize count = (gsize)c->prompt * (gsize)channels;
    g_autofree float *keys = g_new0(float, count + 1), *values = g_new0(float, count + 1);
    for (gsize i = 0; i < count; i++) { /* multiples of 1/16: the same number in every type */
        keys[i] = (float)g_test_rand_int_range(-31, 32) / 16.0f;
        values[i] = (float)g_test_rand_int_range(-31, 32) / 16.0f;
    }
    g_autofree void *packed_k = pack_constant(keys, count, dtype), *packed_v = pack_constant(values, count, dtype);
    const void *constants[2] = {packed_k, packed_v};
    f.extra = constants;
    YonosConst k = {"k", YONOS_DTYPE_F32, 2, {c->prompt, channels}, keys}, v = k;
    v.data = values;
    const YonosTensor *x =
        fixture_input(&f, dtype, (YonosShape){c->images, c->h, c->w, c->prompt ? channels : 3 * channels});
    fixture_fill(&f, x, 0.0f, c->spread);
    float scale = 1.0f / sqrtf((float)c->head_dim);
    if (c->prompt)
        yonos_attention(f.graph, x, 0, NULL, 0, NULL, 0, &k, &v, c->heads, c->head_dim, scale, NULL);
    else
        yonos_attention(f.graph, x, 0, x, channels, x, 2 * channels, NULL, NULL, c->heads, c->head_dim, scale, NULL);
    fixture_compare(&f, launch_attention, attention_bound(dtype, c->spread), 0.0f);
    fixture_clear(&f);
}

static void test_attention(void) {
    for (guint i = 0; i < G_N_ELEMENTS(attention_cases); i++)
        for (guint d = 0; d < G_N_ELEMENTS(dtypes); d++) {
            attention_case(&attention_cases[i], dtypes[d], 0);
            if (i % 3 == 1) /* not aligned: the other kernel */
                attention_case(&attention_cases[i], dtypes[d], yonos_dtype_size(dtypes[d]));
        }
}

/* ---- convolution --------------------------------------------------------------------------------- */

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
    g_autofree void *w = pack_constant(turned, count, dtype), *b = pack_constant(bias, (gsize)oc, dtype);
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
        for (guint d = 1; d < G_N_ELEMENTS(dtypes); d++)
            for (int k = 0; k < 4; k += i < 5 ? 1 : 3)
                conv_case(&conv_cases[i], dtypes[d], k % 2, k / 2, (int)(i + d) % 4 == k);
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

/* ---- trials -------------------------------------------------------------------------------------- */

/* As many as asked for, in [-1, 1), around 0, and hardly one like its neighbour. */
static void test_numbers(void) {
    enum { COUNT = 5000 };
    for (guint d = 0; d < G_N_ELEMENTS(dtypes); d++) {
        Fixture f;
        fixture_init(&f);
        const YonosTensor *x = fixture_input(&f, dtypes[d], (YonosShape){1, 1, 1, COUNT + 1});
        fixture_set(&f, x, COUNT, 7.0f);
        g_assert_cmpint(yonos_cuda_numbers(fixture_tensor(&f, x)->data, dtypes[d], COUNT, NULL), ==, 0);
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
    for (guint d = 0; d < G_N_ELEMENTS(dtypes); d++)
        for (guint p = d; p < G_N_ELEMENTS(places); p += 2) {
            Fixture f;
            fixture_init(&f);
            const YonosTensor *is = fixture_input(&f, dtypes[d], (YonosShape){1, 1, 1, COUNT});
            const YonosTensor *should = fixture_input(&f, dtypes[d], is->shape);
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

/* ---- resampling ---------------------------------------------------------------------------------- */

static YonosCudaTaps borrow_taps(const YonosTaps *taps) {
    return (YonosCudaTaps){taps->out, taps->width, taps->first, taps->count, taps->weight};
}

static int launch_resize(Fixture *f) {
    const YonosNode *n = f->node;
    YonosShape in = n->in[0]->shape, out = n->out->shape;
    YonosTaps *y = yonos_taps_new(n->attr.resize.filter, in.h, out.h);
    YonosTaps *x = yonos_taps_new(n->attr.resize.filter, in.w, out.w);
    YonosCudaTaps taps_y = borrow_taps(y), taps_x = borrow_taps(x);
    fixture_workspace(f, sizeof(float) * (gsize)in.n * in.h * out.w * in.c);
    int status =
        yonos_cuda_resize(fixture_tensor(f, n->out), fixture_tensor(f, n->in[0]), &taps_y, &taps_x, f->workspace, NULL);
    yonos_taps_free(y);
    yonos_taps_free(x);
    return status;
}

static void test_resize(void) {
    static const int sizes[][4] = {{1, 1, 5, 3}, {7, 9, 14, 18}, {6, 100, 24, 400}, {31, 17, 8, 5}, {5, 4, 5, 4}};
    for (int filter = YONOS_FILTER_NEAREST; filter <= YONOS_FILTER_AREA; filter++)
        for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
            for (int c = 1; c <= 3; c += 2) {
                Fixture f;
                fixture_init(&f);
                const YonosTensor *x =
                    fixture_input(&f, YONOS_DTYPE_F32, (YonosShape){c == 1 ? 2 : 1, sizes[i][0], sizes[i][1], c});
                yonos_resize(f.graph, x, sizes[i][2], sizes[i][3], (YonosFilter)filter, NULL);
                fixture_compare(&f, launch_resize, -1.0f, 0.0f);
                fixture_clear(&f);
            }
}

/* No node of its own: a pointwise convolution with the unit matrix reads through up_h, up_w. */
static int launch_upsample(Fixture *f) {
    return yonos_cuda_upsample_nearest(fixture_tensor(f, f->node->out), fixture_tensor(f, f->node->in[0]), NULL);
}

static void upsample_case(int c, YonosDType dtype, int h, int w) {
    static const int no_padding[4] = {0};
    Fixture f;
    fixture_init(&f);
    g_autofree float *unit = g_new0(float, c * c);
    for (int i = 0; i < c; i++)
        unit[i * c + i] = 1.0f;
    YonosConst weight = {"unit", YONOS_DTYPE_F32, 4, {c, c, 1, 1}, unit};
    const YonosTensor *x = fixture_input(&f, dtype, (YonosShape){2, 5, 7, c});
    yonos_conv2d(f.graph, x, &weight, NULL, NULL, 1, no_padding, h, w, YONOS_ACTIVATION_NONE, NULL);
    fixture_compare(&f, launch_upsample, 0.0f, -0x1p-23f);
    fixture_clear(&f);
}

static void test_upsample(void) {
    for (guint d = 0; d < G_N_ELEMENTS(dtypes); d++)
        for (int c = 3; c <= 24; c += 7) {
            upsample_case(c, dtypes[d], 10, 14);
            upsample_case(c + 6, dtypes[d], 9, 13);
        }
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

/* ---- frames -------------------------------------------------------------------------------------- */

enum { FRAME_BYTES = 64 * 1024 };

/* A frame inside `memory` with strides longer than its rows by `slack` bytes; upside down with `flipped`. */
static YonosFrame frame_in(guint8 *memory, YonosFormat format, int w, int h, YonosColour colour, int slack,
                           gboolean flipped) {
    const YonosFormatInfo *info = yonos_format_get_info(format);
    YonosFrame frame = {.format = format, .width = w, .height = h, .colour = colour};
    for (int i = 0; i < info->planes; i++) {
        gssize stride = (gssize)yonos_format_row_bytes(info, i, w) + slack;
        int rows = yonos_format_rows(info, i, h);
        frame.plane[i] = flipped ? memory + (rows - 1) * stride : memory;
        frame.stride[i] = flipped ? -stride : stride;
        memory += rows * stride;
    }
    return frame;
}

static int launch_pack(Fixture *f) {
    return yonos_cuda_pack(fixture_tensor(f, f->node->out), f->extra, f->node->attr.frame.alpha, NULL);
}

static void pack_case(YonosFormat format, int w, int h, YonosColour colour, int slack, gboolean alpha) {
    g_autofree guint8 *memory = g_malloc(FRAME_BYTES);
    for (int i = 0; i < FRAME_BYTES; i++)
        memory[i] = (guint8)g_test_rand_int_range(0, format == YONOS_FORMAT_RGB_F32 ? 64 : 256);
    YonosFrame frame = frame_in(memory, format, w, h, colour, slack, slack % 2);
    Fixture f;
    fixture_init(&f);
    f.run.in = &frame;
    f.extra = &frame;
    yonos_pack(f.graph, h, w, format, &colour, alpha, NULL);
    fixture_compare(&f, launch_pack, -1.0f, 0.0f);
    fixture_clear(&f);
}

/* UNPACK has no out tensor: the frames themselves are compared, padding between the rows included. */
static void unpack_case(YonosFormat format, int w, int h, YonosColour colour, int slack) {
    const YonosFormatInfo *info = yonos_format_get_info(format);
    g_autofree guint8 *expected = g_malloc0(FRAME_BYTES), *got = g_malloc0(FRAME_BYTES);
    YonosFrame ref_frame = frame_in(expected, format, w, h, colour, slack, slack % 2);
    YonosFrame frame = frame_in(got, format, w, h, colour, slack, slack % 2);
    Fixture f;
    fixture_init(&f);
    const YonosTensor *x = fixture_input(&f, YONOS_DTYPE_F32, (YonosShape){1, h, w, 3}), *alpha = NULL;
    fixture_set(&f, x, 0, NAN);
    fixture_set(&f, x, 1, 1e30f);
    if (info->alpha >= 0) {
        alpha = fixture_input(&f, YONOS_DTYPE_F32, (YonosShape){1, h, w, 1});
        fixture_fill(&f, alpha, 0.5f, 0.5f);
    }
    yonos_unpack(f.graph, x, alpha, format, &colour);
    f.run.out = &ref_frame;
    fixture_run_ref(&f);
    g_assert_cmpint(yonos_cuda_unpack(&frame, fixture_tensor(&f, x), fixture_tensor(&f, alpha), NULL), ==, 0);
    g_assert_cmpmem(got, FRAME_BYTES, expected, FRAME_BYTES);
    fixture_clear(&f);
}

/* Every format with every combination of range and chroma siting, odd sizes, strides that break alignment. */
static void test_frames(void) {
    static const int sizes[][3] = {{1, 1, 0}, {33, 7, 3}, {16, 9, 4}, {2, 13, 1}};
    for (int format = YONOS_FORMAT_RGB; format < YONOS_FORMAT_COUNT; format++)
        for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
            for (int k = 0; k < 8; k++) {
                YonosColour colour = {k & 1 ? 0.299 : 0.2126, k & 1 ? 0.114 : 0.0722, k & 1, k >> 1 & 1, k >> 2 & 1};
                int w = sizes[i][0], h = sizes[i][1], slack = sizes[i][2];
                pack_case((YonosFormat)format, w, h, colour, slack, FALSE);
                if (yonos_format_get_info((YonosFormat)format)->alpha >= 0)
                    pack_case((YonosFormat)format, w, h, colour, slack, TRUE);
                unpack_case((YonosFormat)format, w, h, colour, slack);
            }
}

/* ---- colour fix ---------------------------------------------------------------------------------- */

static int launch_adain(Fixture *f) {
    const YonosNode *n = f->node;
    fixture_workspace(f, yonos_cuda_adain_workspace(n->out->shape));
    return yonos_cuda_adain(fixture_tensor(f, n->out), fixture_tensor(f, n->in[0]), fixture_tensor(f, n->in[1]),
                            f->workspace, NULL);
}

static void test_adain(void) {
    static const YonosShape sizes[][2] = {
        {{1, 1, 1, 3}, {1, 2, 3, 3}}, {{2, 31, 57, 3}, {2, 16, 28, 3}}, {{1, 63, 40, 4}, {1, 63, 40, 4}}};
    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        Fixture f;
        fixture_init(&f);
        const YonosTensor *x = fixture_input(&f, YONOS_DTYPE_F32, sizes[i][0]);
        const YonosTensor *y = fixture_input(&f, YONOS_DTYPE_F32, sizes[i][1]);
        fixture_fill(&f, y, 0.25f, 0.1f);
        yonos_adain(f.graph, x, y, NULL);
        fixture_compare(&f, launch_adain, 2e-6f, 4e-6f);
        fixture_clear(&f);
    }
}

static int launch_blur(Fixture *f) {
    return yonos_cuda_blur(fixture_tensor(f, f->node->out), fixture_tensor(f, f->node->in[0]),
                           f->node->attr.blur.dilation, NULL);
}

static void test_blur(void) {
    for (int dilation = 1; dilation <= 16; dilation *= 2)
        for (int h = 1; h < 40; h += 19) {
            Fixture f;
            fixture_init(&f);
            yonos_blur(f.graph, fixture_input(&f, YONOS_DTYPE_F32, (YonosShape){2, h, 37, 3}), dilation, NULL);
            fixture_compare(&f, launch_blur, -1.0f, 0.0f);
            fixture_clear(&f);
        }
}

/* ---- steadiness ---------------------------------------------------------------------------------- */

static int launch_stillness(Fixture *f) {
    const YonosCudaPerFrame frame = {.steadiness = f->run.steadiness};
    return yonos_cuda_stillness(fixture_tensor(f, f->node->out), fixture_tensor(f, f->node->in[0]),
                                fixture_tensor(f, f->node->in[1]), f->node->attr.stillness.limit, &frame, NULL);
}

/* Differences from none to beyond the limit, and numbers that are none. */
static void test_stillness(void) {
    static const YonosShape sizes[] = {{1, 1, 1, 3}, {2, 9, 35, 3}, {1, 17, 64, 1}, {1, 40, 3, 2}};
    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
        for (int off = 0; off < 2; off++) {
            Fixture f;
            fixture_init(&f);
            f.run.steadiness = off ? 0.0f : 0.85f;
            const YonosTensor *x = fixture_input(&f, YONOS_DTYPE_F32, sizes[i]);
            const YonosTensor *before = fixture_input(&f, YONOS_DTYPE_F32, sizes[i]);
            fixture_fill(&f, x, 0.5f, 0.005f);
            fixture_fill(&f, before, 0.5f, 0.005f);
            if (sizes[i].w > 30) {
                fixture_set(&f, x, 5, NAN);
                fixture_set(&f, before, 90, INFINITY);
                fixture_set(&f, before, 10, 1e9f);
            }
            yonos_stillness(f.graph, x, before, 0.006f, NULL);
            fixture_compare(&f, launch_stillness, -1.0f, 0.0f);
            fixture_clear(&f);
        }
}

static int launch_keep(Fixture *f) {
    return yonos_cuda_keep(fixture_tensor(f, f->node->out), fixture_tensor(f, f->node->in[0]),
                           fixture_tensor(f, f->node->in[2]), NULL);
}

static void test_keep(void) {
    for (int c = 1; c < 5; c++) {
        const YonosShape shape = {2, 3, 130, c};
        Fixture f;
        fixture_init(&f);
        const YonosTensor *x = fixture_input(&f, YONOS_DTYPE_F32, shape);
        const YonosTensor *state = fixture_input(&f, YONOS_DTYPE_F32, shape);
        const YonosTensor *weight = fixture_input(&f, YONOS_DTYPE_F32, (YonosShape){2, 3, 130, 1});
        fixture_set(&f, weight, 0, 0.0f);
        fixture_set(&f, state, 0, NAN); /* with a weight of 0, */
        fixture_set(&f, state, (gsize)c, NAN); /* and another one */
        fixture_set(&f, state, 2 * (gsize)c, -INFINITY);
        fixture_set(&f, x, 3 * (gsize)c, NAN);
        fixture_set(&f, state, 4 * (gsize)c, 1e4f);
        yonos_keep(f.graph, x, (YonosTensor *)state, weight);
        fixture_compare(&f, launch_keep, -1.0f, 0.0f);
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
    g_test_add_func("/pointwise/pad-channels", test_pad_channels);
    g_test_add_func("/pointwise/fill", test_fill);
    g_test_add_func("/norm/group", test_group_norm);
    g_test_add_func("/norm/layer", test_layer_norm);
    g_test_add_func("/attention", test_attention);
    g_test_add_func("/conv/3x3", test_conv);
    g_test_add_func("/conv/refused", test_conv_refused);
    g_test_add_func("/trial/numbers", test_numbers);
    g_test_add_func("/trial/difference", test_difference);
    g_test_add_func("/resize/filters", test_resize);
    g_test_add_func("/resize/nearest", test_upsample);
    g_test_add_func("/frame", test_frames);
    g_test_add_func("/colour/adain", test_adain);
    g_test_add_func("/colour/blur", test_blur);
    g_test_add_func("/steady/stillness", test_stillness);
    g_test_add_func("/steady/keep", test_keep);
    g_test_add_func("/tile/window", test_window);
    g_test_add_func("/tile/blend", test_blend);
    g_test_add_func("/tile/batch", test_batch);
    g_test_add_func("/noise", test_noise);
    return g_test_run();
}
