/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The networks as functions that append nodes to a graph.
 *
 * Parsing a part's config gives a plain record (YonosUnetConfig, YonosVaeConfig); building walks
 * the record and claims every tensor by the path that diffusers gives it, so there is no table of
 * names. Builders report failures in graph->error. All tensors are (1,h,w,c) in the input's dtype.
 */
#ifndef YONOS_NETWORKS_H
#define YONOS_NETWORKS_H

#include "model/config.h"
#include "model/model.h"
#include "model/weights.h"

enum { YONOS_MAX_LEVELS = 8 };

/* UNet2DConditionModel. Arrays are indexed by down block; up blocks use them in reverse. */
typedef struct {
    int in_channels, out_channels, levels;
    int width[YONOS_MAX_LEVELS], layers[YONOS_MAX_LEVELS];
    gboolean down_attention[YONOS_MAX_LEVELS];
    gboolean up_attention[YONOS_MAX_LEVELS]; /* indexed by up block */
    gboolean has_mid, mid_attention;
    int heads[YONOS_MAX_LEVELS], transformer_layers[YONOS_MAX_LEVELS], cross_dim[YONOS_MAX_LEVELS];
    gboolean only_cross_attention[YONOS_MAX_LEVELS];
    gboolean linear_projection;
    YonosActivation activation;
    int groups;
    float eps;
    int downsample_padding, conv_in_kernel, conv_out_kernel;
    gboolean center_input;
    gboolean flip_sin_to_cos;
    double freq_shift;
    int time_dim, num_class_embeds; /* 0: no class embedding */
} YonosUnetConfig;

typedef enum { YONOS_VAE_KL, YONOS_VAE_TINY } YonosVaeKind;

/* AutoencoderKL or AutoencoderTiny. Arrays are indexed by level, full resolution first, but for tiny decoders. */
typedef struct {
    YonosVaeKind kind;
    int levels, latent_channels;
    int width[YONOS_MAX_LEVELS];
    double scaling_factor, shift_factor;
    YonosActivation activation;
    int layers, groups;                                /* KL */
    gboolean mid_attention, quant_conv, post_quant_conv; /* KL */
    int decoder_width[YONOS_MAX_LEVELS];               /* TINY, smallest resolution first */
    int encoder_blocks[YONOS_MAX_LEVELS], decoder_blocks[YONOS_MAX_LEVELS];
} YonosVaeConfig;

/* Read a config.json. FALSE with `error` set: FORMAT (types), MODEL (an architecture that is not supported). */
gboolean yonos_unet_config_read(YonosConfig *json, YonosUnetConfig *config, GError **error);
gboolean yonos_vae_config_read(YonosConfig *json, YonosVaeConfig *config, GError **error);

/* TRUE where a prompt is needed. */
gboolean yonos_unet_has_attention(const YonosUnetConfig *config);

/*
 * `input` (1,h,w,in_channels) -> the raw output (1,h,w,out_channels). `prompt` (1,tokens,dim) or NULL. Constants that
 * depend on the timestep, the class or the prompt are folded once per `weights`.
 */
const YonosTensor *yonos_unet_build(YonosGraph *g, YonosWeights *weights, const YonosUnetConfig *config,
                                    const YonosConst *prompt, int timestep, int class_label, const YonosTensor *input);
/* image (1,H,W,3) in [-1,1] -> mean of the latent (1,H/f,W/f,c), not scaled. */
const YonosTensor *yonos_vae_build_encoder(YonosGraph *g, YonosWeights *weights, const YonosVaeConfig *config,
                                           const YonosTensor *image);
/* latent (1,h,w,c), not scaled -> image (1,hf,wf,3) in [-1,1]. */
const YonosTensor *yonos_vae_build_decoder(YonosGraph *g, YonosWeights *weights, const YonosVaeConfig *config,
                                           const YonosTensor *latent);

/* The same with a model's own parts; `name` is given to the decoder's result. */
const YonosTensor *yonos_build_unet(YonosModel *model, YonosGraph *g, const YonosTensor *input);
const YonosTensor *yonos_build_encoder(YonosModel *model, YonosGraph *g, const YonosTensor *image);
const YonosTensor *yonos_build_decoder(YonosModel *model, YonosGraph *g, const YonosTensor *latent, const char *name);

#endif
