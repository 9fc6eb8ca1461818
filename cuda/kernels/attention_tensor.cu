/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ATTENTION of f16 and bf16 on tensor cores; the method is attention.cu's.
 *
 * A block has 64 queries of one head and takes 64 keys at a time; channels pass through shared memory in slices of 64,
 * the next slice being copied while the tensor cores work on the current one. Warp (group, half) of 4 x 2 has queries
 * 16 group to 16 group + 15; of these it makes the scores for keys 32 half to 32 half + 31, and the results for channels
 * 32 half to 32 half + 31 of every slice. The weights pass from one half to the other through shared memory, rounded
 * to the storage type. Sums are f32.
 */
#include "attention.h"
#include "tensor_core.h"

enum {
    ROWS = 64,         /* queries, and keys */
    SLICE = 64,        /* channels */
    PITCH = SLICE + 8, /* of rows in shared memory: the eight rows of a matrix start in different banks */
    THREADS = 256,
    COLUMNS = 4,       /* 8-column tiles of a warp: its 32 keys, its 32 channels of a slice */
    STEPS = 4,         /* of 16 along a slice */
};

template <typename T> struct SharedTiles {
    struct {
        T q[ROWS][PITCH], kv[ROWS][PITCH];
    } stage[2];
    T weight[ROWS][PITCH];
    float max[2][ROWS], sum[2][ROWS];
};

/* Where a thread stands. */
struct Lane {
    int group, half, lane;
    __device__ int row(int i) const { return 16 * group + lane / 4 + 8 * i; } /* i = 0, 1: its rows of C */
    __device__ int column(int tile) const { return 32 * half + 8 * tile + lane % 4 * 2; }
};

/* Starts the copy of channels channel .. channel + 63 of 64 tokens, zeros outside. */
template <typename T> __device__ static void fetch(const Rows &rows, int token, int channel, T (*to)[PITCH]) {
    int c = threadIdx.x % 8 * 8;
    YONOS_UNROLL
    for (int row = threadIdx.x / 8; row < ROWS; row += THREADS / 8) {
        const T *from = static_cast<const T *>(rows.data) + rows.first + (token + row) * rows.step + c;
        copy_async(&to[row][c], from + channel, token + row < rows.tokens && channel + c < rows.channels);
    }
}

/* scores += q k^T over a slice. */
template <typename T>
__device__ static void add_scores(const T (*q)[PITCH], const T (*k)[PITCH], Lane at, float (&scores)[COLUMNS][4]) {
    YONOS_UNROLL
    for (int step = 0; step < STEPS; step++) {
        uint32_t a[4], b[4];
        load_matrices(a, &q[16 * at.group + at.lane % 16][16 * step + at.lane / 16 * 8]);
        YONOS_UNROLL
        for (int tile = 0; tile < COLUMNS; tile += 2) {
            int key = 32 * at.half + 8 * tile + at.lane / 16 * 8 + at.lane % 8;
            load_matrices(b, &k[key][16 * step + at.lane / 8 % 2 * 8]);
            multiply_add<T>(scores[tile], a, b[0], b[1]);
            multiply_add<T>(scores[tile + 1], a, b[2], b[3]);
        }
    }
}

/* out += weights v over 64 keys, for the warp's channels of a slice. */
template <typename T>
__device__ static void add_values(const T (*weights)[PITCH], const T (*v)[PITCH], Lane at, float (&out)[COLUMNS][4]) {
    YONOS_UNROLL
    for (int step = 0; step < STEPS; step++) {
        uint32_t a[4], b[4];
        load_matrices(a, &weights[16 * at.group + at.lane % 16][16 * step + at.lane / 16 * 8]);
        YONOS_UNROLL
        for (int tile = 0; tile < COLUMNS; tile += 2) {
            int key = 16 * step + at.lane % 16, channel = 32 * at.half + 8 * tile + at.lane / 16 * 8;
            load_matrices_transposed(b, &v[key][channel]);
            multiply_add<T>(out[tile], a, b[0], b[1]);
            multiply_add<T>(out[tile + 1], a, b[2], b[3]);
        }
    }
}

/* The four lanes that share a row of C. */
__device__ static float max_of_row(float v) {
    v = fmaxf(v, __shfl_xor_sync(ALL_LANES, v, 1));
    return fmaxf(v, __shfl_xor_sync(ALL_LANES, v, 2));
}
__device__ static float sum_of_row(float v) {
    v += __shfl_xor_sync(ALL_LANES, v, 1);
    return v + __shfl_xor_sync(ALL_LANES, v, 2);
}

/* Of the thread's two rows. */
struct Softmax {
    float max[2], sum[2]; /* sum: this thread's share */
};

/* Scores become weights in shared memory; factor[i] is for what row i summed before. Two barriers. */
template <typename T>
__device__ static void advance(SharedTiles<T> *tiles, Softmax &state, Lane at, float (&scores)[COLUMNS][4],
                               float (&factor)[2]) {
    YONOS_UNROLL
    for (int i = 0; i < 2; i++) {
        float max = -INFINITY;
        YONOS_UNROLL
        for (int tile = 0; tile < COLUMNS; tile++)
            max = fmaxf(max, fmaxf(scores[tile][2 * i], scores[tile][2 * i + 1]));
        max = max_of_row(max);
        if (at.lane % 4 == 0)
            tiles->max[at.half][at.row(i)] = max;
    }
    __syncthreads();
    YONOS_UNROLL
    for (int i = 0; i < 2; i++) {
        int row = at.row(i);
        float max = fmaxf(state.max[i], fmaxf(tiles->max[0][row], tiles->max[1][row]));
        factor[i] = exp2f(state.max[i] - max);
        state.max[i] = max;
        state.sum[i] *= factor[i];
        YONOS_UNROLL
        for (int tile = 0; tile < COLUMNS; tile++) {
            float pair[2] = {exp2f(scores[tile][2 * i] - max), exp2f(scores[tile][2 * i + 1] - max)};
            state.sum[i] += pair[0] + pair[1];
            store(&tiles->weight[row][at.column(tile)], pair);
        }
    }
    __syncthreads();
}

/* SLICES: of the head, at least. */
template <typename T, int SLICES> __global__ void __launch_bounds__(THREADS) attention_tensor(YonosCudaAttention a) {
    YONOS_SHARED(SharedTiles<T>, tiles);
    int warp = threadIdx.x / WARP, query = blockIdx.x * ROWS;
    Lane at = {warp / 2, warp % 2, static_cast<int>(threadIdx.x) % WARP};
    size_t image = blockIdx.z;
    Rows q = query_rows(a, image, blockIdx.y), k = key_rows(a, image, blockIdx.y), v = value_rows(a, image, blockIdx.y);
    float out[SLICES][COLUMNS][4] = {}, scale = score_scale(a);
    Softmax state = {{-INFINITY, -INFINITY}, {0.0f, 0.0f}};

    /* The copies for slice i of Q and K, then of V, go to stage i % 2 while the slice before is worked on. */
    fetch(q, query, 0, tiles->stage[0].q);
    fetch(k, 0, 0, tiles->stage[0].kv);
    commit_copies();
    for (int key = 0; key < a.kv_tokens; key += ROWS) {
        float scores[COLUMNS][4] = {}, factor[2];
        YONOS_UNROLL
        for (int slice = 0; slice < SLICES; slice++) {
            auto &next = tiles->stage[(slice + 1) % 2], &stage = tiles->stage[slice % 2];
            if (slice + 1 < SLICES) {
                fetch(q, query, (slice + 1) * SLICE, next.q);
                fetch(k, key, (slice + 1) * SLICE, next.kv);
            } else {
                fetch(v, key, 0, next.kv);
            }
            commit_copies();
            wait_for_copies<1>();
            __syncthreads();
            add_scores(stage.q, stage.kv, at, scores);
            __syncthreads();
        }
        YONOS_UNROLL
        for (int i = 0; i < COLUMNS * 4; i++) {
            float &score = scores[i / 4][i % 4];
            score = key + at.column(i / 4) + i % 2 < a.kv_tokens ? score * scale : -INFINITY;
        }
        advance(tiles, state, at, scores, factor);
        YONOS_UNROLL
        for (int slice = 0; slice < SLICES; slice++) {
            auto &next = tiles->stage[(SLICES + slice + 1) % 2], &stage = tiles->stage[(SLICES + slice) % 2];
            if (slice + 1 < SLICES) {
                fetch(v, key, (slice + 1) * SLICE, next.kv);
            } else if (key + ROWS < a.kv_tokens) {
                fetch(q, query, 0, next.q);
                fetch(k, key + ROWS, 0, next.kv);
            }
            commit_copies();
            wait_for_copies<1>();
            YONOS_UNROLL
            for (int i = 0; i < COLUMNS * 4; i++)
                out[slice][i / 4][i % 4] *= factor[i % 4 / 2];
            __syncthreads();
            add_values(tiles->weight, stage.kv, at, out[slice]);
            __syncthreads();
        }
    }
    YONOS_UNROLL
    for (int i = 0; i < 2; i++) {
        float sum = sum_of_row(state.sum[i]);
        if (at.lane % 4 == 0)
            tiles->sum[at.half][at.row(i)] = sum;
    }
    __syncthreads();
    YONOS_UNROLL
    for (int i = 0; i < 2; i++) {
        int row = at.row(i);
        float inverse = 1.0f / (tiles->sum[0][row] + tiles->sum[1][row]);
        T *to = static_cast<T *>(a.out) + image * a.out_image + (query + row) * a.out_token + blockIdx.y * a.head_dim;
        YONOS_UNROLL
        for (int slice = 0; slice < SLICES; slice++)
            YONOS_UNROLL
            for (int tile = 0; tile < COLUMNS; tile++) {
                int channel = slice * SLICE + at.column(tile);
                float pair[2] = {out[slice][tile][2 * i] * inverse, out[slice][tile][2 * i + 1] * inverse};
                if (query + row < a.q_tokens && channel < a.head_dim)
                    store(to + channel, pair);
            }
    }
}

template <typename T, int SLICES> static int attention_by(const YonosCudaAttention *a, YonosCudaStream stream) {
    return YONOS_LAUNCH((attention_tensor<T, SLICES>), dim3(blocks_for(a->q_tokens, ROWS), a->heads, a->images), THREADS,
                        sizeof(SharedTiles<T>), stream, *a);
}

template <typename T> static int attention_of(const YonosCudaAttention *a, YonosCudaStream stream) {
    if (a->head_dim <= SLICE)
        return attention_by<T, 1>(a, stream);
    if (a->head_dim <= 2 * SLICE)
        return attention_by<T, 2>(a, stream);
    if (a->head_dim <= 3 * SLICE)
        return attention_by<T, 3>(a, stream);
    if (a->head_dim <= 4 * SLICE)
        return attention_by<T, 4>(a, stream);
    return attention_by<T, 8>(a, stream);
}

int attention_on_tensor_cores(const YonosCudaAttention *a, YonosCudaStream stream) {
    return a->dtype == YONOS_DTYPE_F16 ? attention_of<__half>(a, stream) : attention_of<__nv_bfloat16>(a, stream);
}
