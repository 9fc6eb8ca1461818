/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a video is cut. The cuts follow from the file alone: every run, process and machine makes the same ones.
 */
#ifndef YONOS_UPSCALE_SEGMENTS_H
#define YONOS_UPSCALE_SEGMENTS_H

#include "scan.h"

/* Stream times in ns. */
typedef struct {
    GstClockTime start, stop; /* frames with start <= time < stop; the last stop is GST_CLOCK_TIME_NONE */
    GstClockTime first;       /* of the first frame */
    GstClockTime seek;        /* of the frame before; 0 for the first segment */
    guint frames;             /* as the container tells */
} Segment;

/*
 * Cuts at key frames where they come within 32 to 64 frames, else after 64: few enough that a stop costs little and
 * the first segment is soon there, enough that encoding in segments costs few bytes. Returns an array of Segment.
 */
GArray *segments_cut(const Scan *scan);

/* The one frame that is shown at `time`; the last one after the end. */
Segment segments_frame(const Scan *scan, GstClockTime time);

/* The segments of share `k` of `n` (1..n): from *begin until before *end. */
void segments_share(const GArray *segments, guint k, guint n, guint *begin, guint *end);

#endif
