/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * AutoencoderTiny as diffusers computes it: plain convolutions and ReLU, no norms.
 *
 * Both halves are numbered lists of layers ("encoder.layers.N"); the encoder sees the image in [0,1], the decoder
 * clamps the latent by 3 tanh(x / 3). What it gives, in [0,1], the last convolution's weights take to [-1,1] here: in
 * half floats, bright parts would be rounded twice as coarsely.
 */
#include "model/blocks.h"
#include "model/folding.h"
#include "model/vae-private.h"

/* Layers are claimed in their order: `at` is the number of the next one. */
typedef struct {
    Net net;
    const char *half; /* "encoder" or "decoder" */
    int at;
} Layers;

static const YonosTensor *conv(Layers *l, const YonosTensor *x, int co, int stride, int up, gboolean bias,
                               YonosActivation act) {
    Net *net = &l->net;
    const char *path = net_path(net, "%s.layers.%d", l->half, l->at++);
    const YonosConst *weight = net_claim(net, path, ".weight", 4, co, x->shape.c, 3, 3);
    return yonos_conv2d(net->g, x, weight, bias ? net_vector(net, path, ".bias", co) : NULL, NULL, stride,
                        (int[]){1, 1, 1, 1}, up ? up * x->shape.h : 0, up ? up * x->shape.w : 0, act,
                        net_path(net, "vae.%s", path));
}

/* The last layer, to [-1,1]. */
static const YonosTensor *conv_to_image(Layers *l, const YonosTensor *x) {
    Net *net = &l->net;
    const char *path = net_path(net, "%s.layers.%d", l->half, l->at++);
    const YonosConst *weight = yonos_fold_affine(net->weights, net_path(net, "vae.%s.weight.signed", path),
                                                 net_claim(net, path, ".weight", 4, 3, x->shape.c, 3, 3), 2.0f, 0.0f);
    const YonosConst *bias = yonos_fold_affine(net->weights, net_path(net, "vae.%s.bias.signed", path),
                                               net_vector(net, path, ".bias", 3), 2.0f, -1.0f);
    return yonos_conv2d(net->g, x, weight, bias, NULL, 1, (int[]){1, 1, 1, 1}, 0, 0, YONOS_ACTIVATION_NONE,
                        net_path(net, "vae.%s", path));
}

/* relu(conv(act(conv(act(conv(x))))) + x). */
static const YonosTensor *block(Layers *l, const YonosTensor *x) {
    Net *net = &l->net;
    const char *path = net_path(net, "%s.layers.%d", l->half, l->at++);
    const char *name = net_path(net, "vae.%s", path);
    const YonosTensor *h = net_conv(net, x, net_path(net, "%s.conv.0", path), x->shape.c, 3, net->activation);
    h = net_conv(net, h, net_path(net, "%s.conv.2", path), x->shape.c, 3, net->activation);
    const char *last = net_path(net, "%s.conv.4", path);
    return yonos_conv2d(net->g, h, net_claim(net, last, ".weight", 4, x->shape.c, x->shape.c, 3, 3),
                        net_vector(net, last, ".bias", x->shape.c), x, 1, (int[]){1, 1, 1, 1}, 0, 0,
                        YONOS_ACTIVATION_RELU, name);
}

static Layers tiny_layers(YonosGraph *g, YonosWeights *weights, const YonosVaeConfig *config, const char *half) {
    return (Layers){{.g = g, .weights = weights, .root = "vae.", .activation = config->activation}, half, 0};
}

const YonosTensor *tiny_build_encoder(YonosGraph *g, YonosWeights *weights, const YonosVaeConfig *config,
                                      const YonosTensor *image) {
    Layers l = tiny_layers(g, weights, config, "encoder");
    const YonosTensor *x =
        yonos_affine(g, image, 0.5f, NULL, 0.0f, 0.5f, YONOS_ACTIVATION_NONE, image->dtype, NULL);
    for (int i = 0; i < config->levels; i++) {
        x = conv(&l, x, config->width[i], i > 0 ? 2 : 1, 0, i == 0, YONOS_ACTIVATION_NONE);
        for (int j = 0; j < config->encoder_blocks[i]; j++)
            x = block(&l, x);
    }
    return conv(&l, x, config->latent_channels, 1, 0, TRUE, YONOS_ACTIVATION_NONE);
}

const YonosTensor *tiny_build_decoder(YonosGraph *g, YonosWeights *weights, const YonosVaeConfig *config,
                                      const YonosTensor *latent) {
    Layers l = tiny_layers(g, weights, config, "decoder");
    const YonosTensor *x =
        yonos_affine(g, latent, 1.0f, NULL, 0.0f, 0.0f, YONOS_ACTIVATION_TANH_CLAMP, latent->dtype, NULL);
    x = conv(&l, x, config->decoder_width[0], 1, 0, TRUE, config->activation);
    l.at++; /* the activation has a number of its own */
    for (int i = 0; i < config->levels; i++) {
        for (int j = 0; j < config->decoder_blocks[i]; j++)
            x = block(&l, x);
        if (i + 1 < config->levels) {
            l.at++; /* the upsampling, which is part of the convolution behind it here */
            x = conv(&l, x, config->decoder_width[i], 1, 2, FALSE, YONOS_ACTIVATION_NONE);
        }
    }
    return conv_to_image(&l, x);
}
