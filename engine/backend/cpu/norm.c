/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GROUP_NORM: one pass for the statistics, one to apply them; LAYER_NORM pixel by pixel.
 *
 * Statistics are taken per channel in BLOCKS fixed ranges of pixels, around the channel's first pixel (so that a
 * constant plus a tiny variance survives), in f32 over short runs and in double above, and joined in order.
 */
#include <math.h>

#include "backend/cpu/cpu.h"
#include "backend/cpu/loops.h"

enum { BLOCKS = 64, RUN_PIXELS = 256 };

/* The workspace of a group norm over c channels. */
typedef struct {
    float *shift, *mean, *scale, *offset; /* (c) */
    double *sum, *square;                 /* (BLOCKS, c) */
} Statistics;

static Statistics statistics_at(void *workspace, int c) {
    double *d = workspace;
    Statistics s = {.sum = d, .square = d + (gsize)BLOCKS * c};
    s.shift = (float *)(d + (gsize)2 * BLOCKS * c);
    s.mean = s.shift + c;
    s.scale = s.mean + c;
    s.offset = s.scale + c;
    return s;
}

static gboolean prepare_group_norm(YonosKernel *kernel, GError **error) {
    int c = kernel->node->out->shape.c;
    if (c > CPU_CHUNK)
        return cpu_fall_back(kernel, error);
    kernel->workspace = sizeof(double) * 2 * BLOCKS * (gsize)c + sizeof(float) * 4 * (gsize)c;
    kernel->implementation = cpu_loops()->name;
    return TRUE;
}

static const char *pixel_at(const YonosRun *run, const YonosTensor *t, gsize pixel) {
    return (const char *)run->data[t->id] + pixel * t->shape.c * yonos_dtype_size(t->dtype);
}

/* `count` pixels of [x, y] from `pixel` on into f32. */
static void load_joined(const YonosNode *node, const YonosRun *run, gsize pixel, gsize count, float *to) {
    const CpuLoops *loops = cpu_loops();
    const YonosTensor *x = node->in[0], *y = node->in[1];
    if (!y) {
        loops->load(pixel_at(run, x, pixel), x->dtype, to, count * x->shape.c);
        return;
    }
    for (gsize p = pixel; p < pixel + count; p++) {
        loops->load(pixel_at(run, x, p), x->dtype, to, x->shape.c);
        loops->load(pixel_at(run, y, p), y->dtype, to + x->shape.c, y->shape.c);
        to += x->shape.c + y->shape.c;
    }
}

static void block_statistics(const YonosNode *node, const YonosRun *run, const Statistics *s, int block, gsize begin,
                             gsize end) {
    float x[CPU_CHUNK], sum[CPU_CHUNK], square[CPU_CHUNK];
    int c = node->out->shape.c;
    gsize step = MIN(MAX(CPU_CHUNK / c, 1), RUN_PIXELS);
    double *total = s->sum + (gsize)block * c, *squares = s->square + (gsize)block * c;
    memset(total, 0, sizeof(double) * (gsize)c);
    memset(squares, 0, sizeof(double) * (gsize)c);
    for (gsize p = begin; p < end; p += step) {
        gsize count = MIN(step, end - p);
        memset(sum, 0, sizeof(float) * (gsize)c);
        memset(square, 0, sizeof(float) * (gsize)c);
        load_joined(node, run, p, count, x);
        cpu_loops()->moments(x, s->shift, count, c, sum, square);
        for (int i = 0; i < c; i++) {
            total[i] += sum[i];
            squares[i] += square[i];
        }
    }
}

/* Joins the blocks into mean, scale and offset per channel. */
static void solve(const YonosNode *node, const Statistics *s, double pixels) {
    int c = node->out->shape.c, size = c / node->attr.group_norm.groups;
    const YonosConst *gamma = node->constant[0], *beta = node->constant[1];
    for (int first = 0; first < c; first += size) {
        double mean = 0.0, square = 0.0;
        for (int i = first; i < first + size; i++) {
            double sum = 0.0;
            for (int block = 0; block < BLOCKS; block++)
                sum += s->sum[(gsize)block * c + i];
            mean += s->shift[i] + sum / pixels;
        }
        mean /= size;
        for (int i = first; i < first + size; i++) {
            double sum = 0.0, squares = 0.0, d = s->shift[i] - mean;
            for (int block = 0; block < BLOCKS; block++) {
                sum += s->sum[(gsize)block * c + i];
                squares += s->square[(gsize)block * c + i];
            }
            square += squares / pixels + 2.0 * d * sum / pixels + d * d;
        }
        double inverse = 1.0 / sqrt(MAX(square / size, 0.0) + node->attr.group_norm.eps);
        for (int i = first; i < first + size; i++) {
            s->mean[i] = (float)mean;
            s->scale[i] = (float)(inverse * (gamma ? yonos_const_get(gamma, (gsize)i) : 1.0f));
            s->offset[i] = beta ? yonos_const_get(beta, (gsize)i) : 0.0f;
        }
    }
}

static void apply(const YonosNode *node, const YonosRun *run, const Statistics *s, gsize pixel, gsize count) {
    float x[CPU_CHUNK];
    const CpuLoops *loops = cpu_loops();
    int c = node->out->shape.c;
    load_joined(node, run, pixel, count, x);
    loops->normalise(x, s->mean, s->scale, s->offset, count, c);
    loops->activate(x, count * c, node->attr.group_norm.activation);
    loops->store(x, node->out->dtype, (char *)pixel_at(run, node->out, pixel), count * c);
}

static gboolean run_group_norm(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    YonosShape shape = node->out->shape;
    Statistics s = statistics_at(run->workspace, shape.c);
    gsize pixels = (gsize)shape.h * shape.w, step = (gsize)MAX(CPU_CHUNK / shape.c, 1);
    cpu_use_threads(kernel);
    for (int n = 0; n < shape.n; n++) {
        gsize begin = (gsize)n * pixels;
        load_joined(node, run, begin, 1, s.shift);
#pragma omp parallel for schedule(static)
        for (int block = 0; block < BLOCKS; block++)
            block_statistics(node, run, &s, block, begin + pixels * block / BLOCKS,
                             begin + pixels * (block + 1) / BLOCKS);
        solve(node, &s, (double)pixels);
#pragma omp parallel for schedule(static)
        for (gsize p = begin; p < begin + pixels; p += step)
            apply(node, run, &s, p, MIN(step, begin + pixels - p));
    }
    return TRUE;
}

/* ---- LAYER_NORM ----------------------------------------------------------------------------------- */

typedef struct {
    float *gamma, *beta; /* (c) */
} LayerNorm;

static gboolean prepare_layer_norm(YonosKernel *kernel, GError **error) {
    const YonosNode *node = kernel->node;
    int c = node->out->shape.c;
    if (c > CPU_CHUNK)
        return cpu_fall_back(kernel, error);
    LayerNorm *norm = g_new0(LayerNorm, 1);
    norm->gamma = g_new(float, c);
    norm->beta = g_new(float, c);
    for (int i = 0; i < c; i++) {
        norm->gamma[i] = node->constant[0] ? yonos_const_get(node->constant[0], (gsize)i) : 1.0f;
        norm->beta[i] = node->constant[1] ? yonos_const_get(node->constant[1], (gsize)i) : 0.0f;
    }
    kernel->data = norm;
    kernel->implementation = cpu_loops()->name;
    return TRUE;
}

static void release_layer_norm(YonosKernel *kernel) {
    LayerNorm *norm = kernel->data;
    if (!norm)
        return;
    g_free(norm->gamma);
    g_free(norm->beta);
    g_free(norm);
}

static void layer_norm_pixel(const YonosKernel *kernel, const YonosRun *run, gsize pixel) {
    const YonosNode *node = kernel->node;
    const LayerNorm *norm = kernel->data;
    const CpuLoops *loops = cpu_loops();
    float x[CPU_CHUNK];
    int c = node->out->shape.c;
    loops->load(pixel_at(run, node->in[0], pixel), node->in[0]->dtype, x, c);
    double sum = 0.0, squares = 0.0;
    for (int i = 0; i < c; i++)
        sum += x[i];
    float mean = (float)(sum / c);
    for (int i = 0; i < c; i++)
        squares += (double)(x[i] - mean) * (x[i] - mean);
    float inverse = (float)(1.0 / sqrt(squares / c + node->attr.layer_norm.eps));
    for (int i = 0; i < c; i++)
        x[i] = (x[i] - mean) * inverse * norm->gamma[i] + norm->beta[i];
    loops->store(x, node->out->dtype, (char *)pixel_at(run, node->out, pixel), c);
}

static gboolean run_layer_norm(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    gsize pixels = yonos_shape_count(kernel->node->out->shape) / (gsize)kernel->node->out->shape.c;
    cpu_use_threads(kernel);
#pragma omp parallel for schedule(static)
    for (gsize pixel = 0; pixel < pixels; pixel++)
        layer_norm_pixel(kernel, run, pixel);
    return TRUE;
}

const YonosOp cpu_group_norm = {prepare_group_norm, run_group_norm, NULL};
const YonosOp cpu_layer_norm = {prepare_layer_norm, run_layer_norm, release_layer_norm};
