/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GROUP_NORM with its activation over one tensor or two joined along channels, and LAYER_NORM.
 *
 * Group norm of large images in three launches: moments of parts of groups (moments.h), moments of groups merged from
 * them and turned into a mean and a scale per channel, and the pass that applies them. It reads its input twice and
 * writes once. Where a block's threads have few accesses of a group each, one launch with a block per group does it
 * all: between small kernels the time from one launch to the next costs more than the memory, and the second reading
 * comes from the first-level cache.
 *
 * Layer norm, mean first and then squares of deviations, is bound by waiting. So a pixel has as many lanes of a warp as
 * hold it in registers over the three passes, or all 32 and reads the rest again, and several pixels share a warp where
 * they are few.
 */
#include "moments.h"

/* The most elements, up to `most`, that divide all of a, b and c. */
static int common_width(int most, int a, int b, int c) {
    while (a % most || b % most || c % most)
        most /= 2;
    return most;
}

/* ---- GROUP_NORM of large images ------------------------------------------------------------------ */

struct Norm {
    int group_size;
    float eps;
    const float *gamma, *beta; /* may be NULL */
};

/* Per image and channel, written by group_moments: out = (x - mean) scale + shift. */
struct alignas(16) Scale {
    float mean, scale, shift;
};

__device__ static Scale scale_of(const Norm &norm, const Moments &group, int channel) {
    float scale = (norm.gamma ? norm.gamma[channel] : 1.0f) / sqrtf(group.squares / group.count + norm.eps);
    return {group.mean, scale, (norm.beta ? norm.beta[channel] : 0.0f) - group.low * scale};
}

/* Block (group, image); `partials`: of each group and image as many as `count`. */
__global__ void group_moments(const Moments *partials, int count, int channels, Norm norm, Scale *scales) {
    YONOS_SHARED(Moments, shared); /* MERGE_THREADS / WARP, and the group's */
    Moments *group = shared + MERGE_THREADS / WARP;
    size_t index = static_cast<size_t>(blockIdx.y) * gridDim.x + blockIdx.x;
    Moments m = merge_partials(partials + index * count, count, shared);
    if (threadIdx.x == 0)
        *group = m;
    __syncthreads();
    int first = blockIdx.x * norm.group_size;
    for (int c = first + threadIdx.x; c < first + norm.group_size; c += MERGE_THREADS)
        scales[static_cast<size_t>(blockIdx.y) * channels + c] = scale_of(norm, *group, c);
}

/* Every `step`th of `pixels` pixels; `out` has `channels` and begins where `in` does. out may be in, so the
 * compiler cannot move a load before a store by itself. */
template <typename T, int N, typename A>
__device__ static void apply(T *out, int channels, const Column<T, N> &in, const Scale (&scales)[N],
                             const A &activation, int pixels, int step) {
    for (int p = 0; p < pixels; p += AHEAD * step) {
        Vector<T, N> x[AHEAD];
        load_ahead(in, p, step, pixels, x);
        YONOS_UNROLL
        for (int a = 0; a < AHEAD; a++) {
            float v[N];
            YONOS_UNROLL
            for (int i = 0; i < N; i++)
                v[i] = activation((to_float(x[a].v[i]) - scales[i].mean) * scales[i].scale + scales[i].shift);
            if (p + a * step < pixels)
                store<N>(out + (p + a * step) * channels, v);
        }
    }
}

template <typename T, int N, typename A>
__global__ void group_norm_apply(T *out, Joined<T> in, Cut cut, const Scale *scales, A activation) {
    Place place = place_of(cut);
    if (place.idle)
        return;
    /* Backwards: what part_moments read last is still in the second-level cache. */
    int channel = place.vector * N, chunk = gridDim.x - 1 - blockIdx.x;
    size_t first = first_pixel(cut, blockIdx.z, chunk) + place.row;
    Scale own[N];
    YONOS_UNROLL
    for (int i = 0; i < N; i++)
        own[i] = scales[static_cast<size_t>(blockIdx.z) * cut.channels + channel + i];
    apply(out + first * cut.channels + channel, cut.channels, Column<T, N>(in, first, channel), own, activation,
          chunk_pixels(cut, chunk) - place.row, cut.rows);
}

/* Parts of S channels, which divides the group. */
template <typename T, int N, int S>
static int launch_moments(const Joined<T> &in, const Cut &cut, int images, Moments *partials, YonosCudaStream stream) {
    return YONOS_LAUNCH((part_moments<T, N, S>), cut_grid(cut, images), CUT_THREADS,
                        CUT_THREADS * (N / S) * sizeof(Moments), stream, in, cut, partials);
}

template <typename T, int N>
static int launch_moments(int part, const Joined<T> &in, const Cut &cut, int images, Moments *partials,
                          YonosCudaStream stream) {
    if (part == N)
        return launch_moments<T, N, N>(in, cut, images, partials, stream);
    if (part == N / 2)
        return launch_moments<T, N, (N + 1) / 2>(in, cut, images, partials, stream);
    if (part == N / 4)
        return launch_moments<T, N, (N + 3) / 4>(in, cut, images, partials, stream);
    return launch_moments<T, N, 1>(in, cut, images, partials, stream);
}

template <typename T, int N>
static int group_norm_large(T *out, const Joined<T> &in, YonosShape shape, const Norm &norm, YonosActivation activation,
                            void *workspace, YonosCudaStream stream) {
    Cut cut = cut_image(shape, N);
    Moments *partials = static_cast<Moments *>(workspace);
    Scale *scales = reinterpret_cast<Scale *>(partials + cut_partials(cut, shape.n));
    int part = common_width(N, norm.group_size, 0, 0), groups = shape.c / norm.group_size;
    int status = launch_moments<T, N>(part, in, cut, shape.n, partials, stream);
    if (!status)
        status = YONOS_LAUNCH(group_moments, dim3(groups, shape.n), MERGE_THREADS,
                              (MERGE_THREADS / WARP + 1) * sizeof(Moments), stream, partials,
                              norm.group_size / part * cut.chunks, shape.c, norm, scales);
    if (status)
        return status;
    return dispatch_activation(activation, [&](auto activation) {
        typedef decltype(activation) A;
        return YONOS_LAUNCH((group_norm_apply<T, N, A>), cut_grid(cut, shape.n), CUT_THREADS, 0, stream, out, in, cut,
                            scales, activation);
    });
}

/* ---- GROUP_NORM in one launch -------------------------------------------------------------------- */

enum { GROUP_THREADS = 512, GROUP_ACCESSES = 8 * GROUP_THREADS /* the most that a block takes on by itself */ };

/* Block (group, image); the group's accesses of a pixel are `lanes`, threads beyond lanes x rows idle. */
template <typename T, int N, typename A>
__global__ void group_norm_whole(T *out, Joined<T> in, int pixels, int channels, Norm norm, A activation) {
    YONOS_SHARED(Moments, shared); /* GROUP_THREADS / WARP, and the group's */
    Moments *group = shared + GROUP_THREADS / WARP, own[1] = {};
    int lanes = norm.group_size / N, rows = GROUP_THREADS / lanes, row = threadIdx.x / lanes;
    int channel = blockIdx.x * norm.group_size + threadIdx.x % lanes * N;
    size_t first = static_cast<size_t>(blockIdx.y) * pixels + row;
    Column<T, N> column(in, first, channel);
    if (row < rows && row < pixels)
        sum_pixels<T, N, N>(column, pixels - row, rows, own);
    Moments m = merge_block(own[0], GROUP_THREADS, shared);
    if (threadIdx.x == 0)
        *group = m;
    __syncthreads();
    if (row >= rows)
        return;
    Scale scales[N];
    YONOS_UNROLL
    for (int i = 0; i < N; i++)
        scales[i] = scale_of(norm, *group, channel + i);
    apply(out + first * channels + channel, channels, column, scales, activation, pixels - row, rows);
}

template <typename T, int N>
static int group_norm_small(T *out, const Joined<T> &in, YonosShape shape, const Norm &norm, YonosActivation activation,
                            YonosCudaStream stream) {
    return dispatch_activation(activation, [&](auto activation) {
        typedef decltype(activation) A;
        return YONOS_LAUNCH((group_norm_whole<T, N, A>), dim3(shape.c / norm.group_size, shape.n), GROUP_THREADS,
                            (GROUP_THREADS / WARP + 1) * sizeof(Moments), stream, out, in, shape.h * shape.w, shape.c,
                            norm, activation);
    });
}

/* ---- GROUP_NORM ---------------------------------------------------------------------------------- */

template <typename T>
static int group_norm_of(T *out, const Joined<T> &in, YonosShape shape, const Norm &norm, YonosActivation activation,
                         bool aligned, void *workspace, YonosCudaStream stream) {
    enum { N = Width<T>::value };
    int width = aligned ? common_width(N, in.x_channels, in.y_channels, norm.group_size) : 1;
    int lanes = norm.group_size / width;
    if (lanes <= GROUP_THREADS && static_cast<size_t>(shape.h) * shape.w * lanes <= GROUP_ACCESSES) {
        if (width == N)
            return group_norm_small<T, N>(out, in, shape, norm, activation, stream);
        if (width == N / 2)
            return group_norm_small<T, N / 2>(out, in, shape, norm, activation, stream);
        if (width == 2)
            return group_norm_small<T, 2>(out, in, shape, norm, activation, stream);
        return group_norm_small<T, 1>(out, in, shape, norm, activation, stream);
    }
    if (aligned && common_width(N, in.x_channels, in.y_channels, 0) == N)
        return group_norm_large<T, N>(out, in, shape, norm, activation, workspace, stream);
    return group_norm_large<T, 1>(out, in, shape, norm, activation, workspace, stream);
}

int yonos_cuda_group_norm(const YonosCudaTensor *out, const YonosCudaTensor *x, const YonosCudaTensor *y,
                          const float *gamma, const float *beta, int groups, float eps, YonosActivation activation,
                          void *workspace, YonosCudaStream stream) {
    Norm norm = {out->shape.c / groups, eps, gamma, beta};
    bool aligned = is_aligned(out) && is_aligned(x) && is_aligned(y);
    return dispatch(out->dtype, [&](auto element) {
        typedef decltype(element) T;
        Joined<T> in = {static_cast<const T *>(x->data), y ? static_cast<const T *>(y->data) : NULL, x->shape.c,
                        y ? y->shape.c : 0};
        return group_norm_of(static_cast<T *>(out->data), in, out->shape, norm, activation, aligned, workspace, stream);
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

/* Blocks are small, so that a small image's pixels spread over the device. A lane holds 40 channels: 8, 16 and 32 lanes
 * have nothing left over of 320, 640 and 1280. */
enum { LAYER_THREADS = 64, LAYER_HELD = 40, LAYER_HELD_SINGLE = 8 };

/* N neighbouring channels of a pixel. */
template <typename T, int N> struct Channels {
    Vector<T, N> x;
    float gamma[N], beta[N];
};

/* N factors from `channel` on; `otherwise` where `from` is NULL. */
template <int N> __device__ static void load_factors(const float *from, int channel, float otherwise, float (&to)[N]) {
    enum { PART = N < Width<float>::value ? N : Width<float>::value };
    YONOS_UNROLL
    for (int part = 0; part < N; part += PART) {
        Vector<float, PART> factors = {};
        if (from)
            factors = load_vector<PART>(from + channel + part);
        YONOS_UNROLL
        for (int i = 0; i < PART; i++)
            to[part + i] = from ? factors.v[i] : otherwise;
    }
}

/* Of a pixel, whose lanes lie together and are a power of two: of each lane's parts in pairs, then of the lanes. */
template <int N> __device__ static float sum_of_pixel(float (&parts)[N]) {
    YONOS_UNROLL
    for (int half = N / 2; half > 0; half /= 2) {
        YONOS_UNROLL
        for (int i = 0; i < half; i++)
            parts[i] += parts[i + half];
    }
    float sum = parts[0];
    for (int lanes = blockDim.x / 2; lanes > 0; lanes /= 2)
        sum += __shfl_xor_sync(ALL_LANES, sum, lanes);
    return sum;
}

/*
 * Block: (lanes of a pixel, pixels). Each lane takes every blockDim.x-th access and holds the first K, gamma and beta
 * too: all are under way before the first is waited for. What a pixel has beyond them is read again in each pass.
 */
template <typename T, int N, int K>
__global__ void layer_norm(T *out, const T *x, const float *gamma, const float *beta, float eps, int channels,
                           size_t pixels) {
    size_t index = static_cast<size_t>(blockIdx.x) * blockDim.y + threadIdx.y, pixel = index < pixels ? index : 0;
    const T *from = x + pixel * channels;
    T *to = out + pixel * channels;
    /* Lanes beyond the last pixel only take part in the shuffles. */
    int first = threadIdx.x * N, step = blockDim.x * N, end = index < pixels ? channels : 0;
    auto load_affine = [&](int c, Channels<T, N> &own) {
        load_factors(gamma, c, 1.0f, own.gamma);
        load_factors(beta, c, 0.0f, own.beta);
    };
    /* Those beyond the end load the pixel's first again: branches would hold back the loads behind them. */
    auto within = [=](int c) { return c < end ? c : 0; };
    Channels<T, N> held[K];
    YONOS_UNROLL
    for (int k = 0; k < K; k++)
        held[k].x = load_vector<N>(from + within(first + k * step));
    YONOS_UNROLL
    for (int k = 0; k < K; k++)
        load_affine(within(first + k * step), held[k]);
    auto each = [&](auto visit) {
        YONOS_UNROLL
        for (int k = 0; k < K; k++)
            if (first + k * step < end)
                visit(first + k * step, held[k]);
        YONOS_NO_UNROLL
        for (int c = first + K * step; c < end; c += step) {
            Channels<T, N> again;
            again.x = load_vector<N>(from + c);
            load_affine(c, again); /* left out by the compiler where visit() has no use for them */
            visit(c, again);
        }
    };
    float sums[N] = {}, squares[N] = {};
    each([&](int, const Channels<T, N> &own) {
        YONOS_UNROLL
        for (int i = 0; i < N; i++)
            sums[i] += to_float(own.x.v[i]);
    });
    float mean = sum_of_pixel(sums) / channels;
    each([&](int, const Channels<T, N> &own) {
        YONOS_UNROLL
        for (int i = 0; i < N; i++) {
            float d = to_float(own.x.v[i]) - mean;
            squares[i] += d * d;
        }
    });
    float inverse = 1.0f / sqrtf(sum_of_pixel(squares) / channels + eps);
    each([&](int c, const Channels<T, N> &own) {
        float v[N];
        YONOS_UNROLL
        for (int i = 0; i < N; i++)
            v[i] = (to_float(own.x.v[i]) - mean) * inverse * own.gamma[i] + own.beta[i];
        store<N>(to + c, v);
    });
}

template <typename T, int N, int K>
static int layer_norm_by(const YonosCudaTensor *out, const YonosCudaTensor *x, const float *gamma, const float *beta,
                         float eps, YonosCudaStream stream) {
    size_t pixels = pixel_count(out);
    int lanes = 1;
    while (lanes < WARP && lanes * K * N < out->shape.c)
        lanes *= 2;
    dim3 block(lanes, LAYER_THREADS / lanes);
    return YONOS_LAUNCH((layer_norm<T, N, K>), blocks_for(pixels, block.y), block, 0, stream,
                        static_cast<T *>(out->data), static_cast<const T *>(x->data), gamma, beta, eps, out->shape.c,
                        pixels);
}

int yonos_cuda_layer_norm(const YonosCudaTensor *out, const YonosCudaTensor *x, const float *gamma, const float *beta,
                          float eps, YonosCudaStream stream) {
    bool aligned = is_aligned(out) && is_aligned(x) && is_aligned(gamma) && is_aligned(beta);
    return dispatch(out->dtype, [&](auto element) {
        typedef decltype(element) T;
        enum { N = Width<T>::value };
        if (aligned && out->shape.c % N == 0)
            return layer_norm_by<T, N, LAYER_HELD / N>(out, x, gamma, beta, eps, stream);
        return layer_norm_by<T, 1, LAYER_HELD_SINGLE>(out, x, gamma, beta, eps, stream);
    });
}
