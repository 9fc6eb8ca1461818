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

__global__ void adain_transfer(Joined<float> x_in, const Partial *x_partials, Cut x_cut, Joined<float> y_in,
                               const Partial *y_partials, Cut y_cut, Transfer *transfers) {
    YONOS_SHARED(Moments, shared); /* MERGE_THREADS / WARP, twice */
    Moments x = merge_partials(x_partials, x_cut, blockIdx.y, blockIdx.x, 1, shared);
    Moments y = merge_partials(y_partials, y_cut, blockIdx.y, blockIdx.x, 1, shared + MERGE_THREADS / WARP);
    if (threadIdx.x == 0) {
        float x_origin = group_origin(x_in, static_cast<size_t>(blockIdx.y) * x_cut.pixels, blockIdx.x, 1);
        float y_origin = group_origin(y_in, static_cast<size_t>(blockIdx.y) * y_cut.pixels, blockIdx.x, 1);
        transfers[blockIdx.y * x_cut.channels + blockIdx.x] = {x_origin + x.mean, deviation(y) / deviation(x),
                                                               y_origin + y.mean};
    }
}

__global__ void adain_apply(YonosCudaTensor out, const float *x, const Transfer *transfers) {
    int i = blockIdx.x * ROW_THREADS + threadIdx.x;
    if (i >= out.shape.w * out.shape.c)
        return;
    size_t at = (static_cast<size_t>(blockIdx.z) * out.shape.h + blockIdx.y) * out.shape.w * out.shape.c + i;
    Transfer t = transfers[blockIdx.z * out.shape.c + i % out.shape.c];
    static_cast<float *>(out.data)[at] = (x[at] - t.from) * t.scale + t.to;
}

static int launch_moments(const Joined<float> &in, int images, const Cut &cut, Partial *partials,
                          YonosCudaStream stream) {
    return YONOS_LAUNCH((channel_moments<float, 1>), cut_grid(cut, images), CUT_THREADS, CUT_THREADS * sizeof(Partial),
                        stream, in, cut, 1, partials);
}

int yonos_cuda_adain(const YonosCudaTensor *out, const YonosCudaTensor *x, const YonosCudaTensor *y, void *workspace,
                     YonosCudaStream stream) {
    int images = out->shape.n;
    Cut x_cut = cut_image(x->shape, 1), y_cut = cut_image(y->shape, 1);
    Joined<float> x_in = {static_cast<const float *>(x->data), NULL, x->shape.c, 0};
    Joined<float> y_in = {static_cast<const float *>(y->data), NULL, y->shape.c, 0};
    Transfer *transfers = static_cast<Transfer *>(workspace);
    Partial *x_partials = reinterpret_cast<Partial *>(transfers + images * out->shape.c);
    Partial *y_partials = x_partials + cut_partials(x_cut, images);
    int status = launch_moments(x_in, images, x_cut, x_partials, stream);
    if (!status)
        status = launch_moments(y_in, images, y_cut, y_partials, stream);
    if (!status)
        status = YONOS_LAUNCH(adain_transfer, dim3(out->shape.c, images), MERGE_THREADS,
                              2 * MERGE_THREADS / WARP * sizeof(Moments), stream, x_in, x_partials, x_cut, y_in,
                              y_partials, y_cut, transfers);
    if (status)
        return status;
    return YONOS_LAUNCH(adain_apply, row_grid(out->shape, out->shape.w * out->shape.c), ROW_THREADS, 0, stream, *out,
                        x_in.x, transfers);
}

/* An upper bound, whatever the size of y. */
gsize yonos_cuda_adain_workspace(YonosShape shape) {
    return static_cast<size_t>(shape.n) * shape.c * (sizeof(Transfer) + 2 * CUT_BLOCKS * sizeof(Partial));
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
