/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Between 16-bit frames, to which GstVideoConverter unpacks every format, and the R'G'B' floats that the engine takes.
 *
 * The matrix is applied here and not by GStreamer, whose integers (1.22) are up to 2 codes of 8 bits off and clip what
 * limited-range Y'CbCr has above white and below black, which HDR video uses.
 */
#ifndef GST_YONOS_FLOATS_H
#define GST_YONOS_FLOATS_H

#include <gst/video/video.h>

/* The format to unpack `info` to, or to pack it from: ARGB64 or AYUV64, the kind that needs no matrix. */
GstVideoFormat gst_yonos_floats_format(const GstVideoInfo *info);

/* Pixels of a 16-bit frame that was unpacked from `info`, as r, g, b: [0, 1] is the nominal range. */
void gst_yonos_floats_read(const GstVideoFrame *frame, const GstVideoInfo *info, float *rgb);

/* The way back, to a 16-bit frame that will be packed to `info`; `alpha`: GRAY16 of the frame's size, NULL for opaque.
 * NaN becomes 0. */
void gst_yonos_floats_write(const float *rgb, const GstVideoFrame *alpha, const GstVideoInfo *info,
                            GstVideoFrame *frame);

/* Row `y` of a frame of 16-bit samples. */
guint16 *gst_yonos_floats_row(const GstVideoFrame *frame, gint y);

#endif
