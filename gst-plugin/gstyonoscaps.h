/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Caps negotiation: what goes in comes out `scale` times as large and in the same format where downstream lets it;
 * else in another format, else in another size.
 */
#ifndef GST_YONOS_CAPS_H
#define GST_YONOS_CAPS_H

#include <gst/video/video.h>

/* The largest side of an output frame in pixels. */
#define GST_YONOS_MAX_SIDE 16384

/*
 * Caps of the other pad, the best first: same format and exact size (width and height times `scale` when `up`, from
 * sink to src, else divided by it), any format and exact size, same format and any size, anything. With `cuda` each of
 * these once more in the other memory, system or CUDA. Sizes that would grow beyond GST_YONOS_MAX_SIDE drop out, so
 * absurd ones leave no caps at all. Transfer full.
 */
GstCaps *gst_yonos_caps_transform(const GstCaps *caps, gint scale, gboolean up, gboolean cuda);

/*
 * Chooses among `others`, which the other pad can do, the caps for fixed `caps`: the exact size where it is possible,
 * then the format that loses least, then the size nearest to exact that keeps the display aspect ratio, with the
 * pixel aspect ratio made to fit where it is free. Says the colorimetry, because readers guess a missing one from the
 * size, which changes. Takes `others`. Transfer full.
 */
GstCaps *gst_yonos_caps_fixate(const GstCaps *caps, GstCaps *others, gint scale, gboolean up);

/* Whether fixed caps are of frames in CUDA memory. */
gboolean gst_yonos_caps_are_cuda(const GstCaps *caps);

/* Without the frames in CUDA memory. Takes `caps`. Transfer full. */
GstCaps *gst_yonos_caps_without_cuda(GstCaps *caps);

/*
 * Where in an output frame the picture lies: all of it, or with `borders` the largest centred part that keeps the
 * display aspect ratio. Sides are multiples of the output's chroma subsampling.
 */
GstVideoRectangle gst_yonos_caps_picture(const GstVideoInfo *in, const GstVideoInfo *out, gboolean borders);

#endif
