/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GstYonosSR: the element "yonossr". Properties and states are in gstyonossr.c, caps in gstyonoscaps.c, frames in
 * gstyonosframe.c, figures in gstyonosstats.c.
 */
#ifndef GST_YONOS_SR_H
#define GST_YONOS_SR_H

#include <gst/base/gstbasetransform.h>
#include <gst/video/video.h>

#include "gstyonosstats.h"
#include "yonos.h"

G_BEGIN_DECLS

#define GST_TYPE_YONOS_SR (gst_yonos_sr_get_type())
G_DECLARE_FINAL_TYPE(GstYonosSR, gst_yonos_sr, GST, YONOS_SR, GstBaseTransform)

typedef enum {
    GST_YONOS_BACKEND_AUTO,
    GST_YONOS_BACKEND_CPU,
    GST_YONOS_BACKEND_CUDA,
} GstYonosBackend;

/* What the properties say; copied under the object lock at the start of every frame. */
typedef struct {
    GstYonosBackend backend;
    YonosPrecision precision;
    guint threads;
    guint64 seed;
    YonosNoiseMode noise_mode;
    YonosColourFix colour_fix;
    guint tile_size;
    gint tile_overlap;
    gboolean bypass;
} GstYonosSettings;

struct _GstYonosSR {
    GstBaseTransform parent;

    /* under the object lock */
    GstYonosSettings settings;
    gchar *model_name;
    YonosModel *model;          /* opened when it is first needed; NULL until then */
    YonosUpscaler *upscaler;    /* from start() to stop() */
    YonosUpscalerInfo info;     /* of the upscaler; device points to the next */
    gchar *device;

    /* streaming thread */
    GstVideoInfo in_info, out_info;
    GstVideoConverter *converter; /* for bypass, made at the first such frame */
    guint64 counter;              /* frames without timestamp and offset */
    GstYonosStats *stats;         /* has its own lock */
};

GST_ELEMENT_REGISTER_DECLARE(yonossr)

/* The model of the "model" property, opened at most once; NULL with *error set. Transfer full. Any thread. */
YonosModel *gst_yonos_sr_get_model(GstYonosSR *self, GError **error);

G_END_DECLS

#endif
