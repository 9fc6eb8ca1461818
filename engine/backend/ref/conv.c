/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CONV2D: out(y,x,co) = act(sum over ky,kx,ci of in(y s + ky - top, x s + kx - left, ci) w(co,ci,ky,kx)
 *                           + bias(co) + residual(y,x,co)), zero outside of the input.
 *
 * prepare turns the weight into f32 (ky,kx,ci,co), so that the innermost loop runs over outputs.
 */
#include "backend/ref/ref.h"

typedef struct {
    int kernel_h, kernel_w, ci, co;
    float *weight; /* (kh,kw,ci,co) */
    float *bias;   /* (co), zeros without one */
} Conv;

static gboolean prepare(YonosKernel *kernel, GError **error) {
    (void)error;
    const YonosConst *w = kernel->node->constant[0], *bias = kernel->node->constant[1];
    Conv *conv = g_new0(Conv, 1);
    kernel->data = conv;
    conv->co = (int)w->dim[0];
    conv->ci = (int)w->dim[1];
    conv->kernel_h = (int)w->dim[2];
    conv->kernel_w = (int)w->dim[3];
    conv->weight = g_new(float, yonos_const_count(w));
    conv->bias = g_new0(float, conv->co);
    gsize i = 0;
    int taps = conv->kernel_h * conv->kernel_w;
    for (int o = 0; o < conv->co; o++)
        for (int c = 0; c < conv->ci; c++)
            for (int t = 0; t < taps; t++)
                conv->weight[((gsize)t * conv->ci + c) * conv->co + o] = yonos_const_get(w, i++);
    for (int o = 0; bias && o < conv->co; o++)
        conv->bias[o] = yonos_const_get(bias, o);
    kernel->workspace = sizeof(float) * (gsize)conv->co;
    return TRUE;
}

static void release(YonosKernel *kernel) {
    Conv *conv = kernel->data;
    if (!conv)
        return;
    g_free(conv->weight);
    g_free(conv->bias);
    g_free(conv);
}

/* sum[co] += the taps of one output pixel. */
static void accumulate(const YonosKernel *kernel, const YonosRun *run, int n, int y, int x, float *restrict sum) {
    const Conv *conv = kernel->data;
    const YonosNode *node = kernel->node;
    const YonosTensor *in = node->in[0];
    int up_h = node->attr.conv2d.up_h, up_w = node->attr.conv2d.up_w;
    int h = up_h > 0 ? up_h : in->shape.h, w = up_h > 0 ? up_w : in->shape.w;
    for (int ky = 0; ky < conv->kernel_h; ky++) {
        int sy = y * node->attr.conv2d.stride + ky - node->attr.conv2d.pad_top;
        for (int kx = 0; kx < conv->kernel_w; kx++) {
            int sx = x * node->attr.conv2d.stride + kx - node->attr.conv2d.pad_left;
            if (sy < 0 || sy >= h || sx < 0 || sx >= w)
                continue;
            int iy = up_h > 0 ? (int)((gint64)sy * in->shape.h / up_h) : sy;
            int ix = up_h > 0 ? (int)((gint64)sx * in->shape.w / up_w) : sx;
            const float *weight = conv->weight + (gsize)(ky * conv->kernel_w + kx) * conv->ci * conv->co;
            for (int c = 0; c < conv->ci; c++, weight += conv->co) {
                float v = ref_get(run, in, ref_index(in->shape, n, iy, ix, c));
                for (int o = 0; o < conv->co; o++)
                    sum[o] += v * weight[o];
            }
        }
    }
}

static gboolean run_conv(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const Conv *conv = kernel->data;
    const YonosNode *node = kernel->node;
    YonosShape s = node->out->shape;
    float *sum = run->workspace;
    for (int n = 0; n < s.n; n++)
        for (int y = 0; y < s.h; y++)
            for (int x = 0; x < s.w; x++) {
                memcpy(sum, conv->bias, sizeof(float) * (gsize)conv->co);
                accumulate(kernel, run, n, y, x, sum);
                gsize at = ref_index(s, n, y, x, 0);
                for (int o = 0; o < s.c; o++) {
                    float v = sum[o] + (node->in[1] ? ref_get(run, node->in[1], at + o) : 0.0f);
                    ref_set(run, node->out, at + o, ref_activate(v, node->attr.conv2d.activation));
                }
            }
    return TRUE;
}

const YonosOp ref_conv2d = {prepare, run_conv, release};
