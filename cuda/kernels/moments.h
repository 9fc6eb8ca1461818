/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mean and sum of squared deviations of every channel of an image, in two stages without atomics.
 *
 * Stage one (channel_moments): blocks over chunks of pixels and tiles of channels. A thread keeps its channels and
 * sums x - p and (x - p)^2, p being the first of its own values: then rounding costs at most (values of the thread)
 * x 2^-24 of the variance, however large the mean is. Stage two is the caller's: merging the chunks' moments, by
 * Chan et al., "Updating formulae and a pairwise algorithm for computing sample variances", 1979. Means are sums of two
 * floats, so that merging does not round them to the size of a large mean or of an outlier.
 *
 * Tiles and chunks follow from one image's shape alone: an image's sums do not depend on the batch or the device.
 */
#ifndef YONOS_CUDA_MOMENTS_H
#define YONOS_CUDA_MOMENTS_H

#include "device.h"

struct alignas(16) Moments {
    float count, mean, low, squares; /* the mean is mean + low; squares: of deviations from it */
};

/* a + b = *sum + what is returned, exactly (Knuth's two-sum); the compiler must not reassociate. */
__device__ static inline float two_sum(float a, float b, float *sum) {
    float s = a + b, b_part = s - a;
    *sum = s;
    return (a - (s - b_part)) + (b - b_part);
}

/* Of `count` values whose distances to `pivot` sum up to `sum`, their squares to `squares`. */
__device__ static inline Moments moments_around(float pivot, float count, float sum, float squares) {
    Moments m = {count, 0.0f, 0.0f, fmaxf(squares - sum * (sum / count), 0.0f)};
    m.low = two_sum(pivot, sum / count, &m.mean);
    return m;
}

__device__ static inline Moments merge(const Moments &a, const Moments &b) {
    if (b.count == 0.0f)
        return a;
    if (a.count == 0.0f)
        return b;
    float share = b.count / (a.count + b.count), delta = b.mean - a.mean + (b.low - a.low);
    Moments m = {a.count + b.count, 0.0f, 0.0f, a.squares + b.squares + delta * delta * a.count * share};
    m.low = a.low + two_sum(a.mean, delta * share, &m.mean);
    return m;
}

__device__ static inline Moments merge_lanes(Moments m) {
    for (int lanes = WARP / 2; lanes > 0; lanes /= 2) {
        Moments other = {__shfl_down_sync(ALL_LANES, m.count, lanes), __shfl_down_sync(ALL_LANES, m.mean, lanes),
                         __shfl_down_sync(ALL_LANES, m.low, lanes), __shfl_down_sync(ALL_LANES, m.squares, lanes)};
        m = merge(m, other);
    }
    return m; /* of the whole warp in lane 0 */
}

/* How an image (pixels, channels) is cut: blocks of `lanes` threads along channels by `rows` along pixels. */
struct Cut {
    int pixels, channels;
    int vectors;            /* accesses per pixel */
    int tiles, lanes, rows; /* tiles x lanes >= vectors */
    int chunks, chunk;      /* chunks of `chunk` pixels, the last may be shorter */
};

enum { CUT_THREADS = 256, CUT_LANES = 32, CUT_BLOCKS = 512, CUT_PIXELS = 4 /* at least, per thread */ };

static inline Cut cut_image(YonosShape shape, int per_access) {
    Cut cut;
    cut.pixels = shape.h * shape.w;
    cut.channels = shape.c;
    cut.vectors = shape.c / per_access;
    cut.tiles = (cut.vectors + CUT_LANES - 1) / CUT_LANES;
    cut.lanes = (cut.vectors + cut.tiles - 1) / cut.tiles;
    cut.rows = CUT_THREADS / cut.lanes;
    int most = (cut.pixels + CUT_PIXELS * cut.rows - 1) / (CUT_PIXELS * cut.rows);
    int wanted = (CUT_BLOCKS + cut.tiles - 1) / cut.tiles;
    cut.chunk = (cut.pixels + MIN(most, wanted) - 1) / MIN(most, wanted);
    cut.chunks = (cut.pixels + cut.chunk - 1) / cut.chunk;
    return cut;
}

static inline dim3 cut_grid(const Cut &cut, int images) { return dim3(cut.chunks, cut.tiles, images); }

/* Stage one's results, Moments (image, chunk, channel). */
static inline size_t cut_partials(const Cut &cut, int images) {
    return static_cast<size_t>(images) * cut.chunks * cut.channels;
}

__device__ static inline int chunk_pixels(const Cut &cut, int chunk) {
    return min(cut.chunk, cut.pixels - chunk * cut.chunk);
}

/* One tensor, or two whose channels follow each other. */
template <typename T> struct Joined {
    const T *x, *y;
    int x_channels, y_channels;

    /* Address of `channel` at pixel `pixel` (counted over all images). */
    __device__ const T *at(size_t pixel, int channel) const {
        return channel < x_channels ? x + pixel * x_channels + channel
                                    : y + pixel * y_channels + (channel - x_channels);
    }
};

/* The channels and the pixels of a thread. */
struct Place {
    int vector, row;
    bool idle;
};
__device__ static inline Place place_of(const Cut &cut) {
    int lane = threadIdx.x % cut.lanes, row = threadIdx.x / cut.lanes, vector = blockIdx.y * cut.lanes + lane;
    return {vector, row, row >= cut.rows || vector >= cut.vectors};
}

/* parts (rows, width): every column's rows merged into the first, pairwise, by the whole block. */
__device__ static inline void merge_rows(Moments *parts, int rows, int width) {
    while (rows > 1) {
        int half = (rows + 1) / 2;
        for (int i = threadIdx.x; i < (rows - half) * width; i += CUT_THREADS)
            parts[i] = merge(parts[i], parts[half * width + i]);
        __syncthreads();
        rows = half;
    }
}

/* Dynamic shared memory: CUT_THREADS x N Moments. Grid: cut_grid(). */
template <typename T, int N> __global__ void channel_moments(Joined<T> in, Cut cut, Moments *partials) {
    YONOS_SHARED(Moments, parts); /* (row, lane, N) */
    Place place = place_of(cut);
    int begin = blockIdx.x * cut.chunk, end = begin + chunk_pixels(cut, blockIdx.x), width = cut.lanes * N;
    size_t image = blockIdx.z;
    Moments own[N] = {};
    if (!place.idle && begin + place.row < end) {
        float pivot[N], v[N], sum[N] = {}, squares[N] = {};
        load<N>(in.at(image * cut.pixels + begin + place.row, place.vector * N), pivot);
        int count = 0;
        YONOS_UNROLL_4
        for (int p = begin + place.row; p < end; p += cut.rows, count++) {
            load<N>(in.at(image * cut.pixels + p, place.vector * N), v);
            YONOS_UNROLL
            for (int i = 0; i < N; i++) {
                float d = v[i] - pivot[i];
                sum[i] += d;
                squares[i] += d * d;
            }
        }
        YONOS_UNROLL
        for (int i = 0; i < N; i++)
            own[i] = moments_around(pivot[i], count, sum[i], squares[i]);
    }
    if (place.row < cut.rows) {
        YONOS_UNROLL
        for (int i = 0; i < N; i++)
            parts[threadIdx.x * N + i] = own[i];
    }
    __syncthreads();
    merge_rows(parts, cut.rows, width);
    for (int i = threadIdx.x; i < width && static_cast<int>(blockIdx.y) * width + i < cut.channels; i += CUT_THREADS)
        partials[(image * gridDim.x + blockIdx.x) * cut.channels + blockIdx.y * width + i] = parts[i];
}

/* All threads' moments, by a block of `threads`; valid in thread 0. shared: threads / WARP. */
__device__ static inline Moments merge_block(Moments m, int threads, Moments *shared) {
    m = merge_lanes(m);
    if (threadIdx.x % WARP == 0)
        shared[threadIdx.x / WARP] = m;
    __syncthreads();
    if (threadIdx.x == 0)
        for (int warp = 1; warp < threads / WARP; warp++)
            m = merge(m, shared[warp]);
    return m;
}

/* Moments over all chunks of `count` channels from `first` on, by the whole block; valid in thread 0. */
enum { MERGE_THREADS = 256 };
__device__ static inline Moments merge_partials(const Moments *partials, const Cut &cut, size_t image, int first,
                                                int count, Moments *shared /* MERGE_THREADS / WARP */) {
    Moments m = {};
    for (int i = threadIdx.x; i < cut.chunks * count; i += MERGE_THREADS)
        m = merge(m, partials[(image * cut.chunks + i / count) * cut.channels + first + i % count]);
    return merge_block(m, MERGE_THREADS, shared);
}

#endif
