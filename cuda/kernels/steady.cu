/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * STILLNESS: a block makes a tile of the picture, with the mean differences that it looks at in shared memory. KEEP: one
 * thread per element of a row.
 */
#include "device.h"

enum {
    TILE_W = 32,
    TILE_H = 8,
    MEAN_W = TILE_W + 2, /* the means that the tile's pixels look at */
    MEAN_H = TILE_H + 2,
};

/* In the order in which ref adds; one difference counts 4 at most. */
__device__ static float add_change(float sum, const float *x, const float *before, int channels) {
    for (int c = 0; c < channels; c++) {
        float difference = fabsf(x[c] - before[c]);
        sum += difference < 4.0f ? difference : 4.0f;
    }
    return sum;
}

__global__ void stillness(YonosCudaTensor out, YonosCudaTensor x, YonosCudaTensor before, float limit,
                          const YonosCudaPerFrame *frame) {
    YONOS_SHARED(float, means); /* MEAN_H x MEAN_W */
    YonosShape s = out.shape;
    int channels = x.shape.c, left = static_cast<int>(blockIdx.x) * TILE_W, top = static_cast<int>(blockIdx.y) * TILE_H;
    size_t image = static_cast<size_t>(blockIdx.z) * s.h * s.w;
    float steadiness = frame->steadiness;
    const float *is = static_cast<const float *>(x.data), *was = static_cast<const float *>(before.data);
    for (int i = threadIdx.x; steadiness > 0.0f && i < MEAN_H * MEAN_W; i += TILE_H * TILE_W) {
        int cy = top + i / MEAN_W - 1, cx = left + i % MEAN_W - 1;
        float sum = 0.0f;
        for (int k = 0; k < 9 && cy >= 0 && cy < s.h && cx >= 0 && cx < s.w; k++) {
            size_t at = image + static_cast<size_t>(clamp_int(cy + k / 3 - 1, 0, s.h - 1)) * s.w +
                        clamp_int(cx + k % 3 - 1, 0, s.w - 1);
            sum = add_change(sum, is + at * channels, was + at * channels, channels);
        }
        means[i] = sum / static_cast<float>(9 * channels); /* 0 outside of the picture, where nobody looks */
    }
    __syncthreads();
    int ty = threadIdx.x / TILE_W, tx = threadIdx.x % TILE_W, py = top + ty, px = left + tx;
    if (py >= s.h || px >= s.w)
        return;
    float most = 0.0f;
    for (int k = 0; steadiness > 0.0f && k < 9; k++)
        most = fmaxf(most, means[(ty + k / 3) * MEAN_W + tx + k % 3]);
    float share = fminf(fmaxf(2.0f - most / limit, 0.0f), 1.0f);
    static_cast<float *>(out.data)[image + static_cast<size_t>(py) * s.w + px] = steadiness * share;
}

int yonos_cuda_stillness(const YonosCudaTensor *out, const YonosCudaTensor *x, const YonosCudaTensor *before, float limit,
                         const YonosCudaPerFrame *frame, YonosCudaStream stream) {
    dim3 grid(blocks_for(out->shape.w, TILE_W), blocks_for(out->shape.h, TILE_H), out->shape.n);
    return YONOS_LAUNCH(stillness, grid, TILE_H * TILE_W, MEAN_H * MEAN_W * sizeof(float), stream, *out, *x, *before,
                        limit, frame);
}

__global__ void keep(YonosCudaTensor state, const float *x, const float *before, const float *weight) {
    int i = blockIdx.x * ROW_THREADS + threadIdx.x, channels = state.shape.c;
    if (i >= state.shape.w * channels)
        return;
    size_t line = static_cast<size_t>(blockIdx.z) * state.shape.h + blockIdx.y;
    size_t at = line * state.shape.w * channels + i;
    float value = x[at], share = weight[line * state.shape.w + i / channels];
    if (share != 0.0f) {
        float further = before[at] - value;
        value = fabsf(further) < 1000.0f ? value + share * further : value;
    }
    static_cast<float *>(state.data)[at] = value;
}

int yonos_cuda_keep(const YonosCudaTensor *state, const YonosCudaTensor *x, const YonosCudaTensor *before,
                    const YonosCudaTensor *weight, YonosCudaStream stream) {
    return YONOS_LAUNCH(keep, row_grid(state->shape, state->shape.w * state->shape.c), ROW_THREADS, 0, stream, *state,
                        static_cast<const float *>(x->data), static_cast<const float *>(before->data),
                        static_cast<const float *>(weight->data));
}
