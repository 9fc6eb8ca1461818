/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * appsrc ! videoconvert ! yonossr ! appsink; see scaler.h.
 */
#include "scaler.h"
#include "pipeline.h"
#include "progress.h"

#include <stdlib.h>

enum { QUEUED_FRAMES = 4 };

struct _Scaler {
    GstElement *pipeline, *source, *element, *sink;
};

/* Sets an enumeration by its word; NULL leaves the default. */
static gboolean set_word(GstElement *element, const char *property, const char *word, GError **error) {
    if (!word)
        return TRUE;
    GParamSpec *spec = g_object_class_find_property(G_OBJECT_GET_CLASS(element), property);
    GEnumClass *values = G_PARAM_SPEC_ENUM(spec)->enum_class;
    GEnumValue *value = g_enum_get_value_by_nick(values, word);
    if (value) {
        g_object_set(element, property, value->value, NULL);
        return TRUE;
    }
    g_autoptr(GString) known = g_string_new(NULL);
    for (guint i = 0; i < values->n_values; i++)
        g_string_append_printf(known, "%s%s", i ? ", " : "", values->values[i].value_nick);
    return upscale_fail(error, UPSCALE_USAGE, "--%s is %s, but must be one of: %s", property, word, known->str);
}

/* Sets a number after a look at the property's range. */
static gboolean set_number(GstElement *element, const char *property, gint64 number, GError **error) {
    GParamSpec *spec = g_object_class_find_property(G_OBJECT_GET_CLASS(element), property);
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, number);
    GValue wide = G_VALUE_INIT, value = G_VALUE_INIT;
    g_value_init(&wide, G_TYPE_INT64);
    g_value_set_int64(&wide, number);
    g_value_init(&value, G_PARAM_SPEC_VALUE_TYPE(spec));
    if ((number < 0 && G_IS_PARAM_SPEC_UINT64(spec)) || !g_value_transform(&wide, &value) ||
        g_param_value_validate(spec, &value))
        return upscale_fail(error, UPSCALE_USAGE, "--%s is %s, which is out of range; see gst-inspect-1.0 yonossr",
                            property, text);
    g_object_set_property(G_OBJECT(element), property, &value);
    return TRUE;
}

/* "cuda:1" is the backend cuda with the device 1, as for the other tools. */
static gboolean set_backend(GstElement *element, const char *name, GError **error) {
    g_auto(GStrv) parts = g_strsplit(name ? name : "auto", ":", 2);
    gint64 device;
    if (!set_word(element, "backend", parts[0], error))
        return FALSE;
    if (!parts[1])
        return TRUE;
    if (!g_ascii_string_to_signed(parts[1], 10, 0, G_MAXINT, &device, NULL))
        return upscale_fail(error, UPSCALE_USAGE, "--backend is %s, but a device is a number", name);
    return set_number(element, "cuda-device-id", device, error);
}

static gboolean configure(GstElement *element, const UpscaleOptions *o, GError **error) {
    const ToolOptions *m = &o->model;
    g_object_set(element, "qos", FALSE, "steadiness", o->steadiness, NULL);
    if (m->model)
        g_object_set(element, "model", m->model, NULL);
    return set_backend(element, m->backend, error) && set_word(element, "precision", m->precision, error) &&
           set_word(element, "noise-mode", m->noise_mode, error) &&
           set_word(element, "colour-fix", m->colour_fix, error) && set_word(element, "compare", o->compare, error) &&
           set_number(element, "threads", m->threads, error) && set_number(element, "seed", m->seed, error) &&
           set_number(element, "tile-size", m->tile_size, error) &&
           set_number(element, "tile-overlap", m->tile_overlap, error) &&
           set_number(element, "max-vram", m->max_vram, error);
}

/* Says the element's warnings at once, in whichever thread they come. */
static GstBusSyncReply say_warning(GstBus *bus G_GNUC_UNUSED, GstMessage *message, gpointer data G_GNUC_UNUSED) {
    if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_WARNING)
        return GST_BUS_PASS;
    g_autoptr(GError) warning = NULL;
    gst_message_parse_warning(message, &warning, NULL);
    progress_say(NULL, "warning: %s", warning->message);
    gst_message_unref(message);
    return GST_BUS_DROP;
}

Scaler *scaler_new(const UpscaleOptions *options, GError **error) {
    g_autofree char *description = g_strdup_printf("appsrc name=source ! videoconvert ! yonossr name=scale "
                                                   "! appsink name=sink sync=false qos=false max-buffers=%d",
                                                   QUEUED_FRAMES);
    GstElement *pipeline = pipeline_new(description, "yonossr", error);
    if (!pipeline)
        return NULL;
    Scaler *s = g_new0(Scaler, 1);
    *s = (Scaler){pipeline, pipeline_get(pipeline, "source"), pipeline_get(pipeline, "scale"),
                  pipeline_get(pipeline, "sink")};
    pipeline_limit_source(s->source, QUEUED_FRAMES);
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    gst_bus_set_sync_handler(bus, say_warning, NULL, NULL);
    /* Opening the model is part of going to READY or PAUSED; PAUSED itself is reached with the first frame. */
    gboolean ok = configure(s->element, options, error);
    if (ok && gst_element_set_state(pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) {
        ok = FALSE;
        if (pipeline_check(pipeline, UPSCALE_MODEL, error))
            upscale_fail(error, UPSCALE_MODEL, "yonossr could not be started");
    }
    if (!ok)
        g_clear_pointer(&s, scaler_free);
    return s;
}

void scaler_free(Scaler *s) {
    if (!s)
        return;
    gst_object_unref(s->source);
    gst_object_unref(s->element);
    gst_object_unref(s->sink);
    pipeline_free(s->pipeline);
    g_free(s);
}

guint scaler_get_scale(const Scaler *s) {
    guint scale;
    g_object_get(s->element, "scale", &scale, NULL);
    return scale;
}

char *scaler_get_device(const Scaler *s) {
    g_autoptr(GstStructure) stats = NULL;
    g_object_get(s->element, "stats", &stats, NULL);
    const char *backend = gst_structure_get_string(stats, "backend"),
               *precision = gst_structure_get_string(stats, "precision");
    return g_strdup_printf("%s %s", backend ? backend : "?", precision ? precision : "?");
}

gboolean scaler_push(Scaler *s, GstSample *sample) {
    gboolean ok = gst_app_src_push_sample(GST_APP_SRC(s->source), sample) == GST_FLOW_OK;
    gst_sample_unref(sample);
    return ok;
}

void scaler_finish(Scaler *s) {
    gst_app_src_end_of_stream(GST_APP_SRC(s->source));
}

GstSample *scaler_pull(Scaler *s, GstClockTime timeout, GError **error) {
    GstSample *sample = gst_app_sink_try_pull_sample(GST_APP_SINK(s->sink), timeout);
    if (!sample)
        pipeline_check(s->pipeline, UPSCALE_MODEL, error);
    return sample;
}

gboolean scaler_ended(Scaler *s) {
    return gst_app_sink_is_eos(GST_APP_SINK(s->sink));
}

void scaler_stop(Scaler *s) {
    gst_element_set_state(s->pipeline, GST_STATE_NULL);
}
