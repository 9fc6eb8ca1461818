/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a frame holds, as GStreamer reads and converts it: formats, samples, frames of one colour.
 */
#ifndef PIXELS_H
#define PIXELS_H

#include <gst/check/gstharness.h>
#include <gst/video/video.h>

/* Of 16 bits. */
typedef struct {
    guint16 a, r, g, b;
} Colour;

extern const Colour teal;

/* Names of all formats that the element takes. Free with g_ptr_array_unref(). */
GPtrArray *all_formats(void);

GstVideoInfo info_of(const char *caps_string);
/* Of what comes out of the element now. */
GstVideoInfo output_info(GstHarness *h);
/* Of 16-bit ARGB in the size and at the rate of `like`. */
GstVideoInfo argb64_like(const GstVideoInfo *like);

/* A frame in another format or size, by GStreamer, with `options` of GstVideoConverter or NULL. Takes both. */
GstBuffer *convert(GstBuffer *buffer, GstVideoInfo *from, GstVideoInfo *to, GstStructure *options);

/* Samples of 8 bits, or in the low or high bits of a little-endian word. */
int sample(const GstVideoFrame *frame, guint c, int x, int y);
void set_sample(const GstVideoFrame *frame, guint c, int x, int y, int code);

/* ---- frames of one colour ------------------------------------------------------------------------------- */

GstBuffer *flat_new(GstVideoInfo *info, Colour colour);
/* What the element makes of such a frame. */
GstBuffer *push_flat(GstHarness *h, const char *caps, Colour colour);

/* Distance of the mean of `part` from `colour`, of 65535; alpha counts when `alpha`. */
int distance(GstBuffer *buffer, GstVideoInfo *info, const GstVideoRectangle *part, Colour colour, gboolean alpha);
/* What one code of the coarser of the two may be off, of 65535, and a little for the matrix. */
int tolerance(const GstVideoInfo *a, const GstVideoInfo *b);

#endif
