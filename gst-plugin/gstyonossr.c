/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * SECTION:element-yonossr
 * @title: yonossr
 * @short_description: upscales video with one-step latent diffusion
 *
 * Upscales each frame by the scale of its model (x2 with the default one) with one step of latent diffusion
 * (YONOS-SR, Noroozi et al., ECCV 2024). Format, colorimetry, frame rate, pixel aspect ratio and timestamps
 * stay; width and height are multiplied. Interlaced video is refused: put deinterlace first.
 *
 * The noise of a frame depends on "seed" and the frame's number alone, which is its stream time times the frame
 * rate, rounded; without timestamps GST_BUFFER_OFFSET, else a count. So seeks, drops and restarts change no pixel.
 *
 * ## Example pipeline
 * |[
 * gst-launch-1.0 filesrc location=in.mp4 ! decodebin ! videoconvert ! yonossr ! videoconvert ! x264enc ! mp4mux ! filesink location=out.mp4
 * ]|
 *
 * Since: 0.1
 */
#include "gstyonossr.h"

#include "gstyonoscaps.h"
#include "gstyonosframe.h"

GST_DEBUG_CATEGORY_STATIC(gst_yonos_sr_debug);
#define GST_CAT_DEFAULT gst_yonos_sr_debug

#define DEFAULT_MODEL "yonos-lite-x2"
#define DEFAULT_NOISE_MODE YONOS_NOISE_STATIC
#define DEFAULT_TILE_OVERLAP -1

enum {
    PROP_0,
    PROP_MODEL,
    PROP_SCALE,
    PROP_BACKEND,
    PROP_THREADS,
    PROP_PRECISION,
    PROP_SEED,
    PROP_NOISE_MODE,
    PROP_TILE_SIZE,
    PROP_TILE_OVERLAP,
    PROP_COLOUR_FIX,
    PROP_BYPASS,
    PROP_STATS,
};

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(GST_YONOS_FORMATS)));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(GST_YONOS_FORMATS)));

G_DEFINE_TYPE(GstYonosSR, gst_yonos_sr, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE(yonossr, "yonossr", GST_RANK_NONE, GST_TYPE_YONOS_SR)

/* ---- enums -------------------------------------------------------------------------------- */

#define DEFINE_ENUM(function, type_name, ...)                                                                          \
    static GType function(void) {                                                                                      \
        static GType type = 0;                                                                                         \
        static const GEnumValue values[] = {__VA_ARGS__, {0, NULL, NULL}};                                             \
        if (g_once_init_enter(&type))                                                                                  \
            g_once_init_leave(&type, g_enum_register_static(type_name, values));                                       \
        return type;                                                                                                   \
    }

DEFINE_ENUM(gst_yonos_backend_get_type, "GstYonosBackend",
            {GST_YONOS_BACKEND_AUTO, "CUDA where it works, else the CPU", "auto"},
            {GST_YONOS_BACKEND_CPU, "CPU (oneDNN)", "cpu"}, {GST_YONOS_BACKEND_CUDA, "NVIDIA GPU", "cuda"})
DEFINE_ENUM(gst_yonos_precision_get_type, "GstYonosPrecision",
            {YONOS_PRECISION_AUTO, "The fastest that keeps the picture", "auto"},
            {YONOS_PRECISION_F32, "32-bit floats", "f32"}, {YONOS_PRECISION_BF16, "bfloat16, sums in f32", "bf16"},
            {YONOS_PRECISION_F16, "16-bit floats, sums in f32", "f16"})
DEFINE_ENUM(gst_yonos_noise_mode_get_type, "GstYonosNoiseMode",
            {YONOS_NOISE_PER_FRAME, "A new noise field for each frame", "per-frame"},
            {YONOS_NOISE_STATIC, "The same noise field for all frames: less flicker", "static"})
DEFINE_ENUM(gst_yonos_colour_fix_get_type, "GstYonosColourFix",
            {YONOS_COLOUR_FIX_DEFAULT, "What the model asks for", "default"},
            {YONOS_COLOUR_FIX_NONE, "The decoder's result as it is", "none"},
            {YONOS_COLOUR_FIX_ADAIN, "Mean and standard deviation of each channel from the input", "adain"},
            {YONOS_COLOUR_FIX_WAVELET, "Low frequencies from the input", "wavelet"},
            {YONOS_COLOUR_FIX_BACK_PROJECTION, "Downsampled, the result agrees with the input", "back-projection"})

static const gchar *backend_name(GstYonosBackend backend) {
    static const gchar *const names[] = {"auto", "cpu", "cuda"};
    return names[backend];
}

/* ---- errors -------------------------------------------------------------------------------- */

/* Posts libyonos' message, which names the file, tensor or option, as an element error of the right kind. */
static void post_error(GstYonosSR *self, GError *error) {
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

static void post_progress(GstYonosSR *self, GstProgressType type, const gchar *text) {
    gst_element_post_message(GST_ELEMENT(self),
                             gst_message_new_progress(GST_OBJECT(self), type, "load-model", text));
}

static GstYonosSettings get_settings(GstYonosSR *self) {
    GST_OBJECT_LOCK(self);
    GstYonosSettings settings = self->settings;
    GST_OBJECT_UNLOCK(self);
    return settings;
}

static YonosUpscaler *new_upscaler(GstYonosSR *self, YonosModel *model, GError **error) {
    GstYonosSettings s = get_settings(self);
    YonosOptions options = YONOS_OPTIONS_INIT;
    options.backend = backend_name(s.backend);
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
static void note_info(GstYonosSR *self) {
    YonosUpscalerInfo info;
    yonos_upscaler_get_info(self->upscaler, &info);
    GST_OBJECT_LOCK(self);
    g_free(self->device);
    self->device = g_strdup(info.device);
    self->info = info;
    self->info.device = self->device;
    GST_OBJECT_UNLOCK(self);
}

static gboolean gst_yonos_sr_start(GstBaseTransform *trans) {
    GstYonosSR *self = GST_YONOS_SR(trans);
    g_autoptr(GError) error = NULL;
    post_progress(self, GST_PROGRESS_TYPE_START, "Loading the model");
    g_autoptr(YonosModel) model = gst_yonos_sr_get_model(self, &error);
    YonosUpscaler *upscaler = model ? new_upscaler(self, model, &error) : NULL;
    if (!upscaler) {
        post_progress(self, GST_PROGRESS_TYPE_ERROR, error->message);
        post_error(self, error);
        return FALSE;
    }
    GST_OBJECT_LOCK(self);
    self->upscaler = upscaler;
    GST_OBJECT_UNLOCK(self);
    note_info(self);
    GST_INFO_OBJECT(self, "model %s (x%d) on %s", yonos_model_get_name(model), yonos_model_get_scale(model),
                    self->info.device);
    self->counter = 0;
    gst_yonos_stats_reset(self->stats);
    post_progress(self, GST_PROGRESS_TYPE_COMPLETE, "The model is loaded");
    return TRUE;
}

static gboolean gst_yonos_sr_stop(GstBaseTransform *trans) {
    GstYonosSR *self = GST_YONOS_SR(trans);
    GST_OBJECT_LOCK(self);
    YonosUpscaler *upscaler = g_steal_pointer(&self->upscaler);
    GST_OBJECT_UNLOCK(self);
    g_clear_pointer(&upscaler, yonos_upscaler_free);
    g_clear_pointer(&self->converter, gst_video_converter_free);
    return TRUE;
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
    GST_OBJECT_UNLOCK(self);
}

static gboolean gst_yonos_sr_sink_event(GstBaseTransform *trans, GstEvent *event) {
    GstYonosSR *self = GST_YONOS_SR(trans);
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_FLUSH_START:
        set_flushing(self, TRUE);
        break;
    case GST_EVENT_FLUSH_STOP:
        set_flushing(self, FALSE);
        break;
    default:
        break;
    }
    return GST_BASE_TRANSFORM_CLASS(gst_yonos_sr_parent_class)->sink_event(trans, event);
}

/* Navigation comes in output pixels and goes on in input pixels. */
static gboolean gst_yonos_sr_src_event(GstBaseTransform *trans, GstEvent *event) {
    GstYonosSR *self = GST_YONOS_SR(trans);
    gdouble x, y;
    if (GST_EVENT_TYPE(event) == GST_EVENT_NAVIGATION) {
        g_autoptr(YonosModel) model = gst_yonos_sr_get_model(self, NULL);
        event = GST_EVENT(gst_mini_object_make_writable(GST_MINI_OBJECT(event)));
        GstStructure *structure = (GstStructure *)gst_event_get_structure(event);
        if (model && gst_structure_get_double(structure, "pointer_x", &x) &&
            gst_structure_get_double(structure, "pointer_y", &y)) {
            gint scale = yonos_model_get_scale(model);
            gst_structure_set(structure, "pointer_x", G_TYPE_DOUBLE, x / scale, "pointer_y", G_TYPE_DOUBLE, y / scale,
                              NULL);
        }
    }
    return GST_BASE_TRANSFORM_CLASS(gst_yonos_sr_parent_class)->src_event(trans, event);
}

static GstStateChangeReturn gst_yonos_sr_change_state(GstElement *element, GstStateChange transition) {
    GstYonosSR *self = GST_YONOS_SR(element);
    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
        set_flushing(self, TRUE);
    return GST_ELEMENT_CLASS(gst_yonos_sr_parent_class)->change_state(element, transition);
}

/* ---- caps ---------------------------------------------------------------------------------------- */

static GstCaps *gst_yonos_sr_transform_caps(GstBaseTransform *trans, GstPadDirection direction, GstCaps *caps,
                                            GstCaps *filter) {
    GstYonosSR *self = GST_YONOS_SR(trans);
    g_autoptr(GError) error = NULL;
    g_autoptr(YonosModel) model = gst_yonos_sr_get_model(self, &error);
    /* start() posts the error; until then the sizes of the other side are open. */
    gint scale = model ? yonos_model_get_scale(model) : 1;
    if (!model)
        GST_DEBUG_OBJECT(self, "no model yet: %s", error->message);
    GstCaps *out = gst_yonos_caps_scale(caps, scale, direction == GST_PAD_SINK);
    if (filter) {
        GstCaps *both = gst_caps_intersect_full(filter, out, GST_CAPS_INTERSECT_FIRST);
        gst_caps_unref(out);
        out = both;
    }
    GST_LOG_OBJECT(self, "%" GST_PTR_FORMAT " -> %" GST_PTR_FORMAT, caps, out);
    return out;
}

static gboolean gst_yonos_sr_get_unit_size(GstBaseTransform *trans, GstCaps *caps, gsize *size) {
    GstVideoInfo info;
    (void)trans;
    if (!gst_video_info_from_caps(&info, caps))
        return FALSE;
    *size = GST_VIDEO_INFO_SIZE(&info);
    return TRUE;
}

static gboolean prepare_upscaler(GstYonosSR *self) {
    g_autoptr(GError) error = NULL;
    YonosColour colour = gst_yonos_colour(&self->in_info);
    gboolean ready =
        yonos_upscaler_prepare(self->upscaler, GST_VIDEO_INFO_WIDTH(&self->in_info),
                               GST_VIDEO_INFO_HEIGHT(&self->in_info),
                               gst_yonos_format(GST_VIDEO_INFO_FORMAT(&self->in_info)), &colour, &error);
    if (!ready)
        post_error(self, error);
    else
        note_info(self);
    return ready;
}

static gboolean gst_yonos_sr_set_caps(GstBaseTransform *trans, GstCaps *in_caps, GstCaps *out_caps) {
    GstYonosSR *self = GST_YONOS_SR(trans);
    GstVideoInfo in, out;
    if (!gst_video_info_from_caps(&in, in_caps) || !gst_video_info_from_caps(&out, out_caps)) {
        GST_ELEMENT_ERROR(self, STREAM, FORMAT, ("The caps cannot be read as raw video."),
                          ("%" GST_PTR_FORMAT " -> %" GST_PTR_FORMAT, in_caps, out_caps));
        return FALSE;
    }
    if (GST_VIDEO_INFO_IS_INTERLACED(&in)) {
        GST_ELEMENT_ERROR(self, STREAM, FORMAT, ("Interlaced video cannot be upscaled: put deinterlace first."), (NULL));
        return FALSE;
    }
    self->in_info = in;
    self->out_info = out;
    g_clear_pointer(&self->converter, gst_video_converter_free);
    return prepare_upscaler(self);
}

/* ---- buffers -------------------------------------------------------------------------------------- */

static gboolean gst_yonos_sr_propose_allocation(GstBaseTransform *trans, GstQuery *decide_query, GstQuery *query) {
    if (!GST_BASE_TRANSFORM_CLASS(gst_yonos_sr_parent_class)->propose_allocation(trans, decide_query, query))
        return FALSE;
    GstCaps *caps;
    GstVideoInfo info;
    gst_query_parse_allocation(query, &caps, NULL);
    if (!caps || !gst_video_info_from_caps(&info, caps))
        return FALSE;
    if (gst_query_get_n_allocation_pools(query) == 0)
        gst_query_add_allocation_pool(query, NULL, GST_VIDEO_INFO_SIZE(&info), 0, 0);
    gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
    return TRUE;
}

static GstBufferPool *make_pool(GstCaps *caps, guint size, guint min, guint max) {
    GstBufferPool *pool = gst_video_buffer_pool_new();
    GstStructure *config = gst_buffer_pool_get_config(pool);
    gst_buffer_pool_config_set_params(config, caps, size, min, max);
    gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
    if (!gst_buffer_pool_set_config(pool, config))
        gst_clear_object(&pool);
    return pool;
}

static gboolean gst_yonos_sr_decide_allocation(GstBaseTransform *trans, GstQuery *query) {
    GstCaps *caps;
    GstVideoInfo info;
    gst_query_parse_allocation(query, &caps, NULL);
    if (!caps || !gst_video_info_from_caps(&info, caps))
        return FALSE;
    if (gst_query_get_n_allocation_pools(query) == 0) {
        GstBufferPool *pool = make_pool(caps, (guint)GST_VIDEO_INFO_SIZE(&info), 0, 0);
        gst_query_add_allocation_pool(query, pool, (guint)GST_VIDEO_INFO_SIZE(&info), 0, 0);
        gst_clear_object(&pool);
    }
    return GST_BASE_TRANSFORM_CLASS(gst_yonos_sr_parent_class)->decide_allocation(trans, query);
}

/* videoconvertscale's rules: metas about the video as such are copied, those about sizes are scaled. */
static gboolean gst_yonos_sr_transform_meta(GstBaseTransform *trans, GstBuffer *outbuf, GstMeta *meta,
                                            GstBuffer *inbuf) {
    static const gchar *const kept[] = {GST_META_TAG_VIDEO_STR, GST_META_TAG_VIDEO_ORIENTATION_STR,
                                        GST_META_TAG_VIDEO_SIZE_STR, NULL};
    GstYonosSR *self = GST_YONOS_SR(trans);
    const GstMetaInfo *info = meta->info;
    const gchar *const *tags = gst_meta_api_type_get_tags(info->api);
    gboolean sized = FALSE;
    if (!tags)
        return TRUE;
    for (; *tags; tags++) {
        if (!g_strv_contains(kept, *tags))
            return FALSE;
        sized = sized || g_str_equal(*tags, GST_META_TAG_VIDEO_SIZE_STR);
    }
    if (!sized)
        return TRUE;
    GstVideoMetaTransform scaling = {&self->in_info, &self->out_info};
    if (info->transform_func)
        info->transform_func(outbuf, meta, inbuf, gst_video_meta_transform_scale_get_quark(), &scaling);
    return FALSE;
}

/* The number that selects a frame's noise; see the section comment. */
static guint64 frame_number(GstYonosSR *self, GstBuffer *buffer) {
    GstSegment *segment = &GST_BASE_TRANSFORM(self)->segment;
    gint n = GST_VIDEO_INFO_FPS_N(&self->in_info), d = GST_VIDEO_INFO_FPS_D(&self->in_info);
    guint64 time = GST_CLOCK_TIME_NONE;
    if (GST_BUFFER_PTS_IS_VALID(buffer) && segment->format == GST_FORMAT_TIME)
        time = gst_segment_to_stream_time(segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
    if (time != GST_CLOCK_TIME_NONE && n > 0 && d > 0)
        return gst_util_uint64_scale_round(time, (guint64)n, (guint64)d * GST_SECOND);
    if (time != GST_CLOCK_TIME_NONE)
        return time / GST_MSECOND; /* variable frame rate */
    if (GST_BUFFER_OFFSET_IS_VALID(buffer))
        return GST_BUFFER_OFFSET(buffer);
    return self->counter++;
}

static void resample(GstYonosSR *self, const GstVideoFrame *in, GstVideoFrame *out) {
    if (!self->converter)
        self->converter = gst_video_converter_new(
            &self->in_info, &self->out_info,
            gst_structure_new("options", GST_VIDEO_CONVERTER_OPT_RESAMPLER_METHOD, GST_TYPE_VIDEO_RESAMPLER_METHOD,
                              GST_VIDEO_RESAMPLER_METHOD_LANCZOS, NULL));
    gst_video_converter_frame(self->converter, in, out);
}

static GstFlowReturn upscale(GstYonosSR *self, const GstVideoFrame *in, GstVideoFrame *out, guint64 number) {
    g_autoptr(GError) error = NULL;
    YonosFrame from = gst_yonos_frame(in), to = gst_yonos_frame(out);
    gint64 begin = g_get_monotonic_time();
    /* The caps decide about colour, also where a buffer's own frame says nothing. */
    from.colour = to.colour = gst_yonos_colour(&self->in_info);
    if (yonos_upscaler_process(self->upscaler, &from, &to, number, &error)) {
        gst_yonos_stats_add(self->stats, g_get_monotonic_time() - begin);
        return GST_FLOW_OK;
    }
    if (g_error_matches(error, YONOS_ERROR, YONOS_ERROR_CANCELLED))
        return GST_FLOW_FLUSHING;
    post_error(self, error);
    return GST_FLOW_ERROR;
}

/* Every buffer passes here; GstBaseTransform drops late ones before transform(). */
static GstFlowReturn gst_yonos_sr_submit_input_buffer(GstBaseTransform *trans, gboolean is_discont, GstBuffer *input) {
    gst_yonos_stats_submit(GST_YONOS_SR(trans)->stats);
    return GST_BASE_TRANSFORM_CLASS(gst_yonos_sr_parent_class)->submit_input_buffer(trans, is_discont, input);
}

static GstFlowReturn gst_yonos_sr_transform(GstBaseTransform *trans, GstBuffer *inbuf, GstBuffer *outbuf) {
    GstYonosSR *self = GST_YONOS_SR(trans);
    GstYonosSettings settings = get_settings(self);
    GstVideoFrame in, out;
    GstFlowReturn result = GST_FLOW_OK;
    if (!gst_video_frame_map(&in, &self->in_info, inbuf, GST_MAP_READ)) {
        GST_ELEMENT_ERROR(self, STREAM, FAILED, ("The input frame cannot be read."), (NULL));
        return GST_FLOW_ERROR;
    }
    if (!gst_video_frame_map(&out, &self->out_info, outbuf, GST_MAP_WRITE)) {
        gst_video_frame_unmap(&in);
        GST_ELEMENT_ERROR(self, STREAM, FAILED, ("The output frame cannot be written."), (NULL));
        return GST_FLOW_ERROR;
    }
    guint64 number = frame_number(self, inbuf);
    gst_yonos_stats_transform(self->stats);
    yonos_upscaler_set_seed(self->upscaler, settings.seed);
    yonos_upscaler_set_noise_mode(self->upscaler, settings.noise_mode);
    yonos_upscaler_set_colour_fix(self->upscaler, settings.colour_fix);
    if (settings.bypass)
        resample(self, &in, &out);
    else
        result = upscale(self, &in, &out, number);
    gst_video_frame_unmap(&out);
    gst_video_frame_unmap(&in);
    return result;
}

/* A frame takes as long as the latest ones did. */
static gboolean gst_yonos_sr_query(GstBaseTransform *trans, GstPadDirection direction, GstQuery *query) {
    GstYonosSR *self = GST_YONOS_SR(trans);
    gboolean ok = GST_BASE_TRANSFORM_CLASS(gst_yonos_sr_parent_class)->query(trans, direction, query);
    GstClockTime own = gst_yonos_stats_mean(self->stats);
    if (ok && direction == GST_PAD_SRC && GST_QUERY_TYPE(query) == GST_QUERY_LATENCY && own != GST_CLOCK_TIME_NONE) {
        gboolean live;
        GstClockTime min, max;
        gst_query_parse_latency(query, &live, &min, &max);
        gst_query_set_latency(query, live, min + own, max == GST_CLOCK_TIME_NONE ? max : max + own);
    }
    return ok;
}

/* ---- properties -------------------------------------------------------------------------------------- */

static GstStructure *make_stats(GstYonosSR *self) {
    GstStructure *stats = gst_structure_new_empty("yonossr-stats");
    static const gchar *const precisions[] = {"auto", "f32", "bf16", "f16"};
    gst_yonos_stats_fill(self->stats, stats);
    GST_OBJECT_LOCK(self);
    const YonosUpscalerInfo info = self->info;
    gst_structure_set(stats, "dropped", G_TYPE_UINT64, gst_yonos_stats_dropped(self->stats), "backend", G_TYPE_STRING,
                      info.backend ? info.backend : "none", "device", G_TYPE_STRING,
                      info.device ? info.device : "none", "precision", G_TYPE_STRING, precisions[info.precision], "threads",
                      G_TYPE_INT, info.threads, "tiles", G_TYPE_INT, info.tiles_x * info.tiles_y, "tile-width",
                      G_TYPE_INT, info.tile_width, "tile-height", G_TYPE_INT, info.tile_height, "arena-bytes",
                      G_TYPE_UINT64, info.arena_bytes, "weight-bytes", G_TYPE_UINT64, info.weight_bytes, NULL);
    GST_OBJECT_UNLOCK(self);
    return stats;
}

/* Call with the object lock held. */
static void set_model_name(GstYonosSR *self, const gchar *name) {
    g_free(self->model_name);
    self->model_name = g_strdup(name && *name ? name : DEFAULT_MODEL);
    g_clear_pointer(&self->model, yonos_model_unref);
}

static void gst_yonos_sr_set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec) {
    GstYonosSR *self = GST_YONOS_SR(object);
    GstYonosSettings *s = &self->settings;
    GST_OBJECT_LOCK(self);
    switch (id) {
    case PROP_MODEL:
        set_model_name(self, g_value_get_string(value));
        break;
    case PROP_BACKEND:
        s->backend = (GstYonosBackend)g_value_get_enum(value);
        break;
    case PROP_THREADS:
        s->threads = g_value_get_uint(value);
        break;
    case PROP_PRECISION:
        s->precision = (YonosPrecision)g_value_get_enum(value);
        break;
    case PROP_SEED:
        s->seed = g_value_get_uint64(value);
        break;
    case PROP_NOISE_MODE:
        s->noise_mode = (YonosNoiseMode)g_value_get_enum(value);
        break;
    case PROP_TILE_SIZE:
        s->tile_size = g_value_get_uint(value);
        break;
    case PROP_TILE_OVERLAP:
        s->tile_overlap = g_value_get_int(value);
        break;
    case PROP_COLOUR_FIX:
        s->colour_fix = (YonosColourFix)g_value_get_enum(value);
        break;
    case PROP_BYPASS:
        s->bypass = g_value_get_boolean(value);
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
        break;
    }
    GST_OBJECT_UNLOCK(self);
}

static void get_setting(GstYonosSR *self, guint id, GValue *value, GParamSpec *pspec) {
    GstYonosSettings s = get_settings(self);
    switch (id) {
    case PROP_BACKEND:
        g_value_set_enum(value, (gint)s.backend);
        break;
    case PROP_THREADS:
        g_value_set_uint(value, s.threads);
        break;
    case PROP_PRECISION:
        g_value_set_enum(value, (gint)s.precision);
        break;
    case PROP_SEED:
        g_value_set_uint64(value, s.seed);
        break;
    case PROP_NOISE_MODE:
        g_value_set_enum(value, (gint)s.noise_mode);
        break;
    case PROP_TILE_SIZE:
        g_value_set_uint(value, s.tile_size);
        break;
    case PROP_TILE_OVERLAP:
        g_value_set_int(value, s.tile_overlap);
        break;
    case PROP_COLOUR_FIX:
        g_value_set_enum(value, (gint)s.colour_fix);
        break;
    case PROP_BYPASS:
        g_value_set_boolean(value, s.bypass);
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(self, id, pspec);
        break;
    }
}

static void gst_yonos_sr_get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec) {
    GstYonosSR *self = GST_YONOS_SR(object);
    switch (id) {
    case PROP_MODEL:
        GST_OBJECT_LOCK(self);
        g_value_set_string(value, self->model_name);
        GST_OBJECT_UNLOCK(self);
        break;
    case PROP_SCALE: {
        g_autoptr(YonosModel) model = gst_yonos_sr_get_model(self, NULL);
        g_value_set_uint(value, model ? (guint)yonos_model_get_scale(model) : 0);
        break;
    }
    case PROP_STATS:
        g_value_take_boxed(value, make_stats(self));
        break;
    default:
        get_setting(self, id, value, pspec);
        break;
    }
}

static void gst_yonos_sr_finalize(GObject *object) {
    GstYonosSR *self = GST_YONOS_SR(object);
    g_clear_pointer(&self->model, yonos_model_unref);
    g_free(self->model_name);
    g_free(self->device);
    gst_yonos_stats_free(self->stats);
    G_OBJECT_CLASS(gst_yonos_sr_parent_class)->finalize(object);
}

static void gst_yonos_sr_init(GstYonosSR *self) {
    self->settings.noise_mode = DEFAULT_NOISE_MODE;
    self->settings.tile_overlap = DEFAULT_TILE_OVERLAP;
    self->model_name = g_strdup(DEFAULT_MODEL);
    self->stats = gst_yonos_stats_new();
    gst_base_transform_set_qos_enabled(GST_BASE_TRANSFORM(self), TRUE);
}

static void install_properties(GObjectClass *klass) {
    const GParamFlags ready = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
    const GParamFlags playing =
        G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING | GST_PARAM_CONTROLLABLE;
    const GParamFlags readable = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

    g_object_class_install_property(
        klass, PROP_MODEL,
        g_param_spec_string("model", "Model",
                            "Model folder, or the name of a model in YONOS_MODELS_PATH or among the installed ones",
                            DEFAULT_MODEL, ready));
    g_object_class_install_property(
        klass, PROP_SCALE,
        g_param_spec_uint("scale", "Scale", "Magnification of the model: output pixels per input pixel and axis "
                          "(0: the model cannot be opened)", 0, 16, 0, readable));
    g_object_class_install_property(
        klass, PROP_BACKEND,
        g_param_spec_enum("backend", "Backend", "Device that runs the networks", gst_yonos_backend_get_type(),
                          GST_YONOS_BACKEND_AUTO, ready));
    g_object_class_install_property(
        klass, PROP_THREADS,
        g_param_spec_uint("threads", "Threads", "CPU threads (0: one per processor); changes no pixel", 0, 256, 0,
                          ready));
    g_object_class_install_property(
        klass, PROP_PRECISION,
        g_param_spec_enum("precision", "Precision", "Number format of the networks' activations",
                          gst_yonos_precision_get_type(), YONOS_PRECISION_AUTO, ready));
    g_object_class_install_property(
        klass, PROP_SEED,
        g_param_spec_uint64("seed", "Seed", "Seed of the noise: same seed, same frame number, same pixels", 0,
                            G_MAXUINT64, 0, playing));
    g_object_class_install_property(
        klass, PROP_NOISE_MODE,
        g_param_spec_enum("noise-mode", "Noise mode", "Whether the noise changes from frame to frame",
                          gst_yonos_noise_mode_get_type(), DEFAULT_NOISE_MODE, playing));
    g_object_class_install_property(
        klass, PROP_TILE_SIZE,
        g_param_spec_uint("tile-size", "Tile size",
                          "Largest side of a tile in output pixels, 64 to 8192 (0: chosen from frame size and model)", 0,
                          8192, 0, ready));
    g_object_class_install_property(
        klass, PROP_TILE_OVERLAP,
        g_param_spec_int("tile-overlap", "Tile overlap",
                         "Overlap of neighbouring tiles in output pixels, at most half a tile (-1: chosen from the model)",
                         -1, 4096, DEFAULT_TILE_OVERLAP, ready));
    g_object_class_install_property(
        klass, PROP_COLOUR_FIX,
        g_param_spec_enum("colour-fix", "Colour fix", "How the result's colours are tied to the input's",
                          gst_yonos_colour_fix_get_type(), YONOS_COLOUR_FIX_DEFAULT, playing));
    g_object_class_install_property(
        klass, PROP_BYPASS,
        g_param_spec_boolean("bypass", "Bypass", "Upscale by Lanczos resampling alone, to the same size", FALSE,
                             playing));
    g_object_class_install_property(
        klass, PROP_STATS,
        g_param_spec_boxed("stats", "Statistics",
                           "frames, dropped, ms-mean, ms-p95 and fps of the latest 256 frames, backend, device, "
                           "precision, threads, tiles, tile-width and tile-height in output pixels, arena-bytes, "
                           "weight-bytes", GST_TYPE_STRUCTURE, readable));
}

static void gst_yonos_sr_class_init(GstYonosSRClass *klass) {
    GObjectClass *object_class = G_OBJECT_CLASS(klass);
    GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
    GstBaseTransformClass *trans_class = GST_BASE_TRANSFORM_CLASS(klass);
    GST_DEBUG_CATEGORY_INIT(gst_yonos_sr_debug, "yonossr", 0, "one-step latent diffusion upscaler");

    object_class->set_property = gst_yonos_sr_set_property;
    object_class->get_property = gst_yonos_sr_get_property;
    object_class->finalize = gst_yonos_sr_finalize;
    install_properties(object_class);

    gst_element_class_add_static_pad_template(element_class, &sink_template);
    gst_element_class_add_static_pad_template(element_class, &src_template);
    gst_element_class_set_static_metadata(
        element_class, "One-step diffusion upscaler", "Filter/Effect/Converter/Video/Scaler",
        "Upscales video by the scale of its model with one step of latent diffusion (YONOS-SR)", "The yonossr authors");
    gst_type_mark_as_plugin_api(gst_yonos_backend_get_type(), 0);
    gst_type_mark_as_plugin_api(gst_yonos_precision_get_type(), 0);
    gst_type_mark_as_plugin_api(gst_yonos_noise_mode_get_type(), 0);
    gst_type_mark_as_plugin_api(gst_yonos_colour_fix_get_type(), 0);

    element_class->change_state = GST_DEBUG_FUNCPTR(gst_yonos_sr_change_state);
    trans_class->passthrough_on_same_caps = FALSE;
    trans_class->start = GST_DEBUG_FUNCPTR(gst_yonos_sr_start);
    trans_class->stop = GST_DEBUG_FUNCPTR(gst_yonos_sr_stop);
    trans_class->sink_event = GST_DEBUG_FUNCPTR(gst_yonos_sr_sink_event);
    trans_class->src_event = GST_DEBUG_FUNCPTR(gst_yonos_sr_src_event);
    trans_class->transform_caps = GST_DEBUG_FUNCPTR(gst_yonos_sr_transform_caps);
    trans_class->get_unit_size = GST_DEBUG_FUNCPTR(gst_yonos_sr_get_unit_size);
    trans_class->set_caps = GST_DEBUG_FUNCPTR(gst_yonos_sr_set_caps);
    trans_class->propose_allocation = GST_DEBUG_FUNCPTR(gst_yonos_sr_propose_allocation);
    trans_class->decide_allocation = GST_DEBUG_FUNCPTR(gst_yonos_sr_decide_allocation);
    trans_class->transform_meta = GST_DEBUG_FUNCPTR(gst_yonos_sr_transform_meta);
    trans_class->submit_input_buffer = GST_DEBUG_FUNCPTR(gst_yonos_sr_submit_input_buffer);
    trans_class->transform = GST_DEBUG_FUNCPTR(gst_yonos_sr_transform);
    trans_class->query = GST_DEBUG_FUNCPTR(gst_yonos_sr_query);
}
