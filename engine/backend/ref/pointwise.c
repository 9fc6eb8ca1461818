/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * AFFINE, GEGLU, CONCAT, FILL: element by element.
 */
#include "backend/ref/ref.h"

static gboolean run_affine(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    gsize count = yonos_shape_count(node->out->shape);
    float a = node->attr.affine.a, b = node->attr.affine.b, c = node->attr.affine.c;
    for (gsize i = 0; i < count; i++) {
        float v = a * ref_get(run, node->in[0], i) + c;
        if (node->in[1])
            v += b * ref_get(run, node->in[1], i);
        ref_set(run, node->out, i, ref_activate(v, node->attr.affine.activation));
    }
    return TRUE;
}

static gboolean run_geglu(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    int c = node->out->shape.c;
    gsize pixels = yonos_shape_count(node->out->shape) / (gsize)c;
    for (gsize p = 0; p < pixels; p++)
        for (int i = 0; i < c; i++) {
            float value = ref_get(run, node->in[0], 2 * p * c + i);
            float gate = ref_get(run, node->in[0], 2 * p * c + c + i);
            ref_set(run, node->out, p * c + i, value * ref_gelu(gate));
        }
    return TRUE;
}

static gboolean run_concat(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    const YonosTensor *x = node->in[0], *y = node->in[1], *out = node->out;
    gsize pixels = yonos_shape_count(out->shape) / (gsize)out->shape.c;
    for (gsize p = 0; p < pixels; p++) {
        for (int i = 0; i < x->shape.c; i++)
            ref_set(run, out, p * out->shape.c + i, ref_get(run, x, p * x->shape.c + i));
        for (int i = 0; i < y->shape.c; i++)
            ref_set(run, out, p * out->shape.c + x->shape.c + i, ref_get(run, y, p * y->shape.c + i));
    }
    return TRUE;
}

static gboolean run_fill(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    gsize count = yonos_shape_count(node->out->shape);
    for (gsize i = 0; i < count; i++)
        ref_set(run, node->out, i, node->attr.fill.value);
    return TRUE;
}

const YonosOp ref_affine = {NULL, run_affine, NULL};
const YonosOp ref_geglu = {NULL, run_geglu, NULL};
const YonosOp ref_concat = {NULL, run_concat, NULL};
const YonosOp ref_fill = {NULL, run_fill, NULL};
