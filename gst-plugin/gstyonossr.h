/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GstYonosSR: the element "yonossr", in files of one concern each:
 *
 *   gstyonossr.c          the class: states, model, caps, buffers, events, queries
 *   gstyonosproperties.c  properties and their documentation
 *   gstyonosrender.c      one frame: its number, what to do with it, doing it
 *   gstyonosflight.c      frames that have been begun and are not given out yet
 *   gstyonosmessages.c    errors, warnings, progress, information and statistics on the bus
 *   gstyonoscaps.c gstyonosfixate.c   caps of the other pad, and the choice among them
 *   gstyonosformat.c      pixel formats and colorimetry
 *   gstyonospath.c        conversions around the engine, and past it
 *   gstyonosfloats.c      16-bit frames to R'G'B' floats and back
 *   gstyonosresample.c    fast resampling by whole factors
 *   gstyonoslate.c        late-policy=fast
 *   gstyonoscompare.c     original and result in one picture
 *   gstyonosbuffers.c     allocation queries, pools
 *   gstyonoscuda.c        frames in CUDA memory; gstyonosnocuda.c where the plugin is built without
 *   gstyonosmeta.c        metas, crops, navigation
 *   gstyonosstats.c       counts and times
 */
#ifndef GST_YONOS_SR_H
#define GST_YONOS_SR_H

#include <gst/base/gstbasetransform.h>
#include <gst/video/video.h>

#include "gstyonoscompare.h"
#include "gstyonoscuda.h"
#include "gstyonoslate.h"
#include "gstyonospath.h"
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

typedef enum {
    GST_YONOS_OVERLAP_AUTO,
    GST_YONOS_OVERLAP_NEVER,
    GST_YONOS_OVERLAP_ALWAYS,
} GstYonosOverlap;

/* What the properties say; copied under the object lock at the start of every frame. */
typedef struct {
    GstYonosBackend backend;
    gint cuda_device_id; /* -1: the first one */
    guint max_vram;      /* MiB */
    YonosPrecision precision;
    guint threads;
    guint64 seed;
    YonosNoiseMode noise_mode;
    gdouble steadiness;
    YonosColourFix colour_fix;
    guint tile_size;
    gint tile_overlap;
    gboolean bypass;
    gboolean add_borders;
    gboolean reuse_static;
    GstYonosLatePolicy late_policy;
    GstYonosOverlap overlap;
    GstYonosCompare compare;
    gdouble compare_position;
    guint stats_interval; /* ms */
} GstYonosSettings;

/* Warnings that are posted once from start to stop; bits. */
typedef enum {
    GST_YONOS_WARNING_DROPPED = 1 << 0,
    GST_YONOS_WARNING_REUSE = 1 << 1,
} GstYonosWarning;

/* An output frame from its begin to the time when it is given out. */
typedef struct {
    GstBuffer *buffer;
    gboolean in_flight;  /* the engine is at work on it; FALSE: complete */
    GstVideoFrame out;   /* while in flight: the buffer, mapped */
    GstVideoFrame in;    /* while in flight: the input, where the device reads it from its own memory, mapped */
    gboolean keeps_in;
    gboolean discont;    /* begun behind a discontinuity that no buffer has been marked with */
    gint64 time, engine; /* microseconds spent on it so far, and the engine's part of them */
} GstYonosBegun;

struct _GstYonosSR {
    GstBaseTransform parent;
    GstYonosCuda *cuda; /* has its own lock */

    /* under the object lock */
    GstYonosSettings settings;
    gchar *model_name;
    YonosModel *model;       /* opened when it is first needed; NULL until then */
    gboolean model_changed;  /* while running: another model is opened at the next start */
    YonosUpscaler *upscaler; /* from start() to stop() */
    gpointer cuda_context;   /* that it works in; NULL: the device's primary one */
    YonosUpscalerInfo info;  /* of the upscaler; device and warning point to the next */
    gchar *device;
    gchar *warning;          /* the latest of the engine's that was posted; NULL while it has none */
    GstYonosLate late;
    GstVideoInfo in_info, out_info;
    GstVideoRectangle picture; /* in the output frame */
    gboolean direct;           /* the engine reads and writes the frames' own memory */
    gboolean limited_pool;     /* downstream's, with no buffer to spare */
    gboolean live;             /* upstream, by the latest LATENCY query */
    GstClockTime told_latency; /* our part of the latency, as last answered or posted */
    GstClockTime latency;      /* the pipeline's, by the latest LATENCY event; NONE before it */

    /* streaming thread */
    GstYonosPath *path;   /* for the caps; NULL before them */
    GstYonosBegun begun[YONOS_IN_FLIGHT]; /* oldest first */
    guint n_begun;
    gboolean discont;     /* of the latest input, as the base class sees it */
    guint64 counter;      /* frames without timestamp and offset since the last flush */
    gboolean refused;     /* the latest caps, with an error that says why */
    gboolean informed;    /* the INFO message of this start is out */
    guint warned;         /* GstYonosWarning */
    gint64 stats_time;    /* monotonic microseconds of the latest stats message */
    GstYonosStats *stats; /* has its own lock */
};

GST_ELEMENT_REGISTER_DECLARE(yonossr)

GST_DEBUG_CATEGORY_EXTERN(gst_yonos_sr_debug);

/* ---- gstyonossr.c ---- */

/* The model of the "model" property, opened at most once; NULL with *error set. Transfer full. Any thread. */
YonosModel *gst_yonos_sr_get_model(GstYonosSR *self, GError **error);
/* GstBaseTransform's own generate_output(): allocates a buffer and calls transform(). */
GstFlowReturn gst_yonos_sr_begin_output(GstBaseTransform *trans, GstBuffer **buffer);
/* Our part of the pipeline's latency. Any thread. */
GstClockTime gst_yonos_sr_get_latency(GstYonosSR *self);
/* Copies the engine's figures to where any thread may read them. Streaming thread. */
void gst_yonos_sr_note_info(GstYonosSR *self);

/* ---- gstyonosproperties.c ---- */

void gst_yonos_sr_install_properties(GObjectClass *klass);
/* The defaults into a new element; the "model" property of one that is running is left for the next start. */
void gst_yonos_sr_init_settings(GstYonosSR *self);
GstYonosSettings gst_yonos_sr_get_settings(GstYonosSR *self);
/* As YonosOptions names it. Free with g_free(). */
gchar *gst_yonos_backend_name(GstYonosBackend backend, gint device);
const gchar *gst_yonos_precision_name(YonosPrecision precision);
/* What the "stats" property and the stats messages say. Transfer full. Any thread. */
GstStructure *gst_yonos_sr_make_stats(GstYonosSR *self);

/* ---- gstyonosflight.c; streaming thread, where nothing else is said ---- */

/* Whether a frame is kept until the next one has been begun, and how long that is in a live pipeline. Any thread. */
gboolean gst_yonos_sr_keeps_frames(GstYonosSR *self);
GstClockTime gst_yonos_sr_keeping_time(GstYonosSR *self);
/* Waits for all frames in flight; they are not given out yet. */
GstFlowReturn gst_yonos_sr_complete_frames(GstYonosSR *self);
/* Completes all frames that have been begun and pushes them. */
GstFlowReturn gst_yonos_sr_push_frames(GstYonosSR *self);
/* Forgets all frames that have been begun. */
void gst_yonos_sr_drop_frames(GstYonosSR *self);
/* GstBaseTransform's generate_output(): begins the next frame, and gives out one that need not be kept. */
GstFlowReturn gst_yonos_sr_generate_output(GstBaseTransform *trans, GstBuffer **buffer);

/* ---- gstyonosmessages.c ---- */

/* Posts libyonos' message, which names the file, tensor or option, as an element error of the right kind. */
void gst_yonos_sr_post_error(GstYonosSR *self, const GError *error);
/* The same, with what the streaming thread then returns; a cancelled frame is no error. */
GstFlowReturn gst_yonos_sr_fail(GstYonosSR *self, const GError *error);
void gst_yonos_sr_post_progress(GstYonosSR *self, GstProgressType type, const gchar *text);
/* At most once per start. Streaming thread. */
void gst_yonos_sr_warn_once(GstYonosSR *self, GstYonosWarning warning, const gchar *text);
/* libyonos' warning as the element's. */
void gst_yonos_sr_post_warning(GstYonosSR *self, const gchar *text);
/* After a frame: information at the first upscaled one, statistics at their interval, the latency when it moved. */
void gst_yonos_sr_post_after_frame(GstYonosSR *self);
/* After a frame that took `time` microseconds, `engine` of them in the engine. */
void gst_yonos_sr_count_frame(GstYonosSR *self, gint64 time, gint64 engine);

/* ---- gstyonosbuffers.c; GstBaseTransform's functions of these names ---- */

gboolean gst_yonos_sr_propose_allocation(GstBaseTransform *trans, GstQuery *decide_query, GstQuery *query);
gboolean gst_yonos_sr_decide_allocation(GstBaseTransform *trans, GstQuery *query);

/* ---- gstyonosrender.c ---- */

/* The settings that may change while playing to the engine, whose plan depends on them. */
void gst_yonos_sr_apply_settings(GstYonosSR *self, const GstYonosSettings *settings);
/* Begins one frame, and completes it unless it is kept; GstBaseTransform's transform(). */
GstFlowReturn gst_yonos_sr_transform(GstBaseTransform *trans, GstBuffer *inbuf, GstBuffer *outbuf);

G_END_DECLS

#endif
