/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cutting; see segments.h.
 */
#include "segments.h"

enum { SHORTEST = 32, LONGEST = 64 };

/* The first frame after the segment that begins at frame `begin`. */
static guint find_end(const GArray *frames, guint begin) {
    for (guint i = begin + SHORTEST; i < frames->len && i < begin + LONGEST; i++)
        if (g_array_index(frames, ScanFrame, i).key)
            return i;
    return MIN(begin + LONGEST, frames->len);
}

/* Between two frames, so that a decoder which rounds a timestamp differently does not move a frame. */
static GstClockTime cut_before(const GArray *frames, guint frame) {
    if (frame == 0)
        return 0;
    GstClockTime before = g_array_index(frames, ScanFrame, frame - 1).time,
                 after = g_array_index(frames, ScanFrame, frame).time;
    return before + (after - before + 1) / 2;
}

static Segment make(const GArray *frames, guint begin, guint end) {
    return (Segment){
        .start = cut_before(frames, begin),
        .stop = end < frames->len ? cut_before(frames, end) : GST_CLOCK_TIME_NONE,
        .first = g_array_index(frames, ScanFrame, begin).time,
        .seek = begin > 0 ? g_array_index(frames, ScanFrame, begin - 1).time : 0,
        .frames = end - begin,
    };
}

Segment segments_frame(const Scan *scan, GstClockTime time) {
    guint i = 0;
    while (i + 1 < scan->frames->len && g_array_index(scan->frames, ScanFrame, i + 1).time <= time)
        i++;
    return make(scan->frames, i, i + 1);
}

GArray *segments_cut(const Scan *scan) {
    const GArray *frames = scan->frames;
    GArray *segments = g_array_new(FALSE, FALSE, sizeof(Segment));
    for (guint begin = 0, end; begin < frames->len; begin = end) {
        end = find_end(frames, begin);
        Segment segment = make(frames, begin, end);
        g_array_append_val(segments, segment);
    }
    return segments;
}

void segments_share(const GArray *segments, guint k, guint n, guint *begin, guint *end) {
    *begin = (guint)((guint64)segments->len * (k - 1) / n);
    *end = (guint)((guint64)segments->len * k / n);
}
