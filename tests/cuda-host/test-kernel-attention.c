/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernels of attention on the host, against ref: self-attention on packed Q, K, V, and constant keys and values;
 * heads of every width, tensors that are aligned and ones that are not.
 */
#include "fixture.h"

#include <math.h>

#include "stored.h"

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
    /* In the activations' type, as the backend packs them. */
    g_autofree void *packed_k = stored_new(keys, count, dtype), *packed_v = stored_new(values, count, dtype);
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
        for (guint d = 0; d < G_N_ELEMENTS(fixture_dtypes); d++) {
            attention_case(&attention_cases[i], fixture_dtypes[d], 0);
            if (i % 3 == 1) /* not aligned: the other kernel */
                attention_case(&attention_cases[i], fixture_dtypes[d], yonos_dtype_size(fixture_dtypes[d]));
        }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/attention", test_attention);
    return g_test_run();
}
