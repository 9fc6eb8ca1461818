/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counts and times of frames, for the "stats" property, the stats messages and the latency. Thread-safe.
 */
#ifndef GST_YONOS_STATS_H
#define GST_YONOS_STATS_H

#include <gst/gst.h>

typedef struct _GstYonosStats GstYonosStats;

GstYonosStats *gst_yonos_stats_new(void);
void gst_yonos_stats_free(GstYonosStats *stats);
/* All counts to 0, at start. */
void gst_yonos_stats_reset(GstYonosStats *stats);

/* A buffer has come in; a buffer has reached transform(). One that came and never reached it was dropped as late:
 * submit tells whether that happened to the one before. */
gboolean gst_yonos_stats_submit(GstYonosStats *stats);
void gst_yonos_stats_transform(GstYonosStats *stats);
/* One frame took `microseconds` in all, `engine` of them in the networks' engine. */
void gst_yonos_stats_add(GstYonosStats *stats, gint64 microseconds, gint64 engine);
/* One frame was resampled because it was late (`late`) or because of "bypass". */
void gst_yonos_stats_resampled(GstYonosStats *stats, gboolean late);

/* "frames", "dropped", "fast-frames", "bypassed", "ms-mean", "ms-p95", "ms-engine" (of the latest 256 frames) and
 * "fps" into `structure`. */
void gst_yonos_stats_fill(GstYonosStats *stats, GstStructure *structure);
/* Mean time of the latest upscaled frames; GST_CLOCK_TIME_NONE before the first. */
GstClockTime gst_yonos_stats_mean(GstYonosStats *stats);

#endif
