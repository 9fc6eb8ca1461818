/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See plan-node.h.
 */
#include "plan-node.h"

static int padded(int channels) { return (int)yonos_size_align((gsize)channels, CUDA_CHANNEL_MULTIPLE); }

CudaConvShape cuda_conv_shape_bare(const YonosNode *node) {
    YonosShape in = node->in[0]->shape, out = node->out->shape;
    const YonosConst *weight = node->constant[0];
    gboolean conv = node->op == YONOS_OP_CONV2D;
    CudaConvShape s = {.dtype = node->out->dtype,
                       .n = out.n,
                       .ih = in.h,
                       .iw = in.w,
                       .ic = padded(in.c),
                       .oh = out.h,
                       .ow = out.w,
                       .oc = padded(out.c),
                       .kh = weight->rank == 4 ? (int)weight->dim[2] : 1,
                       .kw = weight->rank == 4 ? (int)weight->dim[3] : 1,
                       .stride = 1};
    if (!conv)
        return s;
    if (node->attr.conv2d.up_h > 0) {
        s.ih = node->attr.conv2d.up_h;
        s.iw = node->attr.conv2d.up_w;
    }
    s.stride = node->attr.conv2d.stride;
    s.pad_top = node->attr.conv2d.pad_top;
    s.pad_left = node->attr.conv2d.pad_left;
    /* What the output really uses; a stride may leave some of the declared padding unused. */
    s.pad_bottom = MAX(0, (s.oh - 1) * s.stride + s.kh - s.ih - s.pad_top);
    s.pad_right = MAX(0, (s.ow - 1) * s.stride + s.kw - s.iw - s.pad_left);
    return s;
}

CudaConvShape cuda_conv_shape(const YonosNode *node) {
    CudaConvShape s = cuda_conv_shape_bare(node);
    YonosActivation activation =
        node->op == YONOS_OP_CONV2D ? node->attr.conv2d.activation : node->attr.linear.activation;
    gboolean whole = s.oc == node->out->shape.c; /* else the residual would have to be padded too */
    s.residual = node->in[1] && whole;
    s.bias = node->constant[1] || s.residual; /* a residual without bias is not precompiled */
    s.relu = activation == YONOS_ACTIVATION_RELU && (!node->in[1] || whole);
    return s;
}

gboolean cuda_attention_fits_dnn(const YonosNode *node) {
    int channels = node->in[0]->shape.c | node->attr.attention.q_offset | node->attr.attention.head_dim;
    if (node->in[1] && node->in[2])
        channels |= node->in[1]->shape.c | node->in[2]->shape.c | node->attr.attention.k_offset |
                    node->attr.attention.v_offset;
    return node->out->dtype != YONOS_DTYPE_F32 && channels % CUDA_CHANNEL_MULTIPLE == 0;
}

YonosCudaAttention cuda_attention_shape(const YonosNode *node) {
    YonosShape q = node->in[0]->shape, out = node->out->shape;
    gsize pixels = (gsize)q.h * q.w;
    YonosCudaAttention a = {.dtype = node->out->dtype,
                            .images = q.n,
                            .heads = node->attr.attention.heads,
                            .head_dim = node->attr.attention.head_dim,
                            .q_tokens = (int)pixels,
                            .scale = node->attr.attention.scale,
                            .q_token = (gsize)q.c,
                            .out_token = (gsize)out.c,
                            .q_image = pixels * (gsize)q.c,
                            .out_image = pixels * (gsize)out.c};
    if (node->in[1] && node->in[2]) {
        YonosShape k = node->in[1]->shape, v = node->in[2]->shape;
        a.kv_tokens = k.h * k.w;
        a.k_token = (gsize)k.c;
        a.v_token = (gsize)v.c;
        a.k_image = yonos_shape_count(k) / (gsize)k.n;
        a.v_image = yonos_shape_count(v) / (gsize)v.n;
    } else { /* constants, shared by all images */
        a.kv_tokens = (int)node->constant[0]->dim[0];
        a.k_token = (gsize)node->constant[0]->dim[1];
        a.v_token = (gsize)node->constant[1]->dim[1];
        a.k_image = a.images > 1 ? 0 : (gsize)a.kv_tokens * a.k_token;
        a.v_image = a.images > 1 ? 0 : (gsize)a.kv_tokens * a.v_token;
    }
    return a;
}
