/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * steadiness: a still picture with noise of each frame's own flickers less, and a jump in the stream makes a frame the
 * first one again, with the pixels that it has alone. Which pixels are kept, and how much of them, is in unit/test-steady.c.
 */
#include "helpers.h"

static const char caps[] = "video/x-raw,format=RGB,width=32,height=24,framerate=25/1";

static GstHarness *steady_harness(const char *options) {
    g_autofree char *line = g_strdup_printf("noise-mode=per-frame colour-fix=none %s", options);
    GstHarness *h = harness_new(line);
    gst_harness_set_src_caps_str(h, caps);
    return h;
}

/* Frame `i` of a video of one picture. */
static GstBuffer *still_frame(int i) {
    GstBuffer *buffer = frame_new(caps, 0);
    GST_BUFFER_PTS(buffer) = (GstClockTime)i * 40 * GST_MSECOND;
    return buffer;
}

/* Consumes `frame`. */
static GBytes *upscale(GstHarness *h, GstBuffer *frame) {
    GstBuffer *out = gst_harness_push_and_pull(h, frame);
    g_assert_nonnull(out);
    GBytes *bytes = bytes_of(out);
    gst_buffer_unref(out);
    return bytes;
}

static GBytes *alone(int i) {
    GstHarness *h = steady_harness("");
    GBytes *bytes = upscale(h, still_frame(i));
    gst_harness_teardown(h);
    return bytes;
}

/* The mean difference between neighbouring frames of five. */
static double flicker(const char *options) {
    GstHarness *h = steady_harness(options);
    GBytes *before = upscale(h, still_frame(0));
    double sum = 0.0;
    for (int i = 1; i < 5; i++) {
        GBytes *now = upscale(h, still_frame(i));
        sum += mean_difference(before, now);
        g_bytes_unref(before);
        before = now;
    }
    g_bytes_unref(before);
    gst_harness_teardown(h);
    return sum / 4.0;
}

static void test_flicker(void) {
    double plain = flicker(""), none = flicker("steadiness=0"), some = flicker("steadiness=0.5"),
           most = flicker("steadiness=0.9");
    g_assert_cmpfloat(plain, ==, none);
    g_assert_cmpfloat(some, <, 0.6 * plain);
    g_assert_cmpfloat(most, <, 0.2 * plain);
}

/* ---- jumps ------------------------------------------------------------------------------------------- */

typedef void (*Jump)(GstHarness *h, GstBuffer *next);

static void flush(GstHarness *h, GstBuffer *next) {
    GstSegment segment;
    (void)next;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    g_assert_true(gst_harness_push_event(h, gst_event_new_flush_start()));
    g_assert_true(gst_harness_push_event(h, gst_event_new_flush_stop(TRUE)));
    g_assert_true(gst_harness_push_event(h, gst_event_new_segment(&segment)));
}

static void discontinuity(GstHarness *h, GstBuffer *next) {
    (void)h;
    GST_BUFFER_FLAG_SET(next, GST_BUFFER_FLAG_DISCONT);
}

static void no_jump(GstHarness *h, GstBuffer *next) {
    (void)h;
    (void)next;
}

/* Whether frame 2 after two others and `jump` is what it is alone. */
static gboolean is_first(Jump jump, const char *options) {
    GstHarness *h = steady_harness(options);
    for (int i = 0; i < 2; i++)
        g_bytes_unref(upscale(h, still_frame(i)));
    GstBuffer *next = still_frame(2);
    jump(h, next);
    g_autoptr(GBytes) is = upscale(h, next), should = alone(2);
    gst_harness_teardown(h);
    return g_bytes_equal(is, should);
}

static void test_jumps(void) {
    g_assert_false(is_first(no_jump, "steadiness=0.8"));
    g_assert_true(is_first(no_jump, ""));
    g_assert_true(is_first(flush, "steadiness=0.8"));
    g_assert_true(is_first(discontinuity, "steadiness=0.8"));
}

/* Changes while playing take effect at the next frame. */
static void test_change(void) {
    GstHarness *h = steady_harness("");
    assert_same(upscale(h, still_frame(0)), alone(0));
    gst_harness_set(h, "yonossr", "steadiness", 0.8, NULL);
    assert_same(upscale(h, still_frame(1)), alone(1)); /* the first one of the steady kind */
    g_autoptr(GBytes) second = upscale(h, still_frame(2)), second_alone = alone(2);
    g_assert_false(g_bytes_equal(second, second_alone));
    gst_harness_set(h, "yonossr", "steadiness", 0.0, NULL);
    assert_same(upscale(h, still_frame(3)), alone(3));
    gst_harness_teardown(h);
}

/* A frame that is kept while the next one is begun is before it all the same. */
static void test_overlap(void) {
    enum { FRAMES = 5 };
    GstHarness *one = steady_harness("steadiness=0.8 overlap=never"), *two = steady_harness("steadiness=0.8 overlap=always");
    GBytes *expected[FRAMES];
    for (int i = 0; i < FRAMES; i++) {
        expected[i] = upscale(one, still_frame(i));
        g_assert_cmpint(gst_harness_push(two, still_frame(i)), ==, GST_FLOW_OK);
    }
    g_assert_true(gst_harness_push_event(two, gst_event_new_eos()));
    for (int i = 0; i < FRAMES; i++) {
        GstBuffer *out = gst_harness_pull(two);
        assert_same(bytes_of(out), expected[i]);
        gst_buffer_unref(out);
    }
    gst_harness_teardown(one);
    gst_harness_teardown(two);
}

int main(int argc, char **argv) {
    init_tests(&argc, &argv);
    g_test_add_func("/steady/flicker", test_flicker);
    g_test_add_func("/steady/jumps", test_jumps);
    g_test_add_func("/steady/change", test_change);
    g_test_add_func("/steady/overlap", test_overlap);
    return run_tests();
}
