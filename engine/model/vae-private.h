/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The two autoencoders behind yonos_vae_build_*(): vae.c has AutoencoderKL, vae_tiny.c AutoencoderTiny.
 * Shapes and errors as in networks.h.
 */
#ifndef YONOS_VAE_PRIVATE_H
#define YONOS_VAE_PRIVATE_H

#include "model/networks.h"

const YonosTensor *kl_build_encoder(YonosGraph *g, YonosWeights *weights, const YonosVaeConfig *config,
                                    const YonosTensor *image);
const YonosTensor *kl_build_decoder(YonosGraph *g, YonosWeights *weights, const YonosVaeConfig *config,
                                    const YonosTensor *latent);
const YonosTensor *tiny_build_encoder(YonosGraph *g, YonosWeights *weights, const YonosVaeConfig *config,
                                      const YonosTensor *image);
const YonosTensor *tiny_build_decoder(YonosGraph *g, YonosWeights *weights, const YonosVaeConfig *config,
                                      const YonosTensor *latent);

#endif
