/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * SECTION:element-yonossr
 * @title: yonossr
 * @short_description: upscales video with one-step latent diffusion
 *
 * Upscales each frame by the scale of its model (x2 with the default one) with one step of latent diffusion
 * (YONOS-SR, Noroozi et al., ECCV 2024). Where downstream lets it, format, colorimetry, frame rate and pixel aspect
 * ratio stay, and width and height are multiplied exactly; any other size or format that downstream asks for is
 * reached by a last high-quality resample. Timestamps stay. Interlaced video is refused: put deinterlace first.
 *
 * The pixels of a frame depend on the properties, the frame and its number alone, which is its stream time times the
 * frame rate, rounded (see gstyonosrender.c). So seeks, drops and restarts change no pixel.
 *
 * ## Example pipeline
 * |[
 * gst-launch-1.0 filesrc location=in.mp4 ! decodebin ! videoconvert ! yonossr ! videoconvert ! x264enc ! mp4mux !
 * filesink location=out.mp4
 * ]|
 *
 * Since: 0.1
 */
#include "gstyonossr.h"

#include "gstyonoscaps.h"
#include "gstyonosformat.h"
#include "gstyonosmeta.h"

GST_DEBUG_CATEGORY(gst_yonos_sr_debug);
#define GST_CAT_DEFAULT gst_yonos_sr_debug

#define PAD_CAPS                                                                                                       \
    "video/x-raw, format = " GST_YONOS_FORMATS ", width = [ 1, 16384 ], height = [ 1, 16384 ], "                       \
    "framerate = " GST_VIDEO_FPS_RANGE GST_YONOS_CUDA_PAD_CAPS

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(PAD_CAPS));
static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(PAD_CAPS));

G_DEFINE_TYPE_WITH_CODE(GstYonosSR, gst_yonos_sr, GST_TYPE_BASE_TRANSFORM, G_IMPLEMENT_INTERFACE(GST_TYPE_PRESET, NULL))
GST_ELEMENT_REGISTER_DEFINE(yonossr, "yonossr", GST_RANK_NONE, GST_TYPE_YONOS_SR)

/* ---- model and upscaler ---------------------------------------------------------------------- */

YonosModel *gst_yonos_sr_get_model(GstYonosSR *self, GError **error) {
    GST_OBJECT_LOCK(self);
    YonosModel *model = self->model ? yonos_model_ref(self->model) : NULL;
    g_autofree gchar *name = g_strdup(self->model_name);
    GST_OBJECT_UNLOCK(self);
    if (model)
        return model;
    g_autofree gchar *folder = yonos_model_find(name, error);
    model = folder ? yonos_model_open(folder, error) : NULL;
    if (!model)
        return NULL;
    GST_OBJECT_LOCK(self);
    /* Another thread may have been first, or the property may have changed meanwhile. */
    if (!self->model && g_strcmp0(name, self->model_name) == 0)
        self->model = yonos_model_ref(model);
    GST_OBJECT_UNLOCK(self);
    return model;
}

/* In a context, or NULL. */
static YonosUpscaler *new_upscaler(GstYonosSR *self, YonosModel *model, gpointer cuda_context, GError **error) {
    GstYonosSettings s = gst_yonos_sr_get_settings(self);
    YonosOptions options = YONOS_OPTIONS_INIT;
    g_autofree gchar *backend = gst_yonos_backend_name(s.backend, s.cuda_device_id);
    options.backend = backend;
    options.max_vram = (int)s.max_vram;
    options.cuda_context = cuda_context;
    options.precision = s.precision;
    options.threads = (int)s.threads;
    options.seed = s.seed;
    options.noise_mode = s.noise_mode;
    options.colour_fix = s.colour_fix;
    options.tile_size = (int)s.tile_size;
    options.tile_overlap = s.tile_overlap;
    return yonos_upscaler_new(model, &options, error);
}

/* The upscaler belongs to the streaming thread; "stats" may be read from any, so it reads this copy. */
void gst_yonos_sr_note_info(GstYonosSR *self) {
    YonosUpscalerInfo info;
    yonos_upscaler_get_info(self->upscaler, &info);
    GST_OBJECT_LOCK(self);
    if (g_strcmp0(self->device, info.device) != 0) {
        g_free(self->device);
        self->device = g_strdup(info.device);
    }
    gboolean changed = g_strcmp0(self->warning, info.warning) != 0;
    if (changed) {
        g_free(self->warning);
        self->warning = g_strdup(info.warning);
    }
    self->info = info;
    self->info.device = self->device;
    self->info.warning = self->warning;
    GST_OBJECT_UNLOCK(self);
    if (changed && info.warning)
        gst_yonos_sr_post_warning(self, info.warning);
}

/* What a run leaves behind does not reach the next one. */
static void reset(GstYonosSR *self, YonosUpscaler *upscaler, gpointer cuda_context) {
    GST_OBJECT_LOCK(self);
    self->upscaler = upscaler;
    self->cuda_context = cuda_context;
    self->late.switches = 0;
    gst_yonos_late_reset(&self->late);
    self->live = FALSE;
    self->told_latency = 0;
    self->latency = GST_CLOCK_TIME_NONE;
    GST_OBJECT_UNLOCK(self);
    self->counter = 0;
    self->refused = self->informed = FALSE;
    self->warned = 0;
    self->stats_time = g_get_monotonic_time();
    gst_yonos_stats_reset(self->stats);
}

/* A pipeline has other work for the processors: decoders, encoders, sinks. */
static gboolean shares_cpu(GstYonosSR *self) {
    return g_strcmp0(self->info.backend, "cpu") == 0;
}

static gboolean gst_yonos_sr_start(GstBaseTransform *trans) {
    GstYonosSR *self = GST_YONOS_SR(trans);
    g_autoptr(GError) error = NULL;
    gst_yonos_sr_post_progress(self, GST_PROGRESS_TYPE_START, "Loading the model");
    g_autoptr(YonosModel) model = gst_yonos_sr_get_model(self, &error);
    if (model)
        gst_yonos_sr_post_progress(self, GST_PROGRESS_TYPE_CONTINUE, "Opening the device");
    gpointer context = gst_yonos_cuda_get_handle(self->cuda, gst_yonos_sr_get_settings(self).cuda_device_id, FALSE);
    gboolean entered = gst_yonos_cuda_enter(self->cuda);
    YonosUpscaler *upscaler = model ? new_upscaler(self, model, context, &error) : NULL;
    gst_yonos_cuda_leave(entered);
    if (!upscaler) {
        gst_yonos_sr_post_progress(self, GST_PROGRESS_TYPE_ERROR, error->message);
        gst_yonos_sr_post_error(self, error);
        return FALSE;
    }
    reset(self, upscaler, context);
    gst_yonos_sr_note_info(self);
    if (yonos_model_get_warning(model))
        gst_yonos_sr_post_warning(self, yonos_model_get_warning(model));
    if (shares_cpu(self))
        yonos_cpu_share_begin();
    GST_INFO_OBJECT(self, "model %s (x%d) on %s", yonos_model_get_name(model), yonos_model_get_scale(model),
                    self->info.device);
    gst_yonos_sr_post_progress(self, GST_PROGRESS_TYPE_COMPLETE, "The model is loaded");
    return TRUE;
}

static gboolean gst_yonos_sr_stop(GstBaseTransform *trans) {
    GstYonosSR *self = GST_YONOS_SR(trans);
    gboolean entered = gst_yonos_cuda_enter(self->cuda);
    gst_yonos_sr_drop_frames(self);
    GST_OBJECT_LOCK(self);
    YonosUpscaler *upscaler = g_steal_pointer(&self->upscaler);
    if (self->model_changed)
        g_clear_pointer(&self->model, yonos_model_unref);
    self->model_changed = FALSE;
    GST_OBJECT_UNLOCK(self);
    if (upscaler && shares_cpu(self))
        yonos_cpu_share_end();
    g_clear_pointer(&upscaler, yonos_upscaler_free);
    g_clear_pointer(&self->path, gst_yonos_path_free);
    gst_yonos_cuda_leave(entered);
    gst_yonos_cuda_reset(self->cuda);
    return TRUE;
}

static void gst_yonos_sr_set_context(GstElement *element, GstContext *context) {
    GstYonosSR *self = GST_YONOS_SR(element);
    gst_yonos_cuda_set_context(self->cuda, context, gst_yonos_sr_get_settings(self).cuda_device_id);
    GST_ELEMENT_CLASS(gst_yonos_sr_parent_class)->set_context(element, context);
}

/* Makes a frame in work end soon, or lets the next ones work again. */
static void set_flushing(GstYonosSR *self, gboolean flushing) {
    GST_OBJECT_LOCK(self);
    if (self->upscaler) {
        if (flushing)
            yonos_upscaler_cancel(self->upscaler);
        else
            yonos_upscaler_resume(self->upscaler);
    }
    gst_yonos_late_reset(&self->late);
    GST_OBJECT_UNLOCK(self);
}

static GstStateChangeReturn gst_yonos_sr_change_state(GstElement *element, GstStateChange transition) {
    GstYonosSR *self = GST_YONOS_SR(element);
    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
        set_flushing(self, TRUE);
    return GST_ELEMENT_CLASS(gst_yonos_sr_parent_class)->change_state(element, transition);
}

/* ---- events and latency --------------------------------------------------------------------------- */

static gboolean gst_yonos_sr_sink_event(GstBaseTransform *trans, GstEvent *event) {
    GstYonosSR *self = GST_YONOS_SR(trans);
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_FLUSH_START:
        set_flushing(self, TRUE);
        break;
    case GST_EVENT_FLUSH_STOP:
        gst_yonos_sr_drop_frames(self);
        set_flushing(self, FALSE);
        self->counter = 0;
        break;
    default:
        if (GST_EVENT_IS_SERIALIZED(event))
            gst_yonos_sr_push_frames(self);
        break;
    }
    return GST_BASE_TRANSFORM_CLASS(gst_yonos_sr_parent_class)->sink_event(trans, event);
}

/* TRUE: a QoS event that GstBaseTransform must not see, because it would drop frames. */
static gboolean take_qos(GstYonosSR *self, GstEvent *event) {
    GstClockTimeDiff diff;
    GstClockTime timestamp;
    GST_OBJECT_LOCK(self);
    GstYonosLatePolicy policy = self->settings.late_policy;
    if (policy == GST_YONOS_LATE_FAST) {
        gst_event_parse_qos(event, NULL, NULL, &diff, &timestamp);
        gst_yonos_late_qos(&self->late, timestamp, diff);
    }
    GST_OBJECT_UNLOCK(self);
    return policy != GST_YONOS_LATE_DROP;
}

static GstEvent *scale_navigation(GstYonosSR *self, GstEvent *event) {
    GST_OBJECT_LOCK(self);
    const GstVideoInfo in = self->in_info, out = self->out_info;
    const GstVideoRectangle picture = self->picture;
    GstYonosCompare compare = self->settings.compare;
    gdouble position = self->settings.compare_position;
    GST_OBJECT_UNLOCK(self);
    return gst_yonos_meta_navigation(event, &in, &out, &picture, compare, position);
}

static gboolean gst_yonos_sr_src_event(GstBaseTransform *trans, GstEvent *event) {
    GstYonosSR *self = GST_YONOS_SR(trans);
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_NAVIGATION:
        event = scale_navigation(self, event);
        break;
    case GST_EVENT_LATENCY:
        GST_OBJECT_LOCK(self);
        gst_event_parse_latency(event, &self->latency);
        GST_OBJECT_UNLOCK(self);
        break;
    case GST_EVENT_QOS:
        if (take_qos(self, event)) {
            gst_event_unref(event);
            return TRUE;
        }
        break;
    default:
        break;
    }
    return GST_BASE_TRANSFORM_CLASS(gst_yonos_sr_parent_class)->src_event(trans, event);
}

/* A frame takes as long as the latest ones did, and a little more, and may have to wait for the next one. */
GstClockTime gst_yonos_sr_get_latency(GstYonosSR *self) {
    GstClockTime mean = gst_yonos_stats_mean(self->stats);
    return (GST_CLOCK_TIME_IS_VALID(mean) ? mean + mean / 20 : 0) + gst_yonos_sr_keeping_time(self);
}

static void note_live(GstYonosSR *self, gboolean live) {
    GST_OBJECT_LOCK(self);
    self->live = live;
    GST_OBJECT_UNLOCK(self);
}

static void add_latency(GstYonosSR *self, GstQuery *query) {
    gboolean live;
    GstClockTime min, max;
    gst_query_parse_latency(query, &live, &min, &max);
    note_live(self, live);
    GstClockTime own = gst_yonos_sr_get_latency(self);
    gst_query_set_latency(query, live, min + own, GST_CLOCK_TIME_IS_VALID(max) ? max + own : max);
    GST_OBJECT_LOCK(self);
    self->told_latency = own;
    GST_OBJECT_UNLOCK(self);
}

/* The pipeline asks only when it goes to PLAYING, which is after the first frames. */
static void ask_whether_live(GstYonosSR *self) {
    g_autoptr(GstQuery) query = gst_query_new_latency();
    gboolean live;
    if (!gst_pad_peer_query(GST_BASE_TRANSFORM_SINK_PAD(self), query))
        return;
    gst_query_parse_latency(query, &live, NULL, NULL);
    note_live(self, live);
}

/* ---- caps and queries -------------------------------------------------------------------------------- */

/* start() posts the error of a model that cannot be opened; until then 1. */
static gint get_scale(GstYonosSR *self) {
    g_autoptr(GError) error = NULL;
    g_autoptr(YonosModel) model = gst_yonos_sr_get_model(self, &error);
    if (!model)
        GST_DEBUG_OBJECT(self, "no model yet: %s", error->message);
    return model ? yonos_model_get_scale(model) : 1;
}

static GstCaps *gst_yonos_sr_transform_caps(GstBaseTransform *trans, GstPadDirection direction, GstCaps *caps,
                                            GstCaps *filter) {
    GstCaps *out = gst_yonos_caps_transform(caps, get_scale(GST_YONOS_SR(trans)), direction == GST_PAD_SINK,
                                            gst_yonos_cuda_available());
    if (filter) {
        GstCaps *both = gst_caps_intersect_full(filter, out, GST_CAPS_INTERSECT_FIRST);
        gst_caps_unref(out);
        out = both;
    }
    GST_LOG_OBJECT(trans, "%" GST_PTR_FORMAT " -> %" GST_PTR_FORMAT, caps, out);
    return out;
}

static GstCaps *gst_yonos_sr_fixate_caps(GstBaseTransform *trans, GstPadDirection direction, GstCaps *caps,
                                         GstCaps *others) {
    GstCaps *out = gst_yonos_caps_fixate(caps, others, get_scale(GST_YONOS_SR(trans)), direction == GST_PAD_SINK);
    GST_DEBUG_OBJECT(trans, "%" GST_PTR_FORMAT " -> %" GST_PTR_FORMAT, caps, out);
    return out;
}

/* Consumes `caps`: what of them the template of `pad` allows. */
static GstCaps *within_template(GstPad *pad, GstCaps *caps) {
    g_autoptr(GstCaps) template = gst_pad_get_pad_template_caps(pad);
    GstCaps *both = gst_caps_intersect_full(caps, template, GST_CAPS_INTERSECT_FIRST);
    gst_caps_unref(caps);
    return gst_yonos_cuda_available() ? both : gst_yonos_caps_without_cuda(both);
}

/* Like GstBaseTransform's, which however puts what the other side can do in front as it is: sources that can choose
 * would send frames of the size that the sink wants to have. */
static GstCaps *query_caps(GstBaseTransform *trans, GstPad *pad, GstCaps *filter) {
    GstPad *other = pad == trans->sinkpad ? trans->srcpad : trans->sinkpad;
    g_autoptr(GstCaps) other_filter = NULL;
    if (filter)
        other_filter = within_template(other, gst_yonos_sr_transform_caps(trans, GST_PAD_DIRECTION(pad), filter, NULL));
    g_autoptr(GstCaps) peer = within_template(other, gst_pad_peer_query_caps(other, other_filter));
    return within_template(pad, gst_yonos_sr_transform_caps(trans, GST_PAD_DIRECTION(other), peer, filter));
}

static gboolean gst_yonos_sr_accept_caps(GstBaseTransform *trans, GstPadDirection direction, GstCaps *caps) {
    g_autoptr(GstCaps) possible = gst_caps_ref(caps);
    if (!gst_yonos_cuda_available())
        possible = gst_yonos_caps_without_cuda(g_steal_pointer(&possible));
    return !gst_caps_is_empty(possible) &&
           GST_BASE_TRANSFORM_CLASS(gst_yonos_sr_parent_class)->accept_caps(trans, direction, caps);
}

static gboolean gst_yonos_sr_query(GstBaseTransform *trans, GstPadDirection direction, GstQuery *query) {
    if (GST_QUERY_TYPE(query) == GST_QUERY_CAPS) {
        GstCaps *filter;
        gst_query_parse_caps(query, &filter);
        g_autoptr(GstCaps) caps = query_caps(trans, direction == GST_PAD_SRC ? trans->srcpad : trans->sinkpad, filter);
        gst_query_set_caps_result(query, caps);
        return TRUE;
    }
    if (GST_QUERY_TYPE(query) == GST_QUERY_CONTEXT &&
        gst_yonos_cuda_query_context(GST_YONOS_SR(trans)->cuda, query))
        return TRUE;
    if (direction == GST_PAD_SINK && GST_QUERY_IS_SERIALIZED(query))
        gst_yonos_sr_push_frames(GST_YONOS_SR(trans));
    gboolean ok = GST_BASE_TRANSFORM_CLASS(gst_yonos_sr_parent_class)->query(trans, direction, query);
    if (ok && direction == GST_PAD_SRC && GST_QUERY_TYPE(query) == GST_QUERY_LATENCY)
        add_latency(GST_YONOS_SR(trans), query);
    return ok;
}

static gboolean gst_yonos_sr_get_unit_size(GstBaseTransform *trans, GstCaps *caps, gsize *size) {
    GstVideoInfo info;
    (void)trans;
    if (!gst_video_info_from_caps(&info, caps))
        return FALSE;
    *size = GST_VIDEO_INFO_SIZE(&info);
    return TRUE;
}

/* With bypass the networks wait for their first frame. */
static gboolean prepare(GstYonosSR *self, GError **error) {
    GstYonosSettings settings = gst_yonos_sr_get_settings(self);
    if (settings.bypass)
        return TRUE;
    gst_yonos_sr_apply_settings(self, &settings);
    gboolean ready = gst_yonos_path_prepare(self->path, self->upscaler, error);
    if (ready)
        gst_yonos_sr_note_info(self);
    return ready;
}

static gboolean read_caps(GstCaps *in_caps, GstCaps *out_caps, GstVideoInfo *in, GstVideoInfo *out, GError **error) {
    if (!gst_yonos_info(in, in_caps) || !gst_yonos_info(out, out_caps)) {
        g_set_error(error, YONOS_ERROR, YONOS_ERROR_FORMAT, "The caps cannot be read as raw video.");
        return FALSE;
    }
    if (GST_VIDEO_INFO_IS_INTERLACED(in) || GST_VIDEO_INFO_IS_INTERLACED(out)) {
        g_set_error(error, YONOS_ERROR, YONOS_ERROR_FORMAT,
                    "Interlaced video cannot be upscaled: put deinterlace first.");
        return FALSE;
    }
    return TRUE;
}

/* Sources offer refused caps again with every frame; one error is enough. */
static void refuse(GstYonosSR *self, const GError *error) {
    if (!self->refused && !g_error_matches(error, YONOS_ERROR, YONOS_ERROR_CANCELLED)) {
        self->refused = TRUE;
        gst_yonos_sr_post_error(self, error);
    }
}

static void set_infos(GstYonosSR *self, const GstVideoInfo *in, const GstVideoInfo *out) {
    GstYonosPathOptions options = {.in = *in, .out = *out, .scale = get_scale(self)};
    GstYonosSettings settings = gst_yonos_sr_get_settings(self);
    options.borders = settings.add_borders;
    options.threads = settings.threads;
    g_clear_pointer(&self->path, gst_yonos_path_free);
    self->path = gst_yonos_path_new(&options);
    GST_OBJECT_LOCK(self);
    self->in_info = *in;
    self->out_info = *out;
    self->picture = gst_yonos_path_get_picture(self->path);
    self->direct = gst_yonos_path_is_direct(self->path);
    GST_OBJECT_UNLOCK(self);
}

/* Where the engine is to read or write frames in CUDA memory, it works in their context: between two contexts it would
 * copy them. */
static gboolean join_context(GstYonosSR *self, const GstCaps *in_caps, const GstCaps *out_caps, GError **error) {
    if (!self->info.device_frames || !gst_yonos_path_is_direct(self->path) ||
        (!gst_yonos_caps_are_cuda(in_caps) && !gst_yonos_caps_are_cuda(out_caps)))
        return TRUE;
    gpointer context = gst_yonos_cuda_get_handle(self->cuda, gst_yonos_sr_get_settings(self).cuda_device_id, TRUE);
    if (!context || context == self->cuda_context)
        return TRUE;
    g_autoptr(YonosModel) model = gst_yonos_sr_get_model(self, error);
    YonosUpscaler *upscaler = model ? new_upscaler(self, model, context, error) : NULL;
    if (!upscaler)
        return FALSE;
    GST_OBJECT_LOCK(self);
    YonosUpscaler *before = self->upscaler;
    self->upscaler = upscaler;
    self->cuda_context = context;
    GST_OBJECT_UNLOCK(self);
    yonos_upscaler_free(before);
    return TRUE;
}

static gboolean gst_yonos_sr_set_caps(GstBaseTransform *trans, GstCaps *in_caps, GstCaps *out_caps) {
    GstYonosSR *self = GST_YONOS_SR(trans);
    GstVideoInfo in, out;
    g_autoptr(GError) error = NULL;
    gboolean ok = read_caps(in_caps, out_caps, &in, &out, &error);
    if (ok) {
        gst_yonos_sr_push_frames(self); /* before the new caps, also where downstream asked for them */
        ask_whether_live(self);
        set_infos(self, &in, &out);
        ok = join_context(self, in_caps, out_caps, &error) && prepare(self, &error);
    }
    if (ok)
        self->refused = FALSE;
    else
        refuse(self, error);
    return ok;
}

/* ---- frames ------------------------------------------------------------------------------------------ */

static gboolean gst_yonos_sr_transform_meta(GstBaseTransform *trans, GstBuffer *outbuf, GstMeta *meta,
                                            GstBuffer *inbuf) {
    GstYonosSR *self = GST_YONOS_SR(trans);
    return gst_yonos_meta_transform(outbuf, meta, inbuf, &self->in_info, &self->out_info, &self->picture);
}

/* Controlled properties follow stream time. */
static void gst_yonos_sr_before_transform(GstBaseTransform *trans, GstBuffer *buffer) {
    GstClockTime time = GST_CLOCK_TIME_NONE;
    if (trans->segment.format == GST_FORMAT_TIME)
        time = gst_segment_to_stream_time(&trans->segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
    if (GST_CLOCK_TIME_IS_VALID(time))
        gst_object_sync_values(GST_OBJECT(trans), time);
}

/* Every buffer passes here; GstBaseTransform drops late ones before transform(). */
static GstFlowReturn gst_yonos_sr_submit_input_buffer(GstBaseTransform *trans, gboolean is_discont, GstBuffer *input) {
    GstYonosSR *self = GST_YONOS_SR(trans);
    /* The base class marks the next buffer that it pushes itself. That may be a kept frame only where it was begun behind
     * the same discontinuity. */
    gboolean of_kept = self->n_begun > 0 && self->begun[0].discont && !GST_BUFFER_IS_DISCONT(input);
    GstFlowReturn result = is_discont && !of_kept ? gst_yonos_sr_push_frames(self) : GST_FLOW_OK;
    if (result != GST_FLOW_OK) {
        gst_buffer_unref(input);
        return result;
    }
    if (gst_yonos_stats_submit(self->stats))
        gst_yonos_sr_warn_once(self, GST_YONOS_WARNING_DROPPED,
                               "Frames are left out because they come too late; set late-policy=fast to have them "
                               "resampled instead, or qos=false where nothing waits for them.");
    self->discont = is_discont;
    result = GST_BASE_TRANSFORM_CLASS(gst_yonos_sr_parent_class)->submit_input_buffer(trans, is_discont, input);
    if (result == GST_BASE_TRANSFORM_FLOW_DROPPED && self->n_begun > 0)
        self->begun[0].discont = FALSE; /* what follows is behind another one */
    return result;
}

GstFlowReturn gst_yonos_sr_begin_output(GstBaseTransform *trans, GstBuffer **buffer) {
    return GST_BASE_TRANSFORM_CLASS(gst_yonos_sr_parent_class)->generate_output(trans, buffer);
}

/* ---- class -------------------------------------------------------------------------------------------- */

static void gst_yonos_sr_finalize(GObject *object) {
    GstYonosSR *self = GST_YONOS_SR(object);
    g_clear_pointer(&self->model, yonos_model_unref);
    g_free(self->model_name);
    g_free(self->device);
    g_free(self->warning);
    gst_yonos_stats_free(self->stats);
    gst_yonos_cuda_free(self->cuda);
    G_OBJECT_CLASS(gst_yonos_sr_parent_class)->finalize(object);
}

static void gst_yonos_sr_init(GstYonosSR *self) {
    gst_yonos_sr_init_settings(self);
    gst_video_info_init(&self->in_info);
    gst_video_info_init(&self->out_info);
    self->latency = GST_CLOCK_TIME_NONE;
    gst_yonos_late_reset(&self->late);
    self->stats = gst_yonos_stats_new();
    self->cuda = gst_yonos_cuda_new(GST_ELEMENT(self));
    gst_base_transform_set_qos_enabled(GST_BASE_TRANSFORM(self), TRUE);
}

static void install_transform(GstBaseTransformClass *trans_class) {
    trans_class->passthrough_on_same_caps = FALSE;
    trans_class->start = GST_DEBUG_FUNCPTR(gst_yonos_sr_start);
    trans_class->stop = GST_DEBUG_FUNCPTR(gst_yonos_sr_stop);
    trans_class->sink_event = GST_DEBUG_FUNCPTR(gst_yonos_sr_sink_event);
    trans_class->src_event = GST_DEBUG_FUNCPTR(gst_yonos_sr_src_event);
    trans_class->query = GST_DEBUG_FUNCPTR(gst_yonos_sr_query);
    trans_class->transform_caps = GST_DEBUG_FUNCPTR(gst_yonos_sr_transform_caps);
    trans_class->fixate_caps = GST_DEBUG_FUNCPTR(gst_yonos_sr_fixate_caps);
    trans_class->accept_caps = GST_DEBUG_FUNCPTR(gst_yonos_sr_accept_caps);
    trans_class->get_unit_size = GST_DEBUG_FUNCPTR(gst_yonos_sr_get_unit_size);
    trans_class->set_caps = GST_DEBUG_FUNCPTR(gst_yonos_sr_set_caps);
    trans_class->propose_allocation = GST_DEBUG_FUNCPTR(gst_yonos_sr_propose_allocation);
    trans_class->decide_allocation = GST_DEBUG_FUNCPTR(gst_yonos_sr_decide_allocation);
    trans_class->transform_meta = GST_DEBUG_FUNCPTR(gst_yonos_sr_transform_meta);
    trans_class->before_transform = GST_DEBUG_FUNCPTR(gst_yonos_sr_before_transform);
    trans_class->submit_input_buffer = GST_DEBUG_FUNCPTR(gst_yonos_sr_submit_input_buffer);
    trans_class->generate_output = GST_DEBUG_FUNCPTR(gst_yonos_sr_generate_output);
    trans_class->transform = GST_DEBUG_FUNCPTR(gst_yonos_sr_transform);
}

static void gst_yonos_sr_class_init(GstYonosSRClass *klass) {
    GObjectClass *object_class = G_OBJECT_CLASS(klass);
    GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
    GST_DEBUG_CATEGORY_INIT(gst_yonos_sr_debug, "yonossr", 0, "one-step latent diffusion upscaler");

    object_class->finalize = gst_yonos_sr_finalize;
    gst_yonos_sr_install_properties(object_class);
    gst_element_class_add_static_pad_template(element_class, &sink_template);
    gst_element_class_add_static_pad_template(element_class, &src_template);
    gst_element_class_set_static_metadata(
        element_class, "One-step diffusion upscaler", "Filter/Effect/Converter/Video/Scaler",
        "Upscales video by the scale of its model with one step of latent diffusion (YONOS-SR)", "The yonossr authors");
    element_class->set_context = GST_DEBUG_FUNCPTR(gst_yonos_sr_set_context);
    element_class->change_state = GST_DEBUG_FUNCPTR(gst_yonos_sr_change_state);
    install_transform(GST_BASE_TRANSFORM_CLASS(klass));
}
