/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ADAIN and BLUR, threaded over fixed rows.
 */
#include <math.h>

#include "backend/cpu/cpu.h"
#include "backend/cpu/loops.h"

enum { BLOCKS = 64 };

/* ---- ADAIN: moments of a channel around its first pixel, in double ---------------------------- */

static void block_moments(const float *x, int channels, int c, gsize begin, gsize end, double out[2]) {
    double sum = 0.0, square = 0.0, shift = x[c];
    for (gsize p = begin; p < end; p++) {
        double d = x[p * channels + c] - shift;
        sum += d;
        square += d * d;
    }
    out[0] = sum;
    out[1] = square;
}

static void moments(const float *x, int channels, int c, gsize pixels, double *mean, double *deviation) {
    double part[BLOCKS][2], sum = 0.0, square = 0.0;
#pragma omp parallel for schedule(static)
    for (int block = 0; block < BLOCKS; block++)
        block_moments(x, channels, c, pixels * block / BLOCKS, pixels * (block + 1) / BLOCKS, part[block]);
    for (int block = 0; block < BLOCKS; block++) {
        sum += part[block][0];
        square += part[block][1];
    }
    double d = sum / (double)pixels;
    *mean = x[c] + d;
    *deviation = sqrt(MAX(square / (double)pixels - d * d, 0.0) + 1e-5);
}

static gboolean run_adain(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    YonosShape s = node->out->shape, t = node->in[1]->shape;
    gsize pixels = (gsize)s.h * s.w, style_pixels = (gsize)t.h * t.w;
    cpu_use_threads(kernel);
    for (int n = 0; n < s.n; n++) {
        const float *x = (const float *)run->data[node->in[0]->id] + (gsize)n * pixels * s.c;
        const float *y = (const float *)run->data[node->in[1]->id] + (gsize)n * style_pixels * s.c;
        float *out = (float *)run->data[node->out->id] + (gsize)n * pixels * s.c;
        for (int c = 0; c < s.c; c++) {
            double mean_x, deviation_x, mean_y, deviation_y;
            moments(x, s.c, c, pixels, &mean_x, &deviation_x);
            moments(y, s.c, c, style_pixels, &mean_y, &deviation_y);
            float centre = (float)mean_x, scale = (float)(deviation_y / deviation_x), offset = (float)mean_y;
#pragma omp parallel for schedule(static)
            for (gsize p = 0; p < pixels; p++)
                out[p * s.c + c] = (x[p * s.c + c] - centre) * scale + offset;
        }
    }
    return TRUE;
}

/* ---- BLUR ------------------------------------------------------------------------------------------ */

/* to = (row above + 2 row + row below) / 4, then the same along the row, edges replicated. */
static void blur_row(const float *above, const float *row, const float *below, int w, int channels, int d, float *to) {
    for (int x = 0; x < w; x++) {
        gsize left = (gsize)MAX(x - d, 0) * channels, right = (gsize)MIN(x + d, w - 1) * channels,
              at = (gsize)x * channels;
        for (int c = 0; c < channels; c++) {
            float l = above[left + c] + 2.0f * row[left + c] + below[left + c];
            float m = above[at + c] + 2.0f * row[at + c] + below[at + c];
            float r = above[right + c] + 2.0f * row[right + c] + below[right + c];
            to[at + c] = (l + 2.0f * m + r) * (1.0f / 16);
        }
    }
}

static gboolean run_blur(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    YonosShape s = node->out->shape;
    int d = node->attr.blur.dilation;
    gsize row = (gsize)s.w * s.c;
    const float *in = run->data[node->in[0]->id];
    float *out = run->data[node->out->id];
    cpu_use_threads(kernel);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < s.n * s.h; i++) {
        int y = i % s.h;
        const float *image = in + (gsize)(i - y) * row;
        blur_row(image + MAX(y - d, 0) * row, image + y * row, image + MIN(y + d, s.h - 1) * row, s.w, s.c, d,
                 out + i * row);
    }
    return TRUE;
}

static gboolean prepare(YonosKernel *kernel, GError **error) {
    (void)error;
    kernel->implementation = "rows";
    return TRUE;
}

const YonosOp cpu_adain = {prepare, run_adain, NULL};
const YonosOp cpu_blur = {prepare, run_blur, NULL};
