/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Streams through the element: numbers of frames, segments, latency, a flush inside a frame.
 */
#include "helpers.h"

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

/* ---- latency and stopping ---------------------------------------------------------------------------- */

static void test_latency(void) {
    GstHarness *h = harness_new("");
    g_autoptr(GstElement) element = gst_harness_find_element(h, "yonossr");
    g_autoptr(GstBus) bus = gst_bus_new();
    gst_element_set_bus(element, bus);
    gst_harness_set_src_caps_str(h, rgb);
    gst_harness_set_upstream_latency(h, 10 * GST_MSECOND);
    g_assert_cmpuint(gst_harness_query_latency(h), ==, 10 * GST_MSECOND);
    push_frames(h, rgb, 0, 3);
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

int main(int argc, char **argv) {
    init_tests(&argc, &argv);
    g_test_add_func("/stream/frame-numbers", test_frame_numbers);
    g_test_add_func("/stream/missing-timestamps", test_missing_timestamps);
    g_test_add_func("/stream/segments", test_segments);
    g_test_add_func("/stream/segment-of-bytes", test_segment_of_bytes);
    g_test_add_func("/stream/latency", test_latency);
    g_test_add_func("/stream/flush", test_flush);
    return run_tests();
}
