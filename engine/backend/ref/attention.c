/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ATTENTION: per image, head and query: softmax over keys of scale q.k, times v. Keys and
 * values are tensors, or constants (tokens, heads head_dim) shared by all images.
 */
#include "backend/ref/ref.h"

/* One of K and V: a tensor with a channel offset, or a constant. */
typedef struct {
    const YonosTensor *tensor;
    const YonosConst *constant;
    int offset, tokens, channels;
} Source;

static Source source(const YonosNode *node, int which) {
    const YonosTensor *t = node->in[1 + which];
    const YonosConst *c = node->constant[which];
    int offset = which ? node->attr.attention.v_offset : node->attr.attention.k_offset;
    if (t)
        return (Source){t, NULL, offset, t->shape.h * t->shape.w, t->shape.c};
    return (Source){NULL, c, 0, (int)c->dim[0], (int)c->dim[1]};
}

static float source_get(const YonosRun *run, const Source *s, int n, int token, int channel) {
    gsize i = (gsize)token * s->channels + s->offset + channel;
    if (s->constant)
        return yonos_const_get(s->constant, i);
    return ref_get(run, s->tensor, (gsize)n * s->tokens * s->channels + i);
}

static gboolean prepare(YonosKernel *kernel, GError **error) {
    (void)error;
    Source k = source(kernel->node, 0);
    kernel->workspace = sizeof(float) * (gsize)k.tokens;
    return TRUE;
}

/* Turns scores into weights that sum to 1. */
static void softmax(float *score, int count) {
    float max = -INFINITY;
    double sum = 0.0;
    for (int i = 0; i < count; i++)
        max = fmaxf(max, score[i]);
    for (int i = 0; i < count; i++)
        sum += score[i] = expf(score[i] - max);
    for (int i = 0; i < count; i++)
        score[i] = (float)(score[i] / sum);
}

static void one_query(const YonosNode *node, const YonosRun *run, int n, int head, gsize pixel) {
    int dim = node->attr.attention.head_dim, first = head * dim;
    Source k = source(node, 0), v = source(node, 1);
    const YonosTensor *q = node->in[0];
    float *score = run->workspace;
    for (int token = 0; token < k.tokens; token++) {
        double sum = 0.0;
        for (int c = 0; c < dim; c++)
            sum += (double)ref_get(run, q, pixel * q->shape.c + node->attr.attention.q_offset + first + c) *
                   source_get(run, &k, n, token, first + c);
        score[token] = (float)(sum * node->attr.attention.scale);
    }
    softmax(score, k.tokens);
    for (int c = 0; c < dim; c++) {
        double sum = 0.0;
        for (int token = 0; token < v.tokens; token++)
            sum += (double)score[token] * source_get(run, &v, n, token, first + c);
        ref_set(run, node->out, pixel * node->out->shape.c + first + c, (float)sum);
    }
}

static gboolean run_attention(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    YonosShape s = node->out->shape;
    gsize tokens = (gsize)s.h * s.w;
    for (int n = 0; n < s.n; n++)
        for (int head = 0; head < node->attr.attention.heads; head++)
            for (gsize i = 0; i < tokens; i++)
                one_query(node, run, n, head, (gsize)n * tokens + i);
    return TRUE;
}

const YonosOp ref_attention = {prepare, run_attention, NULL};
