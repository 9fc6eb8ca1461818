/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ADAIN: the moments of both pictures (moments.h), then one pass. BLUR: rows down, then along the row.
 */
#include <math.h>
#include <omp.h>

#include "backend/cpu/cpu.h"
#include "backend/cpu/loops.h"
#include "backend/cpu/moments.h"

/* ---- ADAIN ------------------------------------------------------------------------------------------ */

static CpuMoments moments_of(const YonosTensor *t) {
    return cpu_moments_plan((gsize)t->shape.h * t->shape.w, t->shape.c, 0);
}

static gboolean prepare_adain(YonosKernel *kernel, GError **error) {
    (void)error;
    CpuMoments x = moments_of(kernel->node->in[0]), y = moments_of(kernel->node->in[1]);
    kernel->workspace = cpu_moments_bytes(&x) + cpu_moments_bytes(&y) + sizeof(double);
    kernel->implementation = cpu_loops()->name;
    return TRUE;
}

static double deviation(const CpuMoments *m, int c) { return sqrt(m->square[c] / (double)m->pixels + 1e-5); }

static gboolean run_adain(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    CpuMoments x = moments_of(node->in[0]), y = moments_of(node->in[1]);
    cpu_moments_place(&x, run->workspace);
    cpu_moments_place(&y, (char *)run->workspace + yonos_size_align(cpu_moments_bytes(&x), sizeof(double)));
    cpu_use_threads(kernel);
    for (int n = 0; n < node->out->shape.n; n++) {
        const float *from = (const float *)run->data[node->in[0]->id] + (gsize)n * x.pixels * x.c;
        const float *style = (const float *)run->data[node->in[1]->id] + (gsize)n * y.pixels * y.c;
        cpu_moments_measure(&x, from, NULL, YONOS_DTYPE_F32);
        cpu_moments_measure(&y, style, NULL, YONOS_DTYPE_F32);
        for (int c = 0; c < x.c; c++)
            cpu_moments_set_scale(&x, c, x.mean[c], deviation(&y, c) / deviation(&x, c), y.mean[c]);
        cpu_moments_apply(&x, from, NULL, YONOS_DTYPE_F32, YONOS_ACTIVATION_NONE,
                          (float *)run->data[node->out->id] + (gsize)n * x.pixels * x.c);
    }
    return TRUE;
}

/* ---- BLUR ------------------------------------------------------------------------------------------- */

/* Floats of a thread's row. */
static gsize row_floats(const YonosTensor *t) { return yonos_size_align((gsize)t->shape.w * t->shape.c, 16); }

static gboolean prepare_blur(YonosKernel *kernel, GError **error) {
    (void)error;
    kernel->workspace = sizeof(float) * row_floats(kernel->node->out) * (gsize)kernel->backend->threads;
    kernel->implementation = cpu_loops()->name;
    return TRUE;
}

/* Pixels [begin, end) of a row whose neighbours d pixels away may lie outside. */
static void blur_edge(const float *row, int w, int channels, int d, int begin, int end, float *to) {
    for (int x = begin; x < end; x++)
        cpu_loops()->blur(row + (gsize)MAX(x - d, 0) * channels, row + (gsize)x * channels,
                          row + (gsize)MIN(x + d, w - 1) * channels, (gsize)channels, to + (gsize)x * channels);
}

static void blur_along(const float *row, int w, int channels, int d, float *to) {
    int begin = MIN(d, w), end = MAX(w - d, begin);
    gsize at = (gsize)begin * channels, step = (gsize)d * channels;
    blur_edge(row, w, channels, d, 0, begin, to);
    if (end > begin)
        cpu_loops()->blur(row + at - step, row + at, row + at + step, (gsize)(end - begin) * channels, to + at);
    blur_edge(row, w, channels, d, end, w, to);
}

static gboolean run_blur(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    YonosShape s = node->out->shape;
    int d = node->attr.blur.dilation;
    gsize row = (gsize)s.w * s.c, floats = row_floats(node->out);
    const float *in = run->data[node->in[0]->id];
    float *out = run->data[node->out->id], *own = run->workspace;
    cpu_use_threads(kernel);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < s.n * s.h; i++) {
        int y = i % s.h;
        const float *image = in + (gsize)(i - y) * row;
        float *mean = own + floats * (gsize)omp_get_thread_num();
        cpu_loops()->blur(image + MAX(y - d, 0) * row, image + y * row, image + MIN(y + d, s.h - 1) * row, row, mean);
        blur_along(mean, s.w, s.c, d, out + (gsize)i * row);
    }
    return TRUE;
}

const YonosOp cpu_adain = {prepare_adain, run_adain, NULL};
const YonosOp cpu_blur = {prepare_blur, run_blur, NULL};
