/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GROUP_NORM with its activation over one tensor or two joined along channels, and LAYER_NORM.
 *
 * Group norm of large images in three launches: moments of channels (moments.h), moments of groups merged from them and
 * turned into a mean and a scale per channel, and the pass that applies them. It reads its input twice and writes once.
 * Where a group fits the first-level cache, one launch with a block per group does it all: between small kernels the
 * time from one launch to the next costs more than the memory. Layer norm has a warp per pixel, which finds the pixel in
 * the first-level cache for the second and third time.
 */
#include "moments.h"

/* ---- GROUP_NORM of large images ------------------------------------------------------------------ */

struct Norm {
    int group_size;
    float eps;
    const float *gamma, *beta; /* may be NULL */
    YonosActivation activation;
};

/* Per image and channel, written by group_moments: out = (x - mean) scale + shift. */
struct alignas(16) Scale {
    float mean, scale, shift;
};

__device__ static Scale scale_of(const Norm &norm, const Moments &group, int channel) {
    float scale = (norm.gamma ? norm.gamma[channel] : 1.0f) / sqrtf(group.squares / group.count + norm.eps);
    return {group.mean, scale, (norm.beta ? norm.beta[channel] : 0.0f) - group.low * scale};
}

__global__ void group_moments(const Moments *partials, Cut cut, Norm norm, Scale *scales) {
    YONOS_SHARED(Moments, shared); /* MERGE_THREADS / WARP, and the group's */
    Moments *group = shared + MERGE_THREADS / WARP;
    int first = blockIdx.x * norm.group_size;
    Moments m = merge_partials(partials, cut, blockIdx.y, first, norm.group_size, shared);
    if (threadIdx.x == 0)
        *group = m;
    __syncthreads();
    for (int c = first + threadIdx.x; c < first + norm.group_size; c += MERGE_THREADS)
        scales[static_cast<size_t>(blockIdx.y) * cut.channels + c] = scale_of(norm, *group, c);
}

/* A thread's channels of every `step`th pixel from `begin` to `end`. Four pixels are under way at a time: out may be in,
 * so the compiler cannot move a load before a store by itself. */
template <typename T, int N>
__device__ static void apply(T *out, const Joined<T> &in, int channel, int channels, const Scale (&scales)[N],
                             YonosActivation activation, size_t begin, size_t end, int step) {
    enum { AHEAD = 4 };
    for (size_t p = begin; p < end; p += AHEAD * step) {
        Vector<T, N> x[AHEAD];
        YONOS_UNROLL
        for (int a = 0; a < AHEAD; a++)
            if (p + a * step < end)
                x[a] = load_vector<N>(in.at(p + a * step, channel));
        YONOS_UNROLL
        for (int a = 0; a < AHEAD; a++) {
            if (p + a * step >= end)
                break;
            float v[N];
            YONOS_UNROLL
            for (int i = 0; i < N; i++)
                v[i] = activate((to_float(x[a].v[i]) - scales[i].mean) * scales[i].scale + scales[i].shift, activation);
            store<N>(out + (p + a * step) * channels + channel, v);
        }
    }
}

template <typename T, int N>
__global__ void group_norm_apply(T *out, Joined<T> in, Cut cut, const Scale *scales, YonosActivation activation) {
    Place place = place_of(cut);
    if (place.idle)
        return;
    /* Backwards: what channel_moments read last is still in the second-level cache. */
    int channel = place.vector * N, chunk = gridDim.x - 1 - blockIdx.x;
    size_t image = blockIdx.z, first = image * cut.pixels + chunk * cut.chunk;
    Scale own[N];
    YONOS_UNROLL
    for (int i = 0; i < N; i++)
        own[i] = scales[image * cut.channels + channel + i];
    apply(out, in, channel, cut.channels, own, activation, first + place.row, first + chunk_pixels(cut, chunk), cut.rows);
}

template <typename T, int N>
static int group_norm_large(T *out, const Joined<T> &in, YonosShape shape, const Norm &norm, void *workspace,
                            YonosCudaStream stream) {
    Cut cut = cut_image(shape, N);
    Moments *partials = static_cast<Moments *>(workspace);
    Scale *scales = reinterpret_cast<Scale *>(partials + cut_partials(cut, shape.n));
    int status = YONOS_LAUNCH((channel_moments<T, N>), cut_grid(cut, shape.n), CUT_THREADS,
                              CUT_THREADS * N * sizeof(Moments), stream, in, cut, partials);
    if (!status)
        status = YONOS_LAUNCH(group_moments, dim3(shape.c / norm.group_size, shape.n), MERGE_THREADS,
                              (MERGE_THREADS / WARP + 1) * sizeof(Moments), stream, partials, cut, norm, scales);
    if (status)
        return status;
    return YONOS_LAUNCH((group_norm_apply<T, N>), cut_grid(cut, shape.n), CUT_THREADS, 0, stream, out, in, cut, scales,
                        norm.activation);
}

/* ---- GROUP_NORM in one launch -------------------------------------------------------------------- */

enum { GROUP_THREADS = 512, GROUP_BYTES = 96 * 1024 /* the most that a block takes on by itself */ };

/* Block (group, image); the group's accesses of a pixel are `lanes`, threads beyond lanes x rows idle. */
template <typename T, int N> __global__ void group_norm_whole(T *out, Joined<T> in, int pixels, int channels, Norm norm) {
    YONOS_SHARED(Moments, shared); /* GROUP_THREADS / WARP, and the group's */
    Moments *group = shared + GROUP_THREADS / WARP, m = {};
    int lanes = norm.group_size / N, rows = GROUP_THREADS / lanes, row = threadIdx.x / lanes;
    int channel = blockIdx.x * norm.group_size + threadIdx.x % lanes * N;
    size_t first = static_cast<size_t>(blockIdx.y) * pixels;
    if (row < rows && row < pixels) {
        float v[N], sum = 0.0f, squares = 0.0f, count = 0.0f;
        load<N>(in.at(first + row, channel), v);
        float pivot = v[0];
        YONOS_UNROLL_4
        for (int p = row; p < pixels; p += rows) {
            load<N>(in.at(first + p, channel), v);
            count += N;
            YONOS_UNROLL
            for (int i = 0; i < N; i++) {
                float d = v[i] - pivot;
                sum += d;
                squares += d * d;
            }
        }
        m = moments_around(pivot, count, sum, squares);
    }
    m = merge_block(m, GROUP_THREADS, shared);
    if (threadIdx.x == 0)
        *group = m;
    __syncthreads();
    if (row >= rows)
        return;
    Scale own[N];
    YONOS_UNROLL
    for (int i = 0; i < N; i++)
        own[i] = scale_of(norm, *group, channel + i);
    apply(out, in, channel, channels, own, norm.activation, first + row, first + pixels, rows);
}

template <typename T, int N>
static int group_norm_small(T *out, const Joined<T> &in, YonosShape shape, const Norm &norm, YonosCudaStream stream) {
    return YONOS_LAUNCH((group_norm_whole<T, N>), dim3(shape.c / norm.group_size, shape.n), GROUP_THREADS,
                        (GROUP_THREADS / WARP + 1) * sizeof(Moments), stream, out, in, shape.h * shape.w, shape.c, norm);
}

/* ---- GROUP_NORM ---------------------------------------------------------------------------------- */

/* The most elements, up to `most`, that divide all of a, b and c. */
static int common_width(int most, int a, int b, int c) {
    while (a % most || b % most || c % most)
        most /= 2;
    return most;
}

template <typename T>
static int group_norm_of(T *out, const Joined<T> &in, YonosShape shape, const Norm &norm, bool aligned, void *workspace,
                         YonosCudaStream stream) {
    enum { N = Width<T>::value };
    int width = aligned ? common_width(N, in.x_channels, in.y_channels, norm.group_size) : 1;
    size_t bytes = static_cast<size_t>(shape.h) * shape.w * norm.group_size * sizeof(T);
    if (bytes <= GROUP_BYTES && norm.group_size / width <= GROUP_THREADS) {
        if (width == N)
            return group_norm_small<T, N>(out, in, shape, norm, stream);
        if (width == N / 2)
            return group_norm_small<T, N / 2>(out, in, shape, norm, stream);
        if (width == 2)
            return group_norm_small<T, 2>(out, in, shape, norm, stream);
        return group_norm_small<T, 1>(out, in, shape, norm, stream);
    }
    if (aligned && common_width(N, in.x_channels, in.y_channels, 0) == N)
        return group_norm_large<T, N>(out, in, shape, norm, workspace, stream);
    return group_norm_large<T, 1>(out, in, shape, norm, workspace, stream);
}

int yonos_cuda_group_norm(const YonosCudaTensor *out, const YonosCudaTensor *x, const YonosCudaTensor *y,
                          const float *gamma, const float *beta, int groups, float eps, YonosActivation activation,
                          void *workspace, YonosCudaStream stream) {
    Norm norm = {out->shape.c / groups, eps, gamma, beta, activation};
    bool aligned = is_aligned(out) && is_aligned(x) && is_aligned(y);
    return dispatch(out->dtype, [&](auto element) {
        typedef decltype(element) T;
        Joined<T> in = {static_cast<const T *>(x->data), y ? static_cast<const T *>(y->data) : NULL, x->shape.c,
                        y ? y->shape.c : 0};
        return group_norm_of(static_cast<T *>(out->data), in, out->shape, norm, aligned, workspace, stream);
    });
}

gsize yonos_cuda_group_norm_workspace(YonosShape shape) {
    size_t bytes = 0;
    for (int per_access = 1; per_access <= 8; per_access *= 2)
        if (shape.c % per_access == 0)
            bytes = MAX(bytes, cut_partials(cut_image(shape, per_access), shape.n) * sizeof(Moments));
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
