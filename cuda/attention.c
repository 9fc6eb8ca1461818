/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ATTENTION by cuDNN's operation for scaled dot products, which reads packed Q, K and V in place; what that refuses, f32
 * and odd channels among it, by the own kernel.
 */
#include "choose.h"
#include "libraries.h"
#include "plan-node.h"

typedef struct {
    YonosCudaAttention shape; /* pointers of constants alone are set */
    CudaDnnGraph *graph;      /* NULL: the own kernel */
    CudaDnnChoice *choice;
} Attention;

static void release(YonosKernel *kernel) {
    Attention *attention = kernel->data;
    if (!attention)
        return;
    cuda_dnn_choice_free(attention->choice);
    cuda_dnn_graph_free(attention->graph);
    g_free(attention);
}

static char *shape_key(const YonosCudaAttention *a) {
    return g_strdup_printf("attention %s %dx%dx%d q %d kv %d strides %" G_GSIZE_FORMAT ",%" G_GSIZE_FORMAT
                           ",%" G_GSIZE_FORMAT ",%" G_GSIZE_FORMAT,
                           yonos_dtype_name(a->dtype), a->images, a->heads, a->head_dim, a->q_tokens, a->kv_tokens,
                           a->q_token, a->k_token, a->v_token, a->out_token);
}

/* Elements from the first channel of the first token to the end. */
static gsize extent(gsize images, gsize image, gsize tokens, gsize token) {
    return images * MAX(image, tokens * token);
}

static gsize trial_bytes(const YonosCudaAttention *a) {
    gsize images = (gsize)a->images, q = (gsize)a->q_tokens, kv = (gsize)a->kv_tokens;
    return yonos_dtype_size(a->dtype) *
           (extent(images, a->q_image, q, a->q_token) + extent(images, a->k_image, kv, a->k_token) +
            extent(images, a->v_image, kv, a->v_token) + extent(images, a->out_image, q, a->out_token));
}

static gboolean try_attention(CudaDnnChoice *choice, char *memory, void *workspace, gconstpointer data, GError **error) {
    YonosCudaAttention a = *(const YonosCudaAttention *)data;
    gsize width = yonos_dtype_size(a.dtype), images = (gsize)a.images;
    char *k = memory + width * extent(images, a.q_image, (gsize)a.q_tokens, a.q_token);
    char *v = k + width * extent(images, a.k_image, (gsize)a.kv_tokens, a.k_token);
    a.q = memory;
    a.k = k;
    a.v = v;
    a.out = v + width * extent(images, a.v_image, (gsize)a.kv_tokens, a.v_token);
    return cuda_dnn_run_attention(choice, &a, workspace, error);
}

/* Leaves choice NULL where cuDNN has none. */
static void ask_dnn(Attention *attention, YonosCuda *cuda, const YonosNode *node) {
    const YonosCudaAttention *a = &attention->shape;
    g_autofree char *key = shape_key(a);
    g_autoptr(GError) error = NULL;
    attention->graph = cuda_dnn_attention(cuda->libraries->dnn, a, &error);
    CudaTrial trial = {.shape = key, .dtype = a->dtype, .bytes = trial_bytes(a), .try = try_attention, .data = a};
    if (!attention->graph || !cuda_choose(cuda, attention->graph, &trial, &attention->choice, &error))
        g_info("%s: attention by the own kernel: %s", node->out->name ? node->out->name : key, error->message);
}

static gboolean pack_constants(Attention *attention, YonosCuda *cuda, const YonosNode *node, GError **error) {
    if (node->in[1] && node->in[2])
        return TRUE;
    attention->shape.k = cuda_weight(cuda, node->constant[0], attention->shape.dtype, 0, 0, error);
    if (attention->shape.k)
        attention->shape.v = cuda_weight(cuda, node->constant[1], attention->shape.dtype, 0, 0, error);
    return attention->shape.v != NULL;
}

static gboolean prepare(YonosKernel *kernel, GError **error) {
    const YonosNode *node = kernel->node;
    Attention *attention = g_new0(Attention, 1);
    kernel->data = attention;
    attention->shape = cuda_attention_shape(node);
    if (!pack_constants(attention, cuda_of(kernel), node, error))
        return FALSE;
    if (cuda_attention_fits_dnn(node))
        ask_dnn(attention, cuda_of(kernel), node);
    if (!attention->choice)
        return attention->shape.head_dim <= YONOS_CUDA_MAX_HEAD ||
               yonos_fail(error, YONOS_ERROR_MODEL,
                          "%s: an attention head of %d channels, where cuDNN takes none: at most %d; use precision f16 "
                          "or bf16, or backend cpu",
                          node->out->name ? node->out->name : "attention", attention->shape.head_dim,
                          YONOS_CUDA_MAX_HEAD);
    kernel->workspace = cuda_dnn_choice_workspace(attention->choice);
    kernel->implementation = cuda_dnn_choice_name(attention->choice);
    return TRUE;
}

static const char *source(const YonosRun *run, const YonosTensor *tensor, int offset) {
    return (const char *)run->data[tensor->id] + (gsize)offset * yonos_dtype_size(tensor->dtype);
}

static gboolean run_attention(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    const YonosCuda *cuda = cuda_of(kernel);
    const YonosNode *node = kernel->node;
    const Attention *attention = kernel->data;
    YonosCudaAttention a = attention->shape;
    a.q = source(run, node->in[0], node->attr.attention.q_offset);
    a.out = run->data[node->out->id];
    if (node->in[1] && node->in[2]) {
        a.k = source(run, node->in[1], node->attr.attention.k_offset);
        a.v = source(run, node->in[2], node->attr.attention.v_offset);
    }
    if (attention->choice)
        return cuda_dnn_run_attention(attention->choice, &a, run->workspace, error);
    return cuda_launch(cuda, error, yonos_cuda_attention, &a, cuda->stream);
}

const YonosOp cuda_attention = {prepare, run_attention, release};
