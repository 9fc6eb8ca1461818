/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * AutoencoderKL as diffusers computes it: (1,H,W,3) -> mean (1,H/f,W/f,c) -> (1,H,W,3).
 *
 * Group norms have eps 1e-6; the encoder's stride-2 convolutions pad right and bottom only;
 * the single attention of the middle has one head of all channels. Only the mean of the
 * posterior is computed: the rows of the last convolution that make the variance are cut off.
 */
#include "model/blocks.h"
#include "model/folding.h"
#include "model/vae-private.h"

static Net kl_net(YonosGraph *g, YonosWeights *weights, const YonosVaeConfig *config) {
    return (Net){.g = g, .weights = weights, .root = "vae.", .groups = config->groups, .eps = 1e-6f,
                 .activation = config->activation};
}

/* Q, K and V as one product; to_q.. in newer files, query.. in older ones. */
static const YonosTensor *packed_qkv(Net *net, const YonosTensor *x, const char *path, gboolean old) {
    static const char *const names[2][3] = {{"to_q", "to_k", "to_v"}, {"query", "key", "value"}};
    int c = x->shape.c;
    const YonosConst *weight[3], *bias[3];
    for (int i = 0; i < 3; i++) {
        const char *part = net_path(net, "%s.%s", path, names[old][i]);
        weight[i] = net_matrix(net, part, c, c);
        bias[i] = net_vector(net, part, ".bias", c);
    }
    return yonos_linear(net->g, x, yonos_fold_stack(net->weights, net_path(net, "%s.qkv.weight", path), weight, 3),
                        yonos_fold_stack(net->weights, net_path(net, "%s.qkv.bias", path), bias, 3), NULL,
                        YONOS_ACTIVATION_NONE, NULL);
}

static const YonosTensor *attention(Net *net, const YonosTensor *x, const char *path) {
    g_autofree char *old_name = g_strconcat(path, ".query.weight", NULL);
    gboolean old = yonos_weights_has(net->weights, old_name);
    const YonosTensor *h =
        net_group_norm(net, x, NULL, net_path(net, "%s.group_norm", path), net->eps, YONOS_ACTIVATION_NONE);
    h = net_self_attention(net, packed_qkv(net, h, path, old), 1, net_path(net, "%s.attention", path));
    return net_linear(net, h, net_path(net, "%s.%s", path, old ? "proj_attn" : "to_out.0"), x->shape.c, TRUE, x);
}

static const YonosTensor *middle(Net *net, const YonosTensor *x, const char *path, const YonosVaeConfig *config) {
    x = net_resnet(net, x, NULL, net_path(net, "%s.resnets.0", path), x->shape.c);
    if (config->mid_attention)
        x = attention(net, x, net_path(net, "%s.attentions.0", path));
    return net_resnet(net, x, NULL, net_path(net, "%s.resnets.1", path), x->shape.c);
}

/* The rows of `path` that give the mean: the first half. */
static const YonosTensor *mean_rows(Net *net, const YonosTensor *x, const char *path, int channels, int kernel) {
    const YonosConst *weight = net_claim(net, path, ".weight", 4, 2 * channels, x->shape.c, kernel, kernel);
    const YonosConst *bias = net_vector(net, path, ".bias", 2 * channels);
    weight = yonos_fold_slice(net->weights, net_path(net, "%s.weight[mean]", path), weight, 0, channels, 0,
                              x->shape.c);
    bias = yonos_fold_slice(net->weights, net_path(net, "%s.bias[mean]", path), bias, 0, channels, 0, 1);
    const char *name = net_path(net, "%s%s", net->root, path);
    if (kernel == 1)
        return yonos_linear(net->g, x, weight, bias, NULL, YONOS_ACTIVATION_NONE, name);
    return yonos_conv2d(net->g, x, weight, bias, NULL, 1, (int[]){1, 1, 1, 1}, 0, 0, YONOS_ACTIVATION_NONE, name);
}

const YonosTensor *kl_build_encoder(YonosGraph *g, YonosWeights *weights, const YonosVaeConfig *config,
                                    const YonosTensor *x) {
    Net net = kl_net(g, weights, config);
    x = net_conv(&net, x, "encoder.conv_in", config->width[0], 3, YONOS_ACTIVATION_NONE);
    for (int i = 0; i < config->levels; i++) {
        for (int j = 0; j < config->layers; j++)
            x = net_resnet(&net, x, NULL, net_path(&net, "encoder.down_blocks.%d.resnets.%d", i, j), config->width[i]);
        if (i + 1 < config->levels)
            x = net_downsample(&net, x, net_path(&net, "encoder.down_blocks.%d.downsamplers.0.conv", i),
                               (int[]){0, 0, 1, 1});
    }
    x = middle(&net, x, "encoder.mid_block", config);
    x = net_group_norm(&net, x, NULL, "encoder.conv_norm_out", net.eps, net.activation);
    if (!config->quant_conv)
        return mean_rows(&net, x, "encoder.conv_out", config->latent_channels, 3);
    x = net_conv(&net, x, "encoder.conv_out", 2 * config->latent_channels, 3, YONOS_ACTIVATION_NONE);
    return mean_rows(&net, x, "quant_conv", config->latent_channels, 1);
}

const YonosTensor *kl_build_decoder(YonosGraph *g, YonosWeights *weights, const YonosVaeConfig *config,
                                    const YonosTensor *x) {
    Net net = kl_net(g, weights, config);
    int top = config->levels - 1;
    if (config->post_quant_conv)
        x = net_linear(&net, x, "post_quant_conv", config->latent_channels, TRUE, NULL);
    x = net_conv(&net, x, "decoder.conv_in", config->width[top], 3, YONOS_ACTIVATION_NONE);
    x = middle(&net, x, "decoder.mid_block", config);
    for (int i = 0; i <= top; i++) {
        for (int j = 0; j <= config->layers; j++)
            x = net_resnet(&net, x, NULL, net_path(&net, "decoder.up_blocks.%d.resnets.%d", i, j),
                           config->width[top - i]);
        if (i < top)
            x = net_upsample(&net, x, net_path(&net, "decoder.up_blocks.%d.upsamplers.0.conv", i), 2 * x->shape.h,
                             2 * x->shape.w);
    }
    x = net_group_norm(&net, x, NULL, "decoder.conv_norm_out", net.eps, net.activation);
    return net_conv(&net, x, "decoder.conv_out", 3, 3, YONOS_ACTIVATION_NONE);
}

const YonosTensor *yonos_vae_build_encoder(YonosGraph *g, YonosWeights *weights, const YonosVaeConfig *config,
                                           const YonosTensor *image) {
    return (config->kind == YONOS_VAE_KL ? kl_build_encoder : tiny_build_encoder)(g, weights, config, image);
}

const YonosTensor *yonos_vae_build_decoder(YonosGraph *g, YonosWeights *weights, const YonosVaeConfig *config,
                                           const YonosTensor *latent) {
    return (config->kind == YONOS_VAE_KL ? kl_build_decoder : tiny_build_decoder)(g, weights, config, latent);
}
