/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * RESIZE: for each row of the result the weighted sum of source rows, then resampling along it. The row between the
 * two stays in the thread's first-level cache; no intermediate picture goes through memory.
 */
#include <omp.h>

#include "backend/cpu/cpu.h"
#include "backend/cpu/loops.h"
#include "backend/taps.h"

enum { MAX_TAPS = 1024 }; /* pointers to rows on the stack */

typedef struct {
    YonosTaps *x, *y;
} Resize;

/* The same number of taps for every output, all of them inside the source: the loops need no count. */
static void make_uniform(YonosTaps *taps, int in) {
    int width = 1;
    for (int i = 0; i < taps->out; i++)
        width = MAX(width, taps->count[i]);
    for (int i = 0; i < taps->out; i++) {
        float *to = taps->weight + (gsize)i * width;
        const float *from = taps->weight + (gsize)i * taps->width;
        int back = MAX(taps->first[i] + width - in, 0), count = taps->count[i];
        memmove(to + back, from, sizeof *to * (gsize)count);
        memset(to, 0, sizeof *to * (gsize)back);
        memset(to + back + count, 0, sizeof *to * (gsize)(width - back - count));
        taps->first[i] -= back;
        taps->count[i] = width;
    }
    taps->width = width;
}

/* Floats of a thread's row; one more than the row has is read. */
static gsize row_floats(const YonosNode *node) {
    return yonos_size_align((gsize)node->in[0]->shape.w * node->in[0]->shape.c + 1, 16);
}

static gboolean prepare(YonosKernel *kernel, GError **error) {
    const YonosNode *node = kernel->node;
    YonosShape in = node->in[0]->shape, out = node->out->shape;
    Resize *resize = g_new0(Resize, 1);
    resize->x = yonos_taps_new(node->attr.resize.filter, in.w, out.w);
    resize->y = yonos_taps_new(node->attr.resize.filter, in.h, out.h);
    kernel->data = resize;
    if (resize->y->width > MAX_TAPS) {
        kernel->op->release(kernel);
        kernel->data = NULL;
        return cpu_fall_back(kernel, error);
    }
    make_uniform(resize->x, in.w);
    kernel->workspace = sizeof(float) * row_floats(node) * (gsize)kernel->backend->threads;
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

static void make_row(const YonosKernel *kernel, const float *image, int y, float *row, float *to) {
    const Resize *resize = kernel->data;
    const YonosTaps *tx = resize->x, *ty = resize->y;
    YonosShape in = kernel->node->in[0]->shape;
    gsize count = (gsize)in.w * in.c;
    const float *rows[MAX_TAPS];
    for (int k = 0; k < ty->count[y]; k++)
        rows[k] = image + (gsize)(ty->first[y] + k) * count;
    cpu_loops()->sum_rows(rows, ty->weight + (gsize)y * ty->width, ty->count[y], count, row);
    row[count] = 0.0f;
    cpu_loops()->resample_row(row, in.c, tx->first, tx->weight, tx->width, tx->out, to);
}

static gboolean run_resize(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    YonosShape in = kernel->node->in[0]->shape, out = kernel->node->out->shape;
    const float *from = run->data[kernel->node->in[0]->id];
    float *to = run->data[kernel->node->out->id], *rows = run->workspace;
    gsize size = row_floats(kernel->node);
    cpu_use_threads(kernel);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < out.n * out.h; i++)
        make_row(kernel, from + (gsize)(i / out.h) * in.h * in.w * in.c, i % out.h,
                 rows + size * (gsize)omp_get_thread_num(), to + (gsize)i * out.w * out.c);
    return TRUE;
}

const YonosOp cpu_resize = {prepare, run_resize, release};
