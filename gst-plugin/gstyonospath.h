/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The way of a picture from input caps to output caps, around the engine and past it:
 *
 *   upscale   in -> (R'G'B' floats) -> engine, scale x -> (GstVideoConverter: format, size, borders) -> out
 *   resample  in -> Lanczos, by gstyonosresample.h where that fits, else by GstVideoConverter -> out
 *
 * What stands in brackets is left out where the engine reads and writes the caps' memory itself. Formats that it does
 * not know go through 16 bits a component, never through 8; their alpha is scaled by itself. Transfer functions are
 * never applied: HDR frames are processed as they are coded.
 *
 * One path belongs to one pair of caps and to the streaming thread.
 */
#ifndef GST_YONOS_PATH_H
#define GST_YONOS_PATH_H

#include <gst/video/video.h>

#include "yonos.h"

typedef struct _GstYonosPath GstYonosPath;

typedef struct {
    GstVideoInfo in, out;
    gint scale;       /* of the model */
    gboolean borders; /* keep the display aspect ratio where the caps do not */
    guint threads;    /* of the conversions; 0: one per processor */
} GstYonosPathOptions;

/* Nothing large is allocated yet. */
GstYonosPath *gst_yonos_path_new(const GstYonosPathOptions *options);
void gst_yonos_path_free(GstYonosPath *path);

/* Where the picture lies in the output frame. */
GstVideoRectangle gst_yonos_path_get_picture(const GstYonosPath *path);

/* Makes engine and path ready, so that upscaling allocates nothing. Errors: those of yonos_upscaler_prepare(). */
gboolean gst_yonos_path_prepare(GstYonosPath *path, YonosUpscaler *upscaler, GError **error);

/*
 * Upscales one mapped frame into another. Adds the microseconds spent in the engine to *engine_time.
 * Errors: those of yonos_upscaler_process().
 */
gboolean gst_yonos_path_upscale(GstYonosPath *path, YonosUpscaler *upscaler, const GstVideoFrame *in,
                                GstVideoFrame *out, guint64 number, gint64 *engine_time, GError **error);

/* Whether the engine reads and writes the frames' own memory, without any conversion. */
gboolean gst_yonos_path_is_direct(const GstYonosPath *path);

/* Only where it is direct: yonos_upscaler_submit() of one mapped frame into another. */
gboolean gst_yonos_path_submit(const GstYonosPath *path, YonosUpscaler *upscaler, const GstVideoFrame *in,
                               const GstVideoFrame *out, guint64 number, GError **error);

/* The same without the engine. Errors: MEMORY. */
gboolean gst_yonos_path_resample(GstYonosPath *path, const GstVideoFrame *in, GstVideoFrame *out, GError **error);

/* A second output frame, to resample into; the same at each call, NULL with `error` set (MEMORY). */
GstVideoFrame *gst_yonos_path_get_spare(GstYonosPath *path, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(GstYonosPath, gst_yonos_path_free)

#endif
