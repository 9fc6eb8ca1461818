/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The operations of the CPU backend's own loops: each against ref within the storage's rounding, and with 1, 2 and 3
 * threads bit by bit.
 *
 * A case is one node on inputs of a pattern: plain normal numbers, a large constant with a tiny variance, one huge
 * outlier, denormals. Memory that an operation must not touch is poisoned around frames; the plan's own tensors are
 * covered by ASan builds.
 */
#include "plan/plan.h"

#include <math.h>

typedef enum { PLAIN, OFFSET, OUTLIER, DENORMAL, PATTERNS } Pattern;

typedef struct {
    YonosOpKind op;
    YonosShape x, y;   /* y.n = 0: one input */
    YonosShape out;    /* RESIZE, WINDOW */
    int a, b;          /* op's own: groups, filter, dilation, offsets */
    YonosActivation activation;
} Case;

enum { MAX_IN = 2 };

typedef struct {
    YonosGraph *graph;
    YonosTensor *in[MAX_IN];
    const YonosTensor *out;
} Net;

/* ---- numbers -------------------------------------------------------------------------------- */

static float pattern_value(GRand *rand, Pattern pattern, gsize i) {
    float v = (float)(g_rand_double(rand) + g_rand_double(rand) + g_rand_double(rand) - 1.5) * 2.0f;
    switch (pattern) {
    case OFFSET:
        return 1000.0f + v * 0.25f;
    case OUTLIER:
        return i == 0 ? 3e4f : v;
    case DENORMAL:
        return v * 1e-39f;
    default:
        return v;
    }
}

static float *pattern_values(gsize count, Pattern pattern, guint32 seed) {
    float *values = g_new(float, count);
    GRand *rand = g_rand_new_with_seed(seed);
    for (gsize i = 0; i < count; i++)
        values[i] = pattern_value(rand, pattern, i);
    g_rand_free(rand);
    return values;
}

static float gamma_data[4096], beta_data[4096];

static YonosConst channel_const(const char *name, const float *data, int c) {
    return (YonosConst){.name = name, .dtype = YONOS_DTYPE_F32, .rank = 1, .dim = {c}, .data = data};
}

/* ---- nets of one node ------------------------------------------------------------------------ */

/* The node of a case, between the inputs and net->out. gamma, beta must outlive the graph. */
static const YonosTensor *add_node(const Case *c, Net *net, YonosDType dtype, const YonosConst *gamma,
                                   const YonosConst *beta) {
    YonosGraph *g = net->graph;
    const YonosTensor *x = net->in[0], *y = net->in[1];
    switch (c->op) {
    case YONOS_OP_GROUP_NORM:
        return yonos_group_norm(g, x, y, gamma, beta, c->a, 1e-5f, c->activation, "out");
    case YONOS_OP_LAYER_NORM:
        return yonos_layer_norm(g, x, gamma, beta, 1e-5f, "out");
    case YONOS_OP_GEGLU:
        return yonos_geglu(g, x, "out");
    case YONOS_OP_AFFINE:
        return yonos_affine(g, x, 0.75f, y, -1.5f, 0.125f, c->activation, dtype, "out");
    case YONOS_OP_CONCAT:
        return yonos_concat(g, x, y, "out");
    case YONOS_OP_RESIZE:
        return yonos_resize(g, x, c->out.h, c->out.w, (YonosFilter)c->a, "out");
    case YONOS_OP_WINDOW:
        return yonos_window(g, x, c->a, c->b, c->out.h, c->out.w, 0, dtype, "out");
    case YONOS_OP_ADAIN:
        return yonos_adain(g, x, y, "out");
    case YONOS_OP_BLUR:
        return yonos_blur(g, x, c->a, "out");
    case YONOS_OP_FILL:
        return yonos_fill(g, c->x, 0.3f, "out");
    case YONOS_OP_NOISE:
        return yonos_noise(g, c->x, 8, "out");
    default:
        g_assert_not_reached();
    }
}

static gboolean has_input(YonosOpKind op) { return op != YONOS_OP_FILL && op != YONOS_OP_NOISE; }

static Net make_net(const Case *c, YonosDType dtype, const YonosConst *gamma, const YonosConst *beta) {
    Net net = {.graph = yonos_graph_new()};
    if (has_input(c->op))
        net.in[0] = yonos_graph_tensor(net.graph, YONOS_TENSOR_INPUT, dtype, c->x, "x");
    if (c->y.n)
        net.in[1] = yonos_graph_tensor(net.graph, YONOS_TENSOR_INPUT, dtype, c->y, "y");
    net.out = add_node(c, &net, dtype, gamma, beta);
    return net;
}

/* Runs a case and returns the result as floats. */
static float *run_case(const Case *c, Pattern pattern, YonosDType dtype, const char *name, int threads, gsize *count) {
    GError *error = NULL;
    int channels = c->x.c + (c->y.n && c->op == YONOS_OP_GROUP_NORM ? c->y.c : 0);
    YonosConst gamma = channel_const("gamma", gamma_data, channels), beta = channel_const("beta", beta_data, channels);
    YonosBackend *backend = yonos_backend_open(name, YONOS_PRECISION_F32, threads, &error);
    g_assert_no_error(error);
    Net net = make_net(c, dtype, &gamma, &beta);
    YonosPlan *plan = yonos_plan_new(backend, net.graph, TRUE, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < MAX_IN; i++) {
        if (!net.in[i])
            continue;
        g_autofree float *values = pattern_values(yonos_shape_count(net.in[i]->shape), pattern, 17 + i);
        g_assert_true(yonos_plan_write_tensor(plan, net.in[i], values, &error));
    }
    for (int run = 0; run < 2; run++) /* the second one over the first one's results */
        g_assert_true(yonos_plan_run(plan, NULL, NULL, 42, 7, NULL, &error));
    *count = yonos_shape_count(net.out->shape);
    float *out = g_new(float, *count);
    g_assert_true(yonos_plan_read_tensor(plan, net.out, out, &error));
    yonos_plan_free(plan);
    yonos_backend_close(backend);
    return out;
}

/* How far apart two results may be: rounding of the storage once, and of f32 sums. */
static double tolerance(const Case *c, Pattern pattern, YonosDType dtype, double expected) {
    if (c->op == YONOS_OP_NOISE || c->op == YONOS_OP_FILL || c->op == YONOS_OP_CONCAT || c->op == YONOS_OP_WINDOW)
        return 0.0;
    double scale = fabs(expected) + (pattern == DENORMAL ? 1e-36 : pattern == PLAIN ? 1.0 : 8.0);
    return scale * (dtype == YONOS_DTYPE_BF16 ? 0.008 : 4e-6);
}

static void check(const Case *c, Pattern pattern, YonosDType dtype) {
    gsize count;
    g_autofree float *expected = run_case(c, pattern, dtype, "ref", 1, &count);
    g_autofree float *one = run_case(c, pattern, dtype, "cpu", 1, &count);
    for (gsize i = 0; i < count; i++) {
        double difference = fabs((double)one[i] - expected[i]), allowed = tolerance(c, pattern, dtype, expected[i]);
        if (!(difference <= allowed))
            g_error("%s (%d,%d,%d,%d) %d %d pattern %d %s: element %" G_GSIZE_FORMAT " is %.9g, ref has %.9g",
                    yonos_op_name(c->op), c->x.n, c->x.h, c->x.w, c->x.c, c->a, c->activation, pattern,
                    yonos_dtype_name(dtype), i, one[i], expected[i]);
    }
    for (int threads = 2; threads <= 3; threads++) {
        g_autofree float *more = run_case(c, pattern, dtype, "cpu", threads, &count);
        g_assert_cmpmem(more, count * sizeof *more, one, count * sizeof *one);
    }
}

/* ---- cases --------------------------------------------------------------------------------------- */

static const Case norms[] = {
    {YONOS_OP_GROUP_NORM, .x = {1, 33, 17, 16}, .a = 8, .activation = YONOS_ACTIVATION_SILU},
    {YONOS_OP_GROUP_NORM, .x = {2, 5, 7, 48}, .a = 4},
    {YONOS_OP_GROUP_NORM, .x = {1, 1, 1, 32}, .a = 8, .activation = YONOS_ACTIVATION_SILU},
    {YONOS_OP_GROUP_NORM, .x = {1, 3, 1, 6}, .a = 3, .activation = YONOS_ACTIVATION_RELU},
    {YONOS_OP_GROUP_NORM, .x = {1, 65, 63, 20}, .a = 5, .activation = YONOS_ACTIVATION_GELU},
    {YONOS_OP_GROUP_NORM, .x = {2, 9, 11, 320}, .y = {2, 9, 11, 96}, .a = 32, .activation = YONOS_ACTIVATION_SILU},
    {YONOS_OP_GROUP_NORM, .x = {1, 40, 40, 12}, .y = {1, 40, 40, 20}, .a = 4, .activation = YONOS_ACTIVATION_TANH_CLAMP},
    {YONOS_OP_GROUP_NORM, .x = {1, 3, 5, 1280}, .y = {1, 3, 5, 1280}, .a = 32, .activation = YONOS_ACTIVATION_SILU},
    {YONOS_OP_LAYER_NORM, .x = {1, 9, 5, 320}},
    {YONOS_OP_LAYER_NORM, .x = {2, 3, 3, 7}},
    {YONOS_OP_LAYER_NORM, .x = {1, 2, 2, 1280}},
    {YONOS_OP_LAYER_NORM, .x = {1, 1, 3, 1}},
    {YONOS_OP_ADAIN, .x = {2, 19, 23, 3}, .y = {2, 19, 23, 3}},
    {YONOS_OP_ADAIN, .x = {1, 1, 1, 3}, .y = {1, 1, 1, 3}},
    {YONOS_OP_ADAIN, .x = {1, 200, 131, 3}, .y = {1, 200, 131, 3}},
};

static const Case pointwise[] = {
    {YONOS_OP_AFFINE, .x = {1, 37, 11, 3}},
    {YONOS_OP_AFFINE, .x = {1, 64, 67, 3}, .y = {1, 64, 67, 3}},
    {YONOS_OP_AFFINE, .x = {2, 5, 5, 16}, .y = {2, 5, 5, 16}, .activation = YONOS_ACTIVATION_SILU},
    {YONOS_OP_AFFINE, .x = {1, 31, 33, 4}, .activation = YONOS_ACTIVATION_TANH_CLAMP},
    {YONOS_OP_AFFINE, .x = {1, 31, 33, 4}, .activation = YONOS_ACTIVATION_GELU},
    {YONOS_OP_AFFINE, .x = {1, 31, 33, 4}, .activation = YONOS_ACTIVATION_RELU},
    {YONOS_OP_GEGLU, .x = {1, 3, 5, 640}},
    {YONOS_OP_GEGLU, .x = {2, 1, 1, 2}},
    {YONOS_OP_CONCAT, .x = {2, 7, 5, 16}, .y = {2, 7, 5, 3}},
    {YONOS_OP_WINDOW, .x = {2, 9, 7, 3}, .out = {0, 12, 13, 0}, .a = -2, .b = -3},
    {YONOS_OP_WINDOW, .x = {1, 9, 7, 16}, .out = {0, 4, 3, 0}, .a = 3, .b = 2},
};

static const Case images[] = {
    {YONOS_OP_RESIZE, .x = {1, 17, 23, 3}, .out = {0, 34, 46, 0}, .a = YONOS_FILTER_BICUBIC},
    {YONOS_OP_RESIZE, .x = {2, 34, 46, 3}, .out = {0, 17, 23, 0}, .a = YONOS_FILTER_BICUBIC},
    {YONOS_OP_RESIZE, .x = {1, 5, 7, 3}, .out = {0, 20, 28, 0}, .a = YONOS_FILTER_LANCZOS},
    {YONOS_OP_RESIZE, .x = {1, 13, 9, 1}, .out = {0, 26, 18, 0}, .a = YONOS_FILTER_BICUBIC},
    {YONOS_OP_RESIZE, .x = {1, 13, 9, 16}, .out = {0, 7, 20, 0}, .a = YONOS_FILTER_BILINEAR},
    {YONOS_OP_RESIZE, .x = {1, 1, 1, 3}, .out = {0, 4, 3, 0}, .a = YONOS_FILTER_LANCZOS},
    {YONOS_OP_RESIZE, .x = {1, 30, 31, 3}, .out = {0, 7, 5, 0}, .a = YONOS_FILTER_AREA},
    {YONOS_OP_RESIZE, .x = {1, 8, 9, 3}, .out = {0, 16, 18, 0}, .a = YONOS_FILTER_NEAREST},
    {YONOS_OP_RESIZE, .x = {1, 2, 3, 3}, .out = {0, 2, 3, 0}, .a = YONOS_FILTER_BICUBIC},
    {YONOS_OP_BLUR, .x = {1, 21, 37, 3}, .a = 1},
    {YONOS_OP_BLUR, .x = {2, 21, 37, 3}, .a = 16},
    {YONOS_OP_BLUR, .x = {1, 1, 1, 3}, .a = 4},
    {YONOS_OP_NOISE, .x = {1, 19, 37, 16}},
    {YONOS_OP_NOISE, .x = {2, 3, 5, 5}},
    {YONOS_OP_FILL, .x = {1, 19, 37, 3}},
};

static void test_norms(void) {
    for (guint i = 0; i < G_N_ELEMENTS(norms); i++)
        for (Pattern pattern = PLAIN; pattern < PATTERNS; pattern++) {
            check(&norms[i], pattern, YONOS_DTYPE_F32);
            if (norms[i].op != YONOS_OP_ADAIN)
                check(&norms[i], pattern, YONOS_DTYPE_BF16);
        }
}

static void test_pointwise(void) {
    for (guint i = 0; i < G_N_ELEMENTS(pointwise); i++)
        for (Pattern pattern = PLAIN; pattern < PATTERNS; pattern++) {
            check(&pointwise[i], pattern, YONOS_DTYPE_F32);
            check(&pointwise[i], pattern, YONOS_DTYPE_BF16);
        }
}

static void test_images(void) {
    for (guint i = 0; i < G_N_ELEMENTS(images); i++)
        for (Pattern pattern = PLAIN; pattern < PATTERNS; pattern++)
            check(&images[i], pattern, YONOS_DTYPE_F32);
}

/* ---- frames -------------------------------------------------------------------------------------- */

enum { MARGIN = 16, POISON = 0xa5, MAX_BYTES = 1 << 16 };

/* A frame in `memory` with poisoned margins around every row. */
static YonosFrame make_frame(guint8 *memory, YonosFormat format, const YonosColour *colour, int w, int h) {
    YonosFrame frame = {.format = format, .width = w, .height = h, .colour = *colour};
    gsize at = 0;
    memset(memory, POISON, MAX_BYTES);
    for (int plane = 0; plane < 3; plane++) {
        frame.stride[plane] = (w * 12 + 2 * MARGIN + 3) / 4 * 4;
        frame.plane[plane] = memory + at + MARGIN;
        at += (gsize)frame.stride[plane] * h;
    }
    g_assert_cmpuint(at, <=, MAX_BYTES);
    return frame;
}

static gboolean has_alpha(YonosFormat format) {
    return format == YONOS_FORMAT_RGBA || format == YONOS_FORMAT_BGRA || format == YONOS_FORMAT_ARGB ||
           format == YONOS_FORMAT_ABGR;
}

/* frame -> PACK -> 1.1 x -> UNPACK -> frame; fills rgb (h,w,3) and `result`, MAX_BYTES. */
static void run_frame(const char *name, int threads, const YonosFrame *in, float *rgb, guint8 *result) {
    GError *error = NULL;
    YonosBackend *backend = yonos_backend_open(name, YONOS_PRECISION_F32, threads, &error);
    g_assert_no_error(error);
    YonosGraph *g = yonos_graph_new();
    YonosTensor *x = yonos_pack(g, in->height, in->width, in->format, &in->colour, FALSE, "rgb"), *alpha = NULL;
    YonosTensor *y = yonos_affine(g, x, 1.1f, NULL, 0.0f, 0.01f, YONOS_ACTIVATION_NONE, YONOS_DTYPE_F32, "bright");
    if (has_alpha(in->format))
        alpha = yonos_pack(g, in->height, in->width, in->format, &in->colour, TRUE, "alpha");
    yonos_unpack(g, y, alpha, in->format, &in->colour);
    YonosPlan *plan = yonos_plan_new(backend, g, TRUE, &error);
    g_assert_no_error(error);
    YonosFrame out = make_frame(result, in->format, &in->colour, in->width, in->height);
    g_assert_true(yonos_plan_run(plan, in, &out, 0, 0, NULL, &error));
    g_assert_true(yonos_plan_read_tensor(plan, x, rgb, &error));
    yonos_plan_free(plan);
    yonos_backend_close(backend);
}

/* Codes may differ by one where the value lies on the edge between two; rows' margins may not differ. */
static void compare_bytes(YonosFormat format, const guint8 *a, const guint8 *b) {
    gsize different = 0;
    gboolean words = format == YONOS_FORMAT_I420_10LE || format == YONOS_FORMAT_P010_10LE;
    if (format == YONOS_FORMAT_RGB_F32) {
        for (gsize i = 0; i < MAX_BYTES; i += sizeof(float)) {
            float u, v;
            memcpy(&u, a + i, sizeof u);
            memcpy(&v, b + i, sizeof v);
            g_assert_cmpfloat(fabsf(u - v), <=, 1e-6f);
        }
        return;
    }
    for (gsize i = 0; i < MAX_BYTES; i += words ? 2 : 1) {
        int u = words ? a[i] | a[i + 1] << 8 : a[i], v = words ? b[i] | b[i + 1] << 8 : b[i];
        g_assert_cmpint(abs(u - v), <=, format == YONOS_FORMAT_P010_10LE ? 64 : 1);
        different += u != v;
    }
    g_assert_cmpuint(different, <=, MAX_BYTES / 500);
}

static void check_frame(YonosFormat format, const YonosColour *colour, int w, int h) {
    g_autofree guint8 *memory = g_malloc(MAX_BYTES), *expected = g_malloc(MAX_BYTES), *one = g_malloc(MAX_BYTES),
                      *more = g_malloc(MAX_BYTES);
    gsize count = (gsize)w * h * 3;
    g_autofree float *rgb_ref = g_new(float, count), *rgb = g_new(float, count), *rgb_more = g_new(float, count);
    YonosFrame in = make_frame(memory, format, colour, w, h);
    GRand *rand = g_rand_new_with_seed((guint32)(w * 131 + h));
    for (gsize i = 0; i < MAX_BYTES; i++)
        memory[i] = (guint8)g_rand_int(rand);
    for (gsize i = 0; format == YONOS_FORMAT_RGB_F32 && i < MAX_BYTES; i += sizeof(float)) {
        float v = (float)g_rand_double_range(rand, -0.2, 1.2);
        memcpy(memory + i, &v, sizeof v);
    }
    g_rand_free(rand);
    run_frame("ref", 1, &in, rgb_ref, expected);
    run_frame("cpu", 1, &in, rgb, one);
    for (gsize i = 0; i < count; i++)
        g_assert_cmpfloat(fabsf(rgb[i] - rgb_ref[i]), <=, 2e-6f);
    compare_bytes(format, one, expected);
    for (int threads = 2; threads <= 3; threads++) {
        run_frame("cpu", threads, &in, rgb_more, more);
        g_assert_cmpmem(rgb_more, count * sizeof *rgb, rgb, count * sizeof *rgb);
        g_assert_cmpmem(more, MAX_BYTES, one, MAX_BYTES);
    }
}

static void test_frames(void) {
    static const int sizes[][2] = {{1, 1}, {2, 1}, {1, 3}, {7, 5}, {40, 9}, {67, 14}};
    for (YonosFormat format = YONOS_FORMAT_UNKNOWN + 1; format < YONOS_FORMAT_COUNT; format++)
        for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
            for (int siting = 0; siting < 4; siting++) {
                YonosColour colour = {.kr = 0.2126, .kb = 0.0722, .full_range = siting == 3,
                                      .chroma_cosited_h = siting & 1, .chroma_cosited_v = siting >> 1};
                check_frame(format, &colour, sizes[i][0], sizes[i][1]);
            }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(gamma_data); i++) {
        gamma_data[i] = 1.0f + (float)(i % 7) * 0.125f;
        beta_data[i] = (float)(i % 5) * 0.25f - 0.5f;
    }
    g_test_add_func("/cpu/norms", test_norms);
    g_test_add_func("/cpu/pointwise", test_pointwise);
    g_test_add_func("/cpu/images", test_images);
    g_test_add_func("/cpu/frames", test_frames);
    return g_test_run();
}
