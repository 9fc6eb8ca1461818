/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Costs of nodes and the matrix product probe; see cost.h.
 */
#include "cost.h"

enum { PROBE_SIDE = 64, PROBE_CHANNELS = 1024 }; /* 4096 x 1024 x 1024: 8.6 GFLOP */

double cost_flops(const YonosNode *node) {
    if (!node->out)
        return 0;
    double out = (double)yonos_shape_count(node->out->shape);
    const YonosConst *weight = node->constant[0];
    switch (node->op) {
    case YONOS_OP_CONV2D:
        return 2.0 * out * (double)weight->dim[1] * (double)weight->dim[2] * (double)weight->dim[3];
    case YONOS_OP_LINEAR:
        return 2.0 * out * (double)weight->dim[1];
    case YONOS_OP_ATTENTION: {
        double keys = node->in[1] ? (double)node->in[1]->shape.h * node->in[1]->shape.w : (double)weight->dim[0];
        return 4.0 * out * keys;
    }
    default:
        return 0;
    }
}

static double tensor_bytes(const YonosTensor *t) {
    return t ? (double)yonos_shape_count(t->shape) * (double)yonos_dtype_size(t->dtype) : 0;
}

double cost_bytes(const YonosNode *node) {
    double bytes = tensor_bytes(node->out);
    for (guint i = 0; i < G_N_ELEMENTS(node->in); i++) {
        gboolean again = FALSE; /* q, k and v may be one tensor */
        for (guint j = 0; j < i; j++)
            again = again || node->in[j] == node->in[i];
        bytes += again ? 0 : tensor_bytes(node->in[i]);
    }
    for (guint i = 0; i < G_N_ELEMENTS(node->constant); i++)
        if (node->constant[i])
            bytes += (double)yonos_const_count(node->constant[i]) * (double)yonos_dtype_size(node->constant[i]->dtype);
    return bytes;
}

static void append_shape(GString *text, const YonosTensor *t) {
    g_string_append_printf(text, "%dx%dx%dx%d", t->shape.n, t->shape.h, t->shape.w, t->shape.c);
}

char *cost_shape(const YonosNode *node) {
    GString *text = g_string_new(NULL);
    if (node->in[0])
        append_shape(text, node->in[0]);
    if (node->op == YONOS_OP_GROUP_NORM && node->in[1])
        g_string_append_printf(text, "+%d", node->in[1]->shape.c);
    if (node->out) {
        g_string_append(text, node->in[0] ? " -> " : "-> ");
        append_shape(text, node->out);
    }
    if (node->op == YONOS_OP_CONV2D)
        g_string_append_printf(text, " %dx%d%s%s", (int)node->constant[0]->dim[2], (int)node->constant[0]->dim[3],
                               node->attr.conv2d.stride > 1 ? " strided" : "", node->attr.conv2d.up_h > 0 ? " up" : "");
    if (node->op == YONOS_OP_ATTENTION)
        g_string_append_printf(text, " %d heads", node->attr.attention.heads);
    return g_string_free(text, FALSE);
}

static double time_probe(YonosPlan *plan, double flops) {
    double best = 0;
    gint64 until = g_get_monotonic_time() + G_USEC_PER_SEC;
    do {
        gint64 start = g_get_monotonic_time();
        if (!yonos_plan_run(plan, NULL, NULL, 0, 0, NULL, NULL))
            return 0;
        double seconds = (double)MAX(g_get_monotonic_time() - start, 1) * 1e-6;
        best = MAX(best, flops / seconds);
    } while (g_get_monotonic_time() < until);
    return best;
}

double cost_measure_peak(const char *backend_name, YonosPrecision precision, int threads) {
    g_autoptr(YonosBackend) backend = yonos_backend_open(backend_name, precision, threads, NULL, NULL);
    if (!backend)
        return 0;
    gsize count = (gsize)PROBE_CHANNELS * PROBE_CHANNELS;
    g_autofree float *values = g_new(float, count);
    for (gsize i = 0; i < count; i++) /* small numbers without a pattern that would compress or vanish */
        values[i] = (float)((i * 2654435761u >> 7 & 1023u) / 1024.0 - 0.5);
    const YonosConst weight = {"probe", YONOS_DTYPE_F32, 2, {PROBE_CHANNELS, PROBE_CHANNELS}, values};
    YonosGraph *graph = yonos_graph_new();
    const YonosTensor *x = yonos_graph_tensor(graph, YONOS_TENSOR_INPUT, backend->dtype,
                                              (YonosShape){1, PROBE_SIDE, PROBE_SIDE, PROBE_CHANNELS}, "probe");
    yonos_linear(graph, x, &weight, NULL, NULL, YONOS_ACTIVATION_NONE, "product");
    g_autoptr(YonosPlan) plan = yonos_plan_new(backend, graph, FALSE, NULL);
    if (!plan)
        return 0;
    g_autofree float *input = g_new(float, yonos_shape_count(x->shape));
    for (gsize i = 0; i < yonos_shape_count(x->shape); i++)
        input[i] = values[i % count];
    if (!yonos_plan_write_tensor(plan, x, input, NULL))
        return 0;
    return time_probe(plan, graph->flops);
}
