/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A complete model folder of a few kilobytes, written by the tests themselves.
 *
 * U-Net: one level of 4 channels, a middle block with cross-attention (2 heads, prompt of 6 channels).
 * Autoencoder: AutoencoderTiny, two levels, 2 latent channels. Weights are seeded random numbers by which pictures
 * follow from the input, and a little from the noise (test-tiny-model.c).
 */
#ifndef TINY_MODEL_H
#define TINY_MODEL_H

#include "model/model.h"

/* The folder in $TMPDIR, with all its files. Free with tiny_model_remove(). */
char *tiny_model_new(void);
/* Removes the folder and everything in it, and frees the name. */
void tiny_model_remove(char *folder);

/* Replaces the one place of `from` in a text file of the folder; fails the test where there is no such place. */
void tiny_model_replace(const char *folder, const char *file, const char *from, const char *to);
/* The same in the header of a safetensors file, whose length field is set anew. */
void tiny_model_replace_header(const char *folder, const char *file, const char *from, const char *to);
/* The whole file. */
void tiny_model_write(const char *folder, const char *file, const void *data, gsize length);
GBytes *tiny_model_read(const char *folder, const char *file);

/* Writes a safetensors file anew after a change: `drop` is left out (may be NULL), `extra` added (may be NULL). */
void tiny_model_rewrite(const char *folder, const char *file, const char *drop, const YonosConst *extra);

/* Header and data as one file, for tests that write headers by hand. */
GBytes *tiny_safetensors(const char *header, gsize data_length);

#endif
