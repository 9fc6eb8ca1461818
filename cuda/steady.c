/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * MOTION, WARP, STILLNESS and KEEP.
 */
#include "cuda.h"

static gboolean prepare_motion(YonosKernel *kernel, GError **error) {
    (void)error;
    kernel->workspace = yonos_cuda_motion_workspace(kernel->node->in[0]->shape);
    return TRUE;
}

static gboolean run_motion(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    const YonosNode *node = kernel->node;
    const YonosCuda *cuda = cuda_of(kernel);
    YonosCudaTensor out = cuda_tensor(run, node->out);
    YonosCudaTensor x = cuda_tensor(run, node->in[0]), before = cuda_tensor(run, node->in[1]);
    return cuda_launch(cuda, error, yonos_cuda_motion, &out, &x, &before, run->workspace, cuda_current_frame(cuda),
                       cuda->stream);
}

static gboolean run_warp(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    const YonosNode *node = kernel->node;
    const YonosCuda *cuda = cuda_of(kernel);
    YonosCudaTensor out = cuda_tensor(run, node->out), x = cuda_tensor(run, node->in[0]);
    YonosCudaTensor motion = cuda_tensor(run, node->in[1]), weight;
    if (node->in[2])
        weight = cuda_tensor(run, node->in[2]);
    return cuda_launch(cuda, error, yonos_cuda_warp, &out, &x, &motion, node->attr.warp.scale,
                       node->in[2] ? &weight : NULL, cuda_current_frame(cuda), cuda->stream);
}

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
    YonosCudaTensor x = cuda_tensor(run, node->in[0]), before = cuda_tensor(run, node->in[1]);
    YonosCudaTensor weight = cuda_tensor(run, node->in[2]);
    return cuda_launch(cuda_of(kernel), error, yonos_cuda_keep, &state, &x, &before, &weight, cuda_of(kernel)->stream);
}

const YonosOp cuda_motion = {prepare_motion, run_motion, NULL};
const YonosOp cuda_warp = {NULL, run_warp, NULL};
const YonosOp cuda_stillness = {NULL, run_stillness, NULL};
const YonosOp cuda_keep = {NULL, run_keep, NULL};
