/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Between GstVideoInfo and GstVideoFrame and libyonos' frames.
 */
#ifndef GST_YONOS_FRAME_H
#define GST_YONOS_FRAME_H

#include <gst/video/video.h>

#include "yonos.h"

/* YONOS_FORMAT_UNKNOWN for formats the element does not take. */
YonosFormat gst_yonos_format(GstVideoFormat format);

/* Matrix, range and chroma siting of the caps; BT.601 where they do not say. */
YonosColour gst_yonos_colour(const GstVideoInfo *info);

/* A view of a mapped frame; valid while it is mapped. */
YonosFrame gst_yonos_frame(const GstVideoFrame *frame);

#endif
