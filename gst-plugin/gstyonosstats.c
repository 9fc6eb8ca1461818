/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A ring of the latest frame times; see gstyonosstats.h.
 */
#include "gstyonosstats.h"

#include <stdlib.h>
#include <string.h>

enum { RING = 256 };

struct _GstYonosStats {
    GMutex lock;
    guint64 frames, dropped, fast, bypassed;
    gboolean submitted;              /* a buffer is between submit and transform */
    gint64 ring[RING], engine[RING]; /* microseconds */
};

GstYonosStats *gst_yonos_stats_new(void) {
    GstYonosStats *stats = g_new0(GstYonosStats, 1);
    g_mutex_init(&stats->lock);
    return stats;
}

void gst_yonos_stats_free(GstYonosStats *stats) {
    g_mutex_clear(&stats->lock);
    g_free(stats);
}

void gst_yonos_stats_reset(GstYonosStats *stats) {
    g_mutex_lock(&stats->lock);
    stats->frames = stats->dropped = stats->fast = stats->bypassed = 0;
    stats->submitted = FALSE;
    g_mutex_unlock(&stats->lock);
}

gboolean gst_yonos_stats_submit(GstYonosStats *stats) {
    g_mutex_lock(&stats->lock);
    gboolean dropped = stats->submitted;
    stats->dropped += dropped;
    stats->submitted = TRUE;
    g_mutex_unlock(&stats->lock);
    return dropped;
}

void gst_yonos_stats_transform(GstYonosStats *stats) {
    g_mutex_lock(&stats->lock);
    stats->submitted = FALSE;
    g_mutex_unlock(&stats->lock);
}

void gst_yonos_stats_add(GstYonosStats *stats, gint64 microseconds, gint64 engine) {
    g_mutex_lock(&stats->lock);
    guint at = (guint)(stats->frames++ % RING);
    stats->ring[at] = microseconds;
    stats->engine[at] = engine;
    g_mutex_unlock(&stats->lock);
}

void gst_yonos_stats_resampled(GstYonosStats *stats, gboolean late) {
    g_mutex_lock(&stats->lock);
    if (late)
        stats->fast++;
    else
        stats->bypassed++;
    g_mutex_unlock(&stats->lock);
}

/* Mean of the first `count`, in microseconds; 0 of none. */
static double mean_of(const gint64 *times, guint count) {
    gint64 sum = 0;
    for (guint i = 0; i < count; i++)
        sum += times[i];
    return count > 0 ? (double)sum / count : 0.0;
}

static int by_value(const void *a, const void *b) {
    gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;
    return (x > y) - (x < y);
}

void gst_yonos_stats_fill(GstYonosStats *stats, GstStructure *structure) {
    gint64 times[RING];
    g_mutex_lock(&stats->lock);
    guint count = (guint)MIN(stats->frames, RING);
    memcpy(times, stats->ring, count * sizeof *times);
    double mean = mean_of(times, count), engine = mean_of(stats->engine, count);
    gst_structure_set(structure, "frames", G_TYPE_UINT64, stats->frames, "dropped", G_TYPE_UINT64, stats->dropped,
                      "fast-frames", G_TYPE_UINT64, stats->fast, "bypassed", G_TYPE_UINT64, stats->bypassed, NULL);
    g_mutex_unlock(&stats->lock);
    qsort(times, count, sizeof *times, by_value);
    gst_structure_set(structure, "ms-mean", G_TYPE_DOUBLE, mean / 1e3, "ms-p95", G_TYPE_DOUBLE,
                      count > 0 ? (double)times[count * 95 / 100] / 1e3 : 0.0, "ms-engine", G_TYPE_DOUBLE, engine / 1e3,
                      "fps", G_TYPE_DOUBLE, mean > 0.0 ? 1e6 / mean : 0.0, NULL);
}

GstClockTime gst_yonos_stats_mean(GstYonosStats *stats) {
    g_mutex_lock(&stats->lock);
    guint count = (guint)MIN(stats->frames, RING);
    double mean = mean_of(stats->ring, count);
    g_mutex_unlock(&stats->lock);
    return count > 0 ? (GstClockTime)(mean * GST_USECOND) : GST_CLOCK_TIME_NONE;
}
