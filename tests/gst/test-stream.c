/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Streams through the element: time, late frames, latency, stopping, metas, navigation, messages, models, presets.
 */
#include <unistd.h>

#include <glib/gstdio.h>
#include <gst/controller/gstdirectcontrolbinding.h>
#include <gst/controller/gstinterpolationcontrolsource.h>
#include <gst/video/navigation.h>

#include "gstyonoslate.h"
#include "helpers.h"

enum { WIDTH = 32, HEIGHT = 24 };

static const char rgb[] = "video/x-raw,format=RGB,width=32,height=24,framerate=25/1";

/* ---- time ---------------------------------------------------------------------------------------- */

static GstBuffer *frame_at(const char *caps, GstClockTime time, guint64 offset) {
    GstBuffer *buffer = frame_new(caps, 0);
    GST_BUFFER_PTS(buffer) = time;
    GST_BUFFER_OFFSET(buffer) = offset;
    return buffer;
}

static GBytes *pull_bytes(GstHarness *h, GstBuffer *in) {
    GstBuffer *out = gst_harness_push_and_pull(h, in);
    g_assert_nonnull(out);
    g_assert_cmpuint(GST_BUFFER_PTS(out), ==, GST_BUFFER_PTS(in));
    GBytes *bytes = bytes_of(out);
    gst_buffer_unref(out);
    return bytes;
}

/* The bytes of a frame with per-frame noise, told apart by its number alone. */
static GBytes *numbered(const char *caps, GstClockTime time, guint64 offset) {
    GstHarness *h = harness_new("noise-mode=per-frame colour-fix=none");
    gst_harness_set_src_caps_str(h, caps);
    GstBuffer *in = frame_at(caps, time, offset);
    GBytes *bytes = pull_bytes(h, gst_buffer_ref(in));
    gst_buffer_unref(in);
    gst_harness_teardown(h);
    return bytes;
}

static void assert_different(GBytes *a, GBytes *b) {
    g_assert_false(g_bytes_equal(a, b));
    g_bytes_unref(a);
    g_bytes_unref(b);
}

static const guint64 none = GST_BUFFER_OFFSET_NONE;

static void test_frame_numbers(void) {
    const char *variable = "video/x-raw,format=RGB,width=32,height=24,framerate=0/1";
    const GstClockTime ms = GST_MSECOND, never = GST_CLOCK_TIME_NONE;
    /* Time times rate, rounded; the offset does not matter then. */
    assert_same(numbered(rgb, 120 * ms, none), numbered(rgb, 119 * ms, 77));
    assert_different(numbered(rgb, 120 * ms, none), numbered(rgb, 160 * ms, none));
    /* Without time the offset; without both a count, from 0. */
    assert_same(numbered(rgb, never, 3), numbered(rgb, 120 * ms, none));
    assert_same(numbered(rgb, never, none), numbered(rgb, 0, none));
    /* A variable rate counts milliseconds; a still image is frame 0. */
    assert_same(numbered(variable, 3 * ms, none), numbered(rgb, 120 * ms, none));
    assert_different(numbered(variable, 3 * ms, none), numbered(variable, 4 * ms, none));
    assert_same(numbered(variable, never, none), numbered(rgb, 0, none));
}

static void test_missing_timestamps(void) {
    GstHarness *h = harness_new("noise-mode=per-frame colour-fix=none");
    GBytes *first[3];
    gst_harness_set_src_caps_str(h, rgb);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++) {
            GstBuffer *out = gst_harness_push_and_pull(h, frame_at(rgb, GST_CLOCK_TIME_NONE, none));
            GBytes *bytes = bytes_of(out);
            gst_buffer_unref(out);
            if (round == 0)
                first[i] = bytes;
            else
                assert_same(first[i], bytes);
        }
        if (round == 0)
            g_assert_false(g_bytes_equal(first[0], first[1]));
        GstSegment segment;
        gst_segment_init(&segment, GST_FORMAT_TIME);
        gst_harness_push_event(h, gst_event_new_flush_start());
        gst_harness_push_event(h, gst_event_new_flush_stop(TRUE));
        gst_harness_push_event(h, gst_event_new_segment(&segment));
    }
    gst_harness_teardown(h);
}

/* Raw frames out of a file come in a segment of bytes: times mean nothing there, frames are told apart by offset. */
static void test_segment_of_bytes(void) {
    static const char *const policies[] = {"late-policy=process", "late-policy=drop", "late-policy=fast"};
    for (guint i = 0; i < G_N_ELEMENTS(policies); i++) {
        g_autofree char *options = g_strdup_printf("noise-mode=per-frame colour-fix=none qos=true %s", policies[i]);
        GstHarness *h = harness_new(options);
        GstSegment segment;
        gst_harness_set_src_caps_str(h, rgb);
        gst_segment_init(&segment, GST_FORMAT_BYTES);
        g_assert_true(gst_harness_push_event(h, gst_event_new_segment(&segment)));
        GstBuffer *out = gst_harness_push_and_pull(h, frame_at(rgb, 400 * GST_MSECOND, 3));
        assert_same(numbered(rgb, 120 * GST_MSECOND, none), bytes_of(out));
        gst_buffer_unref(out);
        gst_harness_teardown(h);
    }
}

/* A segment that begins elsewhere changes no pixel, also for frames that begin before it. */
static void test_segments(void) {
    GBytes *reference = numbered(rgb, 400 * GST_MSECOND, none);
    for (int i = 0; i < 3; i++) {
        static const guint64 starts[] = {0, 300, 420}; /* ms */
        GstHarness *h = harness_new("noise-mode=per-frame colour-fix=none");
        GstSegment segment;
        gst_harness_set_src_caps_str(h, rgb);
        gst_segment_init(&segment, GST_FORMAT_TIME);
        segment.start = segment.time = starts[i] * GST_MSECOND;
        g_assert_true(gst_harness_push_event(h, gst_event_new_segment(&segment)));
        GstBuffer *out = gst_harness_push_and_pull(h, frame_at(rgb, 400 * GST_MSECOND, none));
        assert_same(g_bytes_ref(reference), bytes_of(out));
        gst_buffer_unref(out);
        gst_harness_teardown(h);
    }
    g_bytes_unref(reference);
}

/* ---- late frames ---------------------------------------------------------------------------------- */

static void test_late_machine(void) {
    const gint64 ms = GST_MSECOND;
    GstYonosLate late = {0};
    gst_yonos_late_reset(&late);
    g_assert_cmpuint(gst_yonos_late_choose(&late, GST_YONOS_SLACK_UNKNOWN, 0, 40 * ms), ==, GST_YONOS_FADE_FRAMES);
    g_assert_true(gst_yonos_late_slack(&late, 0) == GST_YONOS_SLACK_UNKNOWN);
    gst_yonos_late_qos(&late, 1000 * (GstClockTime)ms, 200 * ms);
    g_assert_cmpint(gst_yonos_late_slack(&late, 1100 * (GstClockTime)ms), ==, -100 * ms);
    g_assert_cmpuint(gst_yonos_late_choose(&late, -100 * ms, 50 * ms, 40 * ms), ==, 0);
    g_assert_cmpuint(late.switches, ==, 1);
    /* Networks that cannot keep up wait for slack, then come back faded. */
    for (int i = 0; i < 20; i++)
        g_assert_cmpuint(gst_yonos_late_choose(&late, 20 * ms, 50 * ms, 40 * ms), ==, 0);
    for (guint i = 1; i <= GST_YONOS_FADE_FRAMES; i++)
        g_assert_cmpuint(gst_yonos_late_choose(&late, 120 * ms, 50 * ms, 40 * ms), ==, i);
    g_assert_cmpuint(gst_yonos_late_choose(&late, 120 * ms, 50 * ms, 40 * ms), ==, GST_YONOS_FADE_FRAMES);
    /* Networks that keep up come back after five frames in time. */
    g_assert_cmpuint(gst_yonos_late_choose(&late, -1, 20 * ms, 40 * ms), ==, 0);
    g_assert_cmpuint(gst_yonos_late_choose(&late, -1, 20 * ms, 40 * ms), ==, 0);
    g_assert_cmpuint(late.switches, ==, 2);
    for (int i = 0; i < 4; i++)
        g_assert_cmpuint(gst_yonos_late_choose(&late, 1, 20 * ms, 40 * ms), ==, 0);
    g_assert_cmpuint(gst_yonos_late_choose(&late, 1, 20 * ms, 40 * ms), ==, 1);
    /* Far too slow ones never do by themselves. */
    gst_yonos_late_choose(&late, -1, 1000 * ms, 40 * ms);
    for (int i = 0; i < 200; i++)
        g_assert_cmpuint(gst_yonos_late_choose(&late, 30 * ms, 1000 * ms, 40 * ms), ==, 0);
}

static GstFlowReturn push_frames(GstHarness *h, int first, int count) {
    GstFlowReturn result = GST_FLOW_OK;
    for (int i = first; i < first + count; i++) {
        result = gst_harness_push(h, frame_new(rgb, i));
        GstBuffer *out = gst_harness_try_pull(h);
        if (out)
            gst_buffer_unref(out);
    }
    return result;
}

/* The sink says that the frame of 0.4 s came 2 s late: what becomes of those that follow. */
static GstHarness *late_harness(const char *policy) {
    g_autofree char *options = g_strdup_printf("late-policy=%s", policy);
    GstHarness *h = harness_new(options);
    gst_harness_set(h, "yonossr", "qos", TRUE, NULL);
    gst_harness_set_src_caps_str(h, rgb);
    push_frames(h, 0, 10);
    g_assert_cmpuint(stats_count(h, "frames"), ==, 10);
    gst_harness_push_upstream_event(h,
                                    gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 3.0, 2 * GST_SECOND, 400 * GST_MSECOND));
    push_frames(h, 11, 5);
    return h;
}

static void test_late_policies(void) {
    GstHarness *h = late_harness("process");
    g_assert_cmpuint(stats_count(h, "frames"), ==, 15);
    g_assert_cmpuint(stats_count(h, "dropped"), ==, 0);
    g_assert_cmpuint(gst_harness_buffers_received(h), ==, 15);
    gst_harness_teardown(h);

    h = late_harness("drop");
    g_autoptr(GstElement) element = gst_harness_find_element(h, "yonossr");
    g_autoptr(GstBus) bus = gst_bus_new();
    gst_element_set_bus(element, bus);
    push_frames(h, 16, 5); /* a drop is counted when the next frame comes */
    g_assert_cmpuint(stats_count(h, "frames"), ==, 10);
    g_assert_cmpuint(stats_count(h, "dropped"), ==, 9);
    g_autofree char *once = wait_for_message(bus, GST_MESSAGE_WARNING);
    g_assert_null(once); /* the warning went out before there was a bus, and goes out once */
    gst_element_set_bus(element, NULL);
    gst_harness_teardown(h);

    h = late_harness("fast");
    g_assert_cmpuint(stats_count(h, "frames"), ==, 10);
    g_assert_cmpuint(stats_count(h, "fast-frames"), ==, 5);
    g_assert_cmpuint(stats_count(h, "dropped"), ==, 0);
    g_assert_cmpuint(stats_count(h, "switches"), ==, 1);
    g_assert_cmpuint(gst_harness_buffers_received(h), ==, 15);
    /* Frames from 2.4 s on are in time again; after a few with time to spare, even for a slow machine, the networks come
     * back. */
    push_frames(h, 600, 10);
    g_assert_cmpuint(stats_count(h, "frames"), >=, 15);
    g_assert_cmpuint(stats_count(h, "switches"), ==, 1);
    gst_harness_teardown(h);
}

static void test_drop_warns(void) {
    GstHarness *h = harness_new("late-policy=drop");
    g_autoptr(GstElement) element = gst_harness_find_element(h, "yonossr");
    g_autoptr(GstBus) bus = gst_bus_new();
    gst_element_set_bus(element, bus);
    gst_harness_set(h, "yonossr", "qos", TRUE, NULL);
    gst_harness_set_src_caps_str(h, rgb);
    push_frames(h, 0, 1);
    gst_harness_push_upstream_event(h, gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 3.0, 2 * GST_SECOND, 0));
    push_frames(h, 1, 5);
    g_autofree char *text = wait_for_message(bus, GST_MESSAGE_WARNING);
    g_autofree char *second = wait_for_message(bus, GST_MESSAGE_WARNING);
    g_assert_nonnull(text);
    g_assert_nonnull(strstr(text, "late-policy=fast"));
    g_assert_null(second);
    gst_element_set_bus(element, NULL);
    gst_harness_teardown(h);
}

/* The picture of frame 3, shown as frame `number`. */
static GBytes *picture_at(GstHarness *h, const char *caps, int number) {
    GstBuffer *in = frame_new(caps, 3);
    GST_BUFFER_PTS(in) = (GstClockTime)number * 40 * GST_MSECOND;
    GstBuffer *out = gst_harness_push_and_pull(h, in);
    GBytes *bytes = bytes_of(out);
    gst_buffer_unref(out);
    return bytes;
}

static guint sample_at(GBytes *frame, gsize i, gboolean words) {
    const guint8 *data = g_bytes_get_data(frame, NULL);
    return words ? GST_READ_UINT16_LE(data + 2 * i) : data[i];
}

/* Late: the resampled picture at once. In time again: it for four frames more, then the networks' in four steps. */
static void check_fade(const char *caps, gboolean words) {
    GstHarness *plain = harness_new("bypass=true"), *h = harness_new("late-policy=fast");
    gst_harness_set(h, "yonossr", "qos", TRUE, NULL);
    gst_harness_set_src_caps_str(plain, caps);
    gst_harness_set_src_caps_str(h, caps);
    g_autoptr(GBytes) resampled = picture_at(plain, caps, 0), full = picture_at(h, caps, 0);
    assert_different(g_bytes_ref(resampled), g_bytes_ref(full));
    gst_harness_push_upstream_event(h, gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 3.0, 2 * GST_SECOND, 0));
    assert_same(g_bytes_ref(resampled), picture_at(h, caps, 1));
    for (int i = 0; i < 4; i++)
        assert_same(g_bytes_ref(resampled), picture_at(h, caps, 1000 + i));
    for (guint step = 1; step <= GST_YONOS_FADE_FRAMES; step++) {
        g_autoptr(GBytes) mixed = picture_at(h, caps, 1004 + (int)step);
        for (gsize i = 0; i < g_bytes_get_size(mixed) / (words ? 2 : 1); i++) {
            guint sum = sample_at(full, i, words) * step +
                        sample_at(resampled, i, words) * (GST_YONOS_FADE_FRAMES - step);
            g_assert_cmpuint(sample_at(mixed, i, words), ==, (sum + GST_YONOS_FADE_FRAMES / 2) / GST_YONOS_FADE_FRAMES);
        }
    }
    gst_harness_teardown(plain);
    gst_harness_teardown(h);
}

static void test_fade(void) {
    check_fade(rgb, FALSE);
    check_fade("video/x-raw,format=I420_10LE,width=32,height=24,framerate=25/1", TRUE);
}

/* A clip of two seconds that the networks would take many seconds for plays in two, without a frame left out. */
static void test_fast_playback(void) {
#if defined(__SANITIZE_THREAD__)
    g_test_skip("too slow to play in time");
    return;
#endif
    g_autofree char *line = g_strdup_printf(
        "videotestsrc num-buffers=50 pattern=ball ! video/x-raw,format=I420,width=256,height=192,framerate=25/1 ! "
        "yonossr name=y model=%s threads=1 late-policy=fast ! fakesink name=s sync=true qos=true",
        model_folder);
    g_autoptr(GstElement) pipeline = gst_parse_launch(line, NULL);
    g_autoptr(GstElement) element = gst_bin_get_by_name(GST_BIN(pipeline), "y");
    g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "s");
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    g_autoptr(GstStructure) stats = NULL, sink_stats = NULL;
    guint64 frames = 0, fast = 0, dropped = 0, rendered = 0;
    gst_element_set_state(pipeline, GST_STATE_PAUSED);
    gst_element_get_state(pipeline, NULL, NULL, 60 * GST_SECOND);
    gint64 begin = g_get_monotonic_time();
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    g_autoptr(GstMessage) end = gst_bus_timed_pop_filtered(bus, 60 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    double seconds = (double)(g_get_monotonic_time() - begin) / G_USEC_PER_SEC;
    g_assert_nonnull(end);
    g_assert_cmpint(GST_MESSAGE_TYPE(end), ==, GST_MESSAGE_EOS);
    g_object_get(element, "stats", &stats, NULL);
    g_object_get(sink, "stats", &sink_stats, NULL);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_structure_get(stats, "frames", G_TYPE_UINT64, &frames, "fast-frames", G_TYPE_UINT64, &fast, "dropped",
                      G_TYPE_UINT64, &dropped, NULL);
    gst_structure_get(sink_stats, "rendered", G_TYPE_UINT64, &rendered, NULL);
    g_test_message("%.1f s; %" G_GUINT64_FORMAT " frames by the networks, %" G_GUINT64_FORMAT " resampled", seconds,
                   frames, fast);
    g_assert_cmpuint(frames + fast, ==, 50);
    g_assert_cmpuint(frames, >, 0);
    g_assert_cmpuint(fast, >, 20);
    g_assert_cmpuint(dropped, ==, 0);
    g_assert_cmpuint(rendered, >, 25); /* the first late ones come too late for the sink, too */
}

static void test_latency(void) {
    GstHarness *h = harness_new("");
    g_autoptr(GstElement) element = gst_harness_find_element(h, "yonossr");
    g_autoptr(GstBus) bus = gst_bus_new();
    gst_element_set_bus(element, bus);
    gst_harness_set_src_caps_str(h, rgb);
    gst_harness_set_upstream_latency(h, 10 * GST_MSECOND);
    g_assert_cmpuint(gst_harness_query_latency(h), ==, 10 * GST_MSECOND);
    push_frames(h, 0, 3);
    g_autoptr(GstMessage) message = gst_bus_pop_filtered(bus, GST_MESSAGE_LATENCY);
    g_assert_nonnull(message); /* from nothing to something is more than a quarter */
    g_autoptr(GstStructure) stats = NULL;
    double mean;
    gst_harness_get(h, "yonossr", "stats", &stats, NULL);
    g_assert_true(gst_structure_get_double(stats, "ms-mean", &mean));
    double own = (double)(gst_harness_query_latency(h) - 10 * GST_MSECOND) / GST_MSECOND;
    g_assert_cmpfloat_with_epsilon(own, 1.05 * mean, 0.01 * mean + 0.001);
    gst_element_set_bus(element, NULL);
    gst_harness_teardown(h);
}

/* ---- stopping ---------------------------------------------------------------------------------------- */

static gpointer push_one(gpointer data) {
    const char *caps = "video/x-raw,format=RGB,width=192,height=128,framerate=25/1";
    GstHarness *h = data;
    for (int i = 0; i < 1000; i++)
        if (gst_harness_push(h, frame_new(caps, i)) != GST_FLOW_OK)
            return NULL;
    return GINT_TO_POINTER(1);
}

/* A flush during a frame ends it at the next step of the networks, and the next frame is whole again. */
static void test_flush(void) {
    GstHarness *h = harness_new("");
    gst_harness_set_src_caps_str(h, "video/x-raw,format=RGB,width=192,height=128,framerate=25/1");
    gst_harness_set_drop_buffers(h, TRUE);
    GThread *thread = g_thread_new("push", push_one, h);
    while (stats_count(h, "frames") == 0)
        g_usleep(1000);
    gint64 begin = g_get_monotonic_time();
    g_assert_true(gst_harness_push_event(h, gst_event_new_flush_start()));
    g_assert_null(g_thread_join(thread)); /* the push was refused */
    gint64 took = g_get_monotonic_time() - begin;
    g_autoptr(GstStructure) stats = NULL;
    double mean;
    gst_harness_get(h, "yonossr", "stats", &stats, NULL);
    g_assert_true(gst_structure_get_double(stats, "ms-mean", &mean));
    g_test_message("stopped after %.1f ms; a frame takes %.1f ms", (double)took / 1e3, mean);
    g_assert_cmpfloat((double)took / 1e3, <, mean + 200.0); /* one tile is the whole frame here */
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    g_assert_true(gst_harness_push_event(h, gst_event_new_flush_stop(TRUE)));
    g_assert_true(gst_harness_push_event(h, gst_event_new_segment(&segment)));
    gst_harness_set_drop_buffers(h, FALSE);
    gst_buffer_unref(
        gst_harness_push_and_pull(h, frame_new("video/x-raw,format=RGB,width=192,height=128,framerate=25/1", 0)));
    gst_harness_teardown(h);
}

/* ---- metas and events ------------------------------------------------------------------------------------ */

static void test_metas(void) {
    GstHarness *h = harness_new("bypass=true");
    gst_harness_set_sink_caps_str(h, "video/x-raw,width=128,height=48,pixel-aspect-ratio=1/1"); /* borders of 32 */
    gst_harness_set_src_caps_str(h, rgb);
    GstBuffer *in = frame_new(rgb, 0);
    static const guint8 caption[] = {0xfc, 0x80, 0x80};
    gst_buffer_add_video_region_of_interest_meta(in, "face", 8, 6, 4, 3);
    gst_buffer_add_video_caption_meta(in, GST_VIDEO_CAPTION_TYPE_CEA708_RAW, caption, sizeof caption);
    gst_buffer_add_video_time_code_meta_full(in, 25, 1, NULL, GST_VIDEO_TIME_CODE_FLAGS_NONE, 1, 2, 3, 4, 0);
    GstBuffer *out = gst_harness_push_and_pull(h, in);
    GstVideoRegionOfInterestMeta *region = gst_buffer_get_video_region_of_interest_meta_id(out, 0);
    GstVideoCaptionMeta *kept = gst_buffer_get_video_caption_meta(out);
    GstVideoTimeCodeMeta *code = gst_buffer_get_video_time_code_meta(out);
    g_assert_nonnull(region);
    g_assert_cmpuint(region->x, ==, 32 + 16);
    g_assert_cmpuint(region->y, ==, 12);
    g_assert_cmpuint(region->w, ==, 8);
    g_assert_cmpuint(region->h, ==, 6);
    g_assert_nonnull(kept);
    g_assert_cmpmem(kept->data, kept->size, caption, sizeof caption);
    g_assert_nonnull(code);
    g_assert_cmpuint(code->tc.frames, ==, 4);
    gst_buffer_unref(out);
    gst_harness_teardown(h);
}

/* A frame of 32 x 24 inside a larger one of `format`, marked by a crop. */
static GstBuffer *cropped_frame(GstVideoFormat format, guint crop_x, guint crop_w) {
    GstVideoInfo info;
    gst_video_info_set_format(&info, format, 64, 40);
    g_autofree char *caps = caps_text(gst_video_format_to_string(format), 64, 40, "");
    GstBuffer *buffer = frame_new(caps, 0);
    gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, format, 64, 40, GST_VIDEO_INFO_N_PLANES(&info),
                                   info.offset, info.stride);
    GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(buffer);
    crop->x = crop_x;
    crop->y = 8;
    crop->width = crop_w;
    crop->height = 24;
    return buffer;
}

/* A crop is applied: the same bytes as from a frame that is only the part. */
static void test_crop(void) {
    static const GstVideoFormat formats[] = {GST_VIDEO_FORMAT_RGB, GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_Y42B};
    for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
        g_autofree char *caps = caps_text(gst_video_format_to_string(formats[i]), WIDTH, HEIGHT, "");
        g_autoptr(GstCaps) parsed = gst_caps_from_string(caps);
        GstVideoInfo info;
        GstVideoFrame small, large;
        g_assert_true(gst_video_info_from_caps(&info, parsed));
        GstBuffer *whole = cropped_frame(formats[i], 16, WIDTH), *part = frame_new(caps, 0);
        g_assert_true(gst_video_frame_map(&large, &info, whole, GST_MAP_READ));
        g_assert_true(gst_video_frame_map(&small, &info, part, GST_MAP_WRITE));
        for (guint c = 0; c < GST_VIDEO_INFO_N_COMPONENTS(&info); c++)
            for (int y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT(&small, c); y++)
                for (int x = 0; x < GST_VIDEO_FRAME_COMP_WIDTH(&small, c); x++) {
                    int at_x = x + (16 >> info.finfo->w_sub[c]), at_y = y + (8 >> info.finfo->h_sub[c]);
                    ((guint8 *)GST_VIDEO_FRAME_COMP_DATA(
                        &small,
                        c))[y * GST_VIDEO_FRAME_COMP_STRIDE(&small, c) + x * GST_VIDEO_FRAME_COMP_PSTRIDE(&small, c)] =
                        ((guint8 *)GST_VIDEO_FRAME_COMP_DATA(&large,
                                                             c))[at_y * GST_VIDEO_FRAME_COMP_STRIDE(&large, c) +
                                                                 at_x * GST_VIDEO_FRAME_COMP_PSTRIDE(&large, c)];
                }
        gst_video_frame_unmap(&small);
        gst_video_frame_unmap(&large);
        GstHarness *h = harness_new("");
        gst_harness_set_src_caps_str(h, caps);
        GstBuffer *a = gst_harness_push_and_pull(h, whole), *b = gst_harness_push_and_pull(h, part);
        g_assert_null(gst_buffer_get_video_crop_meta(a));
        assert_same(bytes_of(a), bytes_of(b));
        gst_buffer_unref(a);
        gst_buffer_unref(b);
        gst_harness_teardown(h);
    }
}

static void test_bad_crop(void) {
    static const guint bad[][2] = {{15, WIDTH}, {16, WIDTH - 2}, {40, WIDTH}, {G_MAXUINT, WIDTH}};
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        GstHarness *h = harness_new("");
        g_autoptr(GstElement) element = gst_harness_find_element(h, "yonossr");
        g_autoptr(GstBus) bus = gst_bus_new();
        gst_element_set_bus(element, bus);
        g_autofree char *caps = caps_text("NV12", WIDTH, HEIGHT, "");
        gst_harness_set_src_caps_str(h, caps);
        g_assert_cmpint(gst_harness_push(h, cropped_frame(GST_VIDEO_FORMAT_NV12, bad[i][0], bad[i][1])), ==,
                        GST_FLOW_ERROR);
        g_autofree char *text = wait_for_message(bus, GST_MESSAGE_ERROR);
        g_assert_nonnull(strstr(text, "videocrop"));
        gst_element_set_bus(element, NULL);
        gst_harness_teardown(h);
    }
}

/* Where upstream sees a pointer that is at `x`, `y` of the output. */
static void check_pointer(GstHarness *h, double x, double y, double in_x, double in_y) {
    gst_harness_push_upstream_event(h, gst_navigation_event_new_mouse_move(x, y, GST_NAVIGATION_MODIFIER_NONE));
    g_autoptr(GstEvent) event = NULL;
    while (!event || GST_EVENT_TYPE(event) != GST_EVENT_NAVIGATION) {
        g_clear_pointer(&event, gst_event_unref);
        event = gst_harness_try_pull_upstream_event(h);
        g_assert_nonnull(event);
    }
    double got_x, got_y;
    g_assert_true(gst_navigation_event_parse_mouse_move_event(event, &got_x, &got_y));
    g_assert_cmpfloat_with_epsilon(got_x, in_x, 1e-9);
    g_assert_cmpfloat_with_epsilon(got_y, in_y, 1e-9);
}

/* 32 x 24 to a picture of 64 x 48, borders of 32 on both sides. */
static void test_navigation(void) {
    GstHarness *h = harness_new("bypass=true");
    gst_harness_set_sink_caps_str(h, "video/x-raw,width=128,height=48,pixel-aspect-ratio=1/1");
    gst_harness_set_src_caps_str(h, rgb);
    gst_buffer_unref(gst_harness_push_and_pull(h, frame_new(rgb, 0)));
    check_pointer(h, 32 + 20, 12, 10, 6);
    check_pointer(h, 10, 12, -11, 6);
    gst_harness_set(h, "yonossr", "compare", 1, NULL);
    check_pointer(h, 32 + 20, 12, 10, 6);
    /* Columns 16 to 47 of the picture, twice. */
    gst_harness_set(h, "yonossr", "compare", 2, "compare-position", 0.5, NULL);
    check_pointer(h, 32, 12, 8, 6);
    check_pointer(h, 32 + 31, 12, 23.5, 6);
    check_pointer(h, 32 + 32, 12, 8, 6);
    check_pointer(h, 32 + 32 + 20, 12, 18, 6);
    check_pointer(h, 10, 12, -11, 6);
    check_pointer(h, 32 + 64 + 2, 12, 33, 6);
    gst_harness_teardown(h);
}

/* ---- messages, models, presets ---------------------------------------------------------------------------- */

static void test_messages(void) {
    g_autofree char *line =
        g_strdup_printf("videotestsrc num-buffers=6 ! video/x-raw,format=RGB,width=32,height=24 ! "
                        "yonossr model=%s threads=1 stats-interval=1 reuse-static=true noise-mode=per-frame ! fakesink",
                        model_folder);
    g_autoptr(GstElement) pipeline = gst_parse_launch(line, NULL);
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    int start = 0, complete = 0, info = 0, stats = 0, warnings = 0;
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    for (gboolean end = FALSE; !end;) {
        g_autoptr(GstMessage) message = gst_bus_timed_pop(bus, 10 * GST_SECOND);
        g_assert_nonnull(message);
        g_assert_cmpint(GST_MESSAGE_TYPE(message), !=, GST_MESSAGE_ERROR);
        GstProgressType type;
        end = GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS;
        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_PROGRESS) {
            gst_message_parse_progress(message, &type, NULL, NULL);
            start += type == GST_PROGRESS_TYPE_START;
            complete += type == GST_PROGRESS_TYPE_COMPLETE;
        } else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_INFO) {
            g_autoptr(GError) text = NULL;
            gst_message_parse_info(message, &text, NULL);
            g_assert_nonnull(strstr(text->message, "CPU, 1 thread"));
            g_assert_nonnull(strstr(text->message, "1 x 1 tiles of 64 x 48"));
            g_assert_nonnull(strstr(text->message, "frames per second"));
            info++;
        } else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_WARNING) {
            warnings++; /* reuse-static without static noise, once and not per frame */
        } else if (gst_message_has_name(message, "yonossr-stats")) {
            stats++;
        }
    }
    gst_element_set_state(pipeline, GST_STATE_NULL);
    g_assert_cmpint(start, ==, 1);
    g_assert_cmpint(complete, ==, 1);
    g_assert_cmpint(info, ==, 1);
    g_assert_cmpint(warnings, ==, 1);
    g_assert_cmpint(stats, >=, 1);
}

/* In READY another model counts at the next start; while running it waits for the stop. */
static void test_model_change(void) {
    char *other = tiny_model_new();
    tiny_model_replace(other, "model_index.json", "\"scale\": 2", "\"scale\": 4");
    GstHarness *h = harness_new("");
    g_autoptr(GstElement) element = gst_harness_find_element(h, "yonossr");
    guint scale;
    gst_harness_set_src_caps_str(h, rgb);
    gst_buffer_unref(gst_harness_push_and_pull(h, frame_new(rgb, 0)));
    gst_harness_set(h, "yonossr", "model", other, NULL);
    gst_harness_get(h, "yonossr", "scale", &scale, NULL);
    g_assert_cmpuint(scale, ==, 2);
    gst_buffer_unref(gst_harness_push_and_pull(h, frame_new(rgb, 1)));
    gst_element_set_state(element, GST_STATE_READY);
    gst_harness_get(h, "yonossr", "scale", &scale, NULL);
    g_assert_cmpuint(scale, ==, 4);
    gst_harness_set(h, "yonossr", "model", model_folder, NULL);
    gst_harness_get(h, "yonossr", "scale", &scale, NULL);
    g_assert_cmpuint(scale, ==, 2);
    gst_harness_teardown(h);
    tiny_model_remove(other);
}

/* Two elements hold one copy of the model, whatever the way they write its folder. */
static void test_shared_model(void) {
    g_autofree char *link = g_strdup_printf("%s-link", model_folder);
    g_assert_cmpint(symlink(model_folder, link), ==, 0);
    g_autoptr(YonosModel) first = yonos_model_open(model_folder, NULL);
    g_autoptr(YonosModel) second = yonos_model_open(link, NULL);
    g_assert_nonnull(first);
    g_assert_true(first == second);
    GstHarness *a = harness_new(""), *b = harness_new("");
    gst_harness_set_src_caps_str(a, rgb);
    gst_harness_set_src_caps_str(b, rgb);
    for (int i = 0; i < 3; i++) {
        GstBuffer *x = gst_harness_push_and_pull(a, frame_new(rgb, i)),
                  *y = gst_harness_push_and_pull(b, frame_new(rgb, i));
        assert_same(bytes_of(x), bytes_of(y));
        gst_buffer_unref(x);
        gst_buffer_unref(y);
    }
    gst_harness_teardown(a);
    gst_harness_teardown(b);
    g_unlink(link);
}

static guint64 weights(GstHarness *h) {
    return stats_count(h, "weight-bytes");
}

static gpointer push_ten(gpointer data) {
    GstHarness *h = data;
    for (int i = 0; i < 10; i++)
        g_assert_cmpint(gst_harness_push(h, frame_new(rgb, i)), ==, GST_FLOW_OK);
    return NULL;
}

/* Packed weights are in memory once, for elements that run alike; and both may run at the same time. */
static void test_shared_weights(void) {
    GstHarness *a = harness_new("noise-mode=per-frame");
    gst_harness_set_src_caps_str(a, rgb);
    push_frames(a, 0, 1);
    g_assert_cmpuint(weights(a), >, 0);
    GstHarness *b = harness_new("noise-mode=per-frame"), *alone = harness_new("noise-mode=per-frame threads=2");
    g_assert_cmpuint(weights(b), ==, weights(a)); /* before its first caps */
    g_assert_cmpuint(weights(alone), ==, 0);
    gst_harness_set_src_caps_str(b, rgb);
    GThread *one = g_thread_new("a", push_ten, a), *other = g_thread_new("b", push_ten, b);
    g_thread_join(one);
    g_thread_join(other);
    for (int i = 0; i < 10; i++) {
        GstBuffer *x = gst_harness_pull(a), *y = gst_harness_pull(b);
        assert_same(bytes_of(x), bytes_of(y));
        gst_buffer_unref(x);
        gst_buffer_unref(y);
    }
    guint64 before = weights(b);
    gst_harness_teardown(a);
    push_frames(b, 0, 1); /* the weights stay for the one that is left */
    g_assert_cmpuint(weights(b), ==, before);
    gst_harness_teardown(b);
    gst_harness_teardown(alone);
}

static void test_presets(void) {
    g_autoptr(GstElement) element = gst_element_factory_make("yonossr", NULL);
    gst_object_ref_sink(element);
    static const char *const names[] = {"fast", "faithful", "vivid"};
    g_auto(GStrv) there = gst_preset_get_preset_names(GST_PRESET(element));
    g_assert_nonnull(there);
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *comment = NULL;
        g_assert_true(g_strv_contains((const char *const *)there, names[i]));
        g_assert_true(gst_preset_load_preset(GST_PRESET(element), names[i]));
        g_assert_true(gst_preset_get_meta(GST_PRESET(element), names[i], "comment", &comment));
    }
    int fix, policy;
    g_assert_true(gst_preset_load_preset(GST_PRESET(element), "fast"));
    g_object_get(element, "late-policy", &policy, NULL);
    g_assert_cmpint(policy, ==, GST_YONOS_LATE_FAST);
    g_assert_true(gst_preset_load_preset(GST_PRESET(element), "faithful"));
    g_object_get(element, "colour-fix", &fix, "late-policy", &policy, NULL);
    g_assert_cmpint(fix, ==, YONOS_COLOUR_FIX_BACK_PROJECTION);
    g_assert_cmpint(policy, ==, GST_YONOS_LATE_PROCESS);
}

/* compare-position follows a control source, frame by frame. */
static void test_controlled(void) {
    GstHarness *h = harness_new("compare=split colour-fix=none");
    g_autoptr(GstElement) element = gst_harness_find_element(h, "yonossr");
    GstControlSource *source = gst_interpolation_control_source_new();
    g_object_set(source, "mode", GST_INTERPOLATION_MODE_LINEAR, NULL);
    gst_object_add_control_binding(GST_OBJECT(element),
                                   gst_direct_control_binding_new(GST_OBJECT(element), "compare-position", source));
    gst_timed_value_control_source_set(GST_TIMED_VALUE_CONTROL_SOURCE(source), 0, 0.0);
    gst_timed_value_control_source_set(GST_TIMED_VALUE_CONTROL_SOURCE(source), 400 * GST_MSECOND, 1.0);
    gst_harness_set_src_caps_str(h, rgb);
    for (int i = 0; i <= 10; i += 5) {
        double position;
        gst_buffer_unref(gst_harness_push_and_pull(h, frame_new(rgb, i)));
        gst_harness_get(h, "yonossr", "compare-position", &position, NULL);
        g_assert_cmpfloat_with_epsilon(position, i / 10.0, 1e-6);
    }
    gst_object_unref(source);
    gst_harness_teardown(h);
}

int main(int argc, char **argv) {
    init_tests(&argc, &argv);
    g_test_add_func("/stream/frame-numbers", test_frame_numbers);
    g_test_add_func("/stream/missing-timestamps", test_missing_timestamps);
    g_test_add_func("/stream/segments", test_segments);
    g_test_add_func("/stream/segment-of-bytes", test_segment_of_bytes);
    g_test_add_func("/stream/late-machine", test_late_machine);
    g_test_add_func("/stream/late-policies", test_late_policies);
    g_test_add_func("/stream/drop-warns", test_drop_warns);
    g_test_add_func("/stream/fade", test_fade);
    g_test_add_func("/stream/fast-playback", test_fast_playback);
    g_test_add_func("/stream/latency", test_latency);
    g_test_add_func("/stream/flush", test_flush);
    g_test_add_func("/stream/metas", test_metas);
    g_test_add_func("/stream/crop", test_crop);
    g_test_add_func("/stream/bad-crop", test_bad_crop);
    g_test_add_func("/stream/navigation", test_navigation);
    g_test_add_func("/stream/messages", test_messages);
    g_test_add_func("/stream/model-change", test_model_change);
    g_test_add_func("/stream/shared-model", test_shared_model);
    g_test_add_func("/stream/shared-weights", test_shared_weights);
    g_test_add_func("/stream/presets", test_presets);
    g_test_add_func("/stream/controlled", test_controlled);
    return run_tests();
}
