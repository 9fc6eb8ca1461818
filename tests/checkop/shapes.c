/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The shapes that are checked, operation by operation. Channels, kernels, strides, groups and heads are those of the
 * networks named; pictures are smaller than in their plans, but large enough for the choices that backends make by size
 * (docs/speed.md). Then what networks do not have: odd sizes, 1x1, batches, unusual kernels.
 */
#include "case.h"

#include <math.h>

#include "backend/format.h"
#include "model/model.h"

#define NONE YONOS_ACTIVATION_NONE
#define RELU YONOS_ACTIVATION_RELU
#define SILU YONOS_ACTIVATION_SILU
#define GELU YONOS_ACTIVATION_GELU
#define CLAMPED YONOS_ACTIVATION_TANH_CLAMP

static YonosTensor *input(YonosGraph *g, YonosDType dtype, YonosShape shape) {
    return yonos_graph_tensor(g, YONOS_TENSOR_INPUT, dtype, shape, NULL);
}

/* ---- CONV2D ----------------------------------------------------------------------------------- */

typedef struct {
    const char *from;
    YonosShape in;
    int out, kernel, stride;
    int pad[4]; /* top left bottom right */
    int up_h, up_w;
    gboolean residual, no_bias;
    YonosActivation activation;
} ConvShape;

#define SAME .pad = {1, 1, 1, 1}
#define UP(h, w) .up_h = h, .up_w = w

static const ConvShape convs[] = {
    {"SD 1.5 conv_in", {1, 16, 16, 8}, 320, 3, 1, SAME},
    {"SD 1.5 resnet", {1, 16, 16, 320}, 320, 3, 1, SAME},
    {"SD 1.5 resnet, odd", {1, 9, 11, 320}, 320, 3, 1, SAME, .residual = TRUE},
    {"SD 1.5 downsampler", {1, 16, 15, 320}, 320, 3, 2, SAME},
    {"SD 1.5 lowest level", {1, 4, 4, 1280}, 1280, 3, 1, SAME, .residual = TRUE},
    {"SD 1.5 up, two sources", {1, 2, 2, 2560}, 1280, 3, 1, SAME},
    {"SD 1.5 upsampler", {1, 3, 3, 640}, 640, 3, 1, SAME, UP(6, 6)},
    {"SD 1.5 upsampler, odd skip", {1, 3, 4, 640}, 640, 3, 1, SAME, UP(5, 7)},
    {"SD 1.5 shortcut", {1, 8, 8, 960}, 640, 1, 1, .pad = {0}},
    {"SD 1.5 conv_out", {1, 16, 16, 320}, 4, 3, 1, SAME},
    {"SD 2.1 proj_in as 1x1", {1, 8, 9, 640}, 640, 1, 1, .pad = {0}, .residual = TRUE},
    {"VAE encoder conv_in", {1, 20, 24, 3}, 128, 3, 1, SAME},
    {"VAE encoder downsampler", {1, 17, 16, 128}, 128, 3, 2, .pad = {0, 0, 1, 1}},
    {"VAE middle", {1, 8, 8, 512}, 512, 3, 1, SAME, .residual = TRUE},
    {"VAE decoder", {1, 24, 20, 256}, 128, 3, 1, SAME},
    {"VAE decoder, large", {1, 64, 64, 128}, 128, 3, 1, SAME},
    {"VAE decoder upsampler", {1, 6, 7, 256}, 256, 3, 1, SAME, UP(12, 14)},
    {"VAE decoder conv_out", {1, 20, 24, 128}, 3, 3, 1, SAME},
    {"VAE quant_conv", {1, 16, 16, 8}, 8, 1, 1, .pad = {0}},
    {"TAESD decoder in", {1, 16, 16, 4}, 64, 3, 1, SAME, .activation = RELU},
    {"TAESD block", {1, 20, 20, 64}, 64, 3, 1, SAME, .activation = RELU},
    {"TAESD block end", {1, 20, 20, 64}, 64, 3, 1, SAME, .residual = TRUE, .activation = RELU},
    {"TAESD block, large", {1, 96, 120, 64}, 64, 3, 1, SAME, .activation = RELU},
    {"TAESD upsampler", {1, 10, 12, 64}, 64, 3, 1, SAME, UP(20, 24), .no_bias = TRUE},
    {"TAESD downsampler", {1, 20, 20, 64}, 64, 3, 2, SAME, .no_bias = TRUE},
    {"TAESD out", {1, 20, 20, 64}, 3, 3, 1, SAME},
    {"one pixel", {1, 1, 1, 5}, 7, 3, 1, SAME},
    {"one pixel, one channel", {1, 1, 1, 1}, 1, 1, 1, .pad = {0}},
    {"one column", {1, 9, 1, 16}, 16, 3, 1, SAME},
    {"one row, doubled", {1, 1, 7, 16}, 16, 3, 1, SAME, UP(2, 14)},
    {"more threads, another schedule", {1, 64, 64, 192}, 96, 3, 1, SAME},
    {"more threads, another block", {1, 8, 8, 640}, 320, 3, 1, SAME},
    {"more threads, another block, doubled", {1, 2, 3, 1280}, 640, 3, 1, SAME, UP(4, 6)},
    {"batch", {2, 17, 16, 64}, 64, 3, 1, SAME, .residual = TRUE},
    {"batch, odd channels", {2, 5, 7, 3}, 6, 3, 2, SAME},
    {"batch, doubled", {2, 5, 6, 32}, 48, 3, 1, SAME, UP(10, 12), .activation = RELU},
    {"batch, doubled, odd", {2, 5, 60, 32}, 48, 3, 1, SAME, UP(9, 119), .activation = RELU},
    {"5x5", {1, 9, 8, 17}, 19, 5, 1, .pad = {2, 2, 2, 2}},
    {"2x2, no padding", {1, 8, 7, 24}, 24, 2, 2, .pad = {0}},
    {"1x1, stride 2", {1, 8, 9, 32}, 16, 1, 2, .pad = {0}},
    {"padding left and top", {1, 8, 9, 32}, 32, 2, 1, .pad = {1, 1, 0, 0}},
    {"SiLU", {1, 7, 9, 32}, 48, 3, 1, SAME, .activation = SILU},
    {"GELU, residual", {1, 7, 9, 32}, 32, 3, 1, SAME, .residual = TRUE, .activation = GELU},
    {"clamped", {1, 7, 9, 4}, 4, 3, 1, SAME, .activation = CLAMPED},
    {"unused padding", {1, 8, 8, 16}, 16, 3, 2, SAME},
};

static void add_conv(CaseList *list, const ConvShape *s) {
    YonosGraph *g = yonos_graph_new();
    int h = s->up_h ? s->up_h : s->in.h, w = s->up_w ? s->up_w : s->in.w;
    YonosShape out = {s->in.n, (h + s->pad[0] + s->pad[2] - s->kernel) / s->stride + 1,
                      (w + s->pad[1] + s->pad[3] - s->kernel) / s->stride + 1, s->out};
    YonosConst weight = {.rank = 4, .dim = {s->out, s->in.c, s->kernel, s->kernel}};
    YonosConst bias = {.rank = 1, .dim = {s->out}};
    YonosTensor *x = input(g, YONOS_DTYPE_BF16, s->in);
    yonos_conv2d(g, x, &weight, s->no_bias ? NULL : &bias, s->residual ? input(g, YONOS_DTYPE_BF16, out) : NULL,
                 s->stride, s->pad, s->up_h, s->up_w, s->activation, NULL);
    case_list_add_graph(list, s->from, g);
}

/* ---- LINEAR ------------------------------------------------------------------------------------ */

typedef struct {
    const char *from;
    YonosShape in;
    int out;
    gboolean residual, no_bias, as_conv; /* as_conv: the weight is (co,ci,1,1) */
    YonosActivation activation;
} LinearShape;

static const LinearShape linears[] = {
    {"SD 1.5 to_q, to_k, to_v", {1, 8, 8, 320}, .out = 960, .no_bias = TRUE},
    {"SD 1.5 to_out", {1, 8, 9, 320}, .out = 320, .residual = TRUE},
    {"SD 1.5 feed forward in", {1, 6, 5, 640}, .out = 5120},
    {"SD 1.5 feed forward out", {1, 5, 5, 2560}, .out = 640, .residual = TRUE},
    {"SD 1.5 lowest level", {1, 4, 4, 1280}, .out = 1280, .residual = TRUE},
    {"SD 2.1 proj_in", {1, 8, 8, 320}, .out = 320},
    {"VAE attention", {1, 8, 8, 512}, .out = 1536, .as_conv = TRUE},
    {"one element", {1, 1, 1, 1}, .out = 1},
    {"one pixel", {1, 1, 1, 1280}, .out = 320, .activation = RELU},
    {"batch, odd channels", {2, 3, 5, 7}, .out = 5, .residual = TRUE},
    {"SiLU", {1, 3, 3, 16}, .out = 33, .activation = SILU},
    {"GELU", {1, 3, 3, 48}, .out = 16, .residual = TRUE, .activation = GELU},
};

static void add_linear(CaseList *list, const LinearShape *s) {
    YonosGraph *g = yonos_graph_new();
    YonosShape out = {s->in.n, s->in.h, s->in.w, s->out};
    YonosConst weight = {.rank = s->as_conv ? 4 : 2, .dim = {s->out, s->in.c, 1, 1}};
    YonosConst bias = {.rank = 1, .dim = {s->out}};
    YonosTensor *x = input(g, YONOS_DTYPE_BF16, s->in);
    yonos_linear(g, x, &weight, s->no_bias ? NULL : &bias, s->residual ? input(g, YONOS_DTYPE_BF16, out) : NULL,
                 s->activation, NULL);
    case_list_add_graph(list, s->from, g);
}

/* ---- ATTENTION ---------------------------------------------------------------------------------- */

typedef struct {
    const char *from;
    int n, h, w, heads, dim;
    int tokens_h, tokens_w;        /* of keys and values; 0: those of one packed tensor q, k, v */
    int prompt;                    /* tokens of constant keys and values */
} AttentionShape;

static const AttentionShape attentions[] = {
    {"SD 1.5", 1, 20, 20, .heads = 8, .dim = 40},
    {"SD 1.5, second level", 1, 9, 11, .heads = 8, .dim = 80},
    {"SD 1.5, third level", 1, 5, 5, .heads = 8, .dim = 160},
    {"SD 1.5, prompt", 1, 8, 9, .heads = 8, .dim = 40, .prompt = 77},
    {"SD 1.5, prompt, lowest level", 1, 3, 2, .heads = 8, .dim = 160, .prompt = 77},
    {"SD 2.1", 1, 17, 16, .heads = 5, .dim = 64},
    {"SD 2.1, third level", 1, 6, 7, .heads = 20, .dim = 64},
    {"SD 2.1, prompt", 1, 7, 7, .heads = 10, .dim = 64, .prompt = 77},
    {"VAE", 1, 9, 8, .heads = 1, .dim = 512},
    {"one token", 1, 1, 1, .heads = 2, .dim = 8},
    {"one key", 1, 3, 3, .heads = 2, .dim = 6, .tokens_h = 1, .tokens_w = 1},
    {"odd head", 1, 5, 7, .heads = 3, .dim = 5},
    {"batch", 2, 6, 5, .heads = 4, .dim = 32},
    {"batch, other keys", 2, 4, 5, .heads = 2, .dim = 16, .tokens_h = 3, .tokens_w = 7},
    {"wide head", 1, 3, 3, .heads = 1, .dim = 640},
};

static void add_attention(CaseList *list, const AttentionShape *s) {
    YonosGraph *g = yonos_graph_new();
    int c = s->heads * s->dim, heads = s->heads, dim = s->dim;
    float scale = 1.0f / sqrtf((float)s->dim);
    YonosShape pixels = {s->n, s->h, s->w, c}, packed = {s->n, s->h, s->w, 3 * c};
    YonosShape tokens = {s->n, s->tokens_h, s->tokens_w, c};
    YonosConst k = {.rank = 2, .dim = {s->prompt, c}}, v = k;
    if (s->prompt) {
        YonosTensor *q = input(g, YONOS_DTYPE_BF16, pixels);
        yonos_attention(g, q, 0, NULL, 0, NULL, 0, &k, &v, heads, dim, scale, NULL);
    } else if (s->tokens_h) {
        YonosTensor *q = input(g, YONOS_DTYPE_BF16, pixels);
        YonosTensor *keys = input(g, YONOS_DTYPE_BF16, tokens), *values = input(g, YONOS_DTYPE_BF16, tokens);
        yonos_attention(g, q, 0, keys, 0, values, 0, NULL, NULL, heads, dim, scale, NULL);
    } else {
        YonosTensor *qkv = input(g, YONOS_DTYPE_BF16, packed);
        yonos_attention(g, qkv, 0, qkv, c, qkv, 2 * c, NULL, NULL, heads, dim, scale, NULL);
    }
    case_list_add_graph(list, s->from, g);
}

/* ---- norms ---------------------------------------------------------------------------------------- */

typedef struct {
    const char *from;
    YonosShape x;
    int y;      /* channels of a second source; 0: one source */
    int groups; /* 0: LAYER_NORM */
    YonosActivation activation;
} NormShape;

static const NormShape norms[] = {
    {"SD 1.5 resnet", {1, 16, 16, 320}, 0, 32, SILU},
    {"SD 1.5 transformer", {1, 9, 11, 640}, 0, 32, NONE},
    {"SD 1.5 up, two sources", {1, 5, 5, 1280}, 1280, 32, SILU},
    {"SD 1.5 up, groups across sources", {1, 9, 11, 640}, 320, 32, SILU},
    {"VAE, large", {1, 65, 67, 128}, 0, 32, SILU},
    {"VAE attention", {1, 9, 8, 512}, 0, 32, NONE},
    {"default model", {1, 33, 17, 16}, 0, 8, SILU},
    {"SD 1.5 layer norm", {1, 9, 5, 320}, 0, 0, NONE},
    {"SD 1.5 layer norm, second level", {1, 3, 4, 640}, 0, 0, NONE},
    {"SD 1.5 layer norm, lowest level", {1, 2, 2, 1280}, 0, 0, NONE},
    {"one pixel", {1, 1, 1, 32}, 0, 8, SILU},
    {"one column", {1, 3, 1, 6}, 0, 3, RELU},
    {"batch", {2, 5, 7, 48}, 0, 4, NONE},
    {"batch, two sources", {2, 9, 11, 320}, 96, 32, SILU},
    {"GELU", {1, 65, 67, 20}, 0, 5, GELU},
    {"clamped, two sources", {1, 40, 40, 12}, 20, 4, CLAMPED},
    {"one group", {1, 7, 9, 24}, 0, 1, NONE},
    {"a group for each channel", {1, 7, 9, 24}, 0, 24, NONE},
    {"odd channels", {2, 3, 3, 7}, 0, 0, NONE},
    {"one channel", {1, 1, 3, 1}, 0, 0, NONE},
    {"few channels", {1, 5, 15, 8}, 0, 0, NONE},
    {"40 channels", {1, 13, 5, 40}, 0, 0, NONE},
    {"a few more", {2, 3, 7, 72}, 0, 0, NONE},
    {"many channels", {1, 3, 3, 2056}, 0, 0, NONE},
    {"many channels, odd", {1, 3, 1, 1283}, 0, 0, NONE},
};

static void add_norm(CaseList *list, const NormShape *s) {
    YonosGraph *g = yonos_graph_new();
    YonosConst gamma = {.rank = 1, .dim = {s->x.c + s->y}}, beta = gamma;
    YonosTensor *x = input(g, YONOS_DTYPE_BF16, s->x);
    YonosShape y = {s->x.n, s->x.h, s->x.w, s->y};
    if (s->groups)
        yonos_group_norm(g, x, s->y ? input(g, YONOS_DTYPE_BF16, y) : NULL, &gamma, &beta, s->groups, 1e-5f,
                         s->activation, NULL);
    else
        yonos_layer_norm(g, x, &gamma, &beta, 1e-5f, NULL);
    case_list_add_graph(list, s->from, g);
}

/* Without gamma and beta, which the graph allows. */
static void add_bare_norm(CaseList *list) {
    YonosGraph *g = yonos_graph_new();
    yonos_layer_norm(g, input(g, YONOS_DTYPE_BF16, (YonosShape){1, 3, 5, 24}), NULL, NULL, 1e-6f, NULL);
    case_list_add_graph(list, "without gamma and beta", g);
}

/* ---- element by element ----------------------------------------------------------------------------- */

static void add_affine(CaseList *list, YonosShape shape, YonosDType from, YonosDType to, gboolean two,
                       YonosActivation activation) {
    YonosGraph *g = yonos_graph_new();
    YonosTensor *x = input(g, from, shape), *y = two ? input(g, from, shape) : NULL;
    yonos_affine(g, x, 0.75f, y, -1.5f, 0.125f, activation, to, NULL);
    case_list_add_graph(list, "affine", g);
}

static void add_affines(CaseList *list) {
    static const YonosDType types[] = {YONOS_DTYPE_F32, YONOS_DTYPE_BF16};
    for (int from = 0; from < 2; from++)
        for (int to = 0; to < 2; to++) {
            add_affine(list, (YonosShape){1, 37, 11, 3}, types[from], types[to], FALSE, NONE);
            add_affine(list, (YonosShape){1, 64, 67, 3}, types[from], types[to], TRUE, NONE);
            add_affine(list, (YonosShape){1, 1, 1, 1}, types[from], types[to], TRUE, NONE);
        }
    add_affine(list, (YonosShape){2, 5, 5, 16}, YONOS_DTYPE_BF16, YONOS_DTYPE_BF16, TRUE, SILU);
    for (YonosActivation activation = RELU; activation <= CLAMPED; activation++)
        add_affine(list, (YonosShape){1, 31, 33, 4}, YONOS_DTYPE_BF16, YONOS_DTYPE_BF16, FALSE, activation);
}

static void add_geglu(CaseList *list, const char *from, YonosShape shape) {
    YonosGraph *g = yonos_graph_new();
    yonos_geglu(g, input(g, YONOS_DTYPE_BF16, shape), NULL);
    case_list_add_graph(list, from, g);
}

static void add_concat(CaseList *list, const char *from, YonosShape x, int y) {
    YonosGraph *g = yonos_graph_new();
    YonosTensor *left = input(g, YONOS_DTYPE_BF16, x);
    yonos_concat(g, left, input(g, YONOS_DTYPE_BF16, (YonosShape){x.n, x.h, x.w, y}), NULL);
    case_list_add_graph(list, from, g);
}

static void add_fill(CaseList *list, YonosShape shape) {
    YonosGraph *g = yonos_graph_new();
    yonos_fill(g, shape, 0.3f, NULL);
    case_list_add_graph(list, "fill", g);
}

/* ---- images ------------------------------------------------------------------------------------------- */

static void add_resize(CaseList *list, YonosShape x, int h, int w, YonosFilter filter) {
    static const char *const names[] = {"nearest", "bilinear", "bicubic", "lanczos", "area"};
    YonosGraph *g = yonos_graph_new();
    yonos_resize(g, input(g, YONOS_DTYPE_F32, x), h, w, filter, NULL);
    case_list_add_graph(list, names[filter], g);
}

static void add_resizes(CaseList *list) {
    for (YonosFilter filter = YONOS_FILTER_NEAREST; filter <= YONOS_FILTER_AREA; filter++) {
        add_resize(list, (YonosShape){1, 17, 23, 3}, 34, 46, filter);
        add_resize(list, (YonosShape){2, 34, 46, 3}, 17, 23, filter);
        add_resize(list, (YonosShape){1, 13, 9, 1}, 52, 36, filter);
        add_resize(list, (YonosShape){1, 30, 31, 3}, 7, 5, filter);
        add_resize(list, (YonosShape){1, 1, 1, 3}, 4, 3, filter);
        add_resize(list, (YonosShape){1, 5, 4, 3}, 1, 1, filter);
        add_resize(list, (YonosShape){1, 13, 9, 16}, 7, 20, filter);
        add_resize(list, (YonosShape){1, 2, 3, 3}, 2, 3, filter);
        add_resize(list, (YonosShape){1, 90, 160, 3}, 180, 320, filter);
    }
}

static void add_blur(CaseList *list, YonosShape x, int dilation) {
    YonosGraph *g = yonos_graph_new();
    yonos_blur(g, input(g, YONOS_DTYPE_F32, x), dilation, NULL);
    case_list_add_graph(list, "wavelet level", g);
}

/* The patterns' numbers are far apart: a limit like theirs, so that some pixels are still and some in between. */
static void add_stillness(CaseList *list, YonosShape x) {
    YonosGraph *g = yonos_graph_new();
    YonosTensor *before = input(g, YONOS_DTYPE_F32, x);
    yonos_stillness(g, input(g, YONOS_DTYPE_F32, x), before, 1.1f, NULL);
    case_list_add_graph(list, "stillness", g);
}

static void add_keep(CaseList *list, YonosShape x, gboolean apart) {
    YonosGraph *g = yonos_graph_new();
    YonosTensor *state = input(g, YONOS_DTYPE_F32, x), *before = apart ? input(g, YONOS_DTYPE_F32, x) : state;
    yonos_keep(g, input(g, YONOS_DTYPE_F32, x), before, input(g, YONOS_DTYPE_F32, (YonosShape){x.n, x.h, x.w, 1}),
               state);
    case_list_add_graph(list, "keep", g);
}

static void add_motion(CaseList *list, YonosShape x) {
    YonosGraph *g = yonos_graph_new();
    YonosTensor *before = input(g, YONOS_DTYPE_F32, x);
    yonos_motion(g, input(g, YONOS_DTYPE_F32, x), before, NULL);
    case_list_add_graph(list, "motion", g);
}

static void add_warp(CaseList *list, YonosShape x, int scale, gboolean weighted) {
    YonosShape blocks = {x.n, yonos_motion_blocks(x.h / scale), yonos_motion_blocks(x.w / scale), 2};
    YonosGraph *g = yonos_graph_new();
    YonosTensor *motion = input(g, YONOS_DTYPE_F32, blocks);
    YonosTensor *weight = weighted ? input(g, YONOS_DTYPE_F32, (YonosShape){x.n, x.h, x.w, 1}) : NULL;
    yonos_warp(g, input(g, YONOS_DTYPE_F32, x), motion, scale, weight, NULL);
    case_list_add_graph(list, "warp", g);
}

static void add_adain(CaseList *list, YonosShape x, int y_h, int y_w) {
    YonosGraph *g = yonos_graph_new();
    YonosTensor *left = input(g, YONOS_DTYPE_F32, x);
    yonos_adain(g, left, input(g, YONOS_DTYPE_F32, (YonosShape){x.n, y_h, y_w, x.c}), NULL);
    case_list_add_graph(list, "adain", g);
}

/* ---- tiles ---------------------------------------------------------------------------------------------- */

static void add_window(CaseList *list, YonosShape x, int y0, int x0, int h, int w, YonosDType from, YonosDType to) {
    YonosGraph *g = yonos_graph_new();
    yonos_window(g, input(g, from, x), y0, x0, h, w, 0, to, NULL);
    case_list_add_graph(list, "window", g);
}

static void add_windows(CaseList *list) {
    static const YonosDType types[] = {YONOS_DTYPE_F32, YONOS_DTYPE_BF16};
    for (int from = 0; from < 2; from++)
        for (int to = 0; to < 2; to++) {
            add_window(list, (YonosShape){2, 9, 7, 3}, -2, -3, 12, 13, types[from], types[to]);
            add_window(list, (YonosShape){1, 9, 7, 16}, 3, 2, 4, 3, types[from], types[to]);
            add_window(list, (YonosShape){1, 1, 1, 3}, 0, 0, 5, 6, types[from], types[to]);
            add_window(list, (YonosShape){1, 6, 5, 3}, 20, -30, 4, 4, types[from], types[to]);
            add_window(list, (YonosShape){1, 21, 30, 4}, 0, 0, 24, 32, types[from], types[to]);
        }
}

/* WINDOW, NOISE and BLEND at the last tile of a frame; case_list_add_graph() chooses that tile. */
static void add_tile(CaseList *list, int width, int height, int factor, gboolean blended) {
    g_autoptr(GError) error = NULL;
    YonosModelInfo info = {.name = (char *)"tiles", .latent_factor = factor, .global_statistics = blended,
                           .halo = blended ? 0 : 2};
    YonosTileGrid *grid = yonos_tile_grid_new(width, height, 64, -1, &info, &error);
    if (!grid)
        g_error("%s", error->message);
    YonosGraph *g = yonos_graph_new();
    yonos_graph_set_grid(g, grid);
    YonosTensor *sum = input(g, YONOS_DTYPE_F32, (YonosShape){1, height - 3, width - 1, 3});
    YonosTensor *latents = input(g, YONOS_DTYPE_F32, (YonosShape){1, height / factor, width / factor, 4});
    YonosTensor *tile = input(g, YONOS_DTYPE_F32, (YonosShape){1, grid->tile_h, grid->tile_w, 3});
    YonosShape latent_tile = {1, grid->tile_h / factor, grid->tile_w / factor, 5};
    g->section = YONOS_SECTION_TILE;
    yonos_window(g, latents, 0, 0, latent_tile.h, latent_tile.w, factor, YONOS_DTYPE_BF16, "cut");
    yonos_noise(g, latent_tile, factor, "noise");
    yonos_blend(g, tile, sum);
    case_list_add_graph(list, "last tile", g);
}

static void add_noise(CaseList *list, YonosShape shape) {
    YonosGraph *g = yonos_graph_new();
    yonos_noise(g, shape, 8, NULL);
    case_list_add_graph(list, "noise", g);
}

/* ---- frames --------------------------------------------------------------------------------------------- */

static void add_frame(CaseList *list, YonosFormat format, const YonosColour *colour, int width, int height) {
    const YonosFormatInfo *info = yonos_format_get_info(format);
    YonosGraph *g = yonos_graph_new();
    YonosTensor *x = input(g, YONOS_DTYPE_F32, (YonosShape){1, height, width, 3}), *alpha = NULL;
    yonos_pack(g, height, width, format, colour, FALSE, "colour");
    if (info->alpha >= 0) {
        yonos_pack(g, height, width, format, colour, TRUE, "alpha");
        alpha = input(g, YONOS_DTYPE_F32, (YonosShape){1, height, width, 1});
    }
    yonos_unpack(g, x, alpha, format, colour);
    case_list_add_graph(list, info->name, g);
}

static void add_frames(CaseList *list) {
    static const int sizes[][2] = {{1, 1}, {2, 1}, {1, 3}, {7, 5}, {40, 9}, {67, 14}};
    for (YonosFormat format = YONOS_FORMAT_UNKNOWN + 1; format < YONOS_FORMAT_COUNT; format++) {
        gboolean yuv = yonos_format_get_info(format)->layout == YONOS_LAYOUT_YUV420;
        for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
            for (int siting = 0; siting < (yuv ? 4 : 1); siting++) {
                YonosColour colour = {.kr = 0.2126, .kb = 0.0722, .full_range = siting == 3,
                                      .chroma_cosited_h = siting & 1, .chroma_cosited_v = siting >> 1};
                add_frame(list, format, &colour, sizes[i][0], sizes[i][1]);
            }
    }
}

/* ---- random shapes ---------------------------------------------------------------------------------------- */

/* Any number up to `most`, but often a multiple of 16, for which backends have fast ways. */
static int random_channels(GRand *rand, int most) {
    int channels = g_rand_int_range(rand, 1, most + 1);
    return g_rand_boolean(rand) ? (channels + 15) / 16 * 16 : channels;
}

static YonosShape random_shape(GRand *rand, int most_channels) {
    enum { SIDE = 25 };
    return (YonosShape){g_rand_int_range(rand, 1, 3), g_rand_int_range(rand, 1, SIDE), g_rand_int_range(rand, 1, SIDE),
                        random_channels(rand, most_channels)};
}

static YonosActivation random_activation(GRand *rand) {
    return (YonosActivation)g_rand_int_range(rand, NONE, CLAMPED + 1);
}

static void add_random_conv(CaseList *list, GRand *rand) {
    ConvShape s = {.from = "random", .in = random_shape(rand, 80), .out = random_channels(rand, 80),
                   .kernel = g_rand_int_range(rand, 1, 4), .stride = g_rand_int_range(rand, 1, 3),
                   .residual = g_rand_boolean(rand), .no_bias = g_rand_boolean(rand)};
    for (int side = 0; side < 4; side++)
        s.pad[side] = g_rand_int_range(rand, 0, s.kernel);
    if (g_rand_boolean(rand)) { /* as networks have it */
        s.activation = g_rand_boolean(rand) ? RELU : NONE;
        s.stride = 1;
        for (int side = 0; side < 4; side++)
            s.pad[side] = s.kernel / 2;
    } else {
        s.activation = random_activation(rand);
    }
    if (g_rand_int_range(rand, 0, 4) == 0) {
        s.up_h = s.in.h * 2 - g_rand_int_range(rand, 0, 2);
        s.up_w = s.in.w * 2 - g_rand_int_range(rand, 0, 2);
    }
    int h = s.up_h ? s.up_h : s.in.h, w = s.up_w ? s.up_w : s.in.w;
    if (h + s.pad[0] + s.pad[2] >= s.kernel && w + s.pad[1] + s.pad[3] >= s.kernel)
        add_conv(list, &s);
}

static void add_random_linear(CaseList *list, GRand *rand) {
    LinearShape s = {.from = "random", .in = random_shape(rand, 200), .out = random_channels(rand, 200),
                     .residual = g_rand_boolean(rand), .no_bias = g_rand_boolean(rand),
                     .activation = random_activation(rand)};
    add_linear(list, &s);
}

static void add_random_attention(CaseList *list, GRand *rand) {
    YonosShape q = random_shape(rand, 1);
    AttentionShape s = {.from = "random", .n = q.n, .h = q.h, .w = q.w, .heads = g_rand_int_range(rand, 1, 9),
                        .dim = random_channels(rand, 100)};
    int kind = g_rand_int_range(rand, 0, 3);
    s.prompt = kind == 1 ? g_rand_int_range(rand, 1, 200) : 0;
    s.tokens_h = kind == 2 ? g_rand_int_range(rand, 1, 20) : 0;
    s.tokens_w = kind == 2 ? g_rand_int_range(rand, 1, 20) : 0;
    add_attention(list, &s);
}

static void add_random_norm(CaseList *list, GRand *rand) {
    int groups = g_rand_int_range(rand, 0, 33), size = g_rand_int_range(rand, 1, 20);
    NormShape s = {.from = "random", .x = random_shape(rand, 300), .groups = groups,
                   .activation = random_activation(rand)};
    if (groups) {
        int channels = groups * size;
        s.y = channels > 1 && g_rand_boolean(rand) ? g_rand_int_range(rand, 1, channels) : 0;
        s.x.c = channels - s.y;
    }
    add_norm(list, &s);
}

void case_list_add_random(CaseList *list, guint32 seed, int count) {
    static void (*const add[])(CaseList *list, GRand *rand) = {add_random_conv, add_random_conv, add_random_linear,
                                                               add_random_attention, add_random_norm};
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    for (int i = 0; i < count; i++)
        add[(guint)i % G_N_ELEMENTS(add)](list, rand);
}

void case_list_add_shapes(CaseList *list) {
    for (guint i = 0; i < G_N_ELEMENTS(convs); i++)
        add_conv(list, &convs[i]);
    for (guint i = 0; i < G_N_ELEMENTS(linears); i++)
        add_linear(list, &linears[i]);
    for (guint i = 0; i < G_N_ELEMENTS(attentions); i++)
        add_attention(list, &attentions[i]);
    for (guint i = 0; i < G_N_ELEMENTS(norms); i++)
        add_norm(list, &norms[i]);
    add_bare_norm(list);
    add_affines(list);
    add_geglu(list, "SD 1.5 feed forward", (YonosShape){1, 3, 5, 2560});
    add_geglu(list, "batch", (YonosShape){2, 1, 1, 2});
    add_concat(list, "conditioning", (YonosShape){1, 16, 17, 4}, 4);
    add_concat(list, "batch", (YonosShape){2, 7, 5, 16}, 3);
    add_fill(list, (YonosShape){1, 19, 37, 3});
    add_resizes(list);
    add_blur(list, (YonosShape){1, 21, 37, 3}, 1);
    add_blur(list, (YonosShape){2, 21, 37, 3}, 16);
    add_blur(list, (YonosShape){1, 1, 1, 3}, 4);
    add_adain(list, (YonosShape){2, 19, 23, 3}, 19, 23);
    add_adain(list, (YonosShape){1, 1, 1, 3}, 1, 1);
    add_adain(list, (YonosShape){1, 200, 131, 3}, 200, 131);
    add_stillness(list, (YonosShape){1, 21, 67, 3});
    add_stillness(list, (YonosShape){2, 9, 5, 1});
    add_stillness(list, (YonosShape){1, 1, 1, 3});
    add_keep(list, (YonosShape){1, 21, 37, 3}, FALSE);
    add_keep(list, (YonosShape){2, 5, 300, 1}, TRUE);
    add_motion(list, (YonosShape){1, 45, 83, 3});
    add_motion(list, (YonosShape){2, 16, 70, 1});
    add_motion(list, (YonosShape){1, 9, 8, 4});
    add_motion(list, (YonosShape){1, 1, 1, 3});
    add_warp(list, (YonosShape){1, 21, 37, 3}, 1, FALSE);
    add_warp(list, (YonosShape){2, 24, 70, 3}, 2, TRUE);
    add_warp(list, (YonosShape){1, 68, 20, 1}, 4, TRUE);
    add_warp(list, (YonosShape){1, 1, 1, 3}, 1, TRUE);
    add_windows(list);
    add_tile(list, 160, 136, 8, TRUE);
    add_tile(list, 150, 70, 2, FALSE);
    add_noise(list, (YonosShape){1, 19, 37, 16});
    add_noise(list, (YonosShape){2, 3, 5, 5});
    add_frames(list);
}
