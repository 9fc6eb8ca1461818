/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mean and sum of squared deviations of parts of an image's channels, in two stages without atomics. A part is one
 * channel, or a few that lie together in a group whose moments are wanted: 1, 2, 4 or 8, as many as one access has.
 *
 * Stage one (part_moments): blocks over chunks of pixels and tiles of channels. A thread keeps its channels and sums
 * x - p and (x - p)^2, p being the mean of the part in its own first pixel: then rounding costs at most (values of the
 * thread) x 2^-24 of the variance, however large the mean is. Stage two is the caller's: merging the chunks' moments,
 * by Chan et al., "Updating formulae and a pairwise algorithm for computing sample variances", 1979. Means are sums of
 * two floats, so that merging does not round them to the size of a large mean or of an outlier.
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

/* Computed whatever the counts are: branches would keep what is loaded for b from being under way early. */
__device__ static inline Moments merge(const Moments &a, const Moments &b) {
    float count = a.count + b.count, share = b.count / fmaxf(count, 1.0f), delta = b.mean - a.mean + (b.low - a.low);
    Moments m = {count, 0.0f, 0.0f, a.squares + b.squares + delta * delta * a.count * share};
    m.low = a.low + two_sum(a.mean, delta * share, &m.mean);
    return b.count == 0.0f ? a : a.count == 0.0f ? b : m;
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
    int each = (cut.pixels + cut.rows - 1) / cut.rows; /* pixels of a thread, if one chunk had all */
    int most = (each + CUT_PIXELS - 1) / CUT_PIXELS, wanted = (CUT_BLOCKS + cut.tiles - 1) / cut.tiles;
    cut.chunk = (each + MIN(most, wanted) - 1) / MIN(most, wanted) * cut.rows;
    cut.chunks = (cut.pixels + cut.chunk - 1) / cut.chunk;
    return cut;
}

static inline dim3 cut_grid(const Cut &cut, int images) { return dim3(cut.chunks, cut.tiles, images); }

/* The most of stage one's results, Moments (image, part, chunk). */
static inline size_t cut_partials(const Cut &cut, int images) {
    return static_cast<size_t>(images) * cut.chunks * cut.channels;
}

__device__ static inline int chunk_pixels(const Cut &cut, int chunk) {
    return min(cut.chunk, cut.pixels - chunk * cut.chunk);
}

/* Of a chunk, counted over all images. */
__device__ static inline size_t first_pixel(const Cut &cut, size_t image, size_t chunk) {
    return image * cut.pixels + chunk * cut.chunk;
}

/* One tensor, or two whose channels follow each other. */
template <typename T> struct Joined {
    const T *x, *y;
    int x_channels, y_channels;
};

/* The accesses of one thread: N channels from `channel` on, of pixels from `first` on, which counts over all images. */
template <typename T, int N> struct Column {
    const T *data;
    int channels;

    __device__ Column(const Joined<T> &in, size_t first, int channel)
        : data(channel < in.x_channels ? in.x + first * in.x_channels + channel
                                       : in.y + first * in.y_channels + (channel - in.x_channels)),
          channels(channel < in.x_channels ? in.x_channels : in.y_channels) {}

    __device__ const T *at(int pixel) const { return data + pixel * channels; }
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

/* The accesses at p, p + step and so on, all under way before the first is waited for; from `pixels` on p's again. */
enum { AHEAD = 4 };
template <typename T, int N>
__device__ static inline void load_ahead(const Column<T, N> &in, int p, int step, int pixels,
                                         Vector<T, N> (&x)[AHEAD]) {
    YONOS_UNROLL
    for (int a = 0; a < AHEAD; a++)
        x[a] = load_vector<N>(in.at(p + a * step < pixels ? p + a * step : p));
}

/* Moments of the parts, S channels each, of every `step`th of `pixels` pixels, one at least. */
template <typename T, int N, int S>
__device__ static inline void sum_pixels(const Column<T, N> &in, int pixels, int step, Moments (&parts)[N / S]) {
    float v[N], pivot[N / S], sum[N] = {}, squares[N] = {}, count = 0.0f;
    Vector<T, N> x[AHEAD];
    load_ahead(in, 0, step, pixels, x);
    YONOS_UNROLL
    for (int i = 0; i < N; i++)
        v[i] = to_float(x[0].v[i]);
    YONOS_UNROLL
    for (int half = S / 2; half > 0; half /= 2) {
        YONOS_UNROLL
        for (int part = 0; part < N; part += S)
            YONOS_UNROLL
            for (int i = part; i < part + half; i++)
                v[i] += v[i + half];
    }
    YONOS_UNROLL
    for (int i = 0; i < N / S; i++)
        pivot[i] = v[i * S] / S;
    int p = 0;
    do {
        YONOS_UNROLL
        for (int a = 0; a < AHEAD; a++) {
            bool counts = p + a * step < pixels; /* without a branch, which would hold the loads behind it back */
            count += counts ? S : 0;
            YONOS_UNROLL
            for (int i = 0; i < N; i++) {
                float d = counts ? to_float(x[a].v[i]) - pivot[i / S] : 0.0f;
                sum[i] += d;
                squares[i] += d * d;
            }
        }
        p += AHEAD * step;
        if (p < pixels)
            load_ahead(in, p, step, pixels, x);
    } while (p < pixels);
    YONOS_UNROLL
    for (int i = 0; i < N; i++)
        if (i % S > 0) {
            sum[i / S * S] += sum[i];
            squares[i / S * S] += squares[i];
        }
    YONOS_UNROLL
    for (int i = 0; i < N / S; i++)
        parts[i] = moments_around(pivot[i], count, sum[i * S], squares[i * S]);
}

/* parts (PARTS, CUT_THREADS), of each CUT_THREADS the first (rows, lanes): every lane's rows merged into the first,
 * pairwise, by the whole block. */
template <int PARTS> __device__ static inline void merge_rows(Moments *parts, int rows, int lanes) {
    while (rows > 1) {
        int half = (rows + 1) / 2;
        if (static_cast<int>(threadIdx.x) < (rows - half) * lanes) {
            YONOS_UNROLL
            for (int i = 0; i < PARTS; i++) {
                Moments *first = parts + i * CUT_THREADS + threadIdx.x;
                *first = merge(*first, first[half * lanes]);
            }
        }
        __syncthreads();
        rows = half;
    }
}

/* Dynamic shared memory: CUT_THREADS x N / S Moments. Grid: cut_grid(). */
template <typename T, int N, int S> __global__ void part_moments(Joined<T> in, Cut cut, Moments *partials) {
    enum { PARTS = N / S };
    YONOS_SHARED(Moments, parts);
    Place place = place_of(cut);
    int pixels = chunk_pixels(cut, blockIdx.x) - place.row;
    Moments own[PARTS] = {};
    if (!place.idle && pixels > 0) {
        Column<T, N> column(in, first_pixel(cut, blockIdx.z, blockIdx.x) + place.row, place.vector * N);
        sum_pixels<T, N, S>(column, pixels, cut.rows, own);
    }
    YONOS_UNROLL
    for (int i = 0; i < PARTS; i++)
        parts[i * CUT_THREADS + threadIdx.x] = own[i];
    __syncthreads();
    merge_rows<PARTS>(parts, cut.rows, cut.lanes);
    if (place.row > 0 || place.idle)
        return;
    size_t first = static_cast<size_t>(blockIdx.z) * (cut.channels / S) + place.vector * PARTS;
    YONOS_UNROLL
    for (int i = 0; i < PARTS; i++)
        partials[(first + i) * cut.chunks + blockIdx.x] = parts[i * CUT_THREADS + threadIdx.x];
}

/* All threads' moments, by a block of `threads`, at most WARP warps; valid in thread 0. shared: threads / WARP. */
__device__ static inline Moments merge_block(Moments m, int threads, Moments *shared) {
    m = merge_lanes(m);
    if (threadIdx.x % WARP == 0)
        shared[threadIdx.x / WARP] = m;
    __syncthreads();
    if (threadIdx.x < WARP)
        m = merge_lanes(static_cast<int>(threadIdx.x) < threads / WARP ? shared[threadIdx.x] : Moments());
    return m;
}

/* Of `count` Moments by the whole block; valid in thread 0. shared: MERGE_THREADS / WARP. */
enum { MERGE_THREADS = 256 };
__device__ static inline Moments merge_partials(const Moments *partials, int count, Moments *shared) {
    Moments m = {};
    for (int i = threadIdx.x; i < count; i += AHEAD * MERGE_THREADS) {
        Moments next[AHEAD];
        YONOS_UNROLL
        for (int a = 0; a < AHEAD; a++)
            next[a] = i + a * MERGE_THREADS < count ? partials[i + a * MERGE_THREADS] : Moments();
        YONOS_UNROLL
        for (int a = 0; a < AHEAD; a++)
            m = merge(m, next[a]);
    }
    return merge_block(m, MERGE_THREADS, shared);
}

#endif
