/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * WINDOW and BLEND. Where the current tiles lie, the kernels read from device memory; the ramps are uploaded once.
 */
#include "cuda.h"

static gboolean run_window(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    const YonosNode *node = kernel->node;
    YonosCudaTensor out = cuda_tensor(run, node->out), in = cuda_tensor(run, node->in[0]);
    return cuda_launch(cuda_of(kernel), error, yonos_cuda_window, &out, &in, node->attr.window.y0,
                       node->attr.window.x0, node->attr.window.follow_tile, cuda_current_tiles(cuda_of(kernel)),
                       cuda_of(kernel)->stream);
}

/* (count, length) floats in device memory. */
static float *upload_ramps(YonosCuda *cuda, float *const *ramps, int count, int length, GError **error) {
    g_autofree float *host = g_new(float, (gsize)count * (gsize)length);
    for (int i = 0; i < count; i++)
        memcpy(host + (gsize)i * (gsize)length, ramps[i], (gsize)length * sizeof *host);
    return cuda_upload_new(cuda, host, (gsize)count * (gsize)length * sizeof *host, error);
}

typedef struct {
    float *ramp_y, *ramp_x; /* (rows, tile_h), (columns, tile_w) */
} Blend;

static gboolean prepare_blend(YonosKernel *kernel, GError **error) {
    const YonosTileGrid *grid = kernel->node->attr.blend.grid;
    Blend *blend = g_new0(Blend, 1);
    kernel->data = blend;
    blend->ramp_y = upload_ramps(cuda_of(kernel), grid->ramp_y, grid->rows, grid->tile_h, error);
    if (blend->ramp_y)
        blend->ramp_x = upload_ramps(cuda_of(kernel), grid->ramp_x, grid->columns, grid->tile_w, error);
    return blend->ramp_x != NULL;
}

static void release_blend(YonosKernel *kernel) {
    Blend *blend = kernel->data;
    if (!blend)
        return;
    cuda_free(cuda_of(kernel), blend->ramp_y);
    cuda_free(cuda_of(kernel), blend->ramp_x);
    g_free(blend);
}

static gboolean run_blend(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    const Blend *blend = kernel->data;
    YonosCudaTensor accumulator = cuda_tensor(run, kernel->node->out), tile = cuda_tensor(run, kernel->node->in[0]);
    return cuda_launch(cuda_of(kernel), error, yonos_cuda_blend, &accumulator, &tile, blend->ramp_y, blend->ramp_x,
                       cuda_current_tiles(cuda_of(kernel)), cuda_of(kernel)->stream);
}

const YonosOp cuda_window = {NULL, run_window, NULL};
const YonosOp cuda_blend = {prepare_blend, run_blend, release_blend};
