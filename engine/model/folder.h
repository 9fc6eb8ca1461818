/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The record behind YonosModel; for folder.c and part.c alone.
 */
#ifndef YONOS_FOLDER_H
#define YONOS_FOLDER_H

#include "model/networks.h"

struct _YonosModel {
    int references;
    char *key; /* canonical path: the key in the cache of open models */
    YonosModelInfo info;
    YonosUnetConfig unet;
    YonosVaeConfig vae;
    YonosWeights *unet_weights, *vae_weights;
    YonosSafetensors *prompt_file; /* NULL without cross-attention */
    const YonosConst *prompt;      /* (1, tokens, dim) */
    int class_label;
};

#endif
