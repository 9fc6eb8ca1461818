/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CONV2D by cuDNN. In the order of a run:
 *
 *   x padded to a multiple of 8 channels, resized by nearest neighbour       own kernels, into the workspace; the own
 *                                                                            convolution doubles as it reads
 *   convolution, residual, bias, ReLU                                        one engine of cuDNN, or the own kernel
 *   y without its padding; what the engine did not take of the epilogue      own kernels
 *
 * Where no engine takes the epilogue, the convolution runs alone. The own kernel is for 3x3 and few channels (kernels/
 * conv.cu): it competes with cuDNN's engines, and is taken where there are none.
 */
#include "conv.h"

#include "choose.h"
#include "libraries.h"
#include "plan-node.h"

enum { OWN_CHANNELS = 64 }; /* at most; with more cuDNN's engines have enough to multiply for each byte */

struct _CudaConv {
    CudaDnnGraph *graph;
    CudaDnnChoice *choice; /* NULL: the own kernel */
    CudaConvShape shape;
    const void *weight, *bias;      /* of the engine */
    const void *own_weight;         /* NULL: the own kernel does not take the shape */
    gboolean doubled;               /* the own kernel reads x before it is doubled */
    gsize padded, upsampled, wide;  /* bytes of the workspace: padded x, upsampled x, padded y; each 0 where not needed */
    /* What is left for the epilogue kernel. */
    gboolean epilogue, residual;
    const float *late_bias;
    YonosActivation activation;
};

static gsize bytes_of(YonosDType dtype, gint64 n, gint64 h, gint64 w, gint64 c) {
    return yonos_size_align((gsize)(n * h * w * c) * yonos_dtype_size(dtype), 256);
}

static char *shape_key(const CudaConvShape *s, gboolean doubled) {
    return g_strdup_printf("conv %s %dx%dx%dx%d%s %dx%d/%d pad %d,%d,%d,%d -> %dx%dx%d%s%s%s",
                           yonos_dtype_name(s->dtype), s->n, s->ih, s->iw, s->ic, doubled ? " doubled" : "", s->kh,
                           s->kw, s->stride, s->pad_top, s->pad_left, s->pad_bottom, s->pad_right, s->oh, s->ow, s->oc,
                           s->residual ? " residual" : "", s->bias ? " bias" : "", s->relu ? " relu" : "");
}

/* ---- the engine ------------------------------------------------------------------------------------------- */

static gboolean run_own(const YonosCuda *cuda, const CudaConv *conv, const CudaConvData *data, GError **error) {
    const CudaConvShape *s = &conv->shape;
    YonosCudaConv3x3 own = {.dtype = s->dtype,
                            .n = s->n,
                            .h = s->oh,
                            .w = s->ow,
                            .ic = s->ic,
                            .oc = s->oc,
                            .doubled = conv->doubled,
                            .relu = s->relu,
                            .x = data->x,
                            .weight = conv->own_weight,
                            .bias = data->bias,
                            .residual = data->residual,
                            .y = data->y};
    return cuda_launch(cuda, error, yonos_cuda_conv3x3, &own, cuda->stream);
}

/* By `choice`, or the own kernel where that is NULL. */
static gboolean run_engine(const YonosCuda *cuda, const CudaConv *conv, CudaDnnChoice *choice, const CudaConvData *data,
                           void *workspace, GError **error) {
    return choice ? cuda_dnn_run_conv(choice, data, workspace, error) : run_own(cuda, conv, data, error);
}

/* ---- choosing --------------------------------------------------------------------------------------------- */

static gsize x_bytes(const CudaConvShape *s) { return bytes_of(s->dtype, s->n, s->ih, s->iw, s->ic); }
static gsize y_bytes(const CudaConvShape *s) { return bytes_of(s->dtype, s->n, s->oh, s->ow, s->oc); }

typedef struct {
    const YonosCuda *cuda;
    const CudaConv *conv;
} Trial;

static YonosShape half_x(const CudaConvShape *s) { return (YonosShape){s->n, s->ih / 2, s->iw / 2, s->ic}; }

/* Doubles x at `half` for cuDNN's engines: its time counts. */
static gboolean double_x(const YonosCuda *cuda, const CudaConvShape *s, void *x, void *half, GError **error) {
    YonosCudaTensor from = {half, s->dtype, half_x(s)}, to = {x, s->dtype, {s->n, s->ih, s->iw, s->ic}};
    return cuda_launch(cuda, error, yonos_cuda_upsample_nearest, &to, &from, cuda->stream);
}

/* Scratch memory for a trial, one behind the other: x, y, residual, the own kernel's y, x before it is doubled. */
static gboolean try_conv(CudaDnnChoice *choice, char *memory, void *workspace, gconstpointer user_data, GError **error) {
    const Trial *trial = user_data;
    const CudaConv *conv = trial->conv;
    const CudaConvShape *s = &conv->shape;
    char *y = memory + x_bytes(s), *residual = y + y_bytes(s), *own_y = residual + y_bytes(s);
    CudaConvData data = {.x = memory, .weight = conv->weight, .bias = conv->bias, .y = choice ? y : own_y};
    if (s->residual)
        data.residual = residual;
    if (conv->doubled && choice && !double_x(trial->cuda, s, memory, own_y + y_bytes(s), error))
        return FALSE;
    if (conv->doubled && !choice)
        data.x = own_y + y_bytes(s);
    return run_engine(trial->cuda, conv, choice, &data, workspace, error);
}

/* Graph and choice for conv->shape. */
static gboolean plan(CudaConv *conv, YonosCuda *cuda, GError **error) {
    const CudaConvShape *s = &conv->shape;
    g_autofree char *key = shape_key(s, conv->doubled);
    gboolean own = conv->own_weight != NULL;
    YonosShape half = half_x(s);
    Trial data = {cuda, conv};
    CudaTrial trial = {.shape = key,
                       .dtype = s->dtype,
                       .bytes = x_bytes(s) + (own ? 3 : 2) * y_bytes(s) +
                                (conv->doubled ? bytes_of(s->dtype, half.n, half.h, half.w, half.c) : 0),
                       .try = try_conv,
                       .data = &data,
                       .own = own,
                       .result = x_bytes(s),
                       .own_result = x_bytes(s) + 2 * y_bytes(s),
                       .count = (gsize)s->n * (gsize)s->oh * (gsize)s->ow * (gsize)s->oc};
    conv->graph = cuda_dnn_conv(cuda->libraries->dnn, s, error);
    return conv->graph && cuda_choose(cuda, conv->graph, &trial, &conv->choice, error);
}

static gboolean own_takes(const CudaConvShape *s) {
    return s->kh == 3 && s->kw == 3 && s->stride == 1 && s->pad_top == 1 && s->pad_left == 1 && s->oh == s->ih &&
           s->ow == s->iw && s->ic <= OWN_CHANNELS && s->oc <= OWN_CHANNELS &&
           yonos_cuda_conv3x3_takes(s->dtype, s->ic, s->oc);
}

/* conv->own_weight, where the own kernel may be taken. */
static gboolean pack_own(CudaConv *conv, YonosCuda *cuda, const YonosNode *node, GError **error) {
    const CudaConvShape *s = &conv->shape;
    YonosShape in = node->in[0]->shape;
    if (!own_takes(s) || g_strcmp0(g_getenv(YONOS_CUDA_CONV), "cudnn") == 0)
        return TRUE;
    conv->doubled = s->ih == 2 * in.h && s->iw == 2 * in.w;
    conv->own_weight = cuda_weight_own_conv(cuda, node->constant[0], s->dtype, s->oc, s->ic, error);
    return conv->own_weight != NULL;
}

/* The bias that the engine adds: the node's, or zeros. */
static gboolean pack_bias(CudaConv *conv, YonosCuda *cuda, const YonosConst *bias, GError **error) {
    const CudaConvShape *s = &conv->shape;
    if (s->bias)
        conv->bias = bias ? cuda_weight(cuda, bias, s->dtype, s->oc, 0, error) : cuda_zeros(cuda, (gsize)s->oc, error);
    return conv->bias || !s->bias;
}

/* Without the epilogue, by cuDNN. */
static gboolean plan_bare(CudaConv *conv, YonosCuda *cuda, const YonosNode *node, GError **error) {
    g_clear_pointer(&conv->graph, cuda_dnn_graph_free);
    conv->shape = cuda_conv_shape_bare(node);
    conv->bias = conv->own_weight = NULL;
    conv->doubled = FALSE;
    return plan(conv, cuda, error);
}

/* With the epilogue in the engine, else without, else by the own kernel. */
static gboolean plan_any(CudaConv *conv, YonosCuda *cuda, const YonosNode *node, GError **error) {
    g_autoptr(GError) refusal = NULL;
    const char *name = node->out->name ? node->out->name : "convolution";
    conv->shape = cuda_conv_shape(node);
    conv->weight = cuda_weight(cuda, node->constant[0], conv->shape.dtype, conv->shape.oc, conv->shape.ic, error);
    if (!conv->weight || !pack_bias(conv, cuda, node->constant[1], error) ||
        !pack_own(conv, cuda, node, error))
        return FALSE;
    CudaConv own = *conv;
    if (own.own_weight && g_strcmp0(g_getenv(YONOS_CUDA_CONV), "own") == 0)
        return TRUE;
    if (plan(conv, cuda, &refusal))
        return TRUE;
    g_info("%s: its epilogue runs by itself: %s", name, refusal->message);
    if (plan_bare(conv, cuda, node, own.own_weight ? NULL : error))
        return TRUE;
    if (!own.own_weight)
        return FALSE;
    g_info("%s: the own kernel, as cuDNN refuses it: %s", name, refusal->message);
    cuda_dnn_graph_free(conv->graph);
    *conv = own;
    return TRUE;
}

static void lay_out_workspace(CudaConv *conv, const YonosNode *node) {
    const CudaConvShape *s = &conv->shape;
    YonosShape in = node->in[0]->shape;
    if (s->ic != in.c)
        conv->padded = bytes_of(s->dtype, in.n, in.h, in.w, s->ic);
    if ((s->ih != in.h || s->iw != in.w) && !conv->doubled)
        conv->upsampled = bytes_of(s->dtype, s->n, s->ih, s->iw, s->ic);
    if (s->oc != node->out->shape.c)
        conv->wide = bytes_of(s->dtype, s->n, s->oh, s->ow, s->oc);
}

CudaConv *cuda_conv_new(YonosKernel *kernel, GError **error) {
    const YonosNode *node = kernel->node;
    CudaConv *conv = g_new0(CudaConv, 1);
    if (!plan_any(conv, cuda_of(kernel), node, error)) {
        cuda_conv_free(conv);
        return NULL;
    }
    conv->doubled &= !conv->choice;
    lay_out_workspace(conv, node);
    YonosActivation wanted =
        node->op == YONOS_OP_CONV2D ? node->attr.conv2d.activation : node->attr.linear.activation;
    conv->activation = conv->shape.relu ? YONOS_ACTIVATION_NONE : wanted;
    conv->residual = node->in[1] && !conv->shape.residual;
    if (node->constant[1] && !conv->shape.bias &&
        !cuda_weight_f32(cuda_of(kernel), node->constant[1], &conv->late_bias, error)) {
        cuda_conv_free(conv);
        return NULL;
    }
    conv->epilogue = conv->late_bias || conv->residual || conv->activation != YONOS_ACTIVATION_NONE;
    kernel->workspace = conv->padded + conv->upsampled + conv->wide;
    if (conv->choice) {
        kernel->workspace += cuda_dnn_choice_workspace(conv->choice);
        kernel->implementation = cuda_dnn_choice_name(conv->choice);
    }
    return conv;
}

void cuda_conv_free(CudaConv *conv) {
    if (!conv)
        return;
    cuda_dnn_choice_free(conv->choice);
    cuda_dnn_graph_free(conv->graph);
    g_free(conv);
}

/* ---- running -------------------------------------------------------------------------------------------------- */

/* x as the engine wants it. */
static gboolean prepare_x(const CudaConv *conv, const YonosCuda *cuda, YonosCudaTensor *x, char *workspace,
                          GError **error) {
    const CudaConvShape *s = &conv->shape;
    if (conv->padded) {
        YonosCudaTensor padded = {workspace, s->dtype, {x->shape.n, x->shape.h, x->shape.w, s->ic}};
        if (!cuda_launch(cuda, error, yonos_cuda_pad_channels, &padded, x, cuda->stream))
            return FALSE;
        *x = padded;
    }
    if (!conv->upsampled)
        return TRUE;
    YonosCudaTensor upsampled = {workspace + conv->padded, s->dtype, {s->n, s->ih, s->iw, s->ic}};
    if (!cuda_launch(cuda, error, yonos_cuda_upsample_nearest, &upsampled, x, cuda->stream))
        return FALSE;
    *x = upsampled;
    return TRUE;
}

/* y from the engine's, which may be wider, and the rest of the epilogue. */
static gboolean finish_y(const CudaConv *conv, const YonosCuda *cuda, const YonosCudaTensor *out,
                         const YonosCudaTensor *y, const YonosCudaTensor *residual, GError **error) {
    if (conv->wide && !cuda_launch(cuda, error, yonos_cuda_pad_channels, out, y, cuda->stream))
        return FALSE;
    return !conv->epilogue ||
           cuda_launch(cuda, error, yonos_cuda_epilogue, out, out, conv->late_bias, conv->residual ? residual : NULL,
                       conv->activation, cuda->stream);
}

gboolean cuda_conv_run(const CudaConv *conv, const YonosKernel *kernel, const YonosRun *run, GError **error) {
    const YonosCuda *cuda = cuda_of(kernel);
    const YonosNode *node = kernel->node;
    const CudaConvShape *s = &conv->shape;
    char *workspace = run->workspace;
    YonosCudaTensor x = cuda_tensor(run, node->in[0]), out = cuda_tensor(run, node->out), y = out, residual = {0};
    if (node->in[1])
        residual = cuda_tensor(run, node->in[1]);
    if (conv->wide)
        y = (YonosCudaTensor){workspace + conv->padded + conv->upsampled, s->dtype, {s->n, s->oh, s->ow, s->oc}};
    if (!prepare_x(conv, cuda, &x, workspace, error))
        return FALSE;
    CudaConvData data = {.x = x.data,
                         .weight = conv->weight,
                         .residual = s->residual ? residual.data : NULL,
                         .bias = conv->bias,
                         .y = y.data};
    return run_engine(cuda, conv, conv->choice, &data, workspace + conv->padded + conv->upsampled + conv->wide,
                      error) &&
           finish_y(conv, cuda, &out, &y, &residual, error);
}

/* ---- the operation ---------------------------------------------------------------------------------------------- */

static gboolean prepare(YonosKernel *kernel, GError **error) {
    kernel->data = cuda_conv_new(kernel, error);
    return kernel->data != NULL;
}

static void release(YonosKernel *kernel) { cuda_conv_free(kernel->data); }

static gboolean run_conv(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    return cuda_conv_run(kernel->data, kernel, run, error);
}

const YonosOp cuda_conv2d = {prepare, run_conv, release};
