/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One frame, in the streaming thread: its number, how much of the networks it gets, and the picture.
 *
 * The number selects the noise and is a function of the frame alone, so that seeks, drops and restarts change no
 * pixel: stream time times the frame rate, rounded; with a variable frame rate (0/1) stream time in milliseconds;
 * without timestamps, or in a segment of bytes, GST_BUFFER_OFFSET; without that too, a count since start or the last
 * flush.
 */
#include "gstyonosmeta.h"
#include "gstyonossr.h"

#define GST_CAT_DEFAULT gst_yonos_sr_debug

static guint64 frame_number(GstYonosSR *self, GstBuffer *buffer) {
    GstSegment *segment = &GST_BASE_TRANSFORM(self)->segment;
    guint64 n = (guint64)MAX(GST_VIDEO_INFO_FPS_N(&self->in_info), 0),
            d = (guint64)MAX(GST_VIDEO_INFO_FPS_D(&self->in_info), 0), time = 0;
    gint sign = 0;
    /* A buffer may begin before its segment; its stream time counts on there, even below 0. */
    if (GST_BUFFER_PTS_IS_VALID(buffer) && segment->format == GST_FORMAT_TIME)
        sign = gst_segment_to_stream_time_full(segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer), &time);
    if (sign != 0) {
        guint64 number = n > 0 && d > 0 ? gst_util_uint64_scale_round(time, n, d * GST_SECOND) : time / GST_MSECOND;
        return sign > 0 ? number : -number;
    }
    if (GST_BUFFER_OFFSET_IS_VALID(buffer))
        return GST_BUFFER_OFFSET(buffer);
    return self->counter++;
}

/* ---- late frames ------------------------------------------------------------------------------------ */

/* How much earlier than the pipeline's clock needs it the frame is here; only live sources run with the clock. */
static gint64 clock_slack(GstYonosSR *self, GstClockTime running_time) {
    GST_OBJECT_LOCK(self);
    GstClockTime latency = self->latency;
    gboolean live = self->live;
    GST_OBJECT_UNLOCK(self);
    g_autoptr(GstClock) clock =
        live && GST_CLOCK_TIME_IS_VALID(latency) ? gst_element_get_clock(GST_ELEMENT(self)) : NULL;
    if (!clock || !GST_CLOCK_TIME_IS_VALID(running_time))
        return GST_YONOS_SLACK_UNKNOWN;
    gint64 now = (gint64)(gst_clock_get_time(clock) - gst_element_get_base_time(GST_ELEMENT(self)));
    return (gint64)(running_time + latency) - now;
}

static gint64 period_of(GstYonosSR *self, GstBuffer *buffer) {
    gint n = GST_VIDEO_INFO_FPS_N(&self->in_info), d = GST_VIDEO_INFO_FPS_D(&self->in_info);
    if (n > 0 && d > 0)
        return (gint64)gst_util_uint64_scale_int(GST_SECOND, d, n);
    return GST_BUFFER_DURATION_IS_VALID(buffer) ? (gint64)GST_BUFFER_DURATION(buffer) : 0;
}

/* From 0 (resample) to GST_YONOS_FADE_FRAMES (the networks' result). */
static guint choose_weight(GstYonosSR *self, const GstYonosSettings *settings, GstBuffer *buffer) {
    if (settings->bypass)
        return 0;
    if (settings->late_policy != GST_YONOS_LATE_FAST || !gst_base_transform_is_qos_enabled(GST_BASE_TRANSFORM(self)))
        return GST_YONOS_FADE_FRAMES;
    const GstSegment *segment = &GST_BASE_TRANSFORM(self)->segment;
    GstClockTime time = segment->format == GST_FORMAT_TIME
                            ? gst_segment_to_running_time(segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer))
                            : GST_CLOCK_TIME_NONE;
    GstClockTime mean = gst_yonos_stats_mean(self->stats);
    gint64 slack = clock_slack(self, time), kept = (gint64)gst_yonos_sr_keeping_time(self),
           cost = GST_CLOCK_TIME_IS_VALID(mean) ? (gint64)mean : 0;
    GST_OBJECT_LOCK(self);
    slack = MIN(slack, gst_yonos_late_slack(&self->late, time));
    if (slack != GST_YONOS_SLACK_UNKNOWN)
        slack -= kept;
    guint weight = gst_yonos_late_choose(&self->late, slack, cost, period_of(self, buffer));
    GST_OBJECT_UNLOCK(self);
    GST_LOG_OBJECT(self, "slack %" G_GINT64_FORMAT " ns, networks' part %u of %u", slack, weight,
                   GST_YONOS_FADE_FRAMES);
    return weight;
}

/* ---- the picture --------------------------------------------------------------------------------------- */

void gst_yonos_sr_apply_settings(GstYonosSR *self, const GstYonosSettings *settings) {
    gboolean reuse = settings->reuse_static && settings->noise_mode == YONOS_NOISE_STATIC;
    if (settings->reuse_static && !reuse)
        gst_yonos_sr_warn_once(self, GST_YONOS_WARNING_REUSE,
                               "reuse-static does nothing with noise-mode=per-frame; set noise-mode=static.");
    yonos_upscaler_set_seed(self->upscaler, settings->seed);
    yonos_upscaler_set_noise_mode(self->upscaler, settings->noise_mode);
    yonos_upscaler_set_colour_fix(self->upscaler, settings->colour_fix);
    yonos_upscaler_set_reuse(self->upscaler, reuse);
    yonos_upscaler_set_steadiness(self->upscaler, settings->steadiness);
}

/* Fades and compares with the resampled original, where asked for. */
static gboolean mix(GstYonosSR *self, const GstYonosSettings *settings, guint weight, const GstVideoFrame *in,
                    GstVideoFrame *out, GError **error) {
    gboolean fading = weight < GST_YONOS_FADE_FRAMES, comparing = settings->compare != GST_YONOS_COMPARE_NONE;
    if (!fading && !comparing)
        return TRUE;
    GstVideoFrame *original = gst_yonos_path_get_spare(self->path, error);
    if (!original || !gst_yonos_path_resample(self->path, in, original, error))
        return FALSE;
    if (fading)
        gst_yonos_fade(weight, GST_YONOS_FADE_FRAMES, original, out);
    if (comparing)
        gst_yonos_compare(settings->compare, settings->compare_position, &self->picture, original, out);
    return TRUE;
}

static GstFlowReturn resample(GstYonosSR *self, const GstYonosSettings *settings, const GstVideoFrame *in,
                              GstVideoFrame *out) {
    g_autoptr(GError) error = NULL;
    if (!gst_yonos_path_resample(self->path, in, out, &error))
        return gst_yonos_sr_fail(self, error);
    gst_yonos_compare(settings->compare, settings->compare_position, &self->picture, out, out);
    gst_yonos_stats_resampled(self->stats, !settings->bypass);
    gst_yonos_sr_post_after_frame(self);
    return GST_FLOW_OK;
}

/* The engine does one thing at a time where the result is not the frame itself. */
static GstFlowReturn upscale(GstYonosSR *self, const GstYonosSettings *settings, guint weight, const GstVideoFrame *in,
                             GstVideoFrame *out, guint64 number) {
    g_autoptr(GError) error = NULL;
    gint64 begin = g_get_monotonic_time(), engine = 0;
    GstFlowReturn result = gst_yonos_sr_complete_frames(self);
    if (result != GST_FLOW_OK)
        return result;
    if (!gst_yonos_path_upscale(self->path, self->upscaler, in, out, number, &engine, &error) ||
        !mix(self, settings, weight, in, out, &error))
        return gst_yonos_sr_fail(self, error);
    gst_yonos_sr_count_frame(self, g_get_monotonic_time() - begin, engine);
    return GST_FLOW_OK;
}

/* Takes the mapped output frame where that stays in flight. */
static GstFlowReturn submit(GstYonosSR *self, GstYonosBegun *begun, const GstVideoFrame *in, const GstVideoFrame *out,
                            guint64 number) {
    g_autoptr(GError) error = NULL;
    gint64 begin = g_get_monotonic_time();
    if (!gst_yonos_path_submit(self->path, self->upscaler, in, out, number, &error))
        return gst_yonos_sr_fail(self, error);
    begun->time = begun->engine = g_get_monotonic_time() - begin;
    begun->in_flight = TRUE;
    begun->out = *out;
    return GST_FLOW_OK;
}

static GstFlowReturn render(GstYonosSR *self, const GstYonosSettings *settings, guint64 number, guint weight,
                            GstYonosBegun *begun, const GstVideoFrame *in, GstVideoFrame *out) {
    if (weight == 0)
        return resample(self, settings, in, out);
    gst_yonos_sr_apply_settings(self, settings);
    return weight == GST_YONOS_FADE_FRAMES && gst_yonos_sr_keeps_frames(self)
               ? submit(self, begun, in, out, number)
               : upscale(self, settings, weight, in, out, number);
}

/* Whether nothing but the engine touches the frames, and that where they are: all else maps them into system memory. */
static gboolean stays_on_device(GstYonosSR *self, const GstYonosSettings *settings, guint weight) {
    return weight == GST_YONOS_FADE_FRAMES && settings->compare == GST_YONOS_COMPARE_NONE && self->info.device_frames &&
           gst_yonos_path_is_direct(self->path);
}

GstFlowReturn gst_yonos_sr_transform(GstBaseTransform *trans, GstBuffer *inbuf, GstBuffer *outbuf) {
    GstYonosSR *self = GST_YONOS_SR(trans);
    GstYonosSettings settings = gst_yonos_sr_get_settings(self);
    GstVideoFrame in, out;
    GstFlowReturn result = GST_FLOW_ERROR;
    g_return_val_if_fail(self->n_begun < YONOS_IN_FLIGHT, result);
    GstYonosBegun *begun = &self->begun[self->n_begun];
    *begun = (GstYonosBegun){.discont = self->discont};
    gst_yonos_stats_transform(self->stats);
    if (GST_BUFFER_IS_DISCONT(inbuf))
        yonos_upscaler_forget_frames(self->upscaler);
    guint64 number = frame_number(self, inbuf);
    guint weight = choose_weight(self, &settings, inbuf);
    gboolean device = stays_on_device(self, &settings, weight);
    if (!gst_video_frame_map(&in, &self->in_info, inbuf,
                             GST_MAP_READ | (device ? gst_yonos_cuda_map_flags(inbuf) : 0))) {
        GST_ELEMENT_ERROR(self, STREAM, FAILED, ("The input frame cannot be read."), (NULL));
        return result;
    }
    if (!gst_video_frame_map(&out, &self->out_info, outbuf,
                             GST_MAP_WRITE | (device ? gst_yonos_cuda_map_flags(outbuf) : 0))) {
        gst_video_frame_unmap(&in);
        GST_ELEMENT_ERROR(self, STREAM, FAILED, ("The output frame cannot be written."), (NULL));
        return result;
    }
    GstVideoFrame cropped = in;
    if (gst_yonos_meta_crop(inbuf, &self->in_info, &cropped))
        result = render(self, &settings, number, weight, begun, &cropped, &out);
    else
        GST_ELEMENT_ERROR(self, STREAM, FORMAT,
                          ("A frame has another size than its caps say, and no crop that fits: put videocrop or "
                           "videoconvertscale before yonossr."),
                          ("%d x %d instead of %d x %d", GST_VIDEO_FRAME_WIDTH(&in), GST_VIDEO_FRAME_HEIGHT(&in),
                           GST_VIDEO_INFO_WIDTH(&self->in_info), GST_VIDEO_INFO_HEIGHT(&self->in_info)));
    if (!begun->in_flight)
        gst_video_frame_unmap(&out);
    begun->in = in;
    begun->keeps_in = begun->in_flight && device && gst_yonos_cuda_map_flags(inbuf) != 0;
    if (!begun->keeps_in)
        gst_video_frame_unmap(&in);
    self->n_begun += result == GST_FLOW_OK;
    return result;
}
