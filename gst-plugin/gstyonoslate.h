/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What to do with frames that come later than they can be done: the decision of late-policy=fast, by itself.
 *
 * A frame's SLACK is how much earlier than needed it is there (negative: late), by the sink's QoS events and, in live
 * pipelines, by the clock. A late frame switches to resampling at once. The way back needs calm: frames in time, and
 * a mean time of the networks that lets them keep up, or slack enough for a frame that does not. Back again, the
 * networks' result is faded in over a few frames, so that the picture does not jump.
 *
 * All times in nanoseconds. The functions of one object need the caller's lock.
 */
#ifndef GST_YONOS_LATE_H
#define GST_YONOS_LATE_H

#include <gst/gst.h>

typedef enum {
    GST_YONOS_LATE_PROCESS, /* upscale every frame, however late */
    GST_YONOS_LATE_DROP,    /* leave late frames out, as GstBaseTransform does */
    GST_YONOS_LATE_FAST,    /* resample late frames until caught up */
} GstYonosLatePolicy;

#define GST_YONOS_FADE_FRAMES 4
/* Slack of a frame of which nothing is known: in time. */
#define GST_YONOS_SLACK_UNKNOWN G_MAXINT64

typedef struct {
    gboolean fast;    /* resampling now */
    guint calm;       /* frames in time since the last late one */
    guint fade;       /* frames since the way back, up to GST_YONOS_FADE_FRAMES */
    guint64 switches; /* from the networks to resampling */
    gint64 earliest;  /* running time from which on frames are in time, by QoS; -1: not known */
} GstYonosLate;

void gst_yonos_late_reset(GstYonosLate *late);

/* A QoS event of the sink: the frame of `timestamp` (running time) came `diff` late (negative: early). */
void gst_yonos_late_qos(GstYonosLate *late, GstClockTime timestamp, gint64 diff);

/* Slack by QoS of a frame at running time `time`. */
gint64 gst_yonos_late_slack(const GstYonosLate *late, GstClockTime time);

/*
 * How much of the networks' result the next frame shall show, from 0 (resample it) to GST_YONOS_FADE_FRAMES (all).
 * `cost`: mean time of the networks per frame, 0 when not known; `period`: from frame to frame, 0 when not known.
 */
guint gst_yonos_late_choose(GstYonosLate *late, gint64 slack, gint64 cost, gint64 period);

#endif
