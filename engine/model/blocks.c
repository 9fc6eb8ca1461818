/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Layers and blocks that claim their weights by path; see blocks.h. The computations follow
 * diffusers' ResnetBlock2D, Downsample2D, Upsample2D and Attention.
 */
#include "model/blocks.h"

#include <math.h>

#include "model/folding.h"

const char *net_path(Net *net, const char *format, ...) {
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    return g_string_chunk_insert(net->g->names, text);
}

static const char *label(Net *net, const char *path) { return net_path(net, "%s%s", net->root, path); }

const YonosConst *net_claim(Net *net, const char *path, const char *suffix, int rank, gint64 d0, gint64 d1, gint64 d2,
                            gint64 d3) {
    g_autofree char *name = g_strconcat(path, suffix, NULL);
    GError *error = NULL;
    const YonosConst *constant = yonos_weights_claim(net->weights, &error, name, rank, (gint64[]){d0, d1, d2, d3});
    if (error && !net->g->error)
        net->g->error = error;
    else
        g_clear_error(&error);
    return constant;
}

const YonosConst *net_matrix(Net *net, const char *path, int co, int ci) {
    g_autofree char *name = g_strconcat(path, ".weight", NULL);
    int rank = yonos_weights_rank(net->weights, name) == 4 ? 4 : 2;
    return net_claim(net, path, ".weight", rank, co, ci, 1, 1);
}

const YonosConst *net_vector(Net *net, const char *path, const char *suffix, int count) {
    return net_claim(net, path, suffix, 1, count, 0, 0, 0);
}

YonosTensor *net_conv(Net *net, const YonosTensor *x, const char *path, int co, int kernel, YonosActivation act) {
    int pad = (kernel - 1) / 2;
    const YonosConst *weight = net_claim(net, path, ".weight", 4, co, x->shape.c, kernel, kernel);
    const YonosConst *bias = net_vector(net, path, ".bias", co);
    return yonos_conv2d(net->g, x, weight, bias, NULL, 1, (int[]){pad, pad, pad, pad}, 0, 0, act, label(net, path));
}

YonosTensor *net_linear(Net *net, const YonosTensor *x, const char *path, int co, gboolean bias,
                        const YonosTensor *residual) {
    return yonos_linear(net->g, x, net_matrix(net, path, co, x->shape.c),
                        bias ? net_vector(net, path, ".bias", co) : NULL, residual, YONOS_ACTIVATION_NONE,
                        label(net, path));
}

YonosTensor *net_group_norm(Net *net, const YonosTensor *x, const YonosTensor *y, const char *path, float eps,
                            YonosActivation act) {
    int channels = x->shape.c + (y ? y->shape.c : 0);
    return yonos_group_norm(net->g, x, y, net_vector(net, path, ".weight", channels),
                            net_vector(net, path, ".bias", channels), net->groups, eps, act, label(net, path));
}

YonosTensor *net_layer_norm(Net *net, const YonosTensor *x, const char *path) {
    return yonos_layer_norm(net->g, x, net_vector(net, path, ".weight", x->shape.c),
                            net_vector(net, path, ".bias", x->shape.c), 1e-5f, label(net, path));
}

static const YonosTensor *conv3x3(Net *net, const YonosTensor *x, const char *path, const YonosConst *bias, int co,
                                  const YonosTensor *residual, const char *name) {
    return yonos_conv2d(net->g, x, net_claim(net, path, ".weight", 4, co, x->shape.c, 3, 3), bias, residual, 1,
                        (int[]){1, 1, 1, 1}, 0, 0, YONOS_ACTIVATION_NONE, name);
}

/* The 1x1 shortcut on [x, skip] as two products, the second with the first as its residual: no concatenation. */
static const YonosTensor *shortcut(Net *net, const YonosTensor *x, const YonosTensor *skip, const char *path, int co) {
    const char *name = label(net, path);
    if (!skip)
        return net_linear(net, x, path, co, TRUE, NULL);
    int cx = x->shape.c, cs = skip->shape.c;
    const YonosConst *whole = net_matrix(net, path, co, cx + cs), *bias = net_vector(net, path, ".bias", co);
    const YonosConst *left = yonos_fold_slice(net->weights, net_path(net, "%s.weight[x]", path), whole, 0, co, 0, cx);
    const YonosConst *right =
        yonos_fold_slice(net->weights, net_path(net, "%s.weight[skip]", path), whole, 0, co, cx, cs);
    const YonosTensor *first = yonos_linear(net->g, x, left, bias, NULL, YONOS_ACTIVATION_NONE, NULL);
    return yonos_linear(net->g, skip, right, NULL, first, YONOS_ACTIVATION_NONE, name);
}

static const YonosConst *conv1_bias(Net *net, const char *path, int co) {
    const char *conv1 = net_path(net, "%s.conv1", path), *project = net_path(net, "%s.time_emb_proj", path);
    const YonosConst *bias = net_vector(net, conv1, ".bias", co);
    if (!net->time)
        return bias;
    return yonos_fold_bias(net->weights, net_path(net, "%s.bias+time", conv1), bias,
                           net_matrix(net, project, co, (int)net->time->dim[0]),
                           net_vector(net, project, ".bias", co), net->time);
}

const YonosTensor *net_resnet(Net *net, const YonosTensor *x, const YonosTensor *skip, const char *path, int co) {
    const char *conv1 = net_path(net, "%s.conv1", path), *conv2 = net_path(net, "%s.conv2", path);
    const YonosTensor *h = net_group_norm(net, x, skip, net_path(net, "%s.norm1", path), net->eps, net->activation);
    h = conv3x3(net, h, conv1, conv1_bias(net, path, co), co, NULL, label(net, conv1));
    h = net_group_norm(net, h, NULL, net_path(net, "%s.norm2", path), net->eps, net->activation);
    const YonosTensor *residual = x;
    if (skip || x->shape.c != co)
        residual = shortcut(net, x, skip, net_path(net, "%s.conv_shortcut", path), co);
    return conv3x3(net, h, conv2, net_vector(net, conv2, ".bias", co), co, residual, label(net, path));
}

const YonosTensor *net_downsample(Net *net, const YonosTensor *x, const char *path, const int pad[4]) {
    int c = x->shape.c;
    return yonos_conv2d(net->g, x, net_claim(net, path, ".weight", 4, c, c, 3, 3), net_vector(net, path, ".bias", c),
                        NULL, 2, pad, 0, 0, YONOS_ACTIVATION_NONE, label(net, path));
}

const YonosTensor *net_upsample(Net *net, const YonosTensor *x, const char *path, int h, int w) {
    int c = x->shape.c;
    return yonos_conv2d(net->g, x, net_claim(net, path, ".weight", 4, c, c, 3, 3), net_vector(net, path, ".bias", c),
                        NULL, 1, (int[]){1, 1, 1, 1}, h, w, YONOS_ACTIVATION_NONE, label(net, path));
}

YonosTensor *net_self_attention(Net *net, const YonosTensor *qkv, int heads, const char *path) {
    int c = qkv->shape.c / 3, head_dim = c / heads;
    return yonos_attention(net->g, qkv, 0, qkv, c, qkv, 2 * c, NULL, NULL, heads, head_dim,
                           (float)(1.0 / sqrt((double)head_dim)), label(net, path));
}
