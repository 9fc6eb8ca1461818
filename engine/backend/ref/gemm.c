/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LINEAR: out(p,co) = act(sum over ci of in(p,ci) w(co,ci) + bias(co) + residual(p,co)) for every pixel p.
 */
#include "backend/ref/ref.h"

typedef struct {
    float *weight; /* (ci,co) */
    float *bias;   /* (co), zeros without one */
} Linear;

static gboolean prepare(YonosKernel *kernel, GError **error) {
    (void)error;
    const YonosConst *w = kernel->node->constant[0], *bias = kernel->node->constant[1];
    int co = kernel->node->out->shape.c, ci = kernel->node->in[0]->shape.c;
    Linear *linear = g_new0(Linear, 1);
    kernel->data = linear;
    linear->weight = g_new(float, (gsize)ci * co);
    linear->bias = g_new0(float, co);
    for (int o = 0; o < co; o++)
        for (int c = 0; c < ci; c++)
            linear->weight[(gsize)c * co + o] = yonos_const_get(w, (gsize)o * ci + c);
    for (int o = 0; bias && o < co; o++)
        linear->bias[o] = yonos_const_get(bias, o);
    kernel->workspace = sizeof(float) * (gsize)co;
    return TRUE;
}

static void release(YonosKernel *kernel) {
    Linear *linear = kernel->data;
    if (!linear)
        return;
    g_free(linear->weight);
    g_free(linear->bias);
    g_free(linear);
}

static gboolean run_linear(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const Linear *linear = kernel->data;
    const YonosNode *node = kernel->node;
    int co = node->out->shape.c, ci = node->in[0]->shape.c;
    gsize pixels = yonos_shape_count(node->out->shape) / (gsize)co;
    float *restrict sum = run->workspace;
    for (gsize p = 0; p < pixels; p++) {
        memcpy(sum, linear->bias, sizeof(float) * (gsize)co);
        for (int c = 0; c < ci; c++) {
            float v = ref_get(run, node->in[0], p * ci + c);
            const float *weight = linear->weight + (gsize)c * co;
            for (int o = 0; o < co; o++)
                sum[o] += v * weight[o];
        }
        for (int o = 0; o < co; o++) {
            float v = sum[o] + (node->in[1] ? ref_get(run, node->in[1], p * co + o) : 0.0f);
            ref_set(run, node->out, p * co + o, ref_activate(v, node->attr.linear.activation));
        }
    }
    return TRUE;
}

const YonosOp ref_linear = {prepare, run_linear, release};
