/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What every pipeline of the tool needs: building, starting, stopping, and errors of its bus as GErrors.
 */
#ifndef YONOS_UPSCALE_PIPELINE_H
#define YONOS_UPSCALE_PIPELINE_H

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>

#include "status.h"

/*
 * A pipeline of two elements or more, as gst-launch-1.0 would make it. `about` names in messages what the pipeline
 * works on. Errors: FAILED with the element that is missing. Free with pipeline_free().
 */
GstElement *pipeline_new(const char *description, const char *about, GError **error);

/* The element `name` inside; a new reference. */
GstElement *pipeline_get(GstElement *pipeline, const char *name);

/*
 * Brings the pipeline to `state` and waits until it is there or fails.
 * Errors: `status` with the message of the bus, OUTPUT where the message says that something could not be written.
 */
gboolean pipeline_start(GstElement *pipeline, GstState state, UpscaleStatus status, GError **error);

/* Sets `error` from an error message: `status`, or OUTPUT where something could not be written. */
void pipeline_take_error(GstElement *pipeline, GstMessage *message, UpscaleStatus status, GError **error);

/* FALSE with `error` set where the bus holds an error message. Never waits. */
gboolean pipeline_check(GstElement *pipeline, UpscaleStatus status, GError **error);

/* TRUE once the pipeline has ended; `error` is set where it ended by an error. Waits up to `timeout`. */
gboolean pipeline_ended(GstElement *pipeline, GstClockTime timeout, UpscaleStatus status, GError **error);

/* TRUE while no pad of any element has a running task: nothing will happen any more. */
gboolean pipeline_is_idle(GstElement *pipeline);

/* Stops and frees; NULL is fine. */
void pipeline_free(GstElement *pipeline);

/* A source that waits in gst_app_src_push_sample() while it holds `frames` buffers (0: never waits). */
void pipeline_limit_source(GstElement *source, guint frames);

/* Discards what comes out of a pad nobody wants, so that it does not hold up the others. */
void pipeline_discard(GstBin *bin, GstPad *pad);

/* A string for a description: quotes and backslashes escaped, in quotes. Free with g_free(). */
char *pipeline_quote(const char *text);

#endif
