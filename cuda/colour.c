/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ADAIN and BLUR.
 */
#include "cuda.h"

static gboolean prepare_adain(YonosKernel *kernel, GError **error) {
    (void)error;
    kernel->workspace = yonos_cuda_adain_workspace(kernel->node->out->shape);
    return TRUE;
}

static gboolean run_adain(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    const YonosNode *node = kernel->node;
    YonosCudaTensor out = cuda_tensor(run, node->out);
    YonosCudaTensor x = cuda_tensor(run, node->in[0]), y = cuda_tensor(run, node->in[1]);
    return cuda_launch(cuda_of(kernel), error, yonos_cuda_adain, &out, &x, &y, run->workspace,
                       cuda_of(kernel)->stream);
}

static gboolean run_blur(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    YonosCudaTensor out = cuda_tensor(run, kernel->node->out), x = cuda_tensor(run, kernel->node->in[0]);
    return cuda_launch(cuda_of(kernel), error, yonos_cuda_blur, &out, &x, kernel->node->attr.blur.dilation,
                       cuda_of(kernel)->stream);
}

const YonosOp cuda_adain = {prepare_adain, run_adain, NULL};
const YonosOp cuda_blur = {NULL, run_blur, NULL};
