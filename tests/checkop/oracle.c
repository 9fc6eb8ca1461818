/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Operations by definition, an element at a time; see oracle.h.
 */
#include "oracle.h"

#include <math.h>

/* An element's place. */
typedef struct {
    int n, y, x, c;
} Place;

typedef struct {
    const YonosNode *node;
    const Case *of;
    const float *in[3]; /* values of node->in[] */
} Oracle;

/* Element of input i; coordinates must lie inside. */
static double input_at(const Oracle *o, int i, int n, int y, int x, int c) {
    YonosShape s = o->node->in[i]->shape;
    return (double)o->in[i][(((gsize)n * s.h + y) * s.w + x) * s.c + c];
}

static double constant_at(const Oracle *o, int which, gsize i, double otherwise) {
    return o->node->constant[which] ? (double)yonos_const_get(o->node->constant[which], i) : otherwise;
}

static double gelu(double x) { return x / 2.0 * (1.0 + erf(x / sqrt(2.0))); }

static double activate(double x, YonosActivation activation) {
    switch (activation) {
    case YONOS_ACTIVATION_RELU:
        return MAX(x, 0.0);
    case YONOS_ACTIVATION_SILU:
        return x / (1.0 + exp(-x));
    case YONOS_ACTIVATION_GELU:
        return gelu(x);
    case YONOS_ACTIVATION_TANH_CLAMP:
        return 3.0 * tanh(x / 3.0);
    default:
        return x;
    }
}

/* ---- products --------------------------------------------------------------------------------------- */

/* The pixel that a convolution reads at (y, x) of the resized input: zero outside. */
static double padded_at(const Oracle *o, int n, int y, int x, int c) {
    YonosShape s = o->node->in[0]->shape;
    int up_h = o->node->attr.conv2d.up_h, up_w = o->node->attr.conv2d.up_w;
    int h = up_h > 0 ? up_h : s.h, w = up_h > 0 ? up_w : s.w;
    if (y < 0 || y >= h || x < 0 || x >= w)
        return 0.0;
    return input_at(o, 0, n, (int)floor((double)y * s.h / h), (int)floor((double)x * s.w / w), c);
}

static double conv2d(const Oracle *o, Place p) {
    const gint64 *dim = o->node->constant[0]->dim;
    double sum = constant_at(o, 1, (gsize)p.c, 0.0) + (o->in[1] ? input_at(o, 1, p.n, p.y, p.x, p.c) : 0.0);
    int y0 = p.y * o->node->attr.conv2d.stride - o->node->attr.conv2d.pad_top;
    int x0 = p.x * o->node->attr.conv2d.stride - o->node->attr.conv2d.pad_left;
    for (int c = 0; c < dim[1]; c++)
        for (int y = 0; y < dim[2]; y++)
            for (int x = 0; x < dim[3]; x++) {
                gint64 at = ((p.c * dim[1] + c) * dim[2] + y) * dim[3] + x;
                sum += constant_at(o, 0, (gsize)at, 0.0) * padded_at(o, p.n, y0 + y, x0 + x, c);
            }
    return activate(sum, o->node->attr.conv2d.activation);
}

static double linear(const Oracle *o, Place p) {
    int width = o->node->in[0]->shape.c;
    double sum = constant_at(o, 1, (gsize)p.c, 0.0) + (o->in[1] ? input_at(o, 1, p.n, p.y, p.x, p.c) : 0.0);
    for (int c = 0; c < width; c++)
        sum += constant_at(o, 0, (gsize)p.c * (gsize)width + (gsize)c, 0.0) * input_at(o, 0, p.n, p.y, p.x, c);
    return activate(sum, o->node->attr.linear.activation);
}

/* Channel c of token t of the keys (which = 0) or values. */
static double token_at(const Oracle *o, int which, int n, int t, int c) {
    const YonosTensor *tensor = o->node->in[1 + which];
    int offset = which ? o->node->attr.attention.v_offset : o->node->attr.attention.k_offset;
    if (!tensor)
        return constant_at(o, which, (gsize)t * (gsize)o->node->constant[which]->dim[1] + (gsize)c, 0.0);
    return input_at(o, 1 + which, n, t / tensor->shape.w, t % tensor->shape.w, offset + c);
}

static double attention(const Oracle *o, Place p) {
    int dim = o->node->attr.attention.head_dim, first = p.c / dim * dim;
    const YonosTensor *k = o->node->in[1];
    int tokens = k ? k->shape.h * k->shape.w : (int)o->node->constant[0]->dim[0];
    double most = -INFINITY, sum = 0.0, weighted = 0.0;
    g_autofree double *score = g_new0(double, tokens);
    for (int t = 0; t < tokens; t++) {
        for (int c = first; c < first + dim; c++)
            score[t] += input_at(o, 0, p.n, p.y, p.x, o->node->attr.attention.q_offset + c) * token_at(o, 0, p.n, t, c);
        score[t] *= (double)o->node->attr.attention.scale;
        most = MAX(most, score[t]);
    }
    for (int t = 0; t < tokens; t++) {
        sum += exp(score[t] - most);
        weighted += exp(score[t] - most) * token_at(o, 1, p.n, t, p.c);
    }
    return weighted / sum;
}

/* ---- norms -------------------------------------------------------------------------------------------- */

/* Channel c of x and then y. */
static double joined_at(const Oracle *o, int n, int y, int x, int c) {
    int left = o->node->in[0]->shape.c;
    return c < left ? input_at(o, 0, n, y, x, c) : input_at(o, 1, n, y, x, c - left);
}

/* Welford's running mean and variance: another way than ref's. */
typedef struct {
    double count, mean, squares;
} Running;

static void take(Running *r, double v) {
    double before = v - r->mean;
    r->count++;
    r->mean += before / r->count;
    r->squares += before * (v - r->mean);
}

static double deviation(const Running *r, double eps) { return sqrt(r->squares / r->count + eps); }

static double scaled(const Oracle *o, int c, double v) {
    return v * constant_at(o, 0, (gsize)c, 1.0) + constant_at(o, 1, (gsize)c, 0.0);
}

static double group_norm(const Oracle *o, Place p) {
    YonosShape s = o->node->out->shape;
    int size = s.c / o->node->attr.group_norm.groups, first = p.c / size * size;
    Running r = {0};
    for (int y = 0; y < s.h; y++)
        for (int x = 0; x < s.w; x++)
            for (int c = first; c < first + size; c++)
                take(&r, joined_at(o, p.n, y, x, c));
    double v = (joined_at(o, p.n, p.y, p.x, p.c) - r.mean) / deviation(&r, (double)o->node->attr.group_norm.eps);
    return activate(scaled(o, p.c, v), o->node->attr.group_norm.activation);
}

static double layer_norm(const Oracle *o, Place p) {
    Running r = {0};
    for (int c = 0; c < o->node->out->shape.c; c++)
        take(&r, input_at(o, 0, p.n, p.y, p.x, c));
    double v = input_at(o, 0, p.n, p.y, p.x, p.c) - r.mean;
    return scaled(o, p.c, v / deviation(&r, (double)o->node->attr.layer_norm.eps));
}

static Running channel(const Oracle *o, int which, int n, int c) {
    YonosShape s = o->node->in[which]->shape;
    Running r = {0};
    for (int y = 0; y < s.h; y++)
        for (int x = 0; x < s.w; x++)
            take(&r, input_at(o, which, n, y, x, c));
    return r;
}

static double adain(const Oracle *o, Place p) {
    Running x = channel(o, 0, p.n, p.c), y = channel(o, 1, p.n, p.c);
    double v = input_at(o, 0, p.n, p.y, p.x, p.c) - x.mean;
    return v / deviation(&x, 1e-5) * deviation(&y, 1e-5) + y.mean;
}

/* ---- the rest ------------------------------------------------------------------------------------------- */

static double geglu(const Oracle *o, Place p) {
    int half = o->node->out->shape.c;
    return input_at(o, 0, p.n, p.y, p.x, p.c) * gelu(input_at(o, 0, p.n, p.y, p.x, half + p.c));
}

static double affine(const Oracle *o, Place p) {
    double v = (double)o->node->attr.affine.a * input_at(o, 0, p.n, p.y, p.x, p.c) + (double)o->node->attr.affine.c;
    if (o->in[1])
        v += (double)o->node->attr.affine.b * input_at(o, 1, p.n, p.y, p.x, p.c);
    return activate(v, o->node->attr.affine.activation);
}

static double concat(const Oracle *o, Place p) { return joined_at(o, p.n, p.y, p.x, p.c); }

static double window(const Oracle *o, Place p) {
    YonosShape s = o->node->in[0]->shape;
    int y = p.y + o->node->attr.window.y0, x = p.x + o->node->attr.window.x0, factor = o->node->attr.window.follow_tile;
    if (factor > 0) {
        y += o->of->grid->y0[o->of->row] / factor;
        x += o->of->grid->x0[o->of->column] / factor;
    }
    return input_at(o, 0, p.n, CLAMP(y, 0, s.h - 1), CLAMP(x, 0, s.w - 1), p.c);
}

static double fill(const Oracle *o, Place p) {
    (void)p;
    return (double)o->node->attr.fill.value;
}

static double blend(const Oracle *o, Place p) {
    const YonosTileGrid *grid = o->of->grid;
    int y = p.y - grid->y0[o->of->row], x = p.x - grid->x0[o->of->column];
    double v = input_at(o, 1, p.n, p.y, p.x, p.c);
    if (y < 0 || y >= grid->tile_h || x < 0 || x >= grid->tile_w)
        return v;
    double ramp = (double)grid->ramp_y[o->of->row][y] * (double)grid->ramp_x[o->of->column][x];
    return v + ramp * input_at(o, 0, p.n, y, x, p.c);
}

static double blur(const Oracle *o, Place p) {
    YonosShape s = o->node->in[0]->shape;
    int d = o->node->attr.blur.dilation;
    double sum = 0.0;
    for (int y = -1; y <= 1; y++)
        for (int x = -1; x <= 1; x++)
            sum += (2 - abs(y)) * (2 - abs(x)) / 16.0 *
                   input_at(o, 0, p.n, CLAMP(p.y + y * d, 0, s.h - 1), CLAMP(p.x + x * d, 0, s.w - 1), p.c);
    return sum;
}

/* The mean of the differences around the pixel. */
static double change_at(const Oracle *o, int n, int y, int x) {
    YonosShape s = o->node->in[0]->shape;
    double sum = 0.0;
    for (int i = 0; i < 9 * s.c; i++) {
        int sy = CLAMP(y + i / s.c / 3 - 1, 0, s.h - 1), sx = CLAMP(x + i / s.c % 3 - 1, 0, s.w - 1);
        double d = fabs(input_at(o, 0, n, sy, sx, i % s.c) - input_at(o, 1, n, sy, sx, i % s.c));
        sum += d < 4.0 ? d : 4.0;
    }
    return sum / (9.0 * s.c);
}

static double stillness(const Oracle *o, Place p) {
    YonosShape s = o->node->in[0]->shape;
    double most = 0.0;
    for (int y = MAX(p.y - 1, 0); y <= MIN(p.y + 1, s.h - 1); y++)
        for (int x = MAX(p.x - 1, 0); x <= MIN(p.x + 1, s.w - 1); x++)
            most = MAX(most, change_at(o, p.n, y, x));
    return CASE_STEADINESS * CLAMP(2.0 - most / (double)o->node->attr.stillness.limit, 0.0, 1.0);
}

static double keys(double distance) {
    double t = fabs(distance);
    return t <= 1.0 ? (1.5 * t - 2.5) * t * t + 1.0 : t < 2.0 ? ((-0.5 * t + 2.5) * t - 4.0) * t + 2.0 : 0.0;
}

/* Of the motion at a place between the blocks' centres. */
static double motion_at(const Oracle *o, Place p, int axis) {
    YonosShape s = o->node->in[1]->shape;
    double block = 8.0 * o->node->attr.warp.scale, sum = 0.0;
    double y = CLAMP((p.y + 0.5) / block - 0.5, 0.0, s.h - 1.0), x = CLAMP((p.x + 0.5) / block - 0.5, 0.0, s.w - 1.0);
    for (int by = 0; by < s.h; by++)
        for (int bx = 0; bx < s.w; bx++)
            sum += MAX(1.0 - fabs(y - by), 0.0) * MAX(1.0 - fabs(x - bx), 0.0) * input_at(o, 1, p.n, by, bx, axis);
    return sum * o->node->attr.warp.scale;
}

static double warp(const Oracle *o, Place p) {
    YonosShape s = o->node->in[0]->shape;
    if (o->node->in[2] && input_at(o, 2, p.n, p.y, p.x, 0) == 0.0)
        return 0.0;
    double y = p.y + motion_at(o, p, 1), x = p.x + motion_at(o, p, 0), sum = 0.0;
    for (int j = -1; j < 3; j++)
        for (int i = -1; i < 3; i++) {
            double at_y = floor(y) + j, at_x = floor(x) + i;
            sum += keys(y - at_y) * keys(x - at_x) * input_at(o, 0, p.n, (int)CLAMP(at_y, 0.0, s.h - 1.0),
                                                               (int)CLAMP(at_x, 0.0, s.w - 1.0), p.c);
        }
    return sum;
}

static double keep(const Oracle *o, Place p) {
    double x = input_at(o, 0, p.n, p.y, p.x, p.c), state = input_at(o, 1, p.n, p.y, p.x, p.c);
    double weight = input_at(o, 2, p.n, p.y, p.x, 0);
    return weight != 0.0 && fabs(state - x) < 1000.0 ? x + weight * (state - x) : x;
}

static double (*const definitions[YONOS_OP_COUNT])(const Oracle *o, Place p) = {
    [YONOS_OP_CONV2D] = conv2d,         [YONOS_OP_LINEAR] = linear, [YONOS_OP_GROUP_NORM] = group_norm,
    [YONOS_OP_LAYER_NORM] = layer_norm, [YONOS_OP_ATTENTION] = attention, [YONOS_OP_GEGLU] = geglu,
    [YONOS_OP_AFFINE] = affine,         [YONOS_OP_CONCAT] = concat, [YONOS_OP_WINDOW] = window,
    [YONOS_OP_FILL] = fill,             [YONOS_OP_BLEND] = blend,   [YONOS_OP_ADAIN] = adain,
    [YONOS_OP_BLUR] = blur,             [YONOS_OP_WARP] = warp, [YONOS_OP_STILLNESS] = stillness, [YONOS_OP_KEEP] = keep,
};

gboolean oracle_knows(YonosOpKind op) { return definitions[op] != NULL; }

gboolean oracle_agrees(const Expectation *e, const Instance *exact, const Inputs *inputs, guint32 seed, char **why) {
    enum { SAMPLES = 24 };
    Oracle o = {.node = &exact->node, .of = exact->of};
    YonosShape s = exact->node.out->shape;
    Tolerance tolerance = tolerance_of("ref", exact->node.op, YONOS_DTYPE_F32);
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    for (int i = 0; i < 3; i++)
        o.in[i] = exact->node.in[i] ? inputs->values[exact->node.in[i]->id] : NULL;
    for (int sample = 0; sample < SAMPLES; sample++) {
        gsize random = (gsize)(g_rand_double(rand) * (double)e->count);
        gsize i = sample == 0 ? 0 : sample == 1 ? e->count - 1 : MIN(random, e->count - 1);
        gsize pixel = i / (gsize)s.c;
        Place p = {(int)(pixel / ((gsize)s.h * s.w)), (int)(pixel / (gsize)s.w % (gsize)s.h),
                   (int)(pixel % (gsize)s.w), (int)(i % (gsize)s.c)};
        double wanted = definitions[exact->node.op](&o, p), error = fabs((double)e->expected[i] - wanted);
        if (error <= judge_bound(e, i, wanted, tolerance, YONOS_DTYPE_F32))
            continue;
        *why = g_strdup_printf("ref's element (%d,%d,%d,%d) is %.9g and is %.9g by definition", p.n, p.y, p.x, p.c,
                               (double)e->expected[i], wanted);
        return FALSE;
    }
    return TRUE;
}
