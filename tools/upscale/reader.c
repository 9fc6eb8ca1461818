/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decoding a part of a video; see reader.h.
 *
 * Where the container's index can be trusted, the demultiplexer seeks to the frame before the part, else decoding
 * begins at the beginning of the file. A decoder cuts the frame that is shown across the seek position; the frames
 * before the part are dropped here, and the cut one is among them.
 */
#include "reader.h"
#include "pipeline.h"

enum { DECODED_FRAMES = 4 };

struct _Reader {
    const Scan *scan;
    GstElement *pipeline, *sink;
    Segment segment;
    gboolean linked, any, given; /* a frame was there; one of the part was */
    gboolean at_start;           /* decoding began at the beginning of the file */
    char *damage;
};

static gboolean on_autoplug(GstElement *decodebin G_GNUC_UNUSED, GstPad *pad G_GNUC_UNUSED, GstCaps *caps,
                            gpointer data G_GNUC_UNUSED) {
    ScanKind kind = scan_kind(caps);
    return kind != SCAN_AUDIO && kind != SCAN_TEXT;
}

static gboolean is_interlaced(const GstCaps *caps) {
    const char *mode = gst_structure_get_string(gst_caps_get_structure(caps, 0), "interlace-mode");
    return mode && !g_str_equal(mode, "progressive");
}

/* deinterlace lets frames in other formats pass as they are, interlaced. */
static void restrict_formats(Reader *r) {
    g_autoptr(GstElement) filter = pipeline_get(r->pipeline, "formats");
    gst_util_set_object_arg(G_OBJECT(filter), "caps", "video/x-raw,format={I420,YV12,NV12,NV21,Y42B,Y444,YUY2,AYUV}");
}

static void on_pad_added(GstElement *decodebin G_GNUC_UNUSED, GstPad *pad, gpointer data) {
    Reader *r = data;
    g_autofree char *id = gst_pad_get_stream_id(pad);
    g_autoptr(GstCaps) caps = gst_pad_get_current_caps(pad);
    if (!caps)
        caps = gst_pad_query_caps(pad, NULL);
    gboolean raw = gst_structure_has_name(gst_caps_get_structure(caps, 0), "video/x-raw");
    if (r->linked || !raw || g_strcmp0(id, r->scan->video->id) != 0) {
        pipeline_discard(GST_BIN(r->pipeline), pad);
        return;
    }
    r->linked = TRUE;
    if (is_interlaced(caps))
        restrict_formats(r);
    g_autoptr(GstElement) front = pipeline_get(r->pipeline, "front");
    g_autoptr(GstPad) target = gst_element_get_static_pad(front, "sink");
    gst_pad_link(pad, target);
}

static gboolean open_pipeline(Reader *r, GError **error) {
    g_autofree char *location = pipeline_quote(r->scan->path);
    /* Progressive frames pass through unchanged; one frame for both fields keeps the video's frame rate. */
    g_autofree char *description = g_strdup_printf("filesrc location=%s ! decodebin name=decode "
                                                   "videoconvert name=front ! capsfilter name=formats "
                                                   "! deinterlace fields=top ! appsink name=sink sync=false "
                                                   "max-buffers=%d qos=false",
                                                   location, DECODED_FRAMES);
    r->pipeline = pipeline_new(description, r->scan->path, error);
    if (!r->pipeline)
        return FALSE;
    r->sink = pipeline_get(r->pipeline, "sink");
    r->linked = FALSE;
    g_autoptr(GstElement) decode = pipeline_get(r->pipeline, "decode");
    g_signal_connect(decode, "autoplug-continue", G_CALLBACK(on_autoplug), NULL);
    g_signal_connect(decode, "pad-added", G_CALLBACK(on_pad_added), r);
    return pipeline_start(r->pipeline, GST_STATE_PAUSED, UPSCALE_INPUT, error);
}

static void close_pipeline(Reader *r) {
    gst_clear_object(&r->sink);
    g_clear_pointer(&r->pipeline, pipeline_free);
}

static gboolean seek(Reader *r) {
    return gst_element_seek_simple(r->pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE,
                                   (gint64)r->segment.seek);
}

/* FALSE without an error where the seek is refused. */
static gboolean begin(Reader *r, gboolean at_start, GError **error) {
    close_pipeline(r);
    r->at_start = at_start;
    return open_pipeline(r, error) && (at_start || seek(r)) &&
           pipeline_start(r->pipeline, GST_STATE_PLAYING, UPSCALE_INPUT, error);
}

Reader *reader_new(const Scan *scan, const Segment *segment, GError **error) {
    Reader *r = g_new0(Reader, 1);
    *r = (Reader){.scan = scan, .segment = *segment};
    g_autoptr(GError) cause = NULL;
    gboolean at_start = segment->seek == 0 || !scan->seekable;
    if (begin(r, at_start, &cause) || (!at_start && !cause && begin(r, TRUE, &cause)))
        return r;
    reader_free(r);
    g_propagate_error(error, g_steal_pointer(&cause));
    return NULL;
}

void reader_free(Reader *r) {
    if (!r)
        return;
    close_pipeline(r);
    g_free(r->damage);
    g_free(r);
}

const char *reader_get_damage(const Reader *r) {
    return r->damage;
}

/* The next decoded frame, wanted or not; NULL at the end or on an error. */
static GstSample *pull_any(Reader *r, const gint *cancel, GError **error) {
    while (!g_atomic_int_get(cancel) && !upscale_interrupted(error)) {
        GstSample *sample = gst_app_sink_try_pull_sample(GST_APP_SINK(r->sink), 50 * GST_MSECOND);
        if (sample)
            return sample;
        if (!pipeline_check(r->pipeline, UPSCALE_INPUT, error) || gst_app_sink_is_eos(GST_APP_SINK(r->sink)))
            return NULL;
    }
    return NULL;
}

static GstClockTime time_of(GstSample *sample) {
    GstBuffer *buffer = gst_sample_get_buffer(sample);
    if (!buffer || !GST_BUFFER_PTS_IS_VALID(buffer))
        return GST_CLOCK_TIME_NONE;
    return gst_segment_to_stream_time(gst_sample_get_segment(sample), GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
}

/* With its stream time as timestamp, and the nominal frame rate of the file whatever the decoder makes of a part. The
 * part's first frame alone is marked, so that no frame depends on those of another part. */
static GstSample *retimed(Reader *r, GstSample *sample, GstClockTime time) {
    GstBuffer *buffer = gst_buffer_copy(gst_sample_get_buffer(sample));
    GST_BUFFER_PTS(buffer) = time;
    GST_BUFFER_DTS(buffer) = GST_CLOCK_TIME_NONE;
    GST_BUFFER_FLAG_UNSET(buffer, GST_BUFFER_FLAG_DISCONT | GST_BUFFER_FLAG_RESYNC);
    if (!r->given)
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    r->given = TRUE;
    GstCaps *caps = gst_caps_copy(gst_sample_get_caps(sample));
    const GstStructure *coded = gst_caps_get_structure(r->scan->video->caps, 0);
    int numerator, denominator;
    if (gst_structure_get_fraction(coded, "framerate", &numerator, &denominator))
        gst_caps_set_simple(caps, "framerate", GST_TYPE_FRACTION, numerator, denominator, NULL);
    GstSample *result = gst_sample_new(buffer, caps, NULL, NULL);
    gst_buffer_unref(buffer);
    gst_caps_unref(caps);
    gst_sample_unref(sample);
    return result;
}

/* A file that breaks off is worth what comes before the break; one that gives nothing is an error. */
static void judge_error(Reader *r, GError *cause, GError **error) {
    if (cause && cause->code == UPSCALE_INPUT && (r->any || r->scan->damage)) {
        r->damage = g_strdup(cause->message);
        g_error_free(cause);
    } else if (cause) {
        g_propagate_error(error, cause);
    }
}

GstSample *reader_pull(Reader *r, const gint *cancel, GError **error) {
    GError *cause = NULL;
    GstSample *sample;
    while ((sample = pull_any(r, cancel, &cause))) {
        GstClockTime time = time_of(sample);
        if (!r->any && !r->at_start && GST_CLOCK_TIME_IS_VALID(time) && time > r->segment.first) {
            /* The index led behind the first frame. */
            gst_sample_unref(g_steal_pointer(&sample));
            if (!begin(r, TRUE, &cause))
                break;
            continue;
        }
        r->any = TRUE;
        if (GST_CLOCK_TIME_IS_VALID(time) && GST_CLOCK_TIME_IS_VALID(r->segment.stop) && time >= r->segment.stop)
            break;
        if (GST_CLOCK_TIME_IS_VALID(time) && time >= r->segment.start)
            return retimed(r, sample, time);
        gst_sample_unref(sample);
    }
    g_clear_pointer(&sample, gst_sample_unref);
    judge_error(r, cause, error);
    return NULL;
}
