/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * NOISE: the field of backend/philox.h, four channels a thread. Compiled without contraction of multiply and add,
 * so that it has the CPU's bits.
 */
#include "device.h"

#include "backend/philox.h"

__global__ void noise(YonosCudaTensor out, const YonosCudaPerFrame *frame, int factor, const YonosCudaTile *tiles) {
    int groups = (out.shape.c + 3) / 4, i = blockIdx.x * ROW_THREADS + threadIdx.x;
    if (i >= out.shape.w * groups)
        return;
    int x = i / groups, group = i % groups, y = blockIdx.y, n = blockIdx.z;
    float normal[4];
    yonos_noise_normals(frame->seed, frame->frame, tiles[n].y0 / factor + y, tiles[n].x0 / factor + x, group, normal);
    size_t at = ((static_cast<size_t>(n) * out.shape.h + y) * out.shape.w + x) * out.shape.c + 4 * group;
    for (int c = 0; c < 4 && 4 * group + c < out.shape.c; c++)
        static_cast<float *>(out.data)[at + c] = normal[c];
}

int yonos_cuda_noise(const YonosCudaTensor *out, const YonosCudaPerFrame *frame, int factor,
                     const YonosCudaTile *tiles, YonosCudaStream stream) {
    int per_row = out->shape.w * ((out->shape.c + 3) / 4);
    return YONOS_LAUNCH(noise, row_grid(out->shape, per_row), ROW_THREADS, 0, stream, *out, frame, factor, tiles);
}
