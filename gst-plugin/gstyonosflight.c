/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames that have been begun and are not given out yet: at most one is kept, so that the device works on it while the
 * next one is fetched; see "overlap". Each of them is given out before anything that follows it in the stream.
 */
#include "gstyonossr.h"

#define GST_CAT_DEFAULT gst_yonos_sr_debug

/* ---- whether one is kept ----------------------------------------------------------------------------- */

static GstClockTime period_of(const GstVideoInfo *info) {
    gint n = GST_VIDEO_INFO_FPS_N(info), d = GST_VIDEO_INFO_FPS_D(info);
    return n > 0 && d > 0 ? gst_util_uint64_scale_int(GST_SECOND, d, n) : 0;
}

/* A live pipeline must be told how long a frame is kept, which only a fixed frame rate says. */
gboolean gst_yonos_sr_keeps_frames(GstYonosSR *self) {
    GST_OBJECT_LOCK(self);
    const GstYonosSettings *s = &self->settings;
    gboolean keeps = self->direct && !self->limited_pool && !s->bypass && s->compare == GST_YONOS_COMPARE_NONE;
    if (s->overlap == GST_YONOS_OVERLAP_AUTO)
        keeps = keeps && self->info.asynchronous && !self->live;
    else
        keeps = keeps && s->overlap == GST_YONOS_OVERLAP_ALWAYS && (!self->live || period_of(&self->in_info) > 0);
    GST_OBJECT_UNLOCK(self);
    return keeps;
}

GstClockTime gst_yonos_sr_keeping_time(GstYonosSR *self) {
    if (!gst_yonos_sr_keeps_frames(self))
        return 0;
    GST_OBJECT_LOCK(self);
    GstClockTime period = period_of(&self->in_info);
    GST_OBJECT_UNLOCK(self);
    return period;
}

/* ---- completing -------------------------------------------------------------------------------------- */

static void unmap(GstYonosBegun *begun) {
    if (!begun->in_flight)
        return;
    gst_video_frame_unmap(&begun->out);
    if (begun->keeps_in)
        gst_video_frame_unmap(&begun->in);
    begun->in_flight = FALSE;
}

static GstFlowReturn complete(GstYonosSR *self, GstYonosBegun *begun) {
    g_autoptr(GError) error = NULL;
    if (!begun->in_flight)
        return GST_FLOW_OK;
    gint64 begin = g_get_monotonic_time();
    gboolean ok = yonos_upscaler_collect(self->upscaler, &error);
    gint64 waited = g_get_monotonic_time() - begin;
    unmap(begun);
    if (!ok)
        return gst_yonos_sr_fail(self, error);
    gst_yonos_sr_count_frame(self, begun->time + waited, begun->engine + waited);
    return GST_FLOW_OK;
}

GstFlowReturn gst_yonos_sr_complete_frames(GstYonosSR *self) {
    GstFlowReturn result = GST_FLOW_OK;
    for (guint i = 0; i < self->n_begun && result == GST_FLOW_OK; i++)
        result = complete(self, &self->begun[i]);
    return result;
}

void gst_yonos_sr_drop_frames(GstYonosSR *self) {
    if (self->upscaler) {
        yonos_upscaler_discard(self->upscaler);
        yonos_upscaler_forget_frames(self->upscaler);
    }
    for (guint i = 0; i < self->n_begun; i++) {
        unmap(&self->begun[i]);
        gst_clear_buffer(&self->begun[i].buffer);
    }
    self->n_begun = 0;
}

/* ---- giving out ---------------------------------------------------------------------------------------- */

/* The oldest one, complete. After a failure none is left: it has been told, and what follows would fail alike. */
static GstFlowReturn take_oldest(GstYonosSR *self, GstBuffer **buffer) {
    GstFlowReturn result = complete(self, &self->begun[0]);
    if (result != GST_FLOW_OK) {
        gst_yonos_sr_drop_frames(self);
        return result;
    }
    *buffer = self->begun[0].buffer;
    self->n_begun--;
    memmove(&self->begun[0], &self->begun[1], self->n_begun * sizeof *self->begun);
    return GST_FLOW_OK;
}

GstFlowReturn gst_yonos_sr_push_frames(GstYonosSR *self) {
    GstFlowReturn result = GST_FLOW_OK;
    while (self->n_begun > 0 && result == GST_FLOW_OK) {
        GstBuffer *buffer = NULL;
        result = take_oldest(self, &buffer);
        if (result == GST_FLOW_OK)
            result = gst_pad_push(GST_BASE_TRANSFORM_SRC_PAD(self), buffer);
    }
    return result;
}

GstFlowReturn gst_yonos_sr_generate_output(GstBaseTransform *trans, GstBuffer **buffer) {
    GstYonosSR *self = GST_YONOS_SR(trans);
    GstBuffer *made = NULL;
    GstFlowReturn result = gst_yonos_sr_begin_output(trans, &made);
    if (result != GST_FLOW_OK) {
        gst_clear_buffer(&made);
        gst_yonos_sr_drop_frames(self);
        return result;
    }
    if (made)
        self->begun[self->n_begun - 1].buffer = made;
    if (self->n_begun == 0 || (self->n_begun == 1 && self->begun[0].in_flight))
        return GST_FLOW_OK;
    return take_oldest(self, buffer);
}
