/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The computation of one frame as plain records: tensors, constants, nodes.
 *
 * The model's builders write a graph, the plan places it in memory, a backend runs its
 * nodes. Nothing here computes anything. All activations are NHWC; tokens of attention
 * are the h*w pixels in raster order, so a transformer needs no reshapes.
 *
 * A graph has three sections that run in order: HEAD once, TILE once per tile of the
 * grid, TAIL once. A tensor written in HEAD or TILE and read in a later section lives
 * until the reader; the plan takes care of it.
 */
#ifndef YONOS_GRAPH_H
#define YONOS_GRAPH_H

#include "util/util.h"

typedef enum {
    YONOS_DTYPE_F32,
    YONOS_DTYPE_F16,
    YONOS_DTYPE_BF16,
} YonosDType;

static inline gsize yonos_dtype_size(YonosDType dtype) { return dtype == YONOS_DTYPE_F32 ? 4 : 2; }
const char *yonos_dtype_name(YonosDType dtype);

typedef struct {
    int n, h, w, c;
} YonosShape;

static inline gboolean yonos_shape_equal(YonosShape a, YonosShape b) {
    return a.n == b.n && a.h == b.h && a.w == b.w && a.c == b.c;
}
/* n*h*w*c; the graph refuses tensors for which n*h*w*c*4 overflows a gsize or an extent is < 1. */
static inline gsize yonos_shape_count(YonosShape s) { return (gsize)s.n * s.h * s.w * s.c; }

/*
 * A constant of the model: a tensor of the weights file or one folded from several.
 * dim[] is in the file's (PyTorch's) order: convolution (co, ci, kh, kw), linear (co, ci).
 * Owned by the model, which outlives every graph. A backend may key its own packed copy
 * by the address of this record.
 */
typedef struct {
    const char *name;
    YonosDType dtype;
    int rank;
    gint64 dim[8];
    const void *data;
} YonosConst;

gsize yonos_const_count(const YonosConst *c);
/* Element i as float, whatever the storage. */
float yonos_const_get(const YonosConst *c, gsize i);

typedef enum {
    YONOS_TENSOR_VALUE,  /* lives in the arena from its first writer to its last reader */
    YONOS_TENSOR_INPUT,  /* filled by yonos_plan_write_tensor() before a run */
    YONOS_TENSOR_OUTPUT, /* readable by yonos_plan_read_tensor() after a run */
    YONOS_TENSOR_STATE,  /* keeps its contents from run to run; undefined before the first node has written it */
} YonosTensorKind;

typedef struct {
    int id;           /* index in the graph */
    const char *name; /* diffusers' module path, "unet.down_blocks.0.resnets.0.conv1", or "z_l", "noise", "image" */
    YonosTensorKind kind;
    YonosDType dtype;
    YonosShape shape;
} YonosTensor;

typedef enum {
    YONOS_ACTIVATION_NONE,
    YONOS_ACTIVATION_RELU,
    YONOS_ACTIVATION_SILU,
    YONOS_ACTIVATION_GELU,       /* exact: x/2 (1 + erf(x / sqrt 2)) */
    YONOS_ACTIVATION_TANH_CLAMP, /* 3 tanh(x / 3): AutoencoderTiny's latent clamp */
} YonosActivation;

typedef enum {
    YONOS_FILTER_NEAREST,  /* source = floor(y * in / out) */
    YONOS_FILTER_BILINEAR, /* the rest by Pillow's convention: half-pixel centres, support */
    YONOS_FILTER_BICUBIC,  /* scaled by the reduction factor (antialias), taps cut at the */
    YONOS_FILTER_LANCZOS,  /* border and renormalised; bicubic a = -0.5, lanczos of 3 lobes, */
    YONOS_FILTER_AREA,     /* area = Pillow's BOX */
} YonosFilter;

/* Where the tiles lie, in output pixels; made by yonos_tile_grid_new() (model/tiles.h). The sum over
 * tiles of ramp_y[j][y - y0[j]] * ramp_x[i][x - x0[i]] is 1 at every pixel of the frame. */
typedef struct {
    int columns, rows;
    int batch;                /* tiles that TILE nodes take at once, as images; divides columns * rows; 0 is 1 */
    int tile_w, tile_h;
    int *x0, *y0;             /* [columns], [rows]; may be negative or overhang: windows replicate */
    float **ramp_x, **ramp_y; /* [columns][tile_w], [rows][tile_h] */
} YonosTileGrid;

static inline int yonos_tile_grid_batch(const YonosTileGrid *grid) { return grid->batch > 1 ? grid->batch : 1; }

/* What the nodes compute. in[], constant[] and attr are described per operation; every
 * activation tensor of one CONV2D, LINEAR, GROUP_NORM, LAYER_NORM, ATTENTION, GEGLU or
 * CONCAT node has the same dtype; AFFINE and WINDOW convert freely; RESIZE, BLUR, ADAIN,
 * BLEND, FILL, NOISE, PACK, UNPACK, MOTION, WARP, STILLNESS and KEEP work on f32. Accumulation is in f32 throughout. */
typedef enum {
    /* out = act(conv(x) + bias + residual). in: x, [residual]. constant: weight (co,ci,kh,kw), [bias (co)].
     * Zero padding. With attr.conv2d.up_h > 0, x is read as if resized by nearest neighbour to (up_h, up_w). */
    YONOS_OP_CONV2D,
    /* out = act(W x + bias + residual) per pixel. in: x, [residual]. constant: weight (co,ci) or (co,ci,1,1), [bias]. */
    YONOS_OP_LINEAR,
    /* out = act(gamma (x - mean) / sqrt(var + eps) + beta), statistics per image and group.
     * in: x, [y]: y's channels follow x's, the result has both. constant: gamma (c), beta (c). */
    YONOS_OP_GROUP_NORM,
    /* The same over the channels of each pixel. in: x. constant: [gamma (c)], [beta (c)]. */
    YONOS_OP_LAYER_NORM,
    /* softmax(scale q k^T) v per head. in: q, [k], [v] (may be one tensor, with channel offsets);
     * constant: K, V (tokens, heads*head_dim) where in[1], in[2] are NULL (a folded prompt). */
    YONOS_OP_ATTENTION,
    /* out = x[:c] * gelu(x[c:]), exact gelu. in: x with 2c channels. */
    YONOS_OP_GEGLU,
    /* out = act(a x + b y + c). in: x, [y]. */
    YONOS_OP_AFFINE,
    /* Channels of y behind those of x. in: x, y. */
    YONOS_OP_CONCAT,
    /* Separable resampling to out's size. in: x. */
    YONOS_OP_RESIZE,
    /* out(y, x) = in(clamp(y + y0), clamp(x + x0)); with attr.window.follow_tile > 0 the current
     * tile's origin divided by follow_tile is added: cuts tiles, pads by replication, crops. in: x. Then, as in
     * BLEND and NOISE, image i of a batch is for the i-th tile from the current one on (or the last one of all), and x
     * may be one image for all. */
    YONOS_OP_WINDOW,
    /* out = value everywhere. */
    YONOS_OP_FILL,
    /* accumulator += ramp_y ramp_x tile, at the tile's place in the frame; pixels outside are dropped.
     * in: tile, accumulator; out is the accumulator's tensor, of one image for all tiles, or of one for each. */
    YONOS_OP_BLEND,
    /* The field of yonos_noise_normals() for seed and frame, from the tile's latent origin on. */
    YONOS_OP_NOISE,
    /* Frame in the caller's memory -> (1,h,w,3) in [-1,1], or its alpha (1,h,w,1) in [0,1]. */
    YONOS_OP_PACK,
    /* The reverse, clipped and rounded to nearest. in: colour, [alpha]. No out tensor. */
    YONOS_OP_UNPACK,
    /* out = (x - mean_x) / std_x * std_y + mean_y per channel; std of the population + 1e-5 under the root. in: x, y. */
    YONOS_OP_ADAIN,
    /* 3x3 binomial blur with `dilation` pixels between taps, edges replicated (one a-trous wavelet level). in: x. */
    YONOS_OP_BLUR,
    /* Where in `before` lay what x shows: out (n, blocks of 8 along h, along w, 2) is for each block of 8x8 pixels how far
     * to the right and how far down, in pixels, by Lucas and Kanade's method in whole numbers, so that it is the same to
     * the last bit everywhere (backend/motion.h). With a steadiness of 0 before is not read, and nothing moves.
     * in: x, before, of 1 to 4 channels. */
    YONOS_OP_MOTION,
    /* out(p) = x(p + scale motion(p / scale)), with the motion bilinear between the blocks' centres and x by Keys' cubic
     * convolution, edges replicated. Where the weight is 0, and everywhere with a steadiness of 0, out is 0 and x is not
     * read. in: x (n,h,w,c), motion of MOTION at (h / scale, w / scale), [weight (n,h,w,1)]. */
    YONOS_OP_WARP,
    /* Where x is what it was: out (n,h,w,1) = run's steadiness * clip(2 - d / limit, 0, 1), where d is the largest, at the
     * pixel and its neighbours, of the mean over 3x3 pixels (edges replicated) and the channels of |x - before|, of which
     * each counts as 4 at most, as does what is not a number. With a steadiness of 0 before is not read. in: x, before. */
    YONOS_OP_STILLNESS,
    /* state = x + weight (before - x), per pixel; x where the weight is 0, and where before and x are 1000 and more apart
     * or not numbers. in: x, before (may be the state), weight (n,h,w,1); out is the state. */
    YONOS_OP_KEEP,
    YONOS_OP_COUNT,
} YonosOpKind;

const char *yonos_op_name(YonosOpKind op);

/* Of MOTION. */
enum { YONOS_MOTION_BLOCK = 8 /* pixels */, YONOS_MOTION_CHANNELS = 4 /* at most */ };
static inline int yonos_motion_blocks(int side) { return (side + YONOS_MOTION_BLOCK - 1) / YONOS_MOTION_BLOCK; }

typedef enum { YONOS_SECTION_HEAD, YONOS_SECTION_TILE, YONOS_SECTION_TAIL } YonosSection;

typedef struct {
    YonosOpKind op;
    YonosSection section;
    const YonosTensor *in[3];
    const YonosTensor *out;
    const YonosConst *constant[2];
    union {
        struct {
            int stride, pad_top, pad_left, pad_bottom, pad_right;
            int up_h, up_w;
            YonosActivation activation;
        } conv2d;
        struct {
            YonosActivation activation;
        } linear;
        struct {
            int groups;
            float eps;
            YonosActivation activation;
        } group_norm;
        struct {
            float eps;
        } layer_norm;
        struct {
            int heads, head_dim;
            int q_offset, k_offset, v_offset; /* first channel of head 0 in in[0], in[1], in[2] */
            float scale;
        } attention;
        struct {
            float a, b, c;
            YonosActivation activation;
        } affine;
        struct {
            YonosFilter filter;
        } resize;
        struct {
            int y0, x0, follow_tile;
        } window;
        struct {
            float value;
        } fill;
        struct {
            int factor; /* output pixels per latent pixel */
        } noise;
        struct {
            YonosFormat format;
            YonosColour colour;
            gboolean alpha; /* PACK: read the alpha component instead of the colours */
        } frame;
        struct {
            int dilation;
        } blur;
        struct {
            int scale; /* x's pixels for each one of the pictures that the motion is of */
        } warp;
        struct {
            float limit;
        } stillness;
        struct {
            const YonosTileGrid *grid; /* the graph's: where the ramps are */
        } blend;
    } attr;
} YonosNode;

typedef struct {
    GPtrArray *tensors; /* YonosTensor */
    GPtrArray *nodes;   /* YonosNode, in the order of execution */
    YonosTileGrid *grid; /* never NULL once finished; 1 x 1 when untiled */
    const YonosTensor *tile_in, *tile_out; /* all that the TILE nodes between them read and leave behind, for the reuse
                                              of tiles; NULL: not to be reused */
    YonosSection section; /* of the nodes added from now on */
    double flops;       /* 2 x multiply-adds per frame, tiles counted */
    GError *error;      /* first failure; later additions do nothing and return a dummy */
    GStringChunk *names;
} YonosGraph;

/* New, empty graph with a 1 x 1 grid. Free with yonos_graph_free(). Not thread-safe, as all of these. */
YonosGraph *yonos_graph_new(void);
void yonos_graph_free(YonosGraph *graph);
/* Takes ownership of `grid`. Call before adding TILE nodes. */
void yonos_graph_set_grid(YonosGraph *graph, YonosTileGrid *grid);
void yonos_tile_grid_free(YonosTileGrid *grid);

/* A tensor that no node has written yet: an INPUT, or the destination of a node. `name` may be NULL. */
YonosTensor *yonos_graph_tensor(YonosGraph *graph, YonosTensorKind kind, YonosDType dtype, YonosShape shape,
                                const char *name);

/*
 * Node constructors. Each checks shapes, appends a node to the current section and returns the new output
 * tensor. On the first inconsistency graph->error is set and, from then on, a dummy tensor is returned, so
 * builders check once at the end with yonos_graph_finish(). Optional arguments may be NULL.
 */
YonosTensor *yonos_conv2d(YonosGraph *g, const YonosTensor *x, const YonosConst *weight, const YonosConst *bias,
                          const YonosTensor *residual, int stride, const int pad[4] /* top left bottom right */,
                          int up_h, int up_w, YonosActivation activation, const char *name);
YonosTensor *yonos_linear(YonosGraph *g, const YonosTensor *x, const YonosConst *weight, const YonosConst *bias,
                          const YonosTensor *residual, YonosActivation activation, const char *name);
YonosTensor *yonos_group_norm(YonosGraph *g, const YonosTensor *x, const YonosTensor *y, const YonosConst *gamma,
                              const YonosConst *beta, int groups, float eps, YonosActivation activation,
                              const char *name);
YonosTensor *yonos_layer_norm(YonosGraph *g, const YonosTensor *x, const YonosConst *gamma, const YonosConst *beta,
                              float eps, const char *name);
/* K and V are tensors (k, v) or constants (k_const, v_const); all offsets in channels. */
YonosTensor *yonos_attention(YonosGraph *g, const YonosTensor *q, int q_offset, const YonosTensor *k, int k_offset,
                             const YonosTensor *v, int v_offset, const YonosConst *k_const, const YonosConst *v_const,
                             int heads, int head_dim, float scale, const char *name);
YonosTensor *yonos_geglu(YonosGraph *g, const YonosTensor *x, const char *name);
YonosTensor *yonos_affine(YonosGraph *g, const YonosTensor *x, float a, const YonosTensor *y, float b, float c,
                          YonosActivation activation, YonosDType dtype, const char *name);
YonosTensor *yonos_concat(YonosGraph *g, const YonosTensor *x, const YonosTensor *y, const char *name);
YonosTensor *yonos_resize(YonosGraph *g, const YonosTensor *x, int h, int w, YonosFilter filter, const char *name);
YonosTensor *yonos_window(YonosGraph *g, const YonosTensor *x, int y0, int x0, int h, int w, int follow_tile,
                          YonosDType dtype, const char *name);
YonosTensor *yonos_fill(YonosGraph *g, YonosShape shape, float value, const char *name);
/* Adds `tile` into `accumulator` and returns `accumulator`. */
YonosTensor *yonos_blend(YonosGraph *g, const YonosTensor *tile, YonosTensor *accumulator);
YonosTensor *yonos_noise(YonosGraph *g, YonosShape shape, int factor, const char *name);
YonosTensor *yonos_pack(YonosGraph *g, int h, int w, YonosFormat format, const YonosColour *colour, gboolean alpha,
                        const char *name);
void yonos_unpack(YonosGraph *g, const YonosTensor *x, const YonosTensor *alpha, YonosFormat format,
                  const YonosColour *colour);
YonosTensor *yonos_adain(YonosGraph *g, const YonosTensor *x, const YonosTensor *y, const char *name);
YonosTensor *yonos_blur(YonosGraph *g, const YonosTensor *x, int dilation, const char *name);
YonosTensor *yonos_motion(YonosGraph *g, const YonosTensor *x, const YonosTensor *before, const char *name);
YonosTensor *yonos_warp(YonosGraph *g, const YonosTensor *x, const YonosTensor *motion, int scale,
                        const YonosTensor *weight, const char *name);
YonosTensor *yonos_stillness(YonosGraph *g, const YonosTensor *x, const YonosTensor *before, float limit,
                             const char *name);
/* Writes x, moved towards `before`, into `state` and returns `state`. */
YonosTensor *yonos_keep(YonosGraph *g, const YonosTensor *x, const YonosTensor *before, const YonosTensor *weight,
                        YonosTensor *state);

/* Same tensor, no node, when the dtype already fits; else an AFFINE that converts. */
const YonosTensor *yonos_convert(YonosGraph *g, const YonosTensor *x, YonosDType dtype);

/* TRUE when no constructor failed; else moves the first failure to *error. */
gboolean yonos_graph_finish(YonosGraph *graph, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(YonosGraph, yonos_graph_free)

#endif
