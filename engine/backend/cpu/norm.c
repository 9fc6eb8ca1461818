/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GROUP_NORM: one pass for the statistics, one to apply them; LAYER_NORM pixel by pixel.
 *
 * The picture is cut into a number of blocks that depends on its shape alone (moments.h), so the sums have the same
 * bits with any number of threads. Two sources are never joined in memory: their channels' statistics are taken apart.
 */
#include <math.h>

#include "backend/cpu/cpu.h"
#include "backend/cpu/loops.h"
#include "backend/cpu/moments.h"

typedef struct {
    float *gamma, *beta; /* (c) */
} Norm;

static Norm *norm_new(const YonosNode *node) {
    int c = node->out->shape.c;
    Norm *norm = g_new0(Norm, 1);
    norm->gamma = g_new(float, c);
    norm->beta = g_new(float, c);
    for (int i = 0; i < c; i++) {
        norm->gamma[i] = node->constant[0] ? yonos_const_get(node->constant[0], (gsize)i) : 1.0f;
        norm->beta[i] = node->constant[1] ? yonos_const_get(node->constant[1], (gsize)i) : 0.0f;
    }
    return norm;
}

static void release(YonosKernel *kernel) {
    Norm *norm = kernel->data;
    if (!norm)
        return;
    g_free(norm->gamma);
    g_free(norm->beta);
    g_free(norm);
}

/* ---- GROUP_NORM --------------------------------------------------------------------------------- */

static CpuMoments moments_of(const YonosNode *node) {
    YonosShape s = node->out->shape;
    return cpu_moments_plan((gsize)s.h * s.w, node->in[0]->shape.c, node->in[1] ? node->in[1]->shape.c : 0);
}

static gboolean prepare_group_norm(YonosKernel *kernel, GError **error) {
    if (kernel->node->out->dtype == YONOS_DTYPE_F16)
        return cpu_fall_back(kernel, error);
    CpuMoments m = moments_of(kernel->node);
    kernel->workspace = cpu_moments_bytes(&m);
    kernel->data = norm_new(kernel->node);
    kernel->implementation = cpu_loops()->name;
    return TRUE;
}

static const char *image_of(const YonosTensor *t, const YonosRun *run, int n) {
    return (const char *)run->data[t->id] + yonos_shape_count(t->shape) / t->shape.n * n * yonos_dtype_size(t->dtype);
}

/* Mean and square deviation per channel become mean, factor and offset, the same mean and factor in a whole group. */
static void solve(const YonosNode *node, const Norm *norm, const CpuMoments *m) {
    int size = m->c / node->attr.group_norm.groups;
    for (int first = 0; first < m->c; first += size) {
        double mean = 0.0, square = 0.0;
        for (int i = first; i < first + size; i++)
            mean += m->mean[i];
        mean /= size;
        for (int i = first; i < first + size; i++)
            square += m->square[i] / (double)m->pixels + (m->mean[i] - mean) * (m->mean[i] - mean);
        double factor = 1.0 / sqrt(square / size + node->attr.group_norm.eps);
        for (int i = first; i < first + size; i++)
            cpu_moments_set_scale(m, i, mean, factor * norm->gamma[i], norm->beta[i]);
    }
}

static gboolean run_group_norm(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    CpuMoments m = moments_of(node);
    cpu_moments_place(&m, run->workspace);
    cpu_use_threads(kernel);
    for (int n = 0; n < node->out->shape.n; n++) {
        const void *x = image_of(node->in[0], run, n), *y = node->in[1] ? image_of(node->in[1], run, n) : NULL;
        cpu_moments_measure(&m, x, y, node->out->dtype);
        solve(node, kernel->data, &m);
        cpu_moments_apply(&m, x, y, node->out->dtype, node->attr.group_norm.activation,
                          (char *)image_of(node->out, run, n));
    }
    return TRUE;
}

/* ---- LAYER_NORM ----------------------------------------------------------------------------------- */

static gboolean prepare_layer_norm(YonosKernel *kernel, GError **error) {
    if (kernel->node->out->dtype == YONOS_DTYPE_F16)
        return cpu_fall_back(kernel, error);
    kernel->data = norm_new(kernel->node);
    kernel->implementation = cpu_loops()->name;
    return TRUE;
}

static gboolean run_layer_norm(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosTensor *in = kernel->node->in[0], *out = kernel->node->out;
    const Norm *norm = kernel->data;
    int c = out->shape.c;
    gsize pixels = yonos_shape_count(out->shape) / (gsize)c, step = (gsize)MAX(CPU_CHUNK / c, 1);
    gsize bytes = (gsize)c * yonos_dtype_size(out->dtype);
    cpu_use_threads(kernel);
#pragma omp parallel for schedule(static)
    for (gsize p = 0; p < pixels; p += step)
        cpu_loops()->layer_norm((const char *)run->data[in->id] + p * bytes, (char *)run->data[out->id] + p * bytes,
                                out->dtype, MIN(step, pixels - p), c, kernel->node->attr.layer_norm.eps, norm->gamma,
                                norm->beta);
    return TRUE;
}

const YonosOp cpu_group_norm = {prepare_group_norm, run_group_norm, release};
const YonosOp cpu_layer_norm = {prepare_layer_norm, run_layer_norm, release};
