/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ATTENTION by tiles with a running softmax (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018;
 * Dao et al., "FlashAttention", 2022): the scores exist for 32 queries and 32 keys at a time.
 *
 * A block has 32 queries of one head. For every 32 keys it sums the scores over channels in slices of 64 that pass
 * through shared memory, turns them into weights, and adds weights times values to its results, which stay in
 * registers: thread (ty, tx) of 16 x 16 has queries ty and ty + 16, keys tx and tx + 16, and the channels 4 tx to
 * 4 tx + 3 of every slice. All arithmetic is f32. It serves f32 and what is not aligned for attention_tensor.cu.
 */
#include "attention.h"

enum {
    QUERIES = 32,
    KEYS = 32,
    SLICE = 64,             /* channels */
    PITCH = SLICE + 4,      /* of a slice's rows in shared memory: reads of 16 rows at once hit different banks */
    WEIGHT_PITCH = KEYS + 4,
    SIDE = 16,              /* threads along either axis */
};

struct SharedTiles {
    float q[QUERIES][PITCH], kv[KEYS][PITCH], weight[QUERIES][WEIGHT_PITCH];
};

/* Channels channel .. channel + 63 of 32 tokens into shared memory, zeros outside. */
__device__ static void load_slice(const Rows &rows, int token, int channel, bool wide, float (*to)[PITCH]) {
    const YonosCudaTensor tensor = {const_cast<void *>(rows.data), rows.dtype, {}};
    if (wide) {
        int row = threadIdx.x / 8, c = threadIdx.x % 8 * 8;
        float v[8] = {};
        if (token + row < rows.tokens && channel + c < rows.channels)
            load_eight(tensor, rows.first + (token + row) * rows.step + channel + c, v);
        YONOS_UNROLL
        for (int i = 0; i < 8; i++)
            to[row][c + i] = v[i];
        return;
    }
    for (int i = threadIdx.x; i < KEYS * SLICE; i += SIDE * SIDE) {
        int row = i / SLICE, c = i % SLICE;
        bool inside = token + row < rows.tokens && channel + c < rows.channels;
        to[row][c] = inside ? load_one(tensor, rows.first + (token + row) * rows.step + channel + c) : 0.0f;
    }
}

/* scores[i][j] += q[ty + 16 i] . k[tx + 16 j] over a slice. */
__device__ static void add_scores(const SharedTiles &tiles, int ty, int tx, float (&scores)[2][2]) {
    for (int c = 0; c < SLICE; c += 4) {
        float q[2][4], k[2][4];
        YONOS_UNROLL
        for (int i = 0; i < 2; i++) {
            load<4>(&tiles.q[ty + SIDE * i][c], q[i]);
            load<4>(&tiles.kv[tx + SIDE * i][c], k[i]);
        }
        YONOS_UNROLL
        for (int i = 0; i < 2; i++)
            for (int j = 0; j < 2; j++)
                for (int e = 0; e < 4; e++)
                    scores[i][j] += q[i][e] * k[j][e];
    }
}

/* out[i][e] += weights of query ty + 16 i times channels 4 tx + e of a slice of the values. */
__device__ static void add_values(const SharedTiles &tiles, int ty, int tx, float (&out)[2][4]) {
    for (int key = 0; key < KEYS; key += 4) {
        float weight[2][4], v[4];
        YONOS_UNROLL
        for (int i = 0; i < 2; i++)
            load<4>(&tiles.weight[ty + SIDE * i][key], weight[i]);
        YONOS_UNROLL
        for (int k = 0; k < 4; k++) {
            load<4>(&tiles.kv[key + k][4 * tx], v);
            YONOS_UNROLL
            for (int i = 0; i < 2; i++)
                for (int e = 0; e < 4; e++)
                    out[i][e] += weight[i][k] * v[e];
        }
    }
}

/* Maximum over the 16 lanes of a query. */
__device__ static float max_of_query(float v) {
    for (int lanes = SIDE / 2; lanes > 0; lanes /= 2)
        v = fmaxf(v, __shfl_xor_sync(ALL_LANES, v, lanes));
    return v;
}

__device__ static float sum_of_query(float v) {
    for (int lanes = SIDE / 2; lanes > 0; lanes /= 2)
        v += __shfl_xor_sync(ALL_LANES, v, lanes);
    return v;
}

/* The running softmax of one query, in powers of two. */
struct Softmax {
    float max, sum; /* sum: this thread's share */
};

/* Turns the scores of a query's two keys into weights and returns the factor for what was summed before. */
__device__ static float advance(Softmax &state, float (&scores)[2], float *weights, int tx) {
    float max = fmaxf(state.max, max_of_query(fmaxf(scores[0], scores[1])));
    float factor = exp2f(state.max - max), first = exp2f(scores[0] - max), second = exp2f(scores[1] - max);
    weights[tx] = first;
    weights[tx + SIDE] = second;
    state.max = max;
    state.sum = state.sum * factor + first + second;
    return factor;
}

/* SLICES: of the head, at least. wide: 16-byte accesses are possible. */
template <int SLICES> __global__ void attention_tiles(YonosCudaAttention a, bool wide) {
    YONOS_SHARED(SharedTiles, tiles);
    int tx = threadIdx.x % SIDE, ty = threadIdx.x / SIDE, query = blockIdx.x * QUERIES;
    size_t image = blockIdx.z;
    Rows q = query_rows(a, image, blockIdx.y), k = key_rows(a, image, blockIdx.y), v = value_rows(a, image, blockIdx.y);
    float out[SLICES][2][4] = {}, scale = score_scale(a);
    Softmax state[2] = {{-INFINITY, 0.0f}, {-INFINITY, 0.0f}};
    for (int key = 0; key < a.kv_tokens; key += KEYS) {
        float scores[2][2] = {};
        for (int slice = 0; slice < SLICES; slice++) {
            __syncthreads();
            load_slice(q, query, slice * SLICE, wide, tiles->q);
            load_slice(k, key, slice * SLICE, wide, tiles->kv);
            __syncthreads();
            add_scores(*tiles, ty, tx, scores);
        }
        YONOS_UNROLL
        for (int i = 0; i < 2; i++) {
            for (int j = 0; j < 2; j++)
                scores[i][j] = key + tx + SIDE * j < a.kv_tokens ? scores[i][j] * scale : -INFINITY;
            float factor = advance(state[i], scores[i], tiles->weight[ty + SIDE * i], tx);
            for (int slice = 0; slice < SLICES; slice++)
                for (int e = 0; e < 4; e++)
                    out[slice][i][e] *= factor;
        }
        YONOS_UNROLL
        for (int slice = 0; slice < SLICES; slice++) {
            __syncthreads();
            load_slice(v, key, slice * SLICE, wide, tiles->kv);
            __syncthreads();
            add_values(*tiles, ty, tx, out[slice]);
        }
    }
    const YonosCudaTensor to = {a.out, a.dtype, {}};
    YONOS_UNROLL
    for (int i = 0; i < 2; i++) {
        float inverse = 1.0f / sum_of_query(state[i].sum);
        int token = query + ty + SIDE * i;
        size_t first = image * a.out_image + token * a.out_token + blockIdx.y * a.head_dim;
        YONOS_UNROLL
        for (int slice = 0; slice < SLICES; slice++)
            for (int e = 0; e < 4; e++) {
                int channel = slice * SLICE + 4 * tx + e;
                if (token < a.q_tokens && channel < a.head_dim)
                    store_one(to, first + channel, out[slice][i][e] * inverse);
            }
    }
}

template <int SLICES> static int attention_by(const YonosCudaAttention *a, bool wide, YonosCudaStream stream) {
    return YONOS_LAUNCH(attention_tiles<SLICES>, dim3(blocks_for(a->q_tokens, QUERIES), a->heads, a->images),
                        SIDE * SIDE, sizeof(SharedTiles), stream, *a, wide);
}

int yonos_cuda_attention(const YonosCudaAttention *a, YonosCudaStream stream) {
    bool wide = a->head_dim % 8 == 0;
    for (const void *p : {a->q, a->k, a->v, static_cast<const void *>(a->out)})
        wide = wide && is_aligned(p);
    for (size_t step : {a->q_token, a->k_token, a->v_token, a->out_token, a->q_image, a->k_image, a->v_image,
                        a->out_image})
        wide = wide && step % 8 == 0;
    if (wide && a->dtype != YONOS_DTYPE_F32 && a->head_dim <= 8 * SLICE)
        return attention_on_tensor_cores(a, stream);
    if (a->head_dim <= SLICE)
        return attention_by<1>(a, wide, stream);
    if (a->head_dim <= 2 * SLICE)
        return attention_by<2>(a, wide, stream);
    if (a->head_dim <= 4 * SLICE)
        return attention_by<4>(a, wide, stream);
    if (a->head_dim <= 8 * SLICE)
        return attention_by<8>(a, wide, stream);
    return a->head_dim <= YONOS_CUDA_MAX_HEAD ? attention_by<YONOS_CUDA_MAX_HEAD / SLICE>(a, wide, stream)
                                              : cudaErrorInvalidValue;
}
