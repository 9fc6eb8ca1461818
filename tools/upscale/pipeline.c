/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pipelines; see pipeline.h.
 */
#include "pipeline.h"

#include <string.h>

static const char ABOUT[] = "yonos-upscale-about";

GstElement *pipeline_new(const char *description, const char *about, GError **error) {
    g_autoptr(GError) cause = NULL;
    GstElement *pipeline = gst_parse_launch_full(description, NULL, GST_PARSE_FLAG_FATAL_ERRORS, &cause);
    if (!pipeline) {
        upscale_fail(error, UPSCALE_FAILED,
                     "%s: %s (is a package of GStreamer plugins missing, or GST_PLUGIN_PATH not set to the folder of "
                     "libgstyonossr.so?)",
                     about, cause->message);
        return NULL;
    }
    g_object_set_data_full(G_OBJECT(pipeline), ABOUT, g_strdup(about), g_free);
    return pipeline;
}

GstElement *pipeline_get(GstElement *pipeline, const char *name) {
    return gst_bin_get_by_name(GST_BIN(pipeline), name);
}

static const char *about(GstElement *pipeline) {
    return g_object_get_data(G_OBJECT(pipeline), ABOUT);
}

/* Only sinks to files write resources; the element's "no space left" means memory for the networks. */
static gboolean is_write_error(const GstMessage *message, const GError *cause) {
    return GST_OBJECT_FLAG_IS_SET(GST_MESSAGE_SRC(message), GST_ELEMENT_FLAG_SINK) &&
           cause->domain == GST_RESOURCE_ERROR;
}

void pipeline_take_error(GstElement *pipeline, GstMessage *message, UpscaleStatus status, GError **error) {
    g_autoptr(GError) cause = NULL;
    g_autofree char *details = NULL;
    gst_message_parse_error(message, &cause, &details);
    g_debug("%s: %s (%s)", GST_MESSAGE_SRC_NAME(message), cause->message, details);
    if (is_write_error(message, cause))
        status = UPSCALE_OUTPUT;
    upscale_fail(error, status, "%s: %s", about(pipeline), cause->message);
}

gboolean pipeline_check(GstElement *pipeline, UpscaleStatus status, GError **error) {
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    g_autoptr(GstMessage) message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    if (!message)
        return TRUE;
    pipeline_take_error(pipeline, message, status, error);
    return FALSE;
}

gboolean pipeline_start(GstElement *pipeline, GstState state, UpscaleStatus status, GError **error) {
    GstStateChangeReturn change = gst_element_set_state(pipeline, state);
    while (change == GST_STATE_CHANGE_ASYNC) {
        if (!pipeline_check(pipeline, status, error) || upscale_interrupted(error))
            return FALSE;
        change = gst_element_get_state(pipeline, NULL, NULL, 20 * GST_MSECOND);
    }
    if (change != GST_STATE_CHANGE_FAILURE)
        return TRUE;
    if (pipeline_check(pipeline, status, error))
        upscale_fail(error, status, "%s: an element could not be started", about(pipeline));
    return FALSE;
}

gboolean pipeline_ended(GstElement *pipeline, GstClockTime timeout, UpscaleStatus status, GError **error) {
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    g_autoptr(GstMessage) message = gst_bus_timed_pop_filtered(bus, timeout, GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
    if (message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR)
        pipeline_take_error(pipeline, message, status, error);
    return message != NULL;
}

static gboolean find_task(GstElement *element G_GNUC_UNUSED, GstPad *pad, gpointer data) {
    gboolean *found = data;
    *found = *found || gst_pad_get_task_state(pad) == GST_TASK_STARTED;
    return !*found;
}

static void find_tasks(const GValue *element, gpointer data) {
    gst_element_foreach_pad(g_value_get_object(element), find_task, data);
}

gboolean pipeline_is_idle(GstElement *pipeline) {
    gboolean found = FALSE;
    GstIterator *elements = gst_bin_iterate_recurse(GST_BIN(pipeline));
    /* Elements that come and go meanwhile are a sign of life. */
    gboolean changed = gst_iterator_foreach(elements, find_tasks, &found) != GST_ITERATOR_DONE;
    gst_iterator_free(elements);
    return !found && !changed;
}

void pipeline_free(GstElement *pipeline) {
    if (!pipeline)
        return;
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
}

void pipeline_limit_source(GstElement *source, guint frames) {
    g_object_set(source, "format", GST_FORMAT_TIME, "max-bytes", (guint64)0, "max-time", (guint64)0, "max-buffers",
                 (guint64)frames, "block", frames > 0, NULL);
}

void pipeline_discard(GstBin *bin, GstPad *pad) {
    GstElement *sink = gst_element_factory_make("fakesink", NULL);
    g_object_set(sink, "sync", FALSE, "async", FALSE, NULL);
    gst_bin_add(bin, sink);
    g_autoptr(GstPad) target = gst_element_get_static_pad(sink, "sink");
    gst_pad_link(pad, target);
    gst_element_sync_state_with_parent(sink);
}

char *pipeline_quote(const char *text) {
    GString *quoted = g_string_new("\"");
    for (const char *c = text; *c; c++) {
        if (strchr("\"\\", *c))
            g_string_append_c(quoted, '\\');
        g_string_append_c(quoted, *c);
    }
    g_string_append_c(quoted, '"');
    return g_string_free(quoted, FALSE);
}
