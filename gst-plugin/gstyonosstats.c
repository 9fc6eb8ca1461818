/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A ring of the latest frame times; see gstyonosstats.h.
 */
#include "gstyonosstats.h"

#include <stdlib.h>

enum { RING = 256 };

struct _GstYonosStats {
    GMutex lock;
    guint64 frames, submitted, transformed;
    gint64 ring[RING]; /* microseconds */
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
    stats->frames = stats->submitted = stats->transformed = 0;
    g_mutex_unlock(&stats->lock);
}

void gst_yonos_stats_submit(GstYonosStats *stats) {
    g_mutex_lock(&stats->lock);
    stats->submitted++;
    g_mutex_unlock(&stats->lock);
}

void gst_yonos_stats_transform(GstYonosStats *stats) {
    g_mutex_lock(&stats->lock);
    stats->transformed++;
    g_mutex_unlock(&stats->lock);
}

guint64 gst_yonos_stats_dropped(GstYonosStats *stats) {
    g_mutex_lock(&stats->lock);
    guint64 dropped = stats->submitted - stats->transformed;
    g_mutex_unlock(&stats->lock);
    return dropped;
}

void gst_yonos_stats_add(GstYonosStats *stats, gint64 microseconds) {
    g_mutex_lock(&stats->lock);
    stats->ring[stats->frames++ % RING] = microseconds;
    g_mutex_unlock(&stats->lock);
}

/* Copies the latest times; returns how many. Call with the lock held. */
static guint latest(const GstYonosStats *stats, gint64 *times, gint64 *sum) {
    guint count = (guint)MIN(stats->frames, RING);
    *sum = 0;
    for (guint i = 0; i < count; i++)
        *sum += times[i] = stats->ring[i];
    return count;
}

static int by_value(const void *a, const void *b) {
    gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;
    return (x > y) - (x < y);
}

void gst_yonos_stats_fill(GstYonosStats *stats, GstStructure *structure) {
    gint64 times[RING], sum;
    g_mutex_lock(&stats->lock);
    guint count = latest(stats, times, &sum);
    guint64 frames = stats->frames;
    g_mutex_unlock(&stats->lock);
    qsort(times, count, sizeof *times, by_value);
    double mean = count > 0 ? (double)sum / count : 0.0;
    gst_structure_set(structure, "frames", G_TYPE_UINT64, frames, "ms-mean", G_TYPE_DOUBLE, mean / 1e3, "ms-p95",
                      G_TYPE_DOUBLE, count > 0 ? (double)times[count * 95 / 100] / 1e3 : 0.0, "fps", G_TYPE_DOUBLE,
                      mean > 0.0 ? 1e6 / mean : 0.0, NULL);
}

GstClockTime gst_yonos_stats_mean(GstYonosStats *stats) {
    gint64 times[RING], sum;
    g_mutex_lock(&stats->lock);
    guint count = latest(stats, times, &sum);
    g_mutex_unlock(&stats->lock);
    return count > 0 ? (GstClockTime)(sum / count) * GST_USECOND : GST_CLOCK_TIME_NONE;
}
