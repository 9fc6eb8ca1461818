/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ATTENTION in tiles of CPU_QUERIES queries by TOKENS keys with an online softmax; the matrix of all scores
 * never exists. Keys and values are brought to f32 (heads, tokens, head_dim) once per image, in the workspace.
 */
#include "backend/cpu/attention.h"

#include <math.h>

#include "backend/cpu/loops.h"

enum { TOKENS = 128, MAX_DIM = 512 };

int cpu_attention_tokens(const YonosNode *node) {
    return node->in[1] ? node->in[1]->shape.h * node->in[1]->shape.w : (int)node->constant[0]->dim[0];
}

static gboolean prepare(YonosKernel *kernel, GError **error) {
    const YonosNode *node = kernel->node;
#if defined(__x86_64__)
    if (cpu_attention_bf16_fits(node)) {
        kernel->op = &cpu_attention_bf16;
        return cpu_attention_bf16.prepare(kernel, error);
    }
#endif
    if (node->attr.attention.head_dim > MAX_DIM)
        return cpu_fall_back(kernel, error);
    kernel->workspace = 2 * sizeof(float) * (gsize)cpu_attention_tokens(node) * node->out->shape.c;
    kernel->implementation = cpu_loops()->name;
    return TRUE;
}

/* K (which = 0) or V of image n, token by token, to (heads, tokens, dim). */
static void load_token(const YonosNode *node, const YonosRun *run, int which, int n, int token, float *to) {
    int dim = node->attr.attention.head_dim, tokens = cpu_attention_tokens(node);
    const YonosTensor *t = node->in[1 + which];
    const YonosConst *c = node->constant[which];
    int offset = which ? node->attr.attention.v_offset : node->attr.attention.k_offset;
    for (int head = 0; head < node->attr.attention.heads; head++) {
        float *row = to + ((gsize)head * tokens + token) * dim;
        if (t) {
            gsize i = ((gsize)n * tokens + token) * t->shape.c + offset + (gsize)head * dim;
            cpu_loops()->load((const char *)run->data[t->id] + i * yonos_dtype_size(t->dtype), t->dtype, row, dim);
        } else {
            gsize i = (gsize)token * c->dim[1] + (gsize)head * dim;
            cpu_loops()->load((const char *)c->data + i * yonos_dtype_size(c->dtype), c->dtype, row, dim);
        }
    }
}

/* q (dim, CPU_QUERIES) <-> pixels; lanes behind `count` repeat the last query. */
static void load_queries(const YonosNode *node, const YonosRun *run, gsize pixel, int count, int head, float *q) {
    float row[MAX_DIM];
    const YonosTensor *t = node->in[0];
    int dim = node->attr.attention.head_dim;
    for (int i = 0; i < CPU_QUERIES; i++) {
        gsize at = (pixel + MIN(i, count - 1)) * t->shape.c + node->attr.attention.q_offset + (gsize)head * dim;
        cpu_loops()->load((const char *)run->data[t->id] + at * yonos_dtype_size(t->dtype), t->dtype, row, dim);
        for (int c = 0; c < dim; c++)
            q[c * CPU_QUERIES + i] = row[c];
    }
}

void cpu_attention_store(const YonosNode *node, const YonosRun *run, gsize pixel, int count, int head,
                         const float *out, const float *sum) {
    float row[MAX_DIM];
    const YonosTensor *t = node->out;
    int dim = node->attr.attention.head_dim;
    for (int i = 0; i < count; i++) {
        for (int c = 0; c < dim; c++)
            row[c] = out[c * CPU_QUERIES + i] / sum[i];
        gsize at = (pixel + i) * t->shape.c + (gsize)head * dim;
        cpu_loops()->store(row, t->dtype, (char *)run->data[t->id] + at * yonos_dtype_size(t->dtype), dim);
    }
}

static void query_block(const YonosNode *node, const YonosRun *run, gsize pixel, int count, int head, const float *k,
                        const float *v) {
    float q[MAX_DIM * CPU_QUERIES], out[MAX_DIM * CPU_QUERIES], score[TOKENS * CPU_QUERIES];
    float max[CPU_QUERIES], sum[CPU_QUERIES];
    int dim = node->attr.attention.head_dim, tokens = cpu_attention_tokens(node);
    load_queries(node, run, pixel, count, head, q);
    memset(out, 0, sizeof(float) * (gsize)dim * CPU_QUERIES);
    for (int i = 0; i < CPU_QUERIES; i++) {
        max[i] = -INFINITY;
        sum[i] = 0.0f;
    }
    for (int t = 0; t < tokens; t += TOKENS) {
        gsize at = ((gsize)head * tokens + t) * dim;
        cpu_loops()->attend(q, k + at, v + at, dim, MIN(TOKENS, tokens - t), dim, node->attr.attention.scale, max, sum,
                            score, out);
    }
    cpu_attention_store(node, run, pixel, count, head, out, sum);
}

static gboolean run_attention(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    int pixels = node->out->shape.h * node->out->shape.w, tokens = cpu_attention_tokens(node), heads = node->attr.attention.heads;
    int blocks = (pixels + CPU_QUERIES - 1) / CPU_QUERIES;
    float *k = run->workspace, *v = k + (gsize)tokens * node->out->shape.c;
    cpu_use_threads(kernel);
    for (int n = 0; n < node->out->shape.n; n++) {
#pragma omp parallel for schedule(static)
        for (int token = 0; token < tokens; token++) {
            load_token(node, run, 0, n, token, k);
            load_token(node, run, 1, n, token, v);
        }
#pragma omp parallel for schedule(dynamic, 4)
        for (int job = 0; job < heads * blocks; job++) {
            int first = job % blocks * CPU_QUERIES;
            query_block(node, run, (gsize)n * pixels + first, MIN(CPU_QUERIES, pixels - first), job / blocks, k, v);
        }
    }
    return TRUE;
}

const YonosOp cpu_attention = {prepare, run_attention, NULL};
