/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Caps: what goes in comes out `scale` times as large, and nothing else changes.
 */
#ifndef GST_YONOS_CAPS_H
#define GST_YONOS_CAPS_H

#include <gst/video/video.h>

#define GST_YONOS_FORMATS                                                                                              \
    "{ RGB, BGR, RGBA, BGRA, ARGB, ABGR, RGBx, BGRx, xRGB, xBGR, I420, NV12, I420_10LE, P010_10LE }"

/* The largest side of an output frame in pixels. */
#define GST_YONOS_MAX_SIDE 16384

/*
 * Caps of the other pad: width and height times `scale` (from sink to src) or divided by it. Sizes that cannot be
 * divided, or that would grow beyond GST_YONOS_MAX_SIDE, drop out. Transfer full.
 */
GstCaps *gst_yonos_caps_scale(const GstCaps *caps, gint scale, gboolean up);

#endif
