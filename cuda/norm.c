/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GROUP_NORM (one source or two) and LAYER_NORM.
 */
#include "cuda.h"

typedef struct {
    const float *gamma, *beta;
} Norm;

static gboolean prepare(YonosKernel *kernel, GError **error) {
    Norm *norm = g_new0(Norm, 1);
    kernel->data = norm;
    return cuda_weight_f32(cuda_of(kernel), kernel->node->constant[0], &norm->gamma, error) &&
           cuda_weight_f32(cuda_of(kernel), kernel->node->constant[1], &norm->beta, error);
}

static void release(YonosKernel *kernel) { g_free(kernel->data); }

static gboolean prepare_group(YonosKernel *kernel, GError **error) {
    const YonosNode *node = kernel->node;
    kernel->workspace = yonos_cuda_group_norm_workspace(node->out->shape);
    return prepare(kernel, error);
}

static gboolean run_group_norm(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    const Norm *norm = kernel->data;
    const YonosNode *node = kernel->node;
    YonosCudaTensor out = cuda_tensor(run, node->out), x = cuda_tensor(run, node->in[0]), y;
    if (node->in[1])
        y = cuda_tensor(run, node->in[1]);
    return cuda_launch(cuda_of(kernel), error, yonos_cuda_group_norm, &out, &x, node->in[1] ? &y : NULL, norm->gamma,
                       norm->beta, node->attr.group_norm.groups, node->attr.group_norm.eps,
                       node->attr.group_norm.activation, run->workspace, cuda_of(kernel)->stream);
}

static gboolean run_layer_norm(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    const Norm *norm = kernel->data;
    const YonosNode *node = kernel->node;
    YonosCudaTensor out = cuda_tensor(run, node->out), x = cuda_tensor(run, node->in[0]);
    return cuda_launch(cuda_of(kernel), error, yonos_cuda_layer_norm, &out, &x, norm->gamma, norm->beta,
                       node->attr.layer_norm.eps, cuda_of(kernel)->stream);
}

const YonosOp cuda_group_norm = {prepare_group, run_group_norm, release};
const YonosOp cuda_layer_norm = {prepare, run_layer_norm, release};
