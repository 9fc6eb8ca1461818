/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ATTENTION in bf16 storage on CPUs with AVX512-BF16: as attention.c, with keys and values packed into pairs once
 * per image: k (heads, tokens, dim/2), v (heads, ceil(tokens/2), dim).
 */
#include "backend/cpu/attention.h"

#include <math.h>

#include "backend/cpu/attend_bf16.h"

enum { MAX_DIM = 512, Q = ATTEND_QUERIES };

gboolean cpu_attention_bf16_fits(const YonosNode *node) {
    int dim = node->attr.attention.head_dim;
    return cpu_has_bf16_pairs() && node->out->dtype == YONOS_DTYPE_BF16 && dim % 2 == 0 && dim <= MAX_DIM;
}

static int pair_rows(int tokens) { return (tokens + 1) / 2; }

static gboolean prepare(YonosKernel *kernel, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    int tokens = cpu_attention_tokens(node), channels = node->out->shape.c;
    kernel->workspace = sizeof(uint32_t) * ((gsize)tokens * channels / 2 + (gsize)pair_rows(tokens) * channels);
    kernel->implementation = "avx512_bf16";
    return TRUE;
}

/* Element (token, channel) of K (which = 0) or V of image n as bf16 bits. */
static uint16_t source_bits(const YonosNode *node, const YonosRun *run, int which, int n, int token, int channel) {
    const YonosTensor *t = node->in[1 + which];
    const YonosConst *c = node->constant[which];
    int offset = which ? node->attr.attention.v_offset : node->attr.attention.k_offset;
    if (!t)
        return yonos_f32_to_bf16(yonos_const_get(c, (gsize)token * c->dim[1] + channel));
    gsize tokens = (gsize)t->shape.h * t->shape.w;
    return ((const uint16_t *)run->data[t->id])[((gsize)n * tokens + token) * t->shape.c + offset + channel];
}

static void pack_keys(const YonosNode *node, const YonosRun *run, int n, int token, uint32_t *k) {
    int half = node->attr.attention.head_dim / 2, tokens = cpu_attention_tokens(node);
    for (int head = 0; head < node->attr.attention.heads; head++)
        for (int c = 0; c < half; c++) {
            int channel = (head * half + c) * 2;
            k[((gsize)head * tokens + token) * half + c] = source_bits(node, run, 0, n, token, channel) |
                                                           (uint32_t)source_bits(node, run, 0, n, token, channel + 1)
                                                               << 16;
        }
}

static void pack_values(const YonosNode *node, const YonosRun *run, int n, int row, uint32_t *v) {
    int dim = node->attr.attention.head_dim, tokens = cpu_attention_tokens(node);
    gboolean both = 2 * row + 1 < tokens;
    for (int head = 0; head < node->attr.attention.heads; head++)
        for (int c = 0; c < dim; c++) {
            uint32_t low = source_bits(node, run, 1, n, 2 * row, head * dim + c);
            uint32_t high = both ? source_bits(node, run, 1, n, 2 * row + 1, head * dim + c) : 0;
            v[((gsize)head * pair_rows(tokens) + row) * dim + c] = low | high << 16;
        }
}

/* q (dim/2, Q) pairs; lanes behind `count` repeat the last query. */
static void load_queries(const YonosNode *node, const YonosRun *run, gsize pixel, int count, int head, uint32_t *q) {
    const YonosTensor *t = node->in[0];
    int dim = node->attr.attention.head_dim;
    for (int i = 0; i < Q; i++) {
        gsize at = (pixel + MIN(i, count - 1)) * t->shape.c + node->attr.attention.q_offset + (gsize)head * dim;
        const uint16_t *row = (const uint16_t *)run->data[t->id] + at;
        for (int c = 0; c < dim / 2; c++)
            q[c * Q + i] = row[2 * c] | (uint32_t)row[2 * c + 1] << 16;
    }
}

static void query_block(const YonosNode *node, const YonosRun *run, gsize pixel, int count, int head, const uint32_t *k,
                        const uint32_t *v) {
    uint32_t q[MAX_DIM / 2 * Q];
    float out[MAX_DIM * Q], max[Q], sum[Q];
    int dim = node->attr.attention.head_dim, tokens = cpu_attention_tokens(node);
    load_queries(node, run, pixel, count, head, q);
    memset(out, 0, sizeof(float) * (gsize)dim * Q);
    for (int i = 0; i < Q; i++) {
        max[i] = -INFINITY;
        sum[i] = 0.0f;
    }
    for (int t = 0; t < tokens; t += ATTEND_TOKENS)
        cpu_attend_bf16(q, k + ((gsize)head * tokens + t) * (dim / 2),
                        v + ((gsize)head * pair_rows(tokens) + t / 2) * dim, MIN(ATTEND_TOKENS, tokens - t), dim,
                        node->attr.attention.scale, max, sum, out);
    cpu_attention_store(node, run, pixel, count, head, out, sum);
}

static gboolean run_attention(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    int pixels = node->out->shape.h * node->out->shape.w, tokens = cpu_attention_tokens(node);
    int heads = node->attr.attention.heads, blocks = (pixels + Q - 1) / Q;
    uint32_t *k = run->workspace, *v = k + (gsize)tokens * node->out->shape.c / 2;
    cpu_use_threads(kernel);
    for (int n = 0; n < node->out->shape.n; n++) {
#pragma omp parallel for schedule(static)
        for (int token = 0; token < tokens; token++)
            pack_keys(node, run, n, token, k);
#pragma omp parallel for schedule(static)
        for (int row = 0; row < pair_rows(tokens); row++)
            pack_values(node, run, n, row, v);
#pragma omp parallel for schedule(dynamic, 4)
        for (int job = 0; job < heads * blocks; job++) {
            int first = job % blocks * Q;
            query_block(node, run, (gsize)n * pixels + first, MIN(Q, pixels - first), job / blocks, k, v);
        }
    }
    return TRUE;
}

const YonosOp cpu_attention_bf16 = {prepare, run_attention, NULL};
