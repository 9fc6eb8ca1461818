/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * RESIZE: rows widened once into the workspace (h,W,c), then weighted sums of whole rows.
 */
#include "backend/cpu/cpu.h"
#include "backend/cpu/loops.h"
#include "backend/taps.h"

typedef struct {
    YonosTaps *x, *y;
} Resize;

/* Shifts taps so that `width` of them are readable for every output: the loop needs no count. */
static void make_uniform(YonosTaps *taps, int in) {
    for (int i = 0; i < taps->out; i++) {
        int back = taps->first[i] + taps->width - in;
        if (back <= 0)
            continue;
        float *weight = taps->weight + (gsize)i * taps->width;
        memmove(weight + back, weight, sizeof *weight * (gsize)(taps->width - back));
        memset(weight, 0, sizeof *weight * (gsize)back);
        taps->first[i] -= back;
        taps->count[i] = taps->width;
    }
}

static gboolean prepare(YonosKernel *kernel, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    YonosShape in = node->in[0]->shape, out = node->out->shape;
    Resize *resize = g_new0(Resize, 1);
    kernel->data = resize;
    resize->x = yonos_taps_new(node->attr.resize.filter, in.w, out.w);
    resize->y = yonos_taps_new(node->attr.resize.filter, in.h, out.h);
    make_uniform(resize->x, in.w);
    kernel->workspace = sizeof(float) * (gsize)in.h * out.w * out.c;
    kernel->implementation = cpu_loops()->name;
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

static void sum_rows(const YonosTaps *taps, int y, const float *rows, gsize row, float *to) {
    const float *weight = taps->weight + (gsize)y * taps->width;
    memset(to, 0, sizeof *to * row);
    for (gsize at = 0; at < row; at += CPU_CHUNK)
        for (int k = 0; k < taps->count[y]; k++)
            cpu_loops()->accumulate(to + at, rows + (gsize)(taps->first[y] + k) * row + at, weight[k],
                                    MIN((gsize)CPU_CHUNK, row - at));
}

static gboolean run_resize(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const Resize *resize = kernel->data;
    const YonosTaps *x = resize->x;
    YonosShape in = kernel->node->in[0]->shape, out = kernel->node->out->shape;
    gsize row = (gsize)out.w * out.c;
    float *wide = run->workspace;
    cpu_use_threads(kernel);
    for (int n = 0; n < in.n; n++) {
        const float *from = (const float *)run->data[kernel->node->in[0]->id] + (gsize)n * in.h * in.w * in.c;
        float *to = (float *)run->data[kernel->node->out->id] + (gsize)n * out.h * row;
#pragma omp parallel for schedule(static)
        for (int y = 0; y < in.h; y++)
            cpu_loops()->resample_row(from + (gsize)y * in.w * in.c, in.c, x->first, x->weight, x->width, out.w,
                                      wide + y * row);
#pragma omp parallel for schedule(static)
        for (int y = 0; y < out.h; y++)
            sum_rows(resize->y, y, wide, row, to + y * row);
    }
    return TRUE;
}

const YonosOp cpu_resize = {prepare, run_resize, release};
