/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CONV2D. The choice follows from shape, type and CPU alone: 3x3 of stride 1 by our Winograd, the rest by oneDNN's direct
 * NHWC convolution, four pixels at once where it has few output channels. What Winograd does not take is upsampled in memory
 * first.
 */
#include "backend/cpu/conv.h"

#include "backend/cpu/narrow.h"
#include "backend/cpu/winograd.h"

static gsize bytes_of(const YonosTensor *t) { return yonos_shape_count(t->shape) * yonos_dtype_size(t->dtype); }

gboolean cpu_conv_prepare(YonosKernel *kernel, const YonosDnnlShape *shape, const YonosConst *weight,
                          const YonosConst *bias, YonosActivation activation, gsize upsampled_bytes, GError **error) {
    YonosDnnl *backend = cpu_of(kernel)->dnnl;
    int threads = kernel->backend->threads;
    YonosDnnlShape s = *shape;
    if ((activation != YONOS_ACTIVATION_NONE && activation != YONOS_ACTIVATION_RELU) || s.dtype == YONOS_DTYPE_F16)
        return cpu_fall_back(kernel, error);
    s.residual = kernel->node->in[1] != NULL;
    s.relu = activation == YONOS_ACTIVATION_RELU;
    GError *failure = NULL;
    YonosDnnlConv *dnnl = yonos_dnnl_conv_new(backend, &s, weight, bias, threads, &failure);
    if (failure) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    if (!dnnl)
        return cpu_fall_back(kernel, error);
    CpuConv *conv = g_new0(CpuConv, 1);
    conv->dnnl = dnnl;
    conv->upsampled_bytes = yonos_size_align(upsampled_bytes, 64);
    kernel->data = conv;
    kernel->workspace = conv->upsampled_bytes + yonos_dnnl_conv_workspace(dnnl);
    kernel->implementation = yonos_dnnl_conv_name(dnnl);
    return TRUE;
}

void cpu_conv_release(YonosKernel *kernel) {
    CpuConv *conv = kernel->data;
    if (!conv)
        return;
    yonos_dnnl_conv_free(conv->dnnl);
    g_free(conv);
}

/* Copies the residual into the destination, in fixed pieces. */
static void copy_residual(const YonosTensor *residual, const YonosTensor *out, const YonosRun *run) {
    enum { PIECE = 1 << 16 };
    const char *from = run->data[residual->id];
    char *to = run->data[out->id];
    gsize bytes = bytes_of(out);
    if (from == to)
        return;
#pragma omp parallel for schedule(static)
    for (gsize at = 0; at < bytes; at += PIECE)
        memcpy(to + at, from + at, MIN((gsize)PIECE, bytes - at));
}

gboolean cpu_conv_run(const YonosKernel *kernel, const YonosRun *run, const void *src, GError **error) {
    const CpuConv *conv = kernel->data;
    const YonosNode *node = kernel->node;
    if (node->in[1])
        copy_residual(node->in[1], node->out, run);
    return yonos_dnnl_conv_run(conv->dnnl, src, run->data[node->out->id],
                               (char *)run->workspace + conv->upsampled_bytes, error);
}

/* ---- CONV2D ------------------------------------------------------------------------------------ */

static gboolean prepare(YonosKernel *kernel, GError **error) {
    const YonosNode *node = kernel->node;
    if (cpu_winograd_fits(node)) {
        kernel->op = &cpu_winograd;
        return cpu_winograd.prepare(kernel, error);
    }
    YonosShape in = node->in[0]->shape, out = node->out->shape;
    const YonosConst *w = node->constant[0], *bias = node->constant[1];
    gboolean up = node->attr.conv2d.up_h > 0;
    YonosDnnlShape s = {
        .n = out.n, .ih = up ? node->attr.conv2d.up_h : in.h, .iw = up ? node->attr.conv2d.up_w : in.w, .ic = in.c,
        .oh = out.h, .ow = out.w, .oc = out.c, .kh = (int)w->dim[2], .kw = (int)w->dim[3],
        .stride_h = node->attr.conv2d.stride, .stride_w = node->attr.conv2d.stride,
        .pad_top = node->attr.conv2d.pad_top, .pad_left = node->attr.conv2d.pad_left, .dtype = node->out->dtype,
    };
    /* oneDNN wants the padding that the output really uses; a stride may leave some of the declared one unused. */
    s.pad_bottom = (s.oh - 1) * s.stride_h + s.kh - s.ih - s.pad_top;
    s.pad_right = (s.ow - 1) * s.stride_w + s.kw - s.iw - s.pad_left;
    gsize upsampled = up ? (gsize)s.n * s.ih * s.iw * s.ic * yonos_dtype_size(s.dtype) : 0;
    if (cpu_narrow_fits(&s))
        cpu_narrow_widen(kernel, &s, &w, &bias);
    return cpu_conv_prepare(kernel, &s, w, bias, node->attr.conv2d.activation, upsampled, error);
}

/* Nearest neighbour: a row of pixels of `size` bytes each. */
static void widen_row(const char *from, char *to, int in_w, int out_w, gsize size) {
    for (int x = 0; x < out_w; x++)
        memcpy(to + (gsize)x * size, from + (gsize)((gint64)x * in_w / out_w) * size, size);
}

static void upsample(const YonosNode *node, const char *from, char *to) {
    YonosShape in = node->in[0]->shape;
    int h = node->attr.conv2d.up_h, w = node->attr.conv2d.up_w;
    gsize pixel = (gsize)in.c * yonos_dtype_size(node->in[0]->dtype);
#pragma omp parallel for schedule(static)
    for (int row = 0; row < in.n * h; row++) {
        int n = row / h, y = (int)((gint64)(row % h) * in.h / h);
        widen_row(from + ((gsize)n * in.h + y) * in.w * pixel, to + (gsize)row * w * pixel, in.w, w, pixel);
    }
}

static gboolean run_conv(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    const YonosNode *node = kernel->node;
    const void *src = run->data[node->in[0]->id];
    cpu_use_threads(kernel);
    if (node->attr.conv2d.up_h > 0) {
        upsample(node, src, run->workspace);
        src = run->workspace;
    }
    return cpu_conv_run(kernel, run, src, error);
}

const YonosOp cpu_conv2d = {prepare, run_conv, cpu_conv_release};
