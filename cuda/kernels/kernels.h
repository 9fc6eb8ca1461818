/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The project's own CUDA kernels: one launch function per operation.
 *
 * Plain C without CUDA's headers. What an operation computes is specified by engine/backend/ref
 * and graph/graph.h; here stands only what is particular to the device. Common to all:
 *
 *   - tensors are NHWC without gaps, in device memory; data aligned to 16 bytes is moved in 16-byte
 *     pieces where the channel count allows, other data element by element;
 *   - every call only launches kernels into `stream`: no allocation, no synchronisation, so all of
 *     it may be captured into a CUDA graph. What changes from replay to replay (current tiles,
 *     seed, frame number, steadiness) is read from device memory;
 *   - results do not depend on the number of blocks in flight: no atomics, fixed orders of summation;
 *   - the return value is a cudaError_t, 0 for success. Shapes and types are the caller's to check
 *     (the graph has): a combination that an operation does not have gives cudaErrorInvalidValue.
 *
 * The functions may be called from any thread that has made the stream's context current.
 * tests/cuda-host compiles the same sources for the host and holds them against ref.
 */
#ifndef YONOS_CUDA_KERNELS_H
#define YONOS_CUDA_KERNELS_H

#include "backend/format.h"
#include "graph/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* cudaStream_t, without its header. */
typedef struct CUstream_st *YonosCudaStream;

/* A tensor in device memory. */
typedef struct {
    void *data;
    YonosDType dtype;
    YonosShape shape;
} YonosCudaTensor;

/* A tile of the grid: its origin in output pixels (grid->x0[column], grid->y0[row]) and its place in the grid.
 * Operations that follow the tile take a device array of these, one for each image of the batch. */
typedef struct {
    gint32 y0, x0, row, column;
} YonosCudaTile;

/* What changes from frame to frame; in device memory. */
typedef struct {
    guint64 seed, frame; /* of the noise field */
    float steadiness;    /* as in YonosRun */
} YonosCudaPerFrame;

/* YonosTaps with its three arrays in device memory. */
typedef struct {
    int out, width;
    const int *first;    /* [out] */
    const int *count;    /* [out] */
    const float *weight; /* [out][width] */
} YonosCudaTaps;

/* ---- norm.cu --------------------------------------------------------------------------------- */

/* out = act(gamma (x - mean) / sqrt(var + eps) + beta). `y` may be NULL: its channels follow x's. gamma, beta: (c) f32
 * or NULL. All tensors of one type. `workspace`: yonos_cuda_group_norm_workspace() bytes, 16-byte aligned. out may be
 * x where y is NULL. */
int yonos_cuda_group_norm(const YonosCudaTensor *out, const YonosCudaTensor *x, const YonosCudaTensor *y,
                          const float *gamma, const float *beta, int groups, float eps, YonosActivation activation,
                          void *workspace, YonosCudaStream stream);
/* `shape` is out's. */
gsize yonos_cuda_group_norm_workspace(YonosShape shape);

/* The same over the channels of each pixel, without workspace. out may be x. */
int yonos_cuda_layer_norm(const YonosCudaTensor *out, const YonosCudaTensor *x, const float *gamma, const float *beta,
                          float eps, YonosCudaStream stream);

/* ---- attention.cu ---------------------------------------------------------------------------- */

enum { YONOS_CUDA_MAX_HEAD = 1024 }; /* channels */

/* softmax(scale q k^T) v per image and head, by tiles, never storing the scores. All of `dtype`. Strides are in
 * elements; channel 0 of head 0 of token 0 of image 0 is at q, k, v and out. */
typedef struct {
    YonosDType dtype;
    int images, heads, head_dim; /* head_dim: 1 to YONOS_CUDA_MAX_HEAD */
    int q_tokens, kv_tokens;
    float scale;
    const void *q, *k, *v;
    void *out;
    gsize q_token, k_token, v_token, out_token; /* from token to token */
    gsize q_image, k_image, v_image, out_image; /* from image to image; 0 for keys and values shared by all */
} YonosCudaAttention;
int yonos_cuda_attention(const YonosCudaAttention *attention, YonosCudaStream stream);

/* ---- conv.cu ---------------------------------------------------------------------------------- */

/* y = relu?(conv(x) + residual? + bias?), 3x3, stride 1, one pixel of zeros around x, f32 sums. x (n,h,w,ic), bias
 * (oc), residual and y (n,h,w,oc) of `dtype`, all 16-byte aligned; bias and residual may be NULL. y may be residual,
 * not x. */
typedef struct {
    YonosDType dtype;
    int n, h, w, ic, oc;
    gboolean doubled; /* x is (n,h/2,w/2,ic) and read by nearest neighbour; h and w are even */
    gboolean relu;
    const void *x, *weight, *bias, *residual; /* weight: packed */
    void *y;
} YonosCudaConv3x3;
int yonos_cuda_conv3x3(const YonosCudaConv3x3 *conv, YonosCudaStream stream);
/* f16 and bf16, ic a multiple of 16, oc of 8. */
gboolean yonos_cuda_conv3x3_takes(YonosDType dtype, int ic, int oc);
/* On the host: packs (oc,3,3,ic) into yonos_cuda_conv3x3_weight_bytes(). */
void yonos_cuda_conv3x3_pack(int ic, int oc, const void *weight, void *packed);
gsize yonos_cuda_conv3x3_weight_bytes(int ic, int oc);

/* ---- pointwise.cu ---------------------------------------------------------------------------- */

/* out = act(a x + b y + c) in f32, each tensor of its own type. `y` may be NULL. out may be x or y where their types
 * are the same. With a = 1, b = c = 0 it converts. */
int yonos_cuda_affine(const YonosCudaTensor *out, const YonosCudaTensor *x, const YonosCudaTensor *y, float a, float b,
                      float c, YonosActivation activation, YonosCudaStream stream);

/* out = act(x + bias + residual), what a convolution or matrix product left to do. bias: (c) f32 or NULL; `residual`
 * may be NULL; all tensors of one type. out may be x or residual. */
int yonos_cuda_epilogue(const YonosCudaTensor *out, const YonosCudaTensor *x, const float *bias,
                        const YonosCudaTensor *residual, YonosActivation activation, YonosCudaStream stream);

/* out = x[:c] gelu(x[c:]); x has 2c channels. One type. */
int yonos_cuda_geglu(const YonosCudaTensor *out, const YonosCudaTensor *x, YonosCudaStream stream);

/* y's channels behind x's. One type. */
int yonos_cuda_concat(const YonosCudaTensor *out, const YonosCudaTensor *x, const YonosCudaTensor *y,
                      YonosCudaStream stream);

/* The first channels of x, zeros behind them where out has more; converts. For kernels that want multiples of 8. */
int yonos_cuda_pad_channels(const YonosCudaTensor *out, const YonosCudaTensor *x, YonosCudaStream stream);

/* out = value everywhere; any type. */
int yonos_cuda_fill(const YonosCudaTensor *out, float value, YonosCudaStream stream);

/* ---- resize.cu ------------------------------------------------------------------------------- */

/* f32 (n,h,w,c) -> (n,H,W,c) by tables for the two axes; `workspace` holds (n,h,W,c) f32. */
int yonos_cuda_resize(const YonosCudaTensor *out, const YonosCudaTensor *x, const YonosCudaTaps *taps_y,
                      const YonosCudaTaps *taps_x, void *workspace, YonosCudaStream stream);

/* Nearest neighbour to out's size, source = floor(y in / out): a convolution's up_h, up_w. One type, any. */
int yonos_cuda_upsample_nearest(const YonosCudaTensor *out, const YonosCudaTensor *x, YonosCudaStream stream);

/* ---- tile.cu --------------------------------------------------------------------------------- */

/* out(i, y, x) = in(i or 0, clamp(y + y0), clamp(x + x0)), converting. With follow_tile > 0, tiles[i].y0 / follow_tile
 * and tiles[i].x0 / follow_tile are added; else `tiles` may be NULL. in has as many images as out, or one for all. */
int yonos_cuda_window(const YonosCudaTensor *out, const YonosCudaTensor *in, int y0, int x0, int follow_tile,
                      const YonosCudaTile *tiles, YonosCudaStream stream);

/* accumulator += ramp_y ramp_x tile for each image of `tile` in turn, at tiles[i]'s place; f32. Ramps in device memory:
 * ramp_y (rows, tile.h), ramp_x (columns, tile.w). accumulator has as many images as `tile`, or one for all. */
int yonos_cuda_blend(const YonosCudaTensor *accumulator, const YonosCudaTensor *tile, const float *ramp_y,
                     const float *ramp_x, const YonosCudaTile *tiles, YonosCudaStream stream);

/* ---- noise.cu -------------------------------------------------------------------------------- */

/* f32; yonos_noise_normals() at the latent origin tiles[i] / factor of image i. The CPU's bits. */
int yonos_cuda_noise(const YonosCudaTensor *out, const YonosCudaPerFrame *frame, int factor,
                     const YonosCudaTile *tiles, YonosCudaStream stream);

/* ---- motion.cu ------------------------------------------------------------------------------- */

/* f32; `x` and `before` of one size, out (n, blocks along h, along w, 2). With a steadiness of 0 nothing moves, and
 * `before` is not read. `workspace`: 16-byte aligned, of yonos_cuda_motion_workspace(x->shape) bytes. */
int yonos_cuda_motion(const YonosCudaTensor *out, const YonosCudaTensor *x, const YonosCudaTensor *before, void *workspace,
                      const YonosCudaPerFrame *frame, YonosCudaStream stream);
gsize yonos_cuda_motion_workspace(YonosShape shape);

/* f32; `weight` (n,h,w,1) or NULL: out is 0 where it is 0, and everywhere with a steadiness of 0; x is not read there. */
int yonos_cuda_warp(const YonosCudaTensor *out, const YonosCudaTensor *x, const YonosCudaTensor *motion, int scale,
                    const YonosCudaTensor *weight, const YonosCudaPerFrame *frame, YonosCudaStream stream);

/* ---- steady.cu ------------------------------------------------------------------------------- */

/* f32; `x` and `before` of out's size, of any number of channels. With a steadiness of 0 `before` is not read. */
int yonos_cuda_stillness(const YonosCudaTensor *out, const YonosCudaTensor *x, const YonosCudaTensor *before, float limit,
                         const YonosCudaPerFrame *frame, YonosCudaStream stream);

/* f32; `before` may be `state`; `weight` is (n,h,w,1). Where it is 0, what is in `before` is not read. */
int yonos_cuda_keep(const YonosCudaTensor *state, const YonosCudaTensor *x, const YonosCudaTensor *before,
                    const YonosCudaTensor *weight, YonosCudaStream stream);

/* ---- frame.cu -------------------------------------------------------------------------------- */

/* Frame -> (1,h,w,3) f32 in [-1,1], or with `alpha` -> its alpha (1,h,w,1) in [0,1]. The record is the host's, its
 * planes are device memory; any strides. Its pointers become part of a captured graph. */
int yonos_cuda_pack(const YonosCudaTensor *out, const YonosFrame *frame, gboolean alpha, YonosCudaStream stream);

/* The reverse, rounded to nearest and clipped. alpha: (1,h,w,1) f32 for formats that have one, else NULL. */
int yonos_cuda_unpack(const YonosFrame *frame, const YonosCudaTensor *x, const YonosCudaTensor *alpha,
                      YonosCudaStream stream);

/* ---- trial.cu -------------------------------------------------------------------------------- */

/* `count` numbers in [-1, 1), always the same ones. */
int yonos_cuda_numbers(void *to, YonosDType dtype, gsize count, YonosCudaStream stream);

/* How two results differ: excess, the largest |is - should| - relative |should|, at least 0, infinite where one of them
 * is NaN; largest, the largest |should|. Of parts: the whole has the largest of each. */
typedef struct {
    float excess, largest;
} YonosCudaDifference;
enum { YONOS_CUDA_DIFFERENCES = 2048 }; /* parts that are written */
int yonos_cuda_difference(YonosCudaDifference *to, const void *is, const void *should, YonosDType dtype, gsize count,
                          float relative, YonosCudaStream stream);

/* ---- colour.cu ------------------------------------------------------------------------------- */

/* Per image and channel x with y's mean and standard deviation, f32; out may be x. x and y have out's n and c, of any
 * height and width. `workspace`: yonos_cuda_adain_workspace() bytes, 16-byte aligned. */
int yonos_cuda_adain(const YonosCudaTensor *out, const YonosCudaTensor *x, const YonosCudaTensor *y, void *workspace,
                     YonosCudaStream stream);
gsize yonos_cuda_adain_workspace(YonosShape shape);

/* 3x3 binomial blur with `dilation` pixels between taps, edges replicated, f32; out must not be x. */
int yonos_cuda_blur(const YonosCudaTensor *out, const YonosCudaTensor *x, int dilation, YonosCudaStream stream);

#ifdef __cplusplus
}
#endif

#endif
