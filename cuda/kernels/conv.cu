/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CONV2D of f16 and bf16 on tensor cores: 3x3, stride 1, a border of one pixel of zeros, few channels, many pixels;
 * also of an input that is to be doubled first, without making the doubled one.
 *
 * A block makes 8 x 32 pixels by 8 TILES channels. The input passes through shared memory in slices of 16 channels,
 * each with its border of pixels and its share of the weights, the next slice being copied while the tensor cores work
 * on the current one. A warp has 4 rows of 16 pixels. It loads 16 pixels of an input row once for each kx and
 * multiplies them by the weights of all ky: the same pixels are the upper, middle and lower row of three output rows.
 * Sums are f32 and begin with bias and residual, which are read while the first copies are under way.
 *
 * The bound: for TILES = 4 a warp loads 12 times 512 bytes from shared memory (6 of input, 6 of weights) for 48
 * products of 16x8x16, 48 cycles at 128 bytes a cycle for 58 cycles of an H100's tensor cores at their peak; for
 * TILES = 2 nine times for 24, 36 cycles for 29. With 16 to 32 channels the memory's bytes take longer than either
 * (speed-cuda.md).
 */
#include "tensor_core.h"

enum {
    TILE_H = 8,
    TILE_W = 32,
    ROWS = 4,     /* of pixels in a warp */
    COLUMNS = 16, /* the same; the tensor cores' rows */
    THREADS = WARP * (TILE_H / ROWS) * (TILE_W / COLUMNS),
    HALO_H = TILE_H + 2,
    HALO_W = TILE_W + 2,
    SLICE = 16, /* channels of the input */
    TAPS = 9,
};

/* Eight channels, what a cp.async moves and a row of ldmatrix is. */
struct alignas(16) Piece {
    uint16_t v[8];
};

/* Two pieces are a pixel, or the 16 weights of an output channel. The second one comes first in four pixels of eight,
 * so that the eight rows of a matrix are in different banks: `i` is the pixel's column, or the output channel. */
template <int TILES> struct Stage {
    Piece x[HALO_H][HALO_W][2], weight[TAPS][8 * TILES][2];
};
__host__ __device__ static inline int place(int i, int piece) { return piece ^ (i / 4 % 2); }

/* Which channel of a block column j of its tile i makes: lane t of four has columns 2t, 2t + 1 of each tile, and so
 * gets 2 TILES channels that lie together. */
static inline int channel_of(int tiles, int column) {
    int i = column / 8, j = column % 8;
    return j / 2 * 2 * tiles + 2 * i + j % 2;
}

/* Where a block stands. */
struct Place {
    ptrdiff_t image;
    int y, x, channels; /* channels: which 8 TILES output channels */
};

/* Starts the copy of a slice. Unrolled loops would take 20 to 30 registers more. */
template <int TILES>
__device__ static void fetch(const YonosCudaConv3x3 &c, Place at, int slice, Stage<TILES> *to) {
    const Piece *x = static_cast<const Piece *>(c.x), *weight = static_cast<const Piece *>(c.weight);
    int pieces = c.ic / 8 /* of a pixel */, shift = c.doubled ? 1 : 0, h = c.h >> shift, w = c.w >> shift;
    YONOS_NO_UNROLL
    for (int i = threadIdx.x; i < HALO_H * HALO_W * 2; i += THREADS) {
        int row = i / (HALO_W * 2), column = i / 2 % HALO_W, piece = i % 2;
        int y = at.y + row - 1, px = at.x + column - 1;
        const Piece *from = x + ((at.image * h + (y >> shift)) * w + (px >> shift)) * pieces + 2 * slice + piece;
        copy_async(&to->x[row][column][place(column, piece)], from, y >= 0 && y < c.h && px >= 0 && px < c.w);
    }
    constexpr int share = TAPS * 8 * TILES * 2;
    const Piece *from = weight + (static_cast<size_t>(at.channels) * (c.ic / SLICE) + slice) * share;
    YONOS_NO_UNROLL
    for (int i = threadIdx.x; i < share; i += THREADS)
        copy_async(&to->weight[0][0][0] + i, from + i, true);
}

/* sum += a slice's products; `y`, `x`: of the warp in its block. */
template <typename T, int TILES>
__device__ static void add_slice(const Stage<TILES> *stage, int y, int x, float (&sum)[ROWS][TILES][4]) {
    int lane = threadIdx.x % WARP;
    YONOS_UNROLL
    for (int kx = 0; kx < 3; kx++) {
        uint32_t a[4], b[3][TILES / 2][4];
        YONOS_UNROLL
        for (int ky = 0; ky < 3; ky++)
            YONOS_UNROLL
            for (int pair = 0; pair < TILES / 2; pair++) {
                int channel = 16 * pair + lane / 16 * 8 + lane % 8;
                load_matrices(b[ky][pair], &stage->weight[3 * ky + kx][channel][place(channel, lane / 8 % 2)]);
            }
        int column = x + kx + lane % 16;
        const Piece *from = &stage->x[y][column][place(column, lane / 16)];
        YONOS_UNROLL
        for (int row = 0; row < ROWS + 2; row++) {
            load_matrices(a, from + row * HALO_W * 2);
            YONOS_UNROLL
            for (int ky = 0; ky < 3; ky++) {
                if (row < ky || row - ky >= ROWS)
                    continue;
                YONOS_UNROLL
                for (int i = 0; i < TILES; i++)
                    multiply_add<T>(sum[row - ky][i], a, b[ky][i / 2][i % 2 * 2], b[ky][i / 2][i % 2 * 2 + 1]);
            }
        }
    }
}

template <typename T, int TILES> __global__ void __launch_bounds__(THREADS) conv3x3(YonosCudaConv3x3 c) {
    enum { TOGETHER = 2 * TILES }; /* channels of a thread */
    YONOS_SHARED(Stage<TILES>, stage);
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, slices = c.ic / SLICE;
    int groups = (c.oc + 8 * TILES - 1) / (8 * TILES);
    int block_x = blockIdx.x, block_y = blockIdx.y; /* the groups of a tile's channels are neighbours */
    Place at = {static_cast<int>(blockIdx.z), block_y * TILE_H, block_x / groups * TILE_W, block_x % groups};
    fetch(c, at, 0, &stage[0]);
    commit_copies();

    /* The thread has pixels (y + row, x) and (y + row, x + 8) and channels channel .. channel + TOGETHER - 1. */
    int warp_y = warp / 2 * ROWS, warp_x = warp % 2 * COLUMNS;
    int y = at.y + warp_y, x = at.x + warp_x + lane / 4, channel = at.channels * 8 * TILES + lane % 4 * TOGETHER;
    size_t first = ((at.image * c.h + y) * c.w + x) * c.oc + channel;
    float sum[ROWS][TILES][4], bias[TOGETHER] = {};
    if (c.bias && channel < c.oc)
        load(static_cast<const T *>(c.bias) + channel, bias);
    YONOS_UNROLL
    for (int i = 0; i < 2 * ROWS; i++) {
        int row = i / 2, right = i % 2;
        float residual[TOGETHER] = {};
        if (c.residual && channel < c.oc && y + row < c.h && x + 8 * right < c.w)
            load(static_cast<const T *>(c.residual) + first + (static_cast<size_t>(row) * c.w + 8 * right) * c.oc,
                 residual);
        YONOS_UNROLL
        for (int k = 0; k < TOGETHER; k++)
            sum[row][k / 2][2 * right + k % 2] = residual[k] + bias[k];
    }

    for (int slice = 0; slice < slices; slice++) {
        if (slice + 1 < slices)
            fetch(c, at, slice + 1, &stage[(slice + 1) % 2]);
        commit_copies();
        wait_for_copies<1>();
        __syncthreads();
        add_slice<T>(&stage[slice % 2], warp_y, warp_x, sum);
        __syncthreads();
    }

    YONOS_UNROLL
    for (int i = 0; i < 2 * ROWS; i++) {
        int row = i / 2, right = i % 2;
        float out[TOGETHER];
        YONOS_UNROLL
        for (int k = 0; k < TOGETHER; k++) {
            float v = sum[row][k / 2][2 * right + k % 2];
            out[k] = c.relu ? activate(v, YONOS_ACTIVATION_RELU) : v;
        }
        if (channel < c.oc && y + row < c.h && x + 8 * right < c.w)
            store(static_cast<T *>(c.y) + first + (static_cast<size_t>(row) * c.w + 8 * right) * c.oc, out);
    }
}

/* ---- launches and weights ------------------------------------------------------------------------- */

/* Of a block, in eights of channels: 2 or 4. */
static int tiles_for(int oc) { return oc <= 16 ? 2 : 4; }

gboolean yonos_cuda_conv3x3_takes(YonosDType dtype, int ic, int oc) {
    return dtype != YONOS_DTYPE_F32 && ic > 0 && ic % SLICE == 0 && oc > 0 && oc % 8 == 0;
}

gsize yonos_cuda_conv3x3_weight_bytes(int ic, int oc) {
    int tiles = tiles_for(oc);
    return static_cast<gsize>(blocks_for(oc, 8 * tiles)) * 8 * tiles * TAPS * ic * sizeof(uint16_t);
}

void yonos_cuda_conv3x3_pack(int ic, int oc, const void *weight, void *packed) {
    const Piece *from = static_cast<const Piece *>(weight);
    Piece *to = static_cast<Piece *>(packed);
    int width = 8 * tiles_for(oc), groups = static_cast<int>(blocks_for(oc, width)), pieces = ic / 8;
    for (int group = 0; group < groups; group++)
        for (int slice = 0; slice < ic / SLICE; slice++)
            for (int tap = 0; tap < TAPS; tap++)
                for (int column = 0; column < width; column++)
                    for (int i = 0; i < 2; i++, to++) {
                        int channel = group * width + channel_of(width / 8, column);
                        int piece = 2 * slice + place(column, i); /* place() is its own inverse */
                        *to = channel < oc ? from[(channel * TAPS + tap) * pieces + piece] : Piece();
                    }
}

template <typename T, int TILES> static int conv_by(const YonosCudaConv3x3 *c, YonosCudaStream stream) {
    dim3 grid(blocks_for(c->w, TILE_W) * blocks_for(c->oc, 8 * TILES), blocks_for(c->h, TILE_H), c->n);
    size_t shared = sizeof(Stage<TILES>) * (c->ic > SLICE ? 2 : 1);
    return YONOS_LAUNCH((conv3x3<T, TILES>), grid, THREADS, shared, stream, *c);
}

int yonos_cuda_conv3x3(const YonosCudaConv3x3 *c, YonosCudaStream stream) {
    if (!yonos_cuda_conv3x3_takes(c->dtype, c->ic, c->oc) || !is_aligned(c->x) || !is_aligned(c->weight) ||
        !is_aligned(c->bias) || !is_aligned(c->residual) || !is_aligned(c->y) || (c->doubled && (c->h | c->w) % 2))
        return cudaErrorInvalidValue;
    if (c->dtype == YONOS_DTYPE_F16)
        return tiles_for(c->oc) == 2 ? conv_by<__half, 2>(c, stream) : conv_by<__half, 4>(c, stream);
    return tiles_for(c->oc) == 2 ? conv_by<__nv_bfloat16, 2>(c, stream) : conv_by<__nv_bfloat16, 4>(c, stream);
}
