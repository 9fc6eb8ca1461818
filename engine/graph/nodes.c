/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The node constructors of graph.h. Each knows the shape rule of its operation, adds the
 * node, and counts the multiply-adds of convolutions, matrix products and attention.
 */
#include "graph/graph-private.h"

static YonosNode *add_node(YonosGraph *g, YonosOpKind op, const YonosTensor *x, const YonosTensor *y,
                           const YonosTensor *out) {
    YonosNode *node = g_new0(YonosNode, 1);
    node->op = op;
    node->section = g->section;
    node->in[0] = x;
    node->in[1] = y;
    node->out = out;
    g_ptr_array_add(g->nodes, node);
    return node;
}

static void count_macs(YonosGraph *g, double macs) {
    double repeats = g->section == YONOS_SECTION_TILE ? (double)g->grid->columns * g->grid->rows : 1.0;
    if (g->section == YONOS_SECTION_TILE)
        repeats /= yonos_tile_grid_batch(g->grid);
    g->flops += 2.0 * macs * repeats;
}

static const char *label(const char *name, const char *fallback) { return name ? name : fallback; }

static YonosTensor *value(YonosGraph *g, YonosDType dtype, YonosShape shape, const char *name) {
    return yonos_graph_tensor(g, YONOS_TENSOR_VALUE, dtype, shape, name);
}

/* A constant of `count` elements in its last dimension(s), or NULL. */
static void check_vector(YonosGraph *g, const YonosConst *c, int count, const char *name) {
    if (c && yonos_const_count(c) != (gsize)count)
        graph_fail(g, YONOS_ERROR_MODEL, "%s: %s has %" G_GSIZE_FORMAT " elements instead of %d", label(name, "node"),
                   c->name, yonos_const_count(c), count);
}

static void check_residual(YonosGraph *g, const YonosTensor *residual, YonosShape shape, YonosDType dtype,
                           const char *name) {
    if (residual && (!yonos_shape_equal(residual->shape, shape) || residual->dtype != dtype))
        graph_fail(g, YONOS_ERROR_MODEL, "%s: the residual is %d x %d x %d x %d (%s), the result %d x %d x %d x %d (%s)",
                   label(name, "node"), residual->shape.n, residual->shape.h, residual->shape.w, residual->shape.c,
                   yonos_dtype_name(residual->dtype), shape.n, shape.h, shape.w, shape.c, yonos_dtype_name(dtype));
}

static void check_dtype(YonosGraph *g, const YonosTensor *x, YonosDType dtype, const char *name) {
    if (x->dtype != dtype)
        graph_fail(g, YONOS_ERROR_MODEL, "%s: an input is %s where %s is needed", label(name, "node"),
                   yonos_dtype_name(x->dtype), yonos_dtype_name(dtype));
}

YonosTensor *yonos_conv2d(YonosGraph *g, const YonosTensor *x, const YonosConst *weight, const YonosConst *bias,
                          const YonosTensor *residual, int stride, const int pad[4], int up_h, int up_w,
                          YonosActivation activation, const char *name) {
    YonosShape s = x->shape;
    if (up_h > 0) {
        s.h = up_h;
        s.w = up_w;
    }
    if (!weight || weight->rank != 4 || weight->dim[1] != x->shape.c || stride < 1) {
        graph_fail(g, YONOS_ERROR_MODEL, "%s: the weight does not fit %d input channels", label(name, "conv2d"),
                   x->shape.c);
        return value(g, x->dtype, x->shape, name);
    }
    int kernel_h = (int)weight->dim[2], kernel_w = (int)weight->dim[3];
    int span_h = s.h + pad[0] + pad[2] - kernel_h, span_w = s.w + pad[1] + pad[3] - kernel_w;
    if (span_h < 0 || span_w < 0)
        graph_fail(g, YONOS_ERROR_ARGUMENT, "%s: an input of %d x %d is smaller than the kernel", label(name, "conv2d"),
                   s.w, s.h);
    YonosShape shape = {s.n, MAX(span_h, 0) / stride + 1, MAX(span_w, 0) / stride + 1, (int)weight->dim[0]};
    check_vector(g, bias, shape.c, name);
    check_residual(g, residual, shape, x->dtype, name);

    YonosTensor *out = value(g, x->dtype, shape, name);
    YonosNode *node = add_node(g, YONOS_OP_CONV2D, x, residual, out);
    node->constant[0] = weight;
    node->constant[1] = bias;
    node->attr.conv2d.stride = stride;
    node->attr.conv2d.pad_top = pad[0];
    node->attr.conv2d.pad_left = pad[1];
    node->attr.conv2d.pad_bottom = pad[2];
    node->attr.conv2d.pad_right = pad[3];
    node->attr.conv2d.up_h = up_h;
    node->attr.conv2d.up_w = up_w;
    node->attr.conv2d.activation = activation;
    count_macs(g, (double)yonos_shape_count(shape) * x->shape.c * kernel_h * kernel_w);
    return out;
}

YonosTensor *yonos_linear(YonosGraph *g, const YonosTensor *x, const YonosConst *weight, const YonosConst *bias,
                          const YonosTensor *residual, YonosActivation activation, const char *name) {
    YonosShape shape = x->shape;
    if (!weight || weight->rank < 2 || weight->dim[1] != shape.c ||
        yonos_const_count(weight) != (gsize)weight->dim[0] * (gsize)weight->dim[1]) {
        graph_fail(g, YONOS_ERROR_MODEL, "%s: the weight does not fit %d input channels", label(name, "linear"),
                   shape.c);
        return value(g, x->dtype, shape, name);
    }
    shape.c = (int)weight->dim[0];
    check_vector(g, bias, shape.c, name);
    check_residual(g, residual, shape, x->dtype, name);

    YonosTensor *out = value(g, x->dtype, shape, name);
    YonosNode *node = add_node(g, YONOS_OP_LINEAR, x, residual, out);
    node->constant[0] = weight;
    node->constant[1] = bias;
    node->attr.linear.activation = activation;
    count_macs(g, (double)yonos_shape_count(shape) * x->shape.c);
    return out;
}

/* x's shape with y's channels added; y may be NULL. */
static YonosShape joined_shape(YonosGraph *g, const YonosTensor *x, const YonosTensor *y, const char *name) {
    YonosShape shape = x->shape;
    if (!y)
        return shape;
    if (y->shape.n != shape.n || y->shape.h != shape.h || y->shape.w != shape.w)
        graph_fail(g, YONOS_ERROR_MODEL, "%s: inputs of %d x %d and %d x %d pixels cannot be joined",
                   label(name, "concat"), shape.w, shape.h, y->shape.w, y->shape.h);
    check_dtype(g, y, x->dtype, name);
    shape.c += y->shape.c;
    return shape;
}

YonosTensor *yonos_group_norm(YonosGraph *g, const YonosTensor *x, const YonosTensor *y, const YonosConst *gamma,
                              const YonosConst *beta, int groups, float eps, YonosActivation activation,
                              const char *name) {
    YonosShape shape = joined_shape(g, x, y, name);
    if (groups < 1 || shape.c % groups != 0)
        graph_fail(g, YONOS_ERROR_MODEL, "%s: %d channels do not divide into %d groups", label(name, "group_norm"),
                   shape.c, groups);
    check_vector(g, gamma, shape.c, name);
    check_vector(g, beta, shape.c, name);

    YonosTensor *out = value(g, x->dtype, shape, name);
    YonosNode *node = add_node(g, YONOS_OP_GROUP_NORM, x, y, out);
    node->constant[0] = gamma;
    node->constant[1] = beta;
    node->attr.group_norm.groups = groups;
    node->attr.group_norm.eps = eps;
    node->attr.group_norm.activation = activation;
    return out;
}

YonosTensor *yonos_layer_norm(YonosGraph *g, const YonosTensor *x, const YonosConst *gamma, const YonosConst *beta,
                              float eps, const char *name) {
    check_vector(g, gamma, x->shape.c, name);
    check_vector(g, beta, x->shape.c, name);
    YonosTensor *out = value(g, x->dtype, x->shape, name);
    YonosNode *node = add_node(g, YONOS_OP_LAYER_NORM, x, NULL, out);
    node->constant[0] = gamma;
    node->constant[1] = beta;
    node->attr.layer_norm.eps = eps;
    return out;
}

YonosTensor *yonos_attention(YonosGraph *g, const YonosTensor *q, int q_offset, const YonosTensor *k, int k_offset,
                             const YonosTensor *v, int v_offset, const YonosConst *k_const, const YonosConst *v_const,
                             int heads, int head_dim, float scale, const char *name) {
    int channels = heads * head_dim;
    YonosShape shape = {q->shape.n, q->shape.h, q->shape.w, channels};
    gboolean fits = q_offset >= 0 && q_offset + channels <= q->shape.c;
    double keys = 0;
    if (k && v) {
        fits = fits && k_offset >= 0 && k_offset + channels <= k->shape.c && v_offset >= 0 &&
               v_offset + channels <= v->shape.c && k->shape.n == q->shape.n && v->shape.n == q->shape.n &&
               k->shape.h == v->shape.h && k->shape.w == v->shape.w && k->dtype == q->dtype && v->dtype == q->dtype;
        keys = (double)k->shape.h * k->shape.w;
    } else if (k_const && v_const) {
        fits = fits && k_const->rank == 2 && v_const->rank == 2 && k_const->dim[1] == channels &&
               v_const->dim[1] == channels && k_const->dim[0] == v_const->dim[0];
        keys = (double)k_const->dim[0];
    } else {
        fits = FALSE;
    }
    if (!fits)
        graph_fail(g, YONOS_ERROR_MODEL, "%s: queries, keys and values do not fit %d heads of %d channels",
                   label(name, "attention"), heads, head_dim);

    YonosTensor *out = value(g, q->dtype, shape, name);
    YonosNode *node = add_node(g, YONOS_OP_ATTENTION, q, k, out);
    node->in[2] = v;
    node->constant[0] = k_const;
    node->constant[1] = v_const;
    node->attr.attention.heads = heads;
    node->attr.attention.head_dim = head_dim;
    node->attr.attention.q_offset = q_offset;
    node->attr.attention.k_offset = k_offset;
    node->attr.attention.v_offset = v_offset;
    node->attr.attention.scale = scale;
    count_macs(g, 2.0 * (double)yonos_shape_count(shape) * keys);
    return out;
}

YonosTensor *yonos_geglu(YonosGraph *g, const YonosTensor *x, const char *name) {
    YonosShape shape = x->shape;
    if (shape.c % 2 != 0)
        graph_fail(g, YONOS_ERROR_MODEL, "%s: %d channels do not divide into two halves", label(name, "geglu"),
                   shape.c);
    shape.c = MAX(shape.c / 2, 1);
    YonosTensor *out = value(g, x->dtype, shape, name);
    add_node(g, YONOS_OP_GEGLU, x, NULL, out);
    return out;
}

YonosTensor *yonos_affine(YonosGraph *g, const YonosTensor *x, float a, const YonosTensor *y, float b, float c,
                          YonosActivation activation, YonosDType dtype, const char *name) {
    if (y && !yonos_shape_equal(x->shape, y->shape))
        graph_fail(g, YONOS_ERROR_MODEL, "%s: inputs of %d x %d x %d and %d x %d x %d cannot be added",
                   label(name, "affine"), x->shape.h, x->shape.w, x->shape.c, y->shape.h, y->shape.w, y->shape.c);
    YonosTensor *out = value(g, dtype, x->shape, name);
    YonosNode *node = add_node(g, YONOS_OP_AFFINE, x, y, out);
    node->attr.affine.a = a;
    node->attr.affine.b = b;
    node->attr.affine.c = c;
    node->attr.affine.activation = activation;
    return out;
}

YonosTensor *yonos_concat(YonosGraph *g, const YonosTensor *x, const YonosTensor *y, const char *name) {
    YonosTensor *out = value(g, x->dtype, joined_shape(g, x, y, name), name);
    add_node(g, YONOS_OP_CONCAT, x, y, out);
    return out;
}

YonosTensor *yonos_resize(YonosGraph *g, const YonosTensor *x, int h, int w, YonosFilter filter, const char *name) {
    check_dtype(g, x, YONOS_DTYPE_F32, label(name, "resize"));
    YonosTensor *out = value(g, YONOS_DTYPE_F32, (YonosShape){x->shape.n, h, w, x->shape.c}, name);
    add_node(g, YONOS_OP_RESIZE, x, NULL, out)->attr.resize.filter = filter;
    return out;
}

YonosTensor *yonos_window(YonosGraph *g, const YonosTensor *x, int y0, int x0, int h, int w, int follow_tile,
                          YonosDType dtype, const char *name) {
    int images = follow_tile > 0 ? x->shape.n * yonos_tile_grid_batch(g->grid) : x->shape.n;
    YonosTensor *out = value(g, dtype, (YonosShape){images, h, w, x->shape.c}, name);
    YonosNode *node = add_node(g, YONOS_OP_WINDOW, x, NULL, out);
    node->attr.window.y0 = y0;
    node->attr.window.x0 = x0;
    node->attr.window.follow_tile = follow_tile;
    return out;
}

YonosTensor *yonos_fill(YonosGraph *g, YonosShape shape, float fill_value, const char *name) {
    YonosTensor *out = value(g, YONOS_DTYPE_F32, shape, name);
    add_node(g, YONOS_OP_FILL, NULL, NULL, out)->attr.fill.value = fill_value;
    return out;
}

YonosTensor *yonos_blend(YonosGraph *g, const YonosTensor *tile, YonosTensor *accumulator) {
    if (tile->shape.h != g->grid->tile_h || tile->shape.w != g->grid->tile_w || tile->shape.c != accumulator->shape.c)
        graph_fail(g, YONOS_ERROR_MODEL, "blend: a tile of %d x %d x %d does not fit the grid's %d x %d",
                   tile->shape.h, tile->shape.w, tile->shape.c, g->grid->tile_h, g->grid->tile_w);
    check_dtype(g, tile, YONOS_DTYPE_F32, "blend");
    add_node(g, YONOS_OP_BLEND, tile, accumulator, accumulator)->attr.blend.grid = g->grid;
    return accumulator;
}

YonosTensor *yonos_noise(YonosGraph *g, YonosShape shape, int factor, const char *name) {
    YonosTensor *out = value(g, YONOS_DTYPE_F32, shape, name);
    add_node(g, YONOS_OP_NOISE, NULL, NULL, out)->attr.noise.factor = factor;
    return out;
}

static void set_frame_attributes(YonosNode *node, YonosFormat format, const YonosColour *colour, gboolean alpha) {
    node->attr.frame.format = format;
    if (colour)
        node->attr.frame.colour = *colour;
    node->attr.frame.alpha = alpha;
}

YonosTensor *yonos_pack(YonosGraph *g, int h, int w, YonosFormat format, const YonosColour *colour, gboolean alpha,
                        const char *name) {
    YonosTensor *out = value(g, YONOS_DTYPE_F32, (YonosShape){1, h, w, alpha ? 1 : 3}, name);
    set_frame_attributes(add_node(g, YONOS_OP_PACK, NULL, NULL, out), format, colour, alpha);
    return out;
}

void yonos_unpack(YonosGraph *g, const YonosTensor *x, const YonosTensor *alpha, YonosFormat format,
                  const YonosColour *colour) {
    if (x->shape.c != 3 || x->shape.n != 1)
        graph_fail(g, YONOS_ERROR_MODEL, "unpack: a picture has 3 channels, not %d", x->shape.c);
    check_dtype(g, x, YONOS_DTYPE_F32, "unpack");
    set_frame_attributes(add_node(g, YONOS_OP_UNPACK, x, alpha, NULL), format, colour, FALSE);
}

YonosTensor *yonos_adain(YonosGraph *g, const YonosTensor *x, const YonosTensor *y, const char *name) {
    if (x->shape.c != y->shape.c || x->shape.n != y->shape.n)
        graph_fail(g, YONOS_ERROR_MODEL, "%s: %d and %d channels", label(name, "adain"), x->shape.c, y->shape.c);
    YonosTensor *out = value(g, YONOS_DTYPE_F32, x->shape, name);
    add_node(g, YONOS_OP_ADAIN, x, y, out);
    return out;
}

YonosTensor *yonos_blur(YonosGraph *g, const YonosTensor *x, int dilation, const char *name) {
    YonosTensor *out = value(g, YONOS_DTYPE_F32, x->shape, name);
    add_node(g, YONOS_OP_BLUR, x, NULL, out)->attr.blur.dilation = dilation;
    return out;
}

YonosTensor *yonos_motion(YonosGraph *g, const YonosTensor *x, const YonosTensor *before, const char *name) {
    YonosShape s = x->shape, blocks = {s.n, yonos_motion_blocks(s.h), yonos_motion_blocks(s.w), 2};
    if (!yonos_shape_equal(s, before->shape) || s.c > YONOS_MOTION_CHANNELS)
        graph_fail(g, YONOS_ERROR_MODEL, "%s: no motion between pictures of %d x %d x %d and %d x %d x %d",
                   label(name, "motion"), s.h, s.w, s.c, before->shape.h, before->shape.w, before->shape.c);
    check_dtype(g, x, YONOS_DTYPE_F32, label(name, "motion"));
    YonosTensor *out = value(g, YONOS_DTYPE_F32, blocks, name);
    add_node(g, YONOS_OP_MOTION, x, before, out);
    return out;
}

YonosTensor *yonos_warp(YonosGraph *g, const YonosTensor *x, const YonosTensor *motion, int scale,
                        const YonosTensor *weight, const char *name) {
    YonosShape s = x->shape, one = {s.n, s.h, s.w, 1};
    YonosShape blocks = {s.n, yonos_motion_blocks(s.h / scale), yonos_motion_blocks(s.w / scale), 2};
    if (s.h % scale || s.w % scale || s.c > YONOS_MOTION_CHANNELS || !yonos_shape_equal(motion->shape, blocks) ||
        (weight && !yonos_shape_equal(weight->shape, one)))
        graph_fail(g, YONOS_ERROR_MODEL, "%s: a picture of %d x %d at %d times the size of a motion of %d x %d blocks",
                   label(name, "warp"), s.h, s.w, scale, motion->shape.h, motion->shape.w);
    check_dtype(g, x, YONOS_DTYPE_F32, label(name, "warp"));
    YonosTensor *out = value(g, YONOS_DTYPE_F32, s, name);
    YonosNode *node = add_node(g, YONOS_OP_WARP, x, motion, out);
    node->in[2] = weight;
    node->attr.warp.scale = scale;
    return out;
}

YonosTensor *yonos_stillness(YonosGraph *g, const YonosTensor *x, const YonosTensor *before, float limit,
                             const char *name) {
    if (!yonos_shape_equal(x->shape, before->shape))
        graph_fail(g, YONOS_ERROR_MODEL, "%s: pictures of %d x %d and %d x %d cannot be compared",
                   label(name, "stillness"), x->shape.h, x->shape.w, before->shape.h, before->shape.w);
    check_dtype(g, x, YONOS_DTYPE_F32, label(name, "stillness"));
    YonosTensor *out = value(g, YONOS_DTYPE_F32, (YonosShape){x->shape.n, x->shape.h, x->shape.w, 1}, name);
    add_node(g, YONOS_OP_STILLNESS, x, before, out)->attr.stillness.limit = limit;
    return out;
}

YonosTensor *yonos_keep(YonosGraph *g, const YonosTensor *x, const YonosTensor *before, const YonosTensor *weight,
                        YonosTensor *state) {
    YonosShape one = {x->shape.n, x->shape.h, x->shape.w, 1};
    if (!yonos_shape_equal(x->shape, before->shape) || !yonos_shape_equal(x->shape, state->shape) ||
        !yonos_shape_equal(weight->shape, one))
        graph_fail(g, YONOS_ERROR_MODEL, "keep: a picture of %d x %d, a state of %d x %d, weights of %d x %d x %d",
                   x->shape.h, x->shape.w, state->shape.h, state->shape.w, weight->shape.h, weight->shape.w,
                   weight->shape.c);
    check_dtype(g, x, YONOS_DTYPE_F32, "keep");
    add_node(g, YONOS_OP_KEEP, x, before, state)->in[2] = weight;
    return state;
}

const YonosTensor *yonos_convert(YonosGraph *g, const YonosTensor *x, YonosDType dtype) {
    if (x->dtype == dtype)
        return x;
    return yonos_affine(g, x, 1.0f, NULL, 0.0f, 0.0f, YONOS_ACTIVATION_NONE, dtype, NULL);
}
