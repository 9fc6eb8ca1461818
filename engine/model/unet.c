/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * UNet2DConditionModel as diffusers computes it: (1,h,w,in) -> (1,h,w,out).
 *
 *   conv_in -> down blocks (every tensor kept as a skip) -> middle -> up blocks ([x, skip]) -> norm, conv_out
 *
 * The time embedding and the prompt's K and V are constants (folding.c). Upsampling goes to the size of the
 * skip below it, so odd sizes work. In a transformer pixels are tokens as they lie.
 */
#include <math.h>

#include "model/blocks.h"
#include "model/folding.h"
#include "model/networks.h"

typedef struct {
    Net net;
    const YonosUnetConfig *config;
    const YonosConst *prompt;
    GPtrArray *skips; /* const YonosTensor, a stack */
} Unet;

/* How the attention of one block is shaped. */
typedef struct {
    int heads, layers, cross_dim;
    gboolean only_cross;
} Shape;

static Shape shape_at(const YonosUnetConfig *c, int level) {
    return (Shape){c->heads[level], c->transformer_layers[level], c->cross_dim[level], c->only_cross_attention[level]};
}

/* ---- transformer ----------------------------------------------------------------------------- */

static const YonosTensor *attention_out(Unet *u, const YonosTensor *h, const char *path, const YonosTensor *residual) {
    return net_linear(&u->net, h, net_path(&u->net, "%s.to_out.0", path), h->shape.c, TRUE, residual);
}

static const YonosTensor *self_attention(Unet *u, const YonosTensor *x, const char *path, int heads,
                                         const YonosTensor *residual) {
    static const char *const names[3] = {"to_q", "to_k", "to_v"};
    Net *net = &u->net;
    const YonosConst *weight[3];
    for (int i = 0; i < 3; i++)
        weight[i] = net_matrix(net, net_path(net, "%s.%s", path, names[i]), x->shape.c, x->shape.c);
    const YonosConst *packed = yonos_fold_stack(net->weights, net_path(net, "%s.qkv", path), weight, 3);
    const YonosTensor *qkv = yonos_linear(net->g, x, packed, NULL, NULL, YONOS_ACTIVATION_NONE, NULL);
    return attention_out(u, net_self_attention(net, qkv, heads, path), path, residual);
}

/* K and V of the fixed prompt: constants (tokens, c). */
static const YonosTensor *cross_attention(Unet *u, const YonosTensor *x, const char *path, int heads, int cross_dim,
                                          const YonosTensor *residual) {
    Net *net = &u->net;
    int c = x->shape.c, head_dim = c / heads;
    const char *to_k = net_path(net, "%s.to_k", path), *to_v = net_path(net, "%s.to_v", path);
    const YonosConst *k = yonos_fold_prompt(net->weights, net_path(net, "%s(prompt)", to_k), u->prompt,
                                            net_matrix(net, to_k, c, cross_dim), NULL);
    const YonosConst *v = yonos_fold_prompt(net->weights, net_path(net, "%s(prompt)", to_v), u->prompt,
                                            net_matrix(net, to_v, c, cross_dim), NULL);
    const YonosTensor *q = net_linear(net, x, net_path(net, "%s.to_q", path), c, FALSE, NULL);
    const YonosTensor *h = yonos_attention(net->g, q, 0, NULL, 0, NULL, 0, k, v, heads, head_dim,
                                           (float)(1.0 / sqrt((double)head_dim)), net_path(net, "unet.%s", path));
    return attention_out(u, h, path, residual);
}

static const YonosTensor *transformer_block(Unet *u, const YonosTensor *x, const char *path, Shape s) {
    Net *net = &u->net;
    const YonosTensor *h = net_layer_norm(net, x, net_path(net, "%s.norm1", path));
    const char *attn1 = net_path(net, "%s.attn1", path);
    x = s.only_cross ? cross_attention(u, h, attn1, s.heads, s.cross_dim, x)
                     : self_attention(u, h, attn1, s.heads, x);
    h = net_layer_norm(net, x, net_path(net, "%s.norm2", path));
    x = cross_attention(u, h, net_path(net, "%s.attn2", path), s.heads, s.cross_dim, x);
    h = net_layer_norm(net, x, net_path(net, "%s.norm3", path));
    h = net_linear(net, h, net_path(net, "%s.ff.net.0.proj", path), 8 * x->shape.c, TRUE, NULL);
    h = yonos_geglu(net->g, h, net_path(net, "unet.%s.ff.net.0", path));
    return net_linear(net, h, net_path(net, "%s.ff.net.2", path), x->shape.c, TRUE, x);
}

/* Transformer2DModel; its input norm has eps 1e-6. */
static const YonosTensor *transformer(Unet *u, const YonosTensor *x, const char *path, Shape s) {
    Net *net = &u->net;
    if (s.heads < 1 || x->shape.c % s.heads != 0) {
        if (!net->g->error)
            yonos_fail(&net->g->error, YONOS_ERROR_MODEL, "unet.%s: %d channels do not divide into %d heads", path,
                       x->shape.c, s.heads);
        return x;
    }
    const YonosTensor *h =
        net_group_norm(net, x, NULL, net_path(net, "%s.norm", path), 1e-6f, YONOS_ACTIVATION_NONE);
    h = net_linear(net, h, net_path(net, "%s.proj_in", path), x->shape.c, TRUE, NULL);
    for (int i = 0; i < s.layers; i++)
        h = transformer_block(u, h, net_path(net, "%s.transformer_blocks.%d", path, i), s);
    return net_linear(net, h, net_path(net, "%s.proj_out", path), x->shape.c, TRUE, x);
}

/* ---- blocks ------------------------------------------------------------------------------------ */

static void push(Unet *u, const YonosTensor *x) { g_ptr_array_add(u->skips, (gpointer)x); }

static const YonosTensor *pop(Unet *u) { return g_ptr_array_steal_index(u->skips, u->skips->len - 1); }

static const YonosTensor *down_block(Unet *u, const YonosTensor *x, int i) {
    const YonosUnetConfig *c = u->config;
    Net *net = &u->net;
    for (int j = 0; j < c->layers[i]; j++) {
        x = net_resnet(net, x, NULL, net_path(net, "down_blocks.%d.resnets.%d", i, j), c->width[i]);
        if (c->down_attention[i])
            x = transformer(u, x, net_path(net, "down_blocks.%d.attentions.%d", i, j), shape_at(c, i));
        push(u, x);
    }
    if (i + 1 < c->levels) {
        int p = c->downsample_padding;
        /* diffusers pads right and bottom by one where the config says 0 */
        const int symmetric[4] = {p, p, p, p}, corner[4] = {0, 0, 1, 1};
        x = net_downsample(net, x, net_path(net, "down_blocks.%d.downsamplers.0.conv", i), p > 0 ? symmetric : corner);
        push(u, x);
    }
    return x;
}

static const YonosTensor *middle(Unet *u, const YonosTensor *x) {
    const YonosUnetConfig *c = u->config;
    if (!c->has_mid)
        return x;
    x = net_resnet(&u->net, x, NULL, "mid_block.resnets.0", x->shape.c);
    if (!c->mid_attention)
        return x;
    Shape s = shape_at(c, c->levels - 1);
    s.only_cross = FALSE;
    x = transformer(u, x, "mid_block.attentions.0", s);
    return net_resnet(&u->net, x, NULL, "mid_block.resnets.1", x->shape.c);
}

static const YonosTensor *up_block(Unet *u, const YonosTensor *x, int i) {
    const YonosUnetConfig *c = u->config;
    Net *net = &u->net;
    int level = c->levels - 1 - i;
    for (int j = 0; j <= c->layers[level]; j++) {
        x = net_resnet(net, x, pop(u), net_path(net, "up_blocks.%d.resnets.%d", i, j), c->width[level]);
        if (c->up_attention[i])
            x = transformer(u, x, net_path(net, "up_blocks.%d.attentions.%d", i, j), shape_at(c, level));
    }
    if (i + 1 < c->levels) {
        const YonosTensor *skip = g_ptr_array_index(u->skips, u->skips->len - 1);
        x = net_upsample(net, x, net_path(net, "up_blocks.%d.upsamplers.0.conv", i), skip->shape.h, skip->shape.w);
    }
    return x;
}

/* ---- the whole --------------------------------------------------------------------------------- */

static const YonosConst *time_embedding(Unet *u, int timestep, int label) {
    const YonosUnetConfig *c = u->config;
    Net *net = &u->net;
    YonosTimeEmbedding time = {
        .timestep = timestep,
        .label = label,
        .activation = c->activation,
        .flip_sin_to_cos = c->flip_sin_to_cos,
        .freq_shift = c->freq_shift,
        .weight1 = net_matrix(net, "time_embedding.linear_1", c->time_dim, c->width[0]),
        .bias1 = net_vector(net, "time_embedding.linear_1", ".bias", c->time_dim),
        .weight2 = net_matrix(net, "time_embedding.linear_2", c->time_dim, c->time_dim),
        .bias2 = net_vector(net, "time_embedding.linear_2", ".bias", c->time_dim),
    };
    if (c->num_class_embeds > 0)
        time.classes = net_claim(net, "class_embedding", ".weight", 2, c->num_class_embeds, c->time_dim, 0, 0);
    return yonos_fold_time(net->weights, "time_embedding", &time);
}

static const YonosTensor *build(Unet *u, const YonosTensor *x) {
    const YonosUnetConfig *c = u->config;
    Net *net = &u->net;
    if (c->center_input)
        x = yonos_affine(net->g, x, 2.0f, NULL, 0.0f, -1.0f, YONOS_ACTIVATION_NONE, x->dtype, NULL);
    x = net_conv(net, x, "conv_in", c->width[0], c->conv_in_kernel, YONOS_ACTIVATION_NONE);
    push(u, x);
    for (int i = 0; i < c->levels; i++)
        x = down_block(u, x, i);
    x = middle(u, x);
    for (int i = 0; i < c->levels; i++)
        x = up_block(u, x, i);
    x = net_group_norm(net, x, NULL, "conv_norm_out", c->eps, c->activation);
    return net_conv(net, x, "conv_out", c->out_channels, c->conv_out_kernel, YONOS_ACTIVATION_NONE);
}

const YonosTensor *yonos_unet_build(YonosGraph *g, YonosWeights *weights, const YonosUnetConfig *config,
                                    const YonosConst *prompt, int timestep, int class_label, const YonosTensor *input) {
    g_autoptr(GPtrArray) skips = g_ptr_array_new();
    Unet u = {{.g = g, .weights = weights, .root = "unet.", .groups = config->groups, .eps = config->eps,
               .activation = config->activation},
              config, prompt, skips};
    u.net.time = time_embedding(&u, timestep, class_label);
    return build(&u, input);
}
