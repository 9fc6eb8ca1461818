/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Times of the latest frames, for the "stats" property. Thread-safe.
 */
#ifndef GST_YONOS_STATS_H
#define GST_YONOS_STATS_H

#include <gst/gst.h>

typedef struct _GstYonosStats GstYonosStats;

GstYonosStats *gst_yonos_stats_new(void);
void gst_yonos_stats_free(GstYonosStats *stats);
void gst_yonos_stats_reset(GstYonosStats *stats);
/* A buffer has come in; a buffer has reached transform(). What lies between was dropped as late. */
void gst_yonos_stats_submit(GstYonosStats *stats);
void gst_yonos_stats_transform(GstYonosStats *stats);
guint64 gst_yonos_stats_dropped(GstYonosStats *stats);
/* One frame took `microseconds`. */
void gst_yonos_stats_add(GstYonosStats *stats, gint64 microseconds);
/* "frames", "ms-mean", "ms-p95" (of the latest 256 frames) and "fps" into `structure`. */
void gst_yonos_stats_fill(GstYonosStats *stats, GstStructure *structure);
/* Mean time of the latest frames; GST_CLOCK_TIME_NONE before the first. */
GstClockTime gst_yonos_stats_mean(GstYonosStats *stats);

#endif
