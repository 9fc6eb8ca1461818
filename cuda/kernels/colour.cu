/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ADAIN gives every channel of x the mean and deviation of y's; BLUR is one level of the a-trous wavelet. All f32.
 */
#include "moments.h"

/* ---- ADAIN --------------------------------------------------------------------------------------- */

/* out = (x - from) scale + to, per image and channel. */
struct alignas(16) Transfer {
    float from, scale, to;
};

__device__ static float deviation(const Moments &m) { return sqrtf(m.squares / m.count + 1e-5f); }

__global__ void adain_transfer(const Moments *x_partials, Cut x_cut, const Moments *y_partials, Cut y_cut,
                               Transfer *transfers) {
    YONOS_SHARED(Moments, shared); /* MERGE_THREADS / WARP, twice */
    size_t channel = static_cast<size_t>(blockIdx.y) * x_cut.channels + blockIdx.x;
    Moments x = merge_partials(x_partials + channel * x_cut.chunks, x_cut.chunks, shared);
    Moments y = merge_partials(y_partials + channel * y_cut.chunks, y_cut.chunks, shared + MERGE_THREADS / WARP);
    float scale = deviation(y) / deviation(x);
    if (threadIdx.x == 0)
        transfers[channel] = {x.mean, scale, y.mean + (y.low - x.low * scale)};
}

__global__ void adain_apply(YonosCudaTensor out, const float *x, const Transfer *transfers) {
    int i = blockIdx.x * ROW_THREADS + threadIdx.x;
    if (i >= out.shape.w * out.shape.c)
        return;
    size_t at = (static_cast<size_t>(blockIdx.z) * out.shape.h + blockIdx.y) * out.shape.w * out.shape.c + i;
    Transfer t = transfers[blockIdx.z * out.shape.c + i % out.shape.c];
    static_cast<float *>(out.data)[at] = (x[at] - t.from) * t.scale + t.to;
}

static int launch_moments(const YonosCudaTensor *x, const Cut &cut, Moments *partials, YonosCudaStream stream) {
    Joined<float> in = {static_cast<const float *>(x->data), NULL, x->shape.c, 0};
    return YONOS_LAUNCH((part_moments<float, 1, 1>), cut_grid(cut, x->shape.n), CUT_THREADS,
                        CUT_THREADS * sizeof(Moments), stream, in, cut, partials);
}

int yonos_cuda_adain(const YonosCudaTensor *out, const YonosCudaTensor *x, const YonosCudaTensor *y, void *workspace,
                     YonosCudaStream stream) {
    int images = out->shape.n;
    Cut x_cut = cut_image(x->shape, 1), y_cut = cut_image(y->shape, 1);
    Transfer *transfers = static_cast<Transfer *>(workspace);
    Moments *x_partials = reinterpret_cast<Moments *>(transfers + images * out->shape.c);
    Moments *y_partials = x_partials + cut_partials(x_cut, images);
    int status = launch_moments(x, x_cut, x_partials, stream);
    if (!status)
        status = launch_moments(y, y_cut, y_partials, stream);
    if (!status)
        status = YONOS_LAUNCH(adain_transfer, dim3(out->shape.c, images), MERGE_THREADS,
                              2 * MERGE_THREADS / WARP * sizeof(Moments), stream, x_partials, x_cut, y_partials, y_cut,
                              transfers);
    if (status)
        return status;
    return YONOS_LAUNCH(adain_apply, row_grid(out->shape, out->shape.w * out->shape.c), ROW_THREADS, 0, stream, *out,
                        static_cast<const float *>(x->data), transfers);
}

/* An upper bound, whatever the size of y. */
gsize yonos_cuda_adain_workspace(YonosShape shape) {
    return static_cast<size_t>(shape.n) * shape.c * (sizeof(Transfer) + 2 * CUT_BLOCKS * sizeof(Moments));
}

/* ---- BLUR ---------------------------------------------------------------------------------------- */

__global__ void blur(YonosCudaTensor out, const float *x, int dilation) {
    int channels = out.shape.c, i = blockIdx.x * ROW_THREADS + threadIdx.x;
    if (i >= out.shape.w * channels)
        return;
    int column = i / channels, channel = i - column * channels, line = blockIdx.y;
    size_t image = static_cast<size_t>(blockIdx.z) * out.shape.h, width = static_cast<size_t>(out.shape.w) * channels;
    float sum = 0.0f;
    for (int ky = -1; ky <= 1; ky++)
        for (int kx = -1; kx <= 1; kx++) {
            float weight = (ky ? 0.25f : 0.5f) * (kx ? 0.25f : 0.5f);
            int sy = clamp_int(line + ky * dilation, 0, out.shape.h - 1);
            int sx = clamp_int(column + kx * dilation, 0, out.shape.w - 1);
            sum += weight * x[(image + sy) * width + sx * channels + channel];
        }
    static_cast<float *>(out.data)[(image + line) * width + i] = sum;
}

int yonos_cuda_blur(const YonosCudaTensor *out, const YonosCudaTensor *x, int dilation, YonosCudaStream stream) {
    return YONOS_LAUNCH(blur, row_grid(out->shape, out->shape.w * out->shape.c), ROW_THREADS, 0, stream, *out,
                        static_cast<const float *>(x->data), dilation);
}
