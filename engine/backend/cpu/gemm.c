/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LINEAR as a 1x1 convolution by oneDNN.
 */
#include "backend/cpu/conv.h"

static gboolean prepare(YonosKernel *kernel, GError **error) {
    const YonosNode *node = kernel->node;
    YonosShape in = node->in[0]->shape, out = node->out->shape;
    YonosDnnlShape s = {.n = in.n, .ih = in.h, .iw = in.w, .ic = in.c, .oh = out.h, .ow = out.w, .oc = out.c,
                        .kh = 1, .kw = 1, .stride_h = 1, .stride_w = 1, .dtype = node->out->dtype};
    return cpu_conv_prepare(kernel, &s, node->constant[0], node->constant[1], node->attr.linear.activation, 0, error);
}

static gboolean run_linear(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    cpu_use_threads(kernel);
    return cpu_conv_run(kernel, run, run->data[kernel->node->in[0]->id], error);
}

const YonosOp cpu_linear = {prepare, run_linear, cpu_conv_release};
