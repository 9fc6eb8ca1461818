/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * STILLNESS and KEEP.
 */
#include "cuda.h"

static gboolean run_stillness(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    const YonosNode *node = kernel->node;
    const YonosCuda *cuda = cuda_of(kernel);
    YonosCudaTensor out = cuda_tensor(run, node->out);
    YonosCudaTensor x = cuda_tensor(run, node->in[0]), before = cuda_tensor(run, node->in[1]);
    return cuda_launch(cuda, error, yonos_cuda_stillness, &out, &x, &before, node->attr.stillness.limit,
                       cuda_current_frame(cuda), cuda->stream);
}

static gboolean run_keep(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    const YonosNode *node = kernel->node;
    YonosCudaTensor state = cuda_tensor(run, node->out);
    YonosCudaTensor x = cuda_tensor(run, node->in[0]), weight = cuda_tensor(run, node->in[2]);
    return cuda_launch(cuda_of(kernel), error, yonos_cuda_keep, &state, &x, &weight, cuda_of(kernel)->stream);
}

const YonosOp cuda_stillness = {NULL, run_stillness, NULL};
const YonosOp cuda_keep = {NULL, run_keep, NULL};
