/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * MOTION: brightness and its smaller pictures, a thread for each pixel; then, level by level, a warp for each block,
 * whose lanes share the window's pixels. WARP: a thread for each pixel.
 */
#include "device.h"

#define YONOS_MOTION_INLINE __host__ __device__ static inline
#include "backend/motion.h"

/* ---- MOTION ------------------------------------------------------------------------------------------ */

typedef YonosMotionLevel Level;

__global__ void brightness(Level to, const float *x, const float *before, int channels,
                           const YonosCudaPerFrame *frame) {
    int i = blockIdx.x * ROW_THREADS + threadIdx.x;
    if (i >= to.w || frame->steadiness == 0.0f)
        return;
    size_t at = (static_cast<size_t>(blockIdx.z) * to.h + blockIdx.y) * to.w + i;
    int is = 0, was = 0;
    for (int c = 0; c < channels; c++) {
        is += yonos_motion_brightness(x[at * channels + c]);
        was += yonos_motion_brightness(before[at * channels + c]);
    }
    to.x[at] = static_cast<int16_t>(is);
    to.before[at] = static_cast<int16_t>(was);
}

__global__ void halve_brightness(Level to, Level from, const YonosCudaPerFrame *frame) {
    int i = blockIdx.x * ROW_THREADS + threadIdx.x, y = 2 * static_cast<int>(blockIdx.y);
    if (i >= to.w || frame->steadiness == 0.0f)
        return;
    size_t image = static_cast<size_t>(blockIdx.z) * from.h * from.w;
    size_t upper = image + static_cast<size_t>(y) * from.w;
    size_t lower = image + static_cast<size_t>(min(y + 1, from.h - 1)) * from.w;
    int left = 2 * i, right = min(left + 1, from.w - 1);
    size_t at = (static_cast<size_t>(blockIdx.z) * to.h + blockIdx.y) * to.w + i;
    const int16_t *x = from.x, *before = from.before;
    to.x[at] = static_cast<int16_t>((x[upper + left] + x[upper + right] + x[lower + left] + x[lower + right] + 2) >> 2);
    to.before[at] = static_cast<int16_t>(
        (before[upper + left] + before[upper + right] + before[lower + left] + before[lower + right] + 2) >> 2);
}

enum { SEARCH_WARPS = 4, WINDOW = YONOS_MOTION_WINDOW, PIXELS = WINDOW * WINDOW };

/* A picture of brightness, whose edges go on. */
struct Bright {
    const int16_t *data;
    int h, w;
    __device__ int at(int y, int x) const {
        return data[static_cast<size_t>(clamp_int(y, 0, h - 1)) * w + clamp_int(x, 0, w - 1)];
    }
};

/* What `before` shows at (y, x) + v. */
__device__ static int sample(const Bright &before, int y, int x, const int (&v)[2]) {
    int top = y + (v[1] >> 4) - 1, left = x + (v[0] >> 4) - 1, sum = 2048;
    int a[4], b[4];
    for (int i = 0; i < 4; i++) {
        a[i] = yonos_motion_tap(v[0] & 15, i);
        b[i] = yonos_motion_tap(v[1] & 15, i);
    }
    for (int j = 0; j < 4; j++)
        for (int i = 0; i < 4; i++)
            sum += a[i] * b[j] * before.at(top + j, left + i);
    return sum >> 12;
}

__device__ static int add_lanes(int v) {
    for (int lanes = WARP / 2; lanes > 0; lanes /= 2)
        v += __shfl_xor_sync(ALL_LANES, v, lanes);
    return v;
}

/* v moves by a step; the same in all lanes. */
__device__ static void step(const Bright &x, const Bright &before, int top, int left, int (&v)[2]) {
    YonosMotionSums sums = {};
    for (int i = threadIdx.x % WARP; i < PIXELS; i += WARP) {
        int py = top + i / WINDOW, px = left + i % WINDOW;
        int gx = x.at(py, px + 1) - x.at(py, px - 1), gy = x.at(py + 1, px) - x.at(py - 1, px);
        int d = sample(before, py, px, v) - x.at(py, px);
        yonos_motion_add(&sums, gx, gy, d);
    }
    sums = {add_lanes(sums.x),  add_lanes(sums.y),  add_lanes(sums.d),  add_lanes(sums.xx),
            add_lanes(sums.xy), add_lanes(sums.yy), add_lanes(sums.dx), add_lanes(sums.dy)};
    yonos_motion_step(sums, v);
}

__device__ static int difference(const Bright &x, const Bright &before, int top, int left, const int (&v)[2]) {
    int sum = 0;
    for (int i = threadIdx.x % WARP; i < PIXELS; i += WARP) {
        int py = top + i / WINDOW, px = left + i % WINDOW;
        sum += abs(sample(before, py, px, v) - x.at(py, px));
    }
    return add_lanes(sum);
}

/* Blocks (block of the picture by SEARCH_WARPS, image). `out` is NULL but for the finest level; a coarser level of no
 * rows stands for none. */
__global__ void motion_search(Level level, Level coarser, float *out, const YonosCudaPerFrame *frame) {
    int block = blockIdx.x * SEARCH_WARPS + threadIdx.x / WARP, count = level.rows * level.columns;
    if (block >= count)
        return;
    size_t image = blockIdx.y, place = image * count + block;
    int row = block / level.columns, column = block % level.columns, v[2] = {0, 0};
    int top = row * YONOS_MOTION_BLOCK - YONOS_MOTION_MARGIN;
    int left = column * YONOS_MOTION_BLOCK - YONOS_MOTION_MARGIN;
    if (frame->steadiness > 0.0f) {
        size_t pixels = static_cast<size_t>(level.h) * level.w;
        Bright x = {level.x + image * pixels, level.h, level.w};
        Bright before = {level.before + image * pixels, level.h, level.w};
        if (coarser.rows > 0) {
            const int *from = coarser.vector[(image * coarser.rows + min(row / 2, coarser.rows - 1)) * coarser.columns +
                                             min(column / 2, coarser.columns - 1)];
            v[0] = 2 * from[0];
            v[1] = 2 * from[1];
        }
        for (int i = 0; i < YONOS_MOTION_STEPS; i++)
            step(x, before, top, left, v);
        if (out)
            yonos_motion_gate(difference(x, before, top, left, {0, 0}), difference(x, before, top, left, v), v);
    }
    if (threadIdx.x % WARP < 2) {
        int axis = threadIdx.x % WARP;
        if (out)
            out[2 * place + axis] = static_cast<float>(v[axis]) / YONOS_MOTION_UNIT;
        else
            level.vector[place][axis] = v[axis];
    }
}

int yonos_cuda_motion(const YonosCudaTensor *out, const YonosCudaTensor *x, const YonosCudaTensor *before,
                      void *workspace, const YonosCudaPerFrame *frame, YonosCudaStream stream) {
    YonosShape s = x->shape;
    int count = yonos_motion_levels(s.h, s.w);
    Level levels[YONOS_MOTION_LEVELS + 1] = {}; /* behind the coarsest, one of no rows */
    yonos_motion_lay_out(s, workspace, count, levels);
    int status =
        YONOS_LAUNCH(brightness, row_grid(s, s.w), ROW_THREADS, 0, stream, levels[0],
                     static_cast<const float *>(x->data), static_cast<const float *>(before->data), s.c, frame);
    for (int i = 1; i < count && !status; i++) {
        YonosShape half = {s.n, levels[i].h, levels[i].w, 1};
        status = YONOS_LAUNCH(halve_brightness, row_grid(half, half.w), ROW_THREADS, 0, stream, levels[i],
                              levels[i - 1], frame);
    }
    for (int i = count - 1; i >= 0 && !status; i--) {
        dim3 grid(blocks_for(static_cast<size_t>(levels[i].rows) * levels[i].columns, SEARCH_WARPS), s.n);
        status =
            YONOS_LAUNCH(motion_search, grid, SEARCH_WARPS * WARP, 0, stream, levels[i],
                         levels[i + 1], i ? NULL : static_cast<float *>(out->data), frame);
    }
    return status;
}

gsize yonos_cuda_motion_workspace(YonosShape shape) {
    Level levels[YONOS_MOTION_LEVELS];
    return yonos_motion_lay_out(shape, NULL, yonos_motion_levels(shape.h, shape.w), levels);
}

/* ---- WARP --------------------------------------------------------------------------------------------- */

__global__ void warp_picture(YonosCudaTensor out, const float *x, YonosCudaTensor motion, int scale,
                             const float *weight, const YonosCudaPerFrame *frame) {
    YonosShape s = out.shape, blocks = motion.shape;
    int px = blockIdx.x * ROW_THREADS + threadIdx.x, py = blockIdx.y;
    if (px >= s.w)
        return;
    size_t image = static_cast<size_t>(blockIdx.z) * s.h * s.w, at = image + static_cast<size_t>(py) * s.w + px;
    float *to = static_cast<float *>(out.data) + at * s.c;
    if (frame->steadiness == 0.0f || (weight && weight[at] == 0.0f)) {
        for (int c = 0; c < s.c; c++)
            to[c] = 0.0f;
        return;
    }
    float down, right, v[2];
    int block = YONOS_MOTION_BLOCK * scale;
    int upper = yonos_motion_block_before(py, block, blocks.h, &down), lower = min(upper + 1, blocks.h - 1);
    int left = yonos_motion_block_before(px, block, blocks.w, &right), beside = min(left + 1, blocks.w - 1);
    const float *field =
        static_cast<const float *>(motion.data) + static_cast<size_t>(blockIdx.z) * blocks.h * blocks.w * 2;
    for (int axis = 0; axis < 2; axis++) {
        const float *above = field + static_cast<size_t>(upper) * blocks.w * 2 + axis;
        const float *below = field + static_cast<size_t>(lower) * blocks.w * 2 + axis;
        float a = above[2 * left] + right * (above[2 * beside] - above[2 * left]);
        float b = below[2 * left] + right * (below[2 * beside] - below[2 * left]);
        v[axis] = scale * (a + down * (b - a));
    }
    float across = floorf(v[0]), along = floorf(v[1]), a[4], b[4];
    yonos_motion_cubic(v[0] - across, a);
    yonos_motion_cubic(v[1] - along, b);
    for (int c = 0; c < s.c; c++) {
        float sum = 0.0f;
        for (int j = 0; j < 4; j++) {
            size_t line = clamp_int(py + static_cast<int>(along) + j - 1, 0, s.h - 1);
            const float *row = x + (image + line * s.w) * s.c + c;
            float of_row = 0.0f;
            for (int i = 0; i < 4; i++)
                of_row += a[i] * row[clamp_int(px + static_cast<int>(across) + i - 1, 0, s.w - 1) * s.c];
            sum += b[j] * of_row;
        }
        to[c] = sum;
    }
}

int yonos_cuda_warp(const YonosCudaTensor *out, const YonosCudaTensor *x, const YonosCudaTensor *motion, int scale,
                    const YonosCudaTensor *weight, const YonosCudaPerFrame *frame, YonosCudaStream stream) {
    return YONOS_LAUNCH(warp_picture, row_grid(out->shape, out->shape.w), ROW_THREADS, 0, stream, *out,
                        static_cast<const float *>(x->data), *motion, scale,
                        weight ? static_cast<const float *>(weight->data) : NULL, frame);
}
