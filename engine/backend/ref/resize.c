/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * RESIZE: (n,h,w,c) -> (n,H,W,c) f32, columns first into the workspace (h,W,c), then rows.
 */
#include "backend/ref/ref.h"

#include "backend/taps.h"

typedef struct {
    YonosTaps *x, *y;
} Resize;

static gboolean prepare(YonosKernel *kernel, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    YonosShape in = node->in[0]->shape, out = node->out->shape;
    Resize *resize = g_new0(Resize, 1);
    kernel->data = resize;
    resize->x = yonos_taps_new(node->attr.resize.filter, in.w, out.w);
    resize->y = yonos_taps_new(node->attr.resize.filter, in.h, out.h);
    kernel->workspace = sizeof(float) * (gsize)in.h * out.w * out.c;
    return TRUE;
}

static void release(YonosKernel *kernel) {
    Resize *resize = kernel->data;
    if (!resize)
        return;
    yonos_taps_free(resize->x);
    yonos_taps_free(resize->y);
    g_free(resize);
}

/* Output (row, i, :) = sum of weights times source samples that lie `step` floats apart. */
static void weigh(const YonosTaps *taps, int i, const float *from, gsize step, int channels, float *to) {
    const float *weight = taps->weight + (gsize)i * taps->width;
    for (int c = 0; c < channels; c++) {
        float sum = 0.0f;
        for (int k = 0; k < taps->count[i]; k++)
            sum += weight[k] * from[(gsize)(taps->first[i] + k) * step + c];
        to[c] = sum;
    }
}

static gboolean run_resize(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const Resize *resize = kernel->data;
    YonosShape in = kernel->node->in[0]->shape, out = kernel->node->out->shape;
    const float *from = run->data[kernel->node->in[0]->id];
    float *to = run->data[kernel->node->out->id], *wide = run->workspace;
    gsize row = (gsize)out.w * out.c;
    for (int n = 0; n < in.n; n++, from += (gsize)in.h * in.w * in.c, to += (gsize)out.h * row) {
        for (int y = 0; y < in.h; y++)
            for (int x = 0; x < out.w; x++)
                weigh(resize->x, x, from + (gsize)y * in.w * in.c, in.c, out.c, wide + y * row + (gsize)x * out.c);
        for (int y = 0; y < out.h; y++)
            weigh(resize->y, y, wide, row, (int)row, to + y * row);
    }
    return TRUE;
}

const YonosOp ref_resize = {prepare, run_resize, release};
