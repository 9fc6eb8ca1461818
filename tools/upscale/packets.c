/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packets; see packets.h.
 *
 * An encoder makes decoding times from the frames it sees, so at a cut with a variable frame rate they could run
 * backwards. They are made anew: the presentation times in ascending order, later by the smallest number of frames
 * with which no packet is decoded after it is shown.
 */
#include "packets.h"
#include "pipeline.h"

#include <glib/gstdio.h>

struct _Packets {
    const GPtrArray *files;
    GArray *decode_times; /* of gint64, one a packet */
    GstCaps *caps;
    GstSegment segment;
    gint64 delay;
    GstElement *pipeline, *sink; /* of the file that is being read; NULL between files */
    guint file, packet;          /* the next ones */
};

static void close_file(Packets *p) {
    gst_clear_object(&p->sink);
    g_clear_pointer(&p->pipeline, pipeline_free);
}

static gboolean open_file(Packets *p, const char *path, GError **error) {
    g_autofree char *location = pipeline_quote(path);
    g_autofree char *description =
        g_strdup_printf("filesrc location=%s ! gdpdepay ! appsink name=sink sync=false max-buffers=16", location);
    p->pipeline = pipeline_new(description, path, error);
    if (!p->pipeline)
        return FALSE;
    p->sink = pipeline_get(p->pipeline, "sink");
    return pipeline_start(p->pipeline, GST_STATE_PLAYING, UPSCALE_FAILED, error);
}

static gboolean is_empty(const char *path) {
    GStatBuf about;
    return g_stat(path, &about) == 0 && about.st_size == 0;
}

static gboolean check_caps(Packets *p, GstSample *sample, GError **error) {
    GstCaps *caps = gst_sample_get_caps(sample);
    if (!p->caps)
        p->caps = gst_caps_ref(caps);
    return gst_caps_is_equal(p->caps, caps) ||
           upscale_fail(error, UPSCALE_FAILED,
                        "%s: was made by another version of the encoder than the segments "
                        "before it; remove it and run again",
                        (char *)p->files->pdata[p->file]);
}

/* The next packet of any file, as it is there; NULL at the end of all or on an error. */
static GstSample *pull(Packets *p, GError **error) {
    for (; p->file < p->files->len; p->file++) {
        const char *path = p->files->pdata[p->file];
        if (is_empty(path))
            continue;
        if (!p->pipeline && !open_file(p, path, error))
            return NULL;
        g_autoptr(GstSample) sample = gst_app_sink_pull_sample(GST_APP_SINK(p->sink));
        if (sample)
            return check_caps(p, sample, error) ? g_steal_pointer(&sample) : NULL;
        if (!pipeline_check(p->pipeline, UPSCALE_FAILED, error))
            return NULL;
        close_file(p);
    }
    return NULL;
}

static gint64 show_time(const Packets *p, GstSample *sample) {
    GstBuffer *buffer = gst_sample_get_buffer(sample);
    guint64 time = gst_segment_to_stream_time(gst_sample_get_segment(sample), GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
    return (gint64)(PACKETS_BASE + time) + p->delay;
}

static int by_value(gconstpointer a, gconstpointer b) {
    gint64 first = *(const gint64 *)a, second = *(const gint64 *)b;
    return first < second ? -1 : first > second;
}

/* By how many places the packet that moves forward most has to move from decoding order to showing order. */
static guint reordering(const gint64 *shown, const gint64 *sorted, guint count) {
    guint depth = 0;
    for (guint i = 0; i < count; i++)
        while (depth < i && sorted[i - depth] > shown[i])
            depth++;
    return depth;
}

/* `shown`: presentation times in decoding order. */
static GArray *make_decode_times(const GArray *shown) {
    guint count = shown->len;
    g_autoptr(GArray) sorted = g_array_copy((GArray *)shown);
    g_array_sort(sorted, by_value);
    const gint64 *times = (const gint64 *)sorted->data;
    guint depth = reordering((const gint64 *)shown->data, times, count);
    gint64 step = count > 1 ? times[1] - times[0] : 0;
    GArray *result = g_array_sized_new(FALSE, FALSE, sizeof(gint64), count);
    for (guint i = 0; i < count; i++) {
        gint64 time = i >= depth ? times[i - depth] : times[0] - (gint64)(depth - i) * step;
        g_array_append_val(result, time);
    }
    return result;
}

static gboolean read_times(Packets *p, GError **error) {
    g_autoptr(GArray) shown = g_array_new(FALSE, FALSE, sizeof(gint64));
    g_autoptr(GError) cause = NULL;
    GstSample *sample;
    while ((sample = pull(p, &cause))) {
        gint64 time = show_time(p, sample);
        g_array_append_val(shown, time);
        gst_sample_unref(sample);
    }
    if (cause) {
        g_propagate_error(error, g_steal_pointer(&cause));
        return FALSE;
    }
    p->decode_times = make_decode_times(shown);
    p->file = 0;
    return TRUE;
}

Packets *packets_open(const GPtrArray *files, gint64 delay, GError **error) {
    Packets *p = g_new0(Packets, 1);
    *p = (Packets){.files = files, .delay = delay};
    gst_segment_init(&p->segment, GST_FORMAT_TIME);
    p->segment.start = PACKETS_BASE;
    if (!read_times(p, error))
        g_clear_pointer(&p, packets_free);
    return p;
}

void packets_free(Packets *p) {
    if (!p)
        return;
    close_file(p);
    g_clear_pointer(&p->decode_times, g_array_unref);
    gst_clear_caps(&p->caps);
    g_free(p);
}

guint packets_get_count(const Packets *p) {
    return p->decode_times->len;
}

GstSample *packets_next(Packets *p, GError **error) {
    g_autoptr(GstSample) sample = pull(p, error);
    if (!sample || p->packet >= p->decode_times->len)
        return NULL;
    g_autoptr(GstBuffer) buffer = gst_buffer_copy(gst_sample_get_buffer(sample));
    GST_BUFFER_PTS(buffer) = (GstClockTime)show_time(p, sample);
    GST_BUFFER_DTS(buffer) = (GstClockTime)g_array_index(p->decode_times, gint64, p->packet++);
    GST_BUFFER_FLAG_UNSET(buffer, GST_BUFFER_FLAG_DISCONT);
    return gst_sample_new(buffer, p->caps, &p->segment, NULL);
}
