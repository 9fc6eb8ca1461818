/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * NOISE: the field of philox.h, with seed, frame number and tiles from device memory.
 */
#include "cuda.h"

static gboolean run_noise(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    const YonosCuda *cuda = cuda_of(kernel);
    YonosCudaTensor out = cuda_tensor(run, kernel->node->out);
    return cuda_launch(cuda, error, yonos_cuda_noise, &out, cuda_current_frame(cuda), kernel->node->attr.noise.factor,
                       cuda_current_tiles(cuda), cuda->stream);
}

const YonosOp cuda_noise = {NULL, run_noise, NULL};
