/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Late frames: when the networks are left out and come back, what late-policy does, the fade between the two.
 */
#include "gstyonoslate.h"
#include "helpers.h"

static const char rgb[] = "video/x-raw,format=RGB,width=32,height=24,framerate=25/1";

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

/* The sink says that the frame of 0.4 s came 2 s late: what becomes of those that follow. */
static GstHarness *late_harness(const char *policy) {
    g_autofree char *options = g_strdup_printf("late-policy=%s", policy);
    GstHarness *h = harness_new(options);
    gst_harness_set(h, "yonossr", "qos", TRUE, NULL);
    gst_harness_set_src_caps_str(h, rgb);
    push_frames(h, rgb, 0, 10);
    g_assert_cmpuint(stats_count(h, "frames"), ==, 10);
    gst_harness_push_upstream_event(h,
                                    gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 3.0, 2 * GST_SECOND, 400 * GST_MSECOND));
    push_frames(h, rgb, 11, 5);
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
    push_frames(h, rgb, 16, 5); /* a drop is counted when the next frame comes */
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
    /* Frames from 2.4 s on are in time again; after a few with time to spare, even for a slow machine, the networks
     * come back. */
    push_frames(h, rgb, 600, 10);
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
    push_frames(h, rgb, 0, 1);
    gst_harness_push_upstream_event(h, gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 3.0, 2 * GST_SECOND, 0));
    push_frames(h, rgb, 1, 5);
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

int main(int argc, char **argv) {
    init_tests(&argc, &argv);
    g_test_add_func("/stream/late-machine", test_late_machine);
    g_test_add_func("/stream/late-policies", test_late_policies);
    g_test_add_func("/stream/drop-warns", test_drop_warns);
    g_test_add_func("/stream/fade", test_fade);
    g_test_add_func("/stream/fast-playback", test_fast_playback);
    return run_tests();
}
