/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two frames of the same caps in one: parts of one copied into the other, and fading between them.
 */
#ifndef GST_YONOS_COMPARE_H
#define GST_YONOS_COMPARE_H

#include <gst/video/video.h>

typedef enum {
    GST_YONOS_COMPARE_NONE,
    GST_YONOS_COMPARE_SPLIT,        /* the original left of compare-position, the result right of it */
    GST_YONOS_COMPARE_SIDE_BY_SIDE, /* the same half of the picture twice: original, result */
} GstYonosCompare;

/*
 * Puts `original` beside what is in `result`, inside `picture`, without changing the frame's size. `position` is
 * where the split lies, or which half is shown: 0 the left one, 1 the right one. Both may be the same frame.
 */
void gst_yonos_compare(GstYonosCompare mode, gdouble position, const GstVideoRectangle *picture,
                       const GstVideoFrame *original, GstVideoFrame *result);

/* The column of the picture before it was compared that is shown at column `x` of frames with format `info`. */
gdouble gst_yonos_compare_column(GstYonosCompare mode, gdouble position, const GstVideoRectangle *picture,
                                 const GstVideoFormatInfo *info, gdouble x);

/* result = (weight result + (total - weight) original) / total, per sample; formats that pack components into fewer
 * than whole bytes switch at half of the way instead. */
void gst_yonos_fade(guint weight, guint total, const GstVideoFrame *original, GstVideoFrame *result);

#endif
