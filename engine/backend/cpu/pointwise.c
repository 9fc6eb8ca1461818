/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * AFFINE, GEGLU, CONCAT, FILL in chunks that stay in the first-level cache.
 */
#include "backend/cpu/cpu.h"
#include "backend/cpu/loops.h"

static char *at(const YonosRun *run, const YonosTensor *t, gsize i) {
    return (char *)run->data[t->id] + i * yonos_dtype_size(t->dtype);
}

static void affine_chunk(const YonosNode *node, const YonosRun *run, gsize first, gsize count) {
    float x[CPU_CHUNK], y[CPU_CHUNK];
    const CpuLoops *loops = cpu_loops();
    loops->load(at(run, node->in[0], first), node->in[0]->dtype, x, count);
    if (node->in[1])
        loops->load(at(run, node->in[1], first), node->in[1]->dtype, y, count);
    loops->affine(x, node->attr.affine.a, node->in[1] ? y : NULL, node->attr.affine.b, node->attr.affine.c, x, count);
    loops->activate(x, count, node->attr.affine.activation);
    loops->store(x, node->out->dtype, at(run, node->out, first), count);
}

static gboolean run_affine(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    gsize count = yonos_shape_count(kernel->node->out->shape);
    cpu_use_threads(kernel);
#pragma omp parallel for schedule(static)
    for (gsize first = 0; first < count; first += CPU_CHUNK)
        affine_chunk(kernel->node, run, first, MIN((gsize)CPU_CHUNK, count - first));
    return TRUE;
}

static void geglu_pixel(const YonosNode *node, const YonosRun *run, gsize pixel) {
    float value[CPU_CHUNK], gate[CPU_CHUNK];
    const CpuLoops *loops = cpu_loops();
    YonosDType dtype = node->out->dtype;
    int channels = node->out->shape.c;
    for (int c = 0; c < channels; c += CPU_CHUNK) {
        gsize count = (gsize)MIN(CPU_CHUNK, channels - c);
        loops->load(at(run, node->in[0], 2 * pixel * channels + c), dtype, value, count);
        loops->load(at(run, node->in[0], (2 * pixel + 1) * channels + c), dtype, gate, count);
        loops->geglu(value, gate, value, count);
        loops->store(value, dtype, at(run, node->out, pixel * channels + c), count);
    }
}

static gboolean run_geglu(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    gsize pixels = yonos_shape_count(kernel->node->out->shape) / (gsize)kernel->node->out->shape.c;
    cpu_use_threads(kernel);
#pragma omp parallel for schedule(static)
    for (gsize pixel = 0; pixel < pixels; pixel++)
        geglu_pixel(kernel->node, run, pixel);
    return TRUE;
}

static gboolean run_concat(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    gsize size = yonos_dtype_size(node->out->dtype), x = node->in[0]->shape.c * size, y = node->in[1]->shape.c * size;
    gsize pixels = yonos_shape_count(node->out->shape) / (gsize)node->out->shape.c;
    const char *left = run->data[node->in[0]->id], *right = run->data[node->in[1]->id];
    char *out = run->data[node->out->id];
    cpu_use_threads(kernel);
#pragma omp parallel for schedule(static)
    for (gsize pixel = 0; pixel < pixels; pixel++) {
        memcpy(out + pixel * (x + y), left + pixel * x, x);
        memcpy(out + pixel * (x + y) + x, right + pixel * y, y);
    }
    return TRUE;
}

static gboolean run_fill(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    gsize count = yonos_shape_count(node->out->shape);
    float *out = run->data[node->out->id], value = node->attr.fill.value;
    cpu_use_threads(kernel);
#pragma omp parallel for schedule(static)
    for (gsize i = 0; i < count; i++)
        out[i] = value;
    return TRUE;
}

static gboolean prepare(YonosKernel *kernel, GError **error) {
    (void)error;
    kernel->implementation = cpu_loops()->name;
    return TRUE;
}

const YonosOp cpu_affine = {prepare, run_affine, NULL};
const YonosOp cpu_geglu = {prepare, run_geglu, NULL};
const YonosOp cpu_concat = {prepare, run_concat, NULL};
const YonosOp cpu_fill = {prepare, run_fill, NULL};
