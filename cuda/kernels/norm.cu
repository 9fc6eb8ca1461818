/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GROUP_NORM with its activation over one tensor or two joined along channels, and LAYER_NORM.
 *
 * Group norm in three launches: moments of channels (moments.h), moments of groups merged from them and turned into
 * a mean and a scale per channel, and the pass that applies them. It reads its input twice and writes once. Layer
 * norm has a warp per pixel, which finds the pixel in the first-level cache for the second and third time.
 */
#include "moments.h"

/* ---- GROUP_NORM ---------------------------------------------------------------------------------- */

/* Per image and channel, written by group_moments. */
struct alignas(8) Scale {
    float mean, scale;
};

__global__ void group_moments(const Partial *partials, Cut cut, int group_size, float eps, const float *gamma,
                              Scale *scales) {
    YONOS_SHARED(Moments, shared); /* MERGE_THREADS / WARP, and the group's */
    Moments *group = shared + MERGE_THREADS / WARP;
    int first = blockIdx.x * group_size;
    Moments m = merge_partials(partials, cut, blockIdx.y, first, group_size, shared);
    if (threadIdx.x == 0)
        *group = m;
    __syncthreads();
    float inverse = 1.0f / sqrtf(group->squares / group->count + eps);
    for (int c = first + threadIdx.x; c < first + group_size; c += MERGE_THREADS)
        scales[static_cast<size_t>(blockIdx.y) * cut.channels + c] = {group->mean, gamma ? gamma[c] * inverse : inverse};
}

template <typename T, int N>
__global__ void group_norm_apply(T *out, Joined<T> in, Cut cut, const Scale *scales, const float *beta,
                                 YonosActivation activation) {
    Place place = place_of(cut);
    if (place.idle)
        return;
    int channel = place.vector * N, end = blockIdx.x * cut.chunk + chunk_pixels(cut, blockIdx.x);
    size_t image = blockIdx.z;
    float mean[N], scale[N], shift[N], v[N];
    YONOS_UNROLL
    for (int i = 0; i < N; i++) {
        Scale s = scales[image * cut.channels + channel + i];
        mean[i] = s.mean;
        scale[i] = s.scale;
        shift[i] = beta ? beta[channel + i] : 0.0f;
    }
    YONOS_UNROLL_4
    for (int p = blockIdx.x * cut.chunk + place.row; p < end; p += cut.rows) {
        size_t pixel = image * cut.pixels + p;
        load<N>(in.at(pixel, channel), v);
        YONOS_UNROLL
        for (int i = 0; i < N; i++)
            v[i] = activate((v[i] - mean[i]) * scale[i] + shift[i], activation);
        store<N>(out + pixel * cut.channels + channel, v);
    }
}

template <typename T, int N>
static int group_norm_by(const YonosCudaTensor *out, const YonosCudaTensor *x, const YonosCudaTensor *y,
                         const float *gamma, const float *beta, int groups, float eps, YonosActivation activation,
                         void *workspace, YonosCudaStream stream) {
    Joined<T> in = {static_cast<const T *>(x->data), y ? static_cast<const T *>(y->data) : NULL, x->shape.c,
                    y ? y->shape.c : 0};
    int images = out->shape.n;
    Cut cut = cut_image(out->shape, N);
    Partial *partials = static_cast<Partial *>(workspace);
    Scale *scales = reinterpret_cast<Scale *>(partials + cut_partials(cut, images));
    int status = YONOS_LAUNCH((channel_moments<T, N>), cut_grid(cut, images), CUT_THREADS,
                              CUT_THREADS * N * sizeof(Partial), stream, in, cut, partials);
    if (status)
        return status;
    status = YONOS_LAUNCH(group_moments, dim3(groups, images), MERGE_THREADS,
                          (MERGE_THREADS / WARP + 1) * sizeof(Moments), stream, partials, cut, out->shape.c / groups,
                          eps, gamma, scales);
    if (status)
        return status;
    return YONOS_LAUNCH((group_norm_apply<T, N>), cut_grid(cut, images), CUT_THREADS, 0, stream,
                        static_cast<T *>(out->data), in, cut, scales, beta, activation);
}

int yonos_cuda_group_norm(const YonosCudaTensor *out, const YonosCudaTensor *x, const YonosCudaTensor *y,
                          const float *gamma, const float *beta, int groups, float eps, YonosActivation activation,
                          void *workspace, YonosCudaStream stream) {
    return dispatch(out->dtype, [&](auto element) {
        typedef decltype(element) T;
        enum { N = Width<T>::value };
        bool wide = x->shape.c % N == 0 && (!y || y->shape.c % N == 0) && is_aligned(out) && is_aligned(x) &&
                    is_aligned(y);
        return wide ? group_norm_by<T, N>(out, x, y, gamma, beta, groups, eps, activation, workspace, stream)
                    : group_norm_by<T, 1>(out, x, y, gamma, beta, groups, eps, activation, workspace, stream);
    });
}

gsize yonos_cuda_group_norm_workspace(YonosShape shape) {
    size_t bytes = 0;
    for (int per_access = 1; per_access <= 8; per_access *= 2)
        if (shape.c % per_access == 0)
            bytes = MAX(bytes, cut_partials(cut_image(shape, per_access), shape.n) * sizeof(Partial));
    return bytes + static_cast<size_t>(shape.n) * shape.c * sizeof(Scale);
}

/* ---- LAYER_NORM ---------------------------------------------------------------------------------- */

enum { LAYER_WARPS = 8 };

__device__ static float sum_of_lanes(float v) {
    for (int lanes = WARP / 2; lanes > 0; lanes /= 2)
        v += __shfl_xor_sync(ALL_LANES, v, lanes);
    return v;
}

/* The warp's pixel; each lane takes every 32nd access. */
template <typename T, int N>
__global__ void layer_norm(T *out, const T *x, const float *gamma, const float *beta, float eps, int channels,
                           size_t pixels) {
    size_t pixel = static_cast<size_t>(blockIdx.x) * LAYER_WARPS + threadIdx.x / WARP;
    if (pixel >= pixels)
        return;
    const T *from = x + pixel * channels;
    T *to = out + pixel * channels;
    int first = threadIdx.x % WARP * N;
    float v[N], sum = 0.0f, squares = 0.0f;
    for (int c = first; c < channels; c += WARP * N) {
        load<N>(from + c, v);
        YONOS_UNROLL
        for (int i = 0; i < N; i++)
            sum += v[i];
    }
    float mean = sum_of_lanes(sum) / channels;
    for (int c = first; c < channels; c += WARP * N) {
        load<N>(from + c, v);
        YONOS_UNROLL
        for (int i = 0; i < N; i++)
            squares += (v[i] - mean) * (v[i] - mean);
    }
    float inverse = 1.0f / sqrtf(sum_of_lanes(squares) / channels + eps);
    for (int c = first; c < channels; c += WARP * N) {
        load<N>(from + c, v);
        YONOS_UNROLL
        for (int i = 0; i < N; i++)
            v[i] = (v[i] - mean) * inverse * (gamma ? gamma[c + i] : 1.0f) + (beta ? beta[c + i] : 0.0f);
        store<N>(to + c, v);
    }
}

template <typename T, int N>
static int layer_norm_by(const YonosCudaTensor *out, const YonosCudaTensor *x, const float *gamma, const float *beta,
                         float eps, YonosCudaStream stream) {
    size_t pixels = pixel_count(out);
    return YONOS_LAUNCH((layer_norm<T, N>), blocks_for(pixels, LAYER_WARPS), LAYER_WARPS * WARP, 0, stream,
                        static_cast<T *>(out->data), static_cast<const T *>(x->data), gamma, beta, eps, out->shape.c,
                        pixels);
}

int yonos_cuda_layer_norm(const YonosCudaTensor *out, const YonosCudaTensor *x, const float *gamma, const float *beta,
                          float eps, YonosCudaStream stream) {
    return dispatch(out->dtype, [&](auto element) {
        typedef decltype(element) T;
        enum { N = Width<T>::value };
        if (out->shape.c % N == 0 && is_aligned(out) && is_aligned(x))
            return layer_norm_by<T, N>(out, x, gamma, beta, eps, stream);
        return layer_norm_by<T, 1>(out, x, gamma, beta, eps, stream);
    });
}
