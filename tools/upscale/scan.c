/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading a container; see scan.h. parsebin demultiplexes and parses; probes on its pads note what passes.
 */
#include "scan.h"
#include "pipeline.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    Scan *scan;
    GMutex lock;           /* pads of parsebin push in threads of their own */
    GstSegment segment;    /* of the video */
    GstClockTime duration; /* as the container tells; 0: it does not */
    GstClockTime end;      /* of the data of any stream, stream time */
    gboolean untimed;      /* a coded picture came without presentation time */
    GstPad *video_pad;     /* borrowed */
} Scanner;

ScanKind scan_kind(const GstCaps *caps) {
    const char *type = gst_structure_get_name(gst_caps_get_structure(caps, 0));
    if (g_str_has_prefix(type, "video/") || g_str_has_prefix(type, "image/"))
        return SCAN_VIDEO;
    if (g_str_has_prefix(type, "audio/"))
        return SCAN_AUDIO;
    if (g_str_has_prefix(type, "text/") || g_str_has_prefix(type, "subtitle/") ||
        g_str_has_prefix(type, "subpicture/") || g_str_has_prefix(type, "application/x-ss") ||
        g_str_has_prefix(type, "application/x-ass") || g_str_has_prefix(type, "application/x-usf") ||
        g_str_has_prefix(type, "application/x-subtitle"))
        return SCAN_TEXT;
    return SCAN_OTHER;
}

static gboolean on_autoplug(GstElement *parsebin G_GNUC_UNUSED, GstPad *pad G_GNUC_UNUSED, GstCaps *caps,
                            gpointer data G_GNUC_UNUSED) {
    return scan_kind(caps) != SCAN_TEXT;
}

void scan_keep_text(GstElement *parsebin) {
    g_signal_connect(parsebin, "autoplug-continue", G_CALLBACK(on_autoplug), NULL);
}

static void free_stream(gpointer data) {
    ScanStream *stream = data;
    g_free(stream->id);
    gst_clear_caps(&stream->caps);
    g_clear_pointer(&stream->tags, gst_tag_list_unref);
    g_free(stream);
}

void scan_free(Scan *scan) {
    if (!scan)
        return;
    g_free(scan->path);
    g_free(scan->container);
    g_ptr_array_unref(scan->streams);
    g_array_unref(scan->frames);
    g_clear_pointer(&scan->tags, gst_tag_list_unref);
    if (scan->toc)
        gst_toc_unref(scan->toc);
    g_free(scan->damage);
    g_free(scan);
}

static void merge_tags(GstTagList **all, const GstTagList *more) {
    GstTagList *merged = gst_tag_list_merge(*all, more, GST_TAG_MERGE_REPLACE);
    g_clear_pointer(all, gst_tag_list_unref);
    *all = merged;
}

static void note_event(Scanner *s, ScanStream *stream, GstPad *pad, GstEvent *event) {
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CAPS: {
        GstCaps *caps;
        gst_event_parse_caps(event, &caps);
        gst_caps_replace(&stream->caps, caps);
        break;
    }
    case GST_EVENT_SEGMENT:
        if (pad == s->video_pad)
            gst_event_copy_segment(event, &s->segment);
        break;
    case GST_EVENT_TAG: {
        GstTagList *tags;
        gst_event_parse_tag(event, &tags);
        gboolean global = gst_tag_list_get_scope(tags) == GST_TAG_SCOPE_GLOBAL;
        merge_tags(global ? &s->scan->tags : &stream->tags, tags);
        break;
    }
    case GST_EVENT_TOC:
        if (s->scan->toc)
            gst_toc_unref(s->scan->toc);
        gst_event_parse_toc(event, &s->scan->toc, NULL);
        break;
    default:
        break;
    }
}

static void note_picture(Scanner *s, GstBuffer *buffer) {
    s->untimed = s->untimed || !GST_BUFFER_PTS_IS_VALID(buffer);
    guint64 time = GST_BUFFER_PTS_IS_VALID(buffer) ? GST_BUFFER_PTS(buffer) : GST_BUFFER_DTS(buffer);
    if (s->segment.format != GST_FORMAT_TIME || !GST_CLOCK_TIME_IS_VALID(time) ||
        GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DECODE_ONLY))
        return;
    guint64 stream_time = gst_segment_to_stream_time(&s->segment, GST_FORMAT_TIME, time);
    guint64 running_time = gst_segment_to_running_time(&s->segment, GST_FORMAT_TIME, time);
    if (!GST_CLOCK_TIME_IS_VALID(stream_time) || !GST_CLOCK_TIME_IS_VALID(running_time))
        return; /* outside of what is to be shown */
    if (s->scan->frames->len == 0)
        s->scan->delay = (gint64)(running_time - stream_time);
    ScanFrame frame = {stream_time, !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT)};
    g_array_append_val(s->scan->frames, frame);
}

static void note_end(Scanner *s, GstPad *pad, GstBuffer *buffer) {
    g_autoptr(GstEvent) event = gst_pad_get_sticky_event(pad, GST_EVENT_SEGMENT, 0);
    const GstSegment *segment = NULL;
    if (event)
        gst_event_parse_segment(event, &segment);
    if (!segment || segment->format != GST_FORMAT_TIME || !GST_BUFFER_PTS_IS_VALID(buffer))
        return;
    GstClockTime time = gst_segment_to_stream_time(segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
    if (GST_CLOCK_TIME_IS_VALID(time) && GST_BUFFER_DURATION_IS_VALID(buffer))
        time += GST_BUFFER_DURATION(buffer);
    if (GST_CLOCK_TIME_IS_VALID(time))
        s->end = MAX(s->end, time);
}

static GstPadProbeReturn on_data(GstPad *pad, GstPadProbeInfo *info, gpointer data) {
    Scanner *s = data;
    ScanStream *stream = g_object_get_data(G_OBJECT(pad), "scan-stream");
    g_mutex_lock(&s->lock);
    if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM)
        note_event(s, stream, pad, GST_PAD_PROBE_INFO_EVENT(info));
    else
        note_end(s, pad, GST_PAD_PROBE_INFO_BUFFER(info));
    if (pad == s->video_pad && GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER)
        note_picture(s, GST_PAD_PROBE_INFO_BUFFER(info));
    g_mutex_unlock(&s->lock);
    return GST_PAD_PROBE_OK;
}

static gboolean note_sticky_event(GstPad *pad, GstEvent **event, gpointer data) {
    note_event(data, g_object_get_data(G_OBJECT(pad), "scan-stream"), pad, *event);
    return TRUE;
}

static void on_pad_added(GstElement *parsebin, GstPad *pad, gpointer data) {
    Scanner *s = data;
    ScanStream *stream = g_new0(ScanStream, 1);
    g_object_set_data(G_OBJECT(pad), "scan-stream", stream);
    stream->id = gst_pad_get_stream_id(pad);
    g_autoptr(GstCaps) caps = gst_pad_get_current_caps(pad);
    if (!caps)
        caps = gst_pad_query_caps(pad, NULL);
    stream->kind = gst_caps_is_any(caps) || gst_caps_is_empty(caps) ? SCAN_OTHER : scan_kind(caps);
    gst_caps_replace(&stream->caps, caps);
    g_mutex_lock(&s->lock);
    g_ptr_array_add(s->scan->streams, stream);
    if (stream->kind == SCAN_VIDEO && !s->scan->video) {
        s->scan->video = stream;
        s->video_pad = pad;
    }
    gst_pad_sticky_events_foreach(pad, note_sticky_event, s);
    g_mutex_unlock(&s->lock);
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_data, s, NULL);
    g_autoptr(GstObject) pipeline = gst_element_get_parent(parsebin);
    pipeline_discard(GST_BIN(pipeline), pad);
}

static int by_time(gconstpointer a, gconstpointer b) {
    const ScanFrame *first = a, *second = b;
    return first->time < second->time ? -1 : first->time > second->time;
}

static void note_container(Scanner *s, GstElement *pipeline) {
    /* parsebin's own */
    g_autoptr(GstElement) find = pipeline_get(pipeline, "typefind");
    g_autoptr(GstCaps) caps = NULL;
    if (find)
        g_object_get(find, "caps", &caps, NULL);
    s->scan->container = g_strdup(caps ? gst_structure_get_name(gst_caps_get_structure(caps, 0)) : "");
}

/* Containers whose demultiplexer lands on the key frame at or before a time, with the times of an unbroken reading. */
static gboolean has_exact_index(const Scan *scan) {
    static const char *const exact[] = {"video/quicktime", "video/x-matroska", "video/webm", NULL};
    return g_strv_contains(exact, scan->container);
}

/* Many demultiplexers end quietly where a file breaks off. */
static char *find_damage(const Scanner *s, const GError *cause) {
    if (cause)
        return g_strdup(cause->message);
    if (s->scan->seekable && s->end + s->duration / 100 + GST_SECOND / 2 < s->duration)
        return g_strdup_printf("%s: breaks off at %.1f s of %.1f s", s->scan->path, (double)s->end / GST_SECOND,
                               (double)s->duration / GST_SECOND);
    return NULL;
}

/* What the reading amounts to; `cause` is the error that ended it, or NULL. */
static gboolean judge(Scanner *s, const GError *cause, GError **error) {
    Scan *scan = s->scan;
    if (cause && cause->code == UPSCALE_INTERRUPTED)
        return upscale_fail(error, UPSCALE_INTERRUPTED, "%s", cause->message);
    if (!*scan->container)
        return upscale_fail(error, UPSCALE_NOT_VIDEO, "%s: not a media file that GStreamer knows", scan->path);
    if (!scan->video && cause)
        return upscale_fail(error, UPSCALE_INPUT, "%s", cause->message);
    if (!scan->video || g_str_has_prefix(scan->container, "image/"))
        return upscale_fail(error, UPSCALE_NOT_VIDEO, "%s: no video in it (%s)", scan->path, scan->container);
    if (scan->frames->len == 0)
        return upscale_fail(error, UPSCALE_INPUT, "%s: no picture could be read%s%s", scan->path,
                            cause ? ": " : "; is it cut off?", cause ? cause->message : "");
    scan->seekable = !s->untimed && has_exact_index(scan);
    scan->damage = find_damage(s, cause);
    g_array_sort(scan->frames, by_time);
    return TRUE;
}

/*
 * Waits for the end; `cause` is set where it is an error. parsebin (1.22) loses the error of a demultiplexer that
 * fails while it is being started: then nothing happens any more.
 */
static void wait_for_end(GstElement *pipeline, const char *path, GError **cause) {
    guint idle = 0;
    while (!pipeline_ended(pipeline, 100 * GST_MSECOND, UPSCALE_INPUT, cause) && !upscale_interrupted(cause)) {
        idle = pipeline_is_idle(pipeline) ? idle + 1 : 0;
        if (idle == 5) {
            upscale_fail(cause, UPSCALE_INPUT, "%s: cannot be read; is it cut off?", path);
            return;
        }
    }
}

static gboolean read_all(Scanner *s, GError **error) {
    g_autofree char *location = pipeline_quote(s->scan->path);
    g_autofree char *description = g_strdup_printf("filesrc location=%s ! parsebin name=parse", location);
    GstElement *pipeline = pipeline_new(description, s->scan->path, error);
    if (!pipeline)
        return FALSE;
    g_autoptr(GstElement) parse = pipeline_get(pipeline, "parse");
    scan_keep_text(parse);
    g_signal_connect(parse, "pad-added", G_CALLBACK(on_pad_added), s);
    g_autoptr(GError) cause = NULL;
    if (pipeline_start(pipeline, GST_STATE_PLAYING, UPSCALE_INPUT, &cause))
        wait_for_end(pipeline, s->scan->path, &cause);
    gint64 duration = 0;
    if (gst_element_query_duration(parse, GST_FORMAT_TIME, &duration) && duration > 0)
        s->duration = (GstClockTime)duration;
    note_container(s, pipeline);
    pipeline_free(pipeline);
    return judge(s, cause, error);
}

static gboolean check_readable(const char *path, GError **error) {
    if (g_file_test(path, G_FILE_TEST_IS_DIR))
        return upscale_fail(error, UPSCALE_INPUT, "%s: is a folder, not a file", path);
    FILE *file = g_fopen(path, "rb");
    if (!file)
        return upscale_fail(error, UPSCALE_INPUT, "%s: %s", path, g_strerror(errno));
    int first = fgetc(file);
    gboolean failed = ferror(file) != 0;
    fclose(file);
    if (first == EOF)
        return upscale_fail(error, failed ? UPSCALE_INPUT : UPSCALE_NOT_VIDEO, "%s: %s", path,
                            failed ? "cannot be read" : "is empty");
    return TRUE;
}

Scan *scan_file(const char *path, GError **error) {
    if (!check_readable(path, error))
        return NULL;
    Scanner s = {.scan = g_new0(Scan, 1)};
    g_mutex_init(&s.lock);
    gst_segment_init(&s.segment, GST_FORMAT_UNDEFINED);
    s.scan->path = g_strdup(path);
    s.scan->streams = g_ptr_array_new_with_free_func(free_stream);
    s.scan->frames = g_array_new(FALSE, FALSE, sizeof(ScanFrame));
    if (!read_all(&s, error))
        g_clear_pointer(&s.scan, scan_free);
    g_mutex_clear(&s.lock);
    return s.scan;
}
