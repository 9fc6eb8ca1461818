/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the element says on the bus; see gstyonossr.h.
 */
#include "gstyonossr.h"

#define GST_CAT_DEFAULT gst_yonos_sr_debug

void gst_yonos_sr_post_error(GstYonosSR *self, const GError *error) {
    const gchar *text = error->message;
    switch ((YonosError)error->code) {
    case YONOS_ERROR_FILE:
        GST_ELEMENT_ERROR(self, RESOURCE, NOT_FOUND, ("%s", text), (NULL));
        break;
    case YONOS_ERROR_FORMAT:
    case YONOS_ERROR_MODEL:
        GST_ELEMENT_ERROR(self, STREAM, WRONG_TYPE, ("%s", text), (NULL));
        break;
    case YONOS_ERROR_ARGUMENT:
        GST_ELEMENT_ERROR(self, LIBRARY, SETTINGS, ("%s", text), (NULL));
        break;
    case YONOS_ERROR_MEMORY:
        GST_ELEMENT_ERROR(self, RESOURCE, NO_SPACE_LEFT, ("%s", text), (NULL));
        break;
    default:
        GST_ELEMENT_ERROR(self, LIBRARY, FAILED, ("%s", text), (NULL));
        break;
    }
}

GstFlowReturn gst_yonos_sr_fail(GstYonosSR *self, const GError *error) {
    if (g_error_matches(error, YONOS_ERROR, YONOS_ERROR_CANCELLED))
        return GST_FLOW_FLUSHING;
    gst_yonos_sr_post_error(self, error);
    return GST_FLOW_ERROR;
}

void gst_yonos_sr_post_progress(GstYonosSR *self, GstProgressType type, const gchar *text) {
    gst_element_post_message(GST_ELEMENT(self), gst_message_new_progress(GST_OBJECT(self), type, "load-model", text));
}

void gst_yonos_sr_warn_once(GstYonosSR *self, GstYonosWarning warning, const gchar *text) {
    if (self->warned & warning)
        return;
    self->warned |= warning;
    GST_ELEMENT_WARNING(self, STREAM, FAILED, ("%s", text), (NULL));
}

void gst_yonos_sr_post_warning(GstYonosSR *self, const gchar *text) {
    GST_ELEMENT_WARNING(self, LIBRARY, SETTINGS, ("%s", text), (NULL));
}

/* ---- after a frame ---------------------------------------------------------------------------------- */

/* Once, after the first upscaled frame: only then the expected speed is known. */
static void post_information(GstYonosSR *self, GstClockTime mean) {
    const YonosUpscalerInfo *info = &self->info;
    g_autoptr(YonosModel) model = gst_yonos_sr_get_model(self, NULL);
    if (!model)
        return;
    self->informed = TRUE;
    GST_ELEMENT_INFO(self, RESOURCE, SETTINGS,
                     ("%s (x%d) on %s in %s: %d x %d tiles of %d x %d pixels, about %.3g frames per second",
                      yonos_model_get_name(model), yonos_model_get_scale(model), info->device,
                      gst_yonos_precision_name(info->precision), info->tiles_x, info->tiles_y, info->tile_width,
                      info->tile_height, (gdouble)GST_SECOND / (gdouble)MAX(mean, 1)),
                     (NULL));
}

static void post_stats(GstYonosSR *self, guint interval) {
    gint64 now = g_get_monotonic_time();
    if (interval == 0 || now - self->stats_time < (gint64)interval * 1000)
        return;
    self->stats_time = now;
    gst_element_post_message(GST_ELEMENT(self),
                             gst_message_new_element(GST_OBJECT(self), gst_yonos_sr_make_stats(self)));
}

/* A live pipeline asks again when our part of its latency has moved by more than a quarter. */
static void post_latency(GstYonosSR *self) {
    GstClockTime own = gst_yonos_sr_get_latency(self);
    GST_OBJECT_LOCK(self);
    GstClockTime told = self->told_latency;
    gboolean moved = self->live && (own > told + told / 4 || own < told - told / 4);
    if (moved)
        self->told_latency = own;
    GST_OBJECT_UNLOCK(self);
    if (!moved)
        return;
    GST_DEBUG_OBJECT(self, "latency moved from %" GST_TIME_FORMAT " to %" GST_TIME_FORMAT, GST_TIME_ARGS(told),
                     GST_TIME_ARGS(own));
    gst_element_post_message(GST_ELEMENT(self), gst_message_new_latency(GST_OBJECT(self)));
}

void gst_yonos_sr_post_after_frame(GstYonosSR *self) {
    GstClockTime mean = gst_yonos_stats_mean(self->stats);
    if (mean != GST_CLOCK_TIME_NONE) {
        gst_yonos_sr_note_info(self);
        if (!self->informed)
            post_information(self, mean);
        post_latency(self);
    }
    post_stats(self, gst_yonos_sr_get_settings(self).stats_interval);
}

void gst_yonos_sr_count_frame(GstYonosSR *self, gint64 time, gint64 engine) {
    gst_yonos_stats_add(self->stats, time, engine);
    gst_yonos_sr_post_after_frame(self);
}
