/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * WINDOW cuts, pads by replication and crops; BLEND adds tiles into the frame. One thread per element of a row.
 */
#include "device.h"

__global__ void window(YonosCudaTensor out, YonosCudaTensor in, int y0, int x0, int follow_tile,
                       const YonosCudaTile *tiles) {
    int i = blockIdx.x * ROW_THREADS + threadIdx.x, channels = out.shape.c;
    if (i >= out.shape.w * channels)
        return;
    int n = blockIdx.z, y = blockIdx.y, x = i / channels, channel = i - x * channels;
    if (follow_tile > 0) {
        y0 += tiles[n].y0 / follow_tile;
        x0 += tiles[n].x0 / follow_tile;
    }
    size_t from_row = (in.shape.n == 1 ? 0 : static_cast<size_t>(n) * in.shape.h) + clamp_int(y + y0, 0, in.shape.h - 1);
    size_t from = (from_row * in.shape.w + clamp_int(x + x0, 0, in.shape.w - 1)) * channels + channel;
    size_t to = (static_cast<size_t>(n) * out.shape.h + y) * out.shape.w * channels + i;
    store_one(out, to, load_one(in, from));
}

int yonos_cuda_window(const YonosCudaTensor *out, const YonosCudaTensor *in, int y0, int x0, int follow_tile,
                      const YonosCudaTile *tiles, YonosCudaStream stream) {
    return YONOS_LAUNCH(window, row_grid(out->shape, out->shape.w * out->shape.c), ROW_THREADS, 0, stream, *out, *in,
                        y0, x0, follow_tile, tiles);
}

/* Each element of the frame gathers the tiles of the batch that cover it, in their order. */
__global__ void blend(YonosCudaTensor frame, YonosCudaTensor tile, const float *ramp_y, const float *ramp_x,
                      const YonosCudaTile *tiles) {
    int i = blockIdx.x * ROW_THREADS + threadIdx.x, channels = frame.shape.c;
    if (i >= frame.shape.w * channels)
        return;
    int image = blockIdx.z, x = i / channels, channel = i - x * channels;
    int first = frame.shape.n == 1 ? 0 : image, end = frame.shape.n == 1 ? tile.shape.n : image + 1;
    float *to = static_cast<float *>(frame.data) +
                (static_cast<size_t>(image) * frame.shape.h + blockIdx.y) * frame.shape.w * channels + i;
    for (int n = first; n < end; n++) {
        int ty = static_cast<int>(blockIdx.y) - tiles[n].y0, tx = x - tiles[n].x0;
        if (ty < 0 || ty >= tile.shape.h || tx < 0 || tx >= tile.shape.w)
            continue;
        float weight = ramp_y[static_cast<size_t>(tiles[n].row) * tile.shape.h + ty] *
                       ramp_x[static_cast<size_t>(tiles[n].column) * tile.shape.w + tx];
        size_t from = ((static_cast<size_t>(n) * tile.shape.h + ty) * tile.shape.w + tx) * channels + channel;
        *to += weight * static_cast<const float *>(tile.data)[from];
    }
}

int yonos_cuda_blend(const YonosCudaTensor *accumulator, const YonosCudaTensor *tile, const float *ramp_y,
                     const float *ramp_x, const YonosCudaTile *tiles, YonosCudaStream stream) {
    return YONOS_LAUNCH(blend, row_grid(accumulator->shape, accumulator->shape.w * accumulator->shape.c), ROW_THREADS,
                        0, stream, *accumulator, *tile, ramp_y, ramp_x, tiles);
}
