/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pictures in files: PNG with 8 or 16 bits a sample, or safetensors.
 */
#ifndef YONOS_TOOLS_PICTURE_H
#define YONOS_TOOLS_PICTURE_H

#include "model/model.h"

/* RGB in [0, 1] with `channels` 3, or 4 with alpha; (height, width, channels) floats. */
typedef struct {
    int width, height, channels;
    int bits;             /* a sample in the file: 8, 16, or 32 for floats */
    float *samples;
    int noise_h, noise_w, noise_c;
    float *noise;         /* of a safetensors file that holds a tensor "noise" (1,h,w,c); else NULL */
} Picture;

/* By the name's end: .png, or .safetensors with a tensor "image" (1,h,w,3). Errors: FILE, FORMAT. */
gboolean picture_read(const char *path, Picture *picture, GError **error);
/* A PNG gets `bits` 8 or 16, clipped and rounded; a safetensors file floats as they are. Errors: FILE, ARGUMENT. */
gboolean picture_write(const char *path, const Picture *picture, GError **error);
void picture_clear(Picture *picture);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Picture, picture_clear)

#endif
