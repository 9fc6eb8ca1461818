/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A frame in memory of its own for tests: random legal samples in the rows, canaries everywhere else (between
 * rows, between planes, before the first and behind the last).
 */
#ifndef PICTURE_H
#define PICTURE_H

#include "backend/format.h"

typedef struct {
    YonosFrame frame;
    guint8 *memory;
    gsize bytes;
} Picture;

/* How the rows lie in memory. */
typedef enum {
    PICTURE_TIGHT,  /* no byte between rows */
    PICTURE_PADDED, /* some bytes between rows */
    PICTURE_UPSIDE, /* padded, and negative strides: the first row is the last in memory */
    PICTURE_LAYOUTS,
} PictureLayout;

/* All bytes are canaries. BT.709, limited range, chroma as MPEG-2; free with picture_free(). */
Picture *picture_new(YonosFormat format, int width, int height, PictureLayout layout);
void picture_free(Picture *picture);

/* Of one sample of a format. */
int picture_sample_bytes(const YonosFormatInfo *info);

/* Random samples that follow from `seed` alone; the same picture in every layout. */
void picture_fill_noise(Picture *picture, guint32 seed);
/* A ramp that moves with `seed`: small steps are neighbouring frames of a clip. */
void picture_fill_ramp(Picture *picture, guint32 seed);
/* Waves and an edge, as a photo has them; the same in every layout. RGB formats only. */
void picture_fill_smooth(Picture *picture);

/* Whether the samples of two pictures of one format and size are the same, whatever their layouts. */
gboolean picture_equal(const Picture *a, const Picture *b);
/* Whether every byte outside of the rows still is a canary. */
gboolean picture_is_intact(const Picture *picture);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Picture, picture_free)

#endif
