/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mean and sum of squared deviations of every channel of an image, in two stages without atomics.
 *
 * Stage one (channel_moments): blocks over chunks of pixels and tiles of channels. A thread keeps its channels and
 * sums x - p and (x - p)^2, p being the first of its own values: then rounding costs at most (values of the thread)
 * x 2^-24 of the variance, however large the mean is. Stage two is the caller's: merging the chunks' moments, by
 * Chan et al., "Updating formulae and a pairwise algorithm for computing sample variances", 1979. Means are kept
 * relative to the first value of their group of channels, so that merging rounds them like deviations.
 *
 * Tiles and chunks follow from one image's shape alone: an image's sums do not depend on the batch or the device.
 */
#ifndef YONOS_CUDA_MOMENTS_H
#define YONOS_CUDA_MOMENTS_H

#include "device.h"

struct Moments {
    float count, mean, squares; /* mean: less the group's first value; squares: of deviations from the mean */
};

/* What stage one writes for a chunk and channel; the count is the chunk's pixels. */
struct alignas(8) Partial {
    float mean, squares;
};

__device__ static inline Moments merge(const Moments &a, const Moments &b) {
    float count = a.count + b.count, delta = b.mean - a.mean;
    if (b.count == 0.0f)
        return a;
    float share = b.count / count;
    return {count, a.mean + delta * share, a.squares + b.squares + delta * delta * a.count * share};
}

__device__ static inline Moments merge_lanes(Moments m) {
    for (int lanes = WARP / 2; lanes > 0; lanes /= 2) {
        Moments other = {__shfl_down_sync(ALL_LANES, m.count, lanes), __shfl_down_sync(ALL_LANES, m.mean, lanes),
                         __shfl_down_sync(ALL_LANES, m.squares, lanes)};
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

/* Stage one's results: (image, chunk, channel). */
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

/* The first value of `channel`'s group in an image that begins at `pixel`. */
template <typename T>
__device__ static inline float group_origin(const Joined<T> &in, size_t pixel, int channel, int group_size) {
    return to_float(*in.at(pixel, channel - channel % group_size));
}

/* Dynamic shared memory: CUT_THREADS x N Partials. Grid: cut_grid(). */
template <typename T, int N>
__global__ void channel_moments(Joined<T> in, Cut cut, int group_size, Partial *partials) {
    YONOS_SHARED(Partial, sums); /* (row, lane, N) */
    Place place = place_of(cut);
    int begin = blockIdx.x * cut.chunk, end = begin + chunk_pixels(cut, blockIdx.x), width = cut.lanes * N;
    size_t image = blockIdx.z;
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
        for (int i = 0; i < N; i++) {
            float mean = sum[i] / count;
            float origin = group_origin(in, image * cut.pixels, place.vector * N + i, group_size);
            sums[threadIdx.x * N + i] = {pivot[i] - origin + mean, fmaxf(squares[i] - sum[i] * mean, 0.0f)};
        }
    }
    __syncthreads();
    for (int i = threadIdx.x; i < width; i += CUT_THREADS) {
        int channel = blockIdx.y * width + i;
        if (channel >= cut.channels)
            break;
        Moments m = {0.0f, 0.0f, 0.0f};
        for (int row = 0; row < cut.rows && begin + row < end; row++) {
            const Partial &part = sums[row * width + i];
            m = merge(m, {static_cast<float>((end - begin - row + cut.rows - 1) / cut.rows), part.mean, part.squares});
        }
        partials[(image * gridDim.x + blockIdx.x) * cut.channels + channel] = {m.mean, m.squares};
    }
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
__device__ static inline Moments merge_partials(const Partial *partials, const Cut &cut, size_t image, int first,
                                                int count, Moments *shared /* MERGE_THREADS / WARP */) {
    Moments m = {0.0f, 0.0f, 0.0f};
    for (int i = threadIdx.x; i < cut.chunks * count; i += MERGE_THREADS) {
        int chunk = i / count, channel = first + i % count;
        const Partial &part = partials[(image * cut.chunks + chunk) * cut.channels + channel];
        m = merge(m, {static_cast<float>(chunk_pixels(cut, chunk)), part.mean, part.squares});
    }
    return merge_block(m, MERGE_THREADS, shared);
}

#endif
