/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * appsrc ! encoder ! gdppay ! filesink; see writer.h.
 */
#include "writer.h"
#include "files.h"
#include "pipeline.h"

#include <glib/gstdio.h>

enum { QUEUED_FRAMES = 4 };

struct _Writer {
    const Encoder *encoder;
    GstElement *pipeline, *source; /* NULL before the first frame */
    GstCaps *caps;                 /* of the first frame */
    char *path, *temporary;
    guint index, frames;
};

Writer *writer_new(const Encoder *encoder, const char *path, guint index) {
    Writer *w = g_new0(Writer, 1);
    *w = (Writer){.encoder = encoder, .path = g_strdup(path), .temporary = file_temporary(path), .index = index};
    return w;
}

static gboolean start(Writer *w, GError **error) {
    g_autofree char *location = pipeline_quote(w->temporary);
    g_autofree char *description = g_strdup_printf("appsrc name=source ! %s ! gdppay ! filesink sync=false location=%s",
                                                   w->encoder->description, location);
    w->pipeline = pipeline_new(description, w->path, error);
    if (!w->pipeline)
        return FALSE;
    w->source = pipeline_get(w->pipeline, "source");
    pipeline_limit_source(w->source, 0);
    /* PLAYING is reached with the first packet; here only that the file could be made. */
    if (gst_element_set_state(w->pipeline, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE)
        return TRUE;
    if (pipeline_check(w->pipeline, UPSCALE_FAILED, error))
        upscale_fail(error, UPSCALE_FAILED, "%s: the encoder %s could not be started", w->path, w->encoder->element);
    return FALSE;
}

void writer_free(Writer *w) {
    if (!w)
        return;
    gst_clear_object(&w->source);
    g_clear_pointer(&w->pipeline, pipeline_free);
    gst_clear_caps(&w->caps);
    if (w->temporary)
        g_unlink(w->temporary);
    g_free(w->temporary);
    g_free(w->path);
    g_free(w);
}

guint writer_get_index(const Writer *w) {
    return w->index;
}
guint writer_get_frames(const Writer *w) {
    return w->frames;
}

gboolean writer_is_ready(Writer *w) {
    return !w->source || gst_app_src_get_current_level_buffers(GST_APP_SRC(w->source)) < QUEUED_FRAMES;
}

static gboolean same_picture(const GstCaps *a, const GstCaps *b) {
    const GstStructure *first = gst_caps_get_structure(a, 0), *second = gst_caps_get_structure(b, 0);
    static const char *const fields[] = {"width", "height", "format", "pixel-aspect-ratio"};
    for (guint i = 0; i < G_N_ELEMENTS(fields); i++) {
        const GValue *x = gst_structure_get_value(first, fields[i]), *y = gst_structure_get_value(second, fields[i]);
        if (x && y && gst_value_compare(x, y) != GST_VALUE_EQUAL)
            return FALSE;
    }
    return TRUE;
}

gboolean writer_push(Writer *w, GstSample *sample, GError **error) {
    gboolean ok = !w->caps || same_picture(w->caps, gst_sample_get_caps(sample));
    if (!ok)
        upscale_fail(error, UPSCALE_FAILED,
                     "%s: size or format of the video changes in the middle of it, which one "
                     "output cannot hold; split the input there",
                     w->path);
    gst_caps_replace(&w->caps, gst_sample_get_caps(sample));
    ok = ok && (w->pipeline || start(w, error));
    if (ok && gst_app_src_push_sample(GST_APP_SRC(w->source), sample) != GST_FLOW_OK) {
        ok = FALSE;
        if (pipeline_check(w->pipeline, UPSCALE_FAILED, error))
            upscale_fail(error, UPSCALE_FAILED, "%s: the encoder takes no frames", w->path);
    }
    gst_sample_unref(sample);
    w->frames += ok;
    return ok;
}

gboolean writer_check(Writer *w, GError **error) {
    return !w->pipeline || pipeline_check(w->pipeline, UPSCALE_FAILED, error);
}

void writer_finish(Writer *w) {
    if (w->source)
        gst_app_src_end_of_stream(GST_APP_SRC(w->source));
}

static gboolean write_empty(Writer *w, GError **error) {
    g_autoptr(GError) cause = NULL;
    if (g_file_set_contents(w->temporary, "", 0, &cause))
        return TRUE;
    return upscale_fail(error, UPSCALE_OUTPUT, "%s", cause->message);
}

gboolean writer_done(Writer *w, GError **error) {
    g_autoptr(GError) cause = NULL;
    if (w->pipeline && !pipeline_ended(w->pipeline, 0, UPSCALE_FAILED, &cause))
        return FALSE;
    if (w->pipeline)
        gst_element_set_state(w->pipeline, GST_STATE_NULL);
    else
        write_empty(w, &cause);
    if (cause)
        g_propagate_error(error, g_steal_pointer(&cause));
    else if (file_commit(w->temporary, w->path, TRUE, error))
        g_clear_pointer(&w->temporary, g_free);
    return TRUE;
}
