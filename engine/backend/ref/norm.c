/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GROUP_NORM over (h, w, channels of a group) of one image, channels being those of x and then
 * of y; LAYER_NORM over the channels of a pixel. Mean first, then the variance around it, in double.
 */
#include "backend/ref/ref.h"

/* Channel c of [x, y] at `pixel`. */
static float joined(const YonosRun *run, const YonosNode *node, gsize pixel, int c) {
    const YonosTensor *x = node->in[0], *y = node->in[1];
    if (c < x->shape.c)
        return ref_get(run, x, pixel * x->shape.c + c);
    return ref_get(run, y, pixel * y->shape.c + (c - x->shape.c));
}

static void one_group(const YonosNode *node, const YonosRun *run, int n, int group) {
    YonosShape s = node->out->shape;
    int size = s.c / node->attr.group_norm.groups, first = group * size;
    gsize pixels = (gsize)s.h * s.w, begin = (gsize)n * pixels;
    double sum = 0.0, squares = 0.0, count = (double)pixels * size;
    for (gsize p = begin; p < begin + pixels; p++)
        for (int c = first; c < first + size; c++)
            sum += joined(run, node, p, c);
    double mean = sum / count;
    for (gsize p = begin; p < begin + pixels; p++)
        for (int c = first; c < first + size; c++) {
            double d = joined(run, node, p, c) - mean;
            squares += d * d;
        }
    double inverse = 1.0 / sqrt(squares / count + node->attr.group_norm.eps);
    for (gsize p = begin; p < begin + pixels; p++)
        for (int c = first; c < first + size; c++) {
            double v = (joined(run, node, p, c) - mean) * inverse;
            if (node->constant[0])
                v *= yonos_const_get(node->constant[0], c);
            if (node->constant[1])
                v += yonos_const_get(node->constant[1], c);
            ref_set(run, node->out, p * s.c + c, ref_activate((float)v, node->attr.group_norm.activation));
        }
}

static gboolean run_group_norm(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    for (int n = 0; n < node->out->shape.n; n++)
        for (int group = 0; group < node->attr.group_norm.groups; group++)
            one_group(node, run, n, group);
    return TRUE;
}

static gboolean run_layer_norm(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    int channels = node->out->shape.c;
    gsize count = yonos_shape_count(node->out->shape);
    for (gsize i = 0; i < count; i += channels) {
        double sum = 0.0, squares = 0.0;
        for (int c = 0; c < channels; c++)
            sum += ref_get(run, node->in[0], i + c);
        double mean = sum / channels;
        for (int c = 0; c < channels; c++) {
            double d = ref_get(run, node->in[0], i + c) - mean;
            squares += d * d;
        }
        double inverse = 1.0 / sqrt(squares / channels + node->attr.layer_norm.eps);
        for (int c = 0; c < channels; c++) {
            double v = (ref_get(run, node->in[0], i + c) - mean) * inverse;
            if (node->constant[0])
                v *= yonos_const_get(node->constant[0], c);
            if (node->constant[1])
                v += yonos_const_get(node->constant[1], c);
            ref_set(run, node->out, i + c, (float)v);
        }
    }
    return TRUE;
}

const YonosOp ref_group_norm = {NULL, run_group_norm, NULL};
const YonosOp ref_layer_norm = {NULL, run_layer_norm, NULL};
