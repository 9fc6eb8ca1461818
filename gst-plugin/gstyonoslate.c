/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The state machine of late-policy=fast; see gstyonoslate.h.
 */
#include "gstyonoslate.h"

enum {
    CALM_FRAMES = 5,   /* in time, before the networks are tried again */
    PROBE_FRAMES = 64, /* calm frames after which networks that are a little too slow get another try */
};

void gst_yonos_late_reset(GstYonosLate *late) {
    *late = (GstYonosLate){.fade = GST_YONOS_FADE_FRAMES, .switches = late->switches, .earliest = -1};
}

void gst_yonos_late_qos(GstYonosLate *late, GstClockTime timestamp, gint64 diff) {
    if (!GST_CLOCK_TIME_IS_VALID(timestamp))
        return;
    late->earliest = MAX((gint64)timestamp + diff, 0);
}

gint64 gst_yonos_late_slack(const GstYonosLate *late, GstClockTime time) {
    if (late->earliest < 0 || !GST_CLOCK_TIME_IS_VALID(time))
        return GST_YONOS_SLACK_UNKNOWN;
    return (gint64)time - late->earliest;
}

/* Whether the networks may be tried again. */
static gboolean can_return(const GstYonosLate *late, gint64 slack, gint64 cost, gint64 period) {
    if (late->calm < CALM_FRAMES)
        return FALSE;
    if (cost <= 0 || (slack != GST_YONOS_SLACK_UNKNOWN && slack / 2 >= cost))
        return TRUE;
    if (period > 0 && cost <= period / 10 * 9)
        return TRUE;
    return late->calm >= PROBE_FRAMES && (period <= 0 || cost < 2 * period);
}

guint gst_yonos_late_choose(GstYonosLate *late, gint64 slack, gint64 cost, gint64 period) {
    if (slack < 0) {
        late->switches += !late->fast;
        late->fast = TRUE;
        late->calm = 0;
        return 0;
    }
    if (late->fast) {
        late->calm++;
        if (!can_return(late, slack, cost, period))
            return 0;
        late->fast = FALSE;
        late->fade = 0;
    }
    late->fade = MIN(late->fade + 1, GST_YONOS_FADE_FRAMES);
    return late->fade;
}
