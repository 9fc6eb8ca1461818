/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ADAIN gives every channel of x the mean and standard deviation of y's; BLUR is one level of
 * the a-trous wavelet: the 3x3 binomial kernel (1 2 1)/4 x (1 2 1)/4 with `dilation` between taps.
 */
#include "backend/ref/ref.h"

static void moments(const YonosRun *run, const YonosTensor *t, int n, int c, double *mean, double *deviation) {
    gsize pixels = (gsize)t->shape.h * t->shape.w, first = (gsize)n * pixels * t->shape.c + c;
    double sum = 0.0, squares = 0.0;
    for (gsize p = 0; p < pixels; p++)
        sum += ref_get(run, t, first + p * t->shape.c);
    *mean = sum / (double)pixels;
    for (gsize p = 0; p < pixels; p++) {
        double d = ref_get(run, t, first + p * t->shape.c) - *mean;
        squares += d * d;
    }
    *deviation = sqrt(squares / (double)pixels + 1e-5);
}

static gboolean run_adain(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    YonosShape s = node->out->shape;
    gsize pixels = (gsize)s.h * s.w;
    for (int n = 0; n < s.n; n++)
        for (int c = 0; c < s.c; c++) {
            double mean_x, deviation_x, mean_y, deviation_y;
            moments(run, node->in[0], n, c, &mean_x, &deviation_x);
            moments(run, node->in[1], n, c, &mean_y, &deviation_y);
            for (gsize p = 0; p < pixels; p++) {
                gsize i = ((gsize)n * pixels + p) * s.c + c;
                double v = (ref_get(run, node->in[0], i) - mean_x) / deviation_x * deviation_y + mean_y;
                ref_set(run, node->out, i, (float)v);
            }
        }
    return TRUE;
}

static gboolean run_blur(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    static const float weight[3] = {0.25f, 0.5f, 0.25f};
    const YonosNode *node = kernel->node;
    YonosShape s = node->out->shape;
    int d = node->attr.blur.dilation;
    for (int n = 0; n < s.n; n++)
        for (int y = 0; y < s.h; y++)
            for (int x = 0; x < s.w; x++)
                for (int c = 0; c < s.c; c++) {
                    float sum = 0.0f;
                    for (int ky = -1; ky <= 1; ky++)
                        for (int kx = -1; kx <= 1; kx++) {
                            int sy = CLAMP(y + ky * d, 0, s.h - 1), sx = CLAMP(x + kx * d, 0, s.w - 1);
                            sum += weight[ky + 1] * weight[kx + 1] *
                                   ref_get(run, node->in[0], ref_index(s, n, sy, sx, c));
                        }
                    ref_set(run, node->out, ref_index(s, n, y, x, c), sum);
                }
    return TRUE;
}

const YonosOp ref_adain = {NULL, run_adain, NULL};
const YonosOp ref_blur = {NULL, run_blur, NULL};
