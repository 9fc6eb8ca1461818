/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pixel formats: which ones the pads take, which of them libyonos reads by itself ("native"), and what is lost
 * from one to another. Between GstVideoInfo and GstVideoFrame and libyonos' frames.
 */
#ifndef GST_YONOS_FORMAT_H
#define GST_YONOS_FORMAT_H

#include <gst/video/video.h>

#include "yonos.h"

/* Everything GstVideoConverter reads and writes with whole bytes per pixel and at least 8 bits: no tiled formats, no
 * palettes, no groups of pixels packed across bytes (v210, UYVP, NV12_10LE32 ...). */
#define GST_YONOS_FORMATS                                                                                              \
    "{ I420, NV12, I420_10LE, P010_10LE, RGB, BGR, RGBA, BGRA, ARGB, ABGR, RGBx, BGRx, xRGB, xBGR, YV12, NV21, Y42B, " \
    "NV16, NV61, YUY2, UYVY, YVYU, VYUY, Y444, NV24, v308, IYU2, A420, AV12, AYUV, VUYA, GBR, GBRA, RGBP, BGRP, "      \
    "GRAY8, I420_10BE, P010_10BE, I422_10LE, I422_10BE, Y444_10LE, Y444_10BE, A420_10LE, A420_10BE, A422_10LE, "       \
    "A422_10BE, A444_10LE, A444_10BE, Y210, Y410, GBR_10LE, GBR_10BE, GBRA_10LE, GBRA_10BE, r210, RGB10A2_LE, "        \
    "BGR10A2_LE, I420_12LE, I420_12BE, P012_LE, P012_BE, I422_12LE, I422_12BE, Y444_12LE, Y444_12BE, Y212_LE, "        \
    "Y212_BE, Y412_LE, Y412_BE, GBR_12LE, GBR_12BE, GBRA_12LE, GBRA_12BE, P016_LE, P016_BE, Y444_16LE, Y444_16BE, "    \
    "v216, AYUV64, ARGB64, ARGB64_LE, ARGB64_BE, RGBA64_LE, RGBA64_BE, BGRA64_LE, BGRA64_BE, ABGR64_LE, ABGR64_BE, "   \
    "GRAY16_LE, GRAY16_BE }"

/* The format of libyonos that is the same memory; YONOS_FORMAT_UNKNOWN where there is none. */
YonosFormat gst_yonos_format_native(GstVideoFormat format);

/* gst_video_info_from_caps(), which forgets the chroma-site of caps that name no colorimetry (GStreamer 1.22). */
gboolean gst_yonos_info(GstVideoInfo *info, const GstCaps *caps);

/* Matrix, range and chroma siting of the caps; BT.601 where they do not say. */
YonosColour gst_yonos_colour(const GstVideoInfo *info);

/* A view of a mapped frame in a native format; valid while it is mapped. */
YonosFrame gst_yonos_frame(const GstVideoFrame *frame);

/* The first component of a plane: what says how the plane is subsampled. */
gint gst_yonos_format_component(const GstVideoFormatInfo *info, guint plane);

/* How much going from one format to another costs: 0 for the same, more for lost colour, alpha, depth, chroma. */
guint gst_yonos_format_loss(const GstVideoFormatInfo *from, const GstVideoFormatInfo *to);

/* The colorimetry that `to` pixels have when they show what `from` shows: primaries and transfer stay, matrix and
 * range stay too unless the kind (R'G'B', Y'CbCr) changes. */
GstVideoColorimetry gst_yonos_colorimetry(const GstVideoInfo *from, const GstVideoFormatInfo *to);

#endif
