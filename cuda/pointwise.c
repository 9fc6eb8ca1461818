/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * AFFINE, GEGLU, CONCAT, FILL: element by element.
 */
#include "cuda.h"

static gboolean run_affine(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    const YonosNode *node = kernel->node;
    YonosCudaTensor out = cuda_tensor(run, node->out), x = cuda_tensor(run, node->in[0]), y;
    if (node->in[1])
        y = cuda_tensor(run, node->in[1]);
    return cuda_launch(cuda_of(kernel), error, yonos_cuda_affine, &out, &x, node->in[1] ? &y : NULL,
                       node->attr.affine.a, node->attr.affine.b, node->attr.affine.c, node->attr.affine.activation,
                       cuda_of(kernel)->stream);
}

static gboolean run_geglu(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    YonosCudaTensor out = cuda_tensor(run, kernel->node->out), x = cuda_tensor(run, kernel->node->in[0]);
    return cuda_launch(cuda_of(kernel), error, yonos_cuda_geglu, &out, &x, cuda_of(kernel)->stream);
}

static gboolean run_concat(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    const YonosNode *node = kernel->node;
    YonosCudaTensor out = cuda_tensor(run, node->out);
    YonosCudaTensor x = cuda_tensor(run, node->in[0]), y = cuda_tensor(run, node->in[1]);
    return cuda_launch(cuda_of(kernel), error, yonos_cuda_concat, &out, &x, &y, cuda_of(kernel)->stream);
}

static gboolean run_fill(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    YonosCudaTensor out = cuda_tensor(run, kernel->node->out);
    return cuda_launch(cuda_of(kernel), error, yonos_cuda_fill, &out, kernel->node->attr.fill.value,
                       cuda_of(kernel)->stream);
}

const YonosOp cuda_affine = {NULL, run_affine, NULL};
const YonosOp cuda_geglu = {NULL, run_geglu, NULL};
const YonosOp cuda_concat = {NULL, run_concat, NULL};
const YonosOp cuda_fill = {NULL, run_fill, NULL};
