/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What comes with a frame besides pixels: metas, crops, pointer positions.
 */
#ifndef GST_YONOS_META_H
#define GST_YONOS_META_H

#include <gst/base/gstbasetransform.h>
#include <gst/video/video.h>

#include "gstyonoscompare.h"

/*
 * videoconvertscale's rules: metas about the video as such (captions, timecodes, orientation) are copied (TRUE),
 * those about places in it are scaled into `picture` here (FALSE), crops and metas about memory stay behind (FALSE).
 */
gboolean gst_yonos_meta_transform(GstBuffer *outbuf, GstMeta *meta, GstBuffer *inbuf, const GstVideoInfo *in,
                                  const GstVideoInfo *out, const GstVideoRectangle *picture);

/*
 * Narrows a mapped frame to the crop rectangle of its buffer, so that it has the size of the caps, `info`. TRUE
 * without a crop too; FALSE where the rectangle has another size, leaves the frame or cuts through chroma samples.
 */
gboolean gst_yonos_meta_crop(GstBuffer *buffer, const GstVideoInfo *info, GstVideoFrame *frame);

/* A navigation event in output pixels as one in input pixels; side by side, of the pixel that is shown there, in either
 * half. Takes `event`; transfer full. */
GstEvent *gst_yonos_meta_navigation(GstEvent *event, const GstVideoInfo *in, const GstVideoInfo *out,
                                    const GstVideoRectangle *picture, GstYonosCompare compare, gdouble position);

#endif
