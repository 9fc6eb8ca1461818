/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A model folder with Stable Diffusion 1.5's architecture, the U-Net's widths divided by 10, the autoencoder's by 4:
 * every block, skip and attention is there, and a plan's tensors are as large beside each other as in the real one, but
 * for the three channels of a picture and the four or eight of a latent. The weights are zeros.
 */
#ifndef SD_MODEL_H
#define SD_MODEL_H

/* The folder in $TMPDIR. Free with tiny_model_remove(). */
char *sd_model_new(void);

#endif
