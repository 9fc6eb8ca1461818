/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Joining; see join.h.
 */
#include "join.h"
#include "mp4times.h"
#include "packets.h"
#include "pipeline.h"
#include "streams.h"

enum { QUEUED_PACKETS = 64 };

/* So that identifiers which a muxer draws at random are the same every time. */
enum { RANDOM_SEED = 1 };

typedef struct {
    const Scan *scan;
    Packets *packets;
    GstElement *pipeline, *source, *muxer;
    gboolean all_pushed;
} Join;

static gboolean is_matroska(GstElement *muxer) {
    return g_object_class_find_property(G_OBJECT_GET_CLASS(muxer), "creation-time") != NULL;
}

/* The input's date, or the first of Matroska's calendar. */
static void set_date(const Scan *scan, GstElement *muxer) {
    g_autoptr(GstDateTime) tagged = NULL;
    if (scan->tags)
        gst_tag_list_get_date_time(scan->tags, GST_TAG_DATE_TIME, &tagged);
    g_autoptr(GDateTime) date =
        tagged && gst_date_time_has_second(tagged) ? gst_date_time_to_g_date_time(tagged) : NULL;
    if (!date)
        date = g_date_time_new_utc(2001, 1, 1, 0, 0, 0);
    g_object_set(muxer, "creation-time", date, NULL);
}

static void set_metadata(const Scan *scan, GstElement *muxer) {
    if (scan->tags && GST_IS_TAG_SETTER(muxer))
        gst_tag_setter_merge_tags(GST_TAG_SETTER(muxer), scan->tags, GST_TAG_MERGE_REPLACE);
    if (scan->toc && GST_IS_TOC_SETTER(muxer))
        gst_toc_setter_set_toc(GST_TOC_SETTER(muxer), scan->toc);
    if (is_matroska(muxer))
        set_date(scan, muxer);
}

/* Tags of the video stream that stay true: the codec's do not. */
static char *video_tags(const Scan *scan) {
    static const char *const kept[] = {GST_TAG_TITLE, GST_TAG_LANGUAGE_CODE, GST_TAG_IMAGE_ORIENTATION};
    g_autoptr(GstTagList) tags = gst_tag_list_new_empty();
    for (guint i = 0; scan->video->tags && i < G_N_ELEMENTS(kept); i++) {
        const GValue *value = gst_tag_list_get_value_index(scan->video->tags, kept[i], 0);
        if (value)
            gst_tag_list_add_value(tags, GST_TAG_MERGE_REPLACE, kept[i], value);
    }
    return gst_tag_list_is_empty(tags) ? NULL : gst_tag_list_to_string(tags);
}

static gboolean make_pipeline(Join *j, const Container *container, const char *output, GError **error) {
    g_random_set_seed(RANDOM_SEED);
    g_autofree char *location = pipeline_quote(output);
    /* The video's pad is the first, so its track is. */
    g_autofree char *description =
        g_strdup_printf("appsrc name=source handle-segment-change=true ! taginject name=tags ! queue ! mux.video_0 "
                        "%s name=mux ! filesink location=%s",
                        container->muxer, location);
    j->pipeline = pipeline_new(description, output, error);
    if (!j->pipeline)
        return FALSE;
    j->source = pipeline_get(j->pipeline, "source");
    j->muxer = pipeline_get(j->pipeline, "mux");
    pipeline_limit_source(j->source, 0);
    set_metadata(j->scan, j->muxer);
    g_autofree char *tags = video_tags(j->scan);
    g_autoptr(GstElement) inject = pipeline_get(j->pipeline, "tags");
    if (tags)
        g_object_set(inject, "tags", tags, NULL);
    return TRUE;
}

static gboolean add_streams(Join *j, const GPtrArray *streams, GError **error) {
    for (guint i = 0; i < streams->len; i++) {
        const StreamPlan *plan = streams->pdata[i];
        if (!plan->pad)
            continue;
        g_autoptr(GstPad) pad = gst_element_request_pad_simple(j->muxer, plan->pad);
        if (!pad)
            return upscale_fail(error, UPSCALE_FAILED, "%s: the muxer has no place for it", plan->about);
        if (!streams_add(plan, j->scan, GST_BIN(j->pipeline), pad, error))
            return FALSE;
    }
    return TRUE;
}

/* A reader that comes to the break of a broken file ends its stream and complains; what was read is used. */
static gboolean is_known_damage(const Join *j, GstMessage *message) {
    if (!j->scan->damage)
        return FALSE;
    for (GstObject *o = GST_MESSAGE_SRC(message); o; o = GST_OBJECT_PARENT(o))
        if (g_str_has_prefix(GST_OBJECT_NAME(o), "parsebin"))
            return TRUE;
    return FALSE;
}

/* TRUE at the end, or with `error` set. */
static gboolean has_ended(Join *j, GstClockTime timeout, GError **error) {
    g_autoptr(GstBus) bus = gst_element_get_bus(j->pipeline);
    g_autoptr(GstMessage) message = gst_bus_timed_pop_filtered(bus, timeout, GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
    if (!message || (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR && is_known_damage(j, message)))
        return FALSE;
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR)
        pipeline_take_error(j->pipeline, message, UPSCALE_FAILED, error);
    return TRUE;
}

static gboolean is_full(Join *j) {
    return gst_app_src_get_current_level_buffers(GST_APP_SRC(j->source)) >= QUEUED_PACKETS;
}

static gboolean push_next(Join *j, GError **error) {
    g_autoptr(GError) cause = NULL;
    g_autoptr(GstSample) sample = packets_next(j->packets, &cause);
    if (cause) {
        g_propagate_error(error, g_steal_pointer(&cause));
        return FALSE;
    }
    if (sample)
        gst_app_src_push_sample(GST_APP_SRC(j->source), sample); /* a failure comes as a message */
    else
        gst_app_src_end_of_stream(GST_APP_SRC(j->source));
    j->all_pushed = !sample;
    return TRUE;
}

static gboolean run(Join *j, GError **error) {
    if (gst_element_set_state(j->pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE)
        return !pipeline_check(j->pipeline, UPSCALE_FAILED, error)
                   ? FALSE
                   : upscale_fail(error, UPSCALE_FAILED, "the muxer could not be started");
    g_autoptr(GError) cause = NULL;
    for (;;) {
        gboolean wait = j->all_pushed || is_full(j);
        if (upscale_interrupted(&cause) || has_ended(j, wait ? 10 * GST_MSECOND : 0, &cause) ||
            (!wait && !push_next(j, &cause)))
            break;
    }
    if (!cause)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&cause));
    return FALSE;
}

gboolean join_segments(const GPtrArray *files, const Scan *scan, const GPtrArray *streams, const Container *container,
                       const char *output, GError **error) {
    Join j = {.scan = scan, .packets = packets_open(files, scan->delay, error)};
    if (!j.packets)
        return FALSE;
    gboolean ok = packets_get_count(j.packets) > 0 ||
                  upscale_fail(error, UPSCALE_INPUT, "%s: not one frame could be decoded", scan->path);
    ok = ok && make_pipeline(&j, container, output, error) && add_streams(&j, streams, error) && run(&j, error);
    gboolean dated = ok && !is_matroska(j.muxer);
    gst_clear_object(&j.source);
    gst_clear_object(&j.muxer);
    pipeline_free(j.pipeline);
    packets_free(j.packets);
    return ok && (!dated || mp4_clear_times(output, error));
}
