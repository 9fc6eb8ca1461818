/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The element yonossr in a GstHarness, with a tiny model of random weights written by the test.
 */
#include <glib/gstdio.h>

#include "helpers.h"

enum { WIDTH = 48, HEIGHT = 32 };

/* ---- formats and caps ---------------------------------------------------------------------------- */

static void test_formats(void) {
    static const char *const formats[] = {"RGB",  "BGR",  "RGBA", "BGRA", "ARGB", "ABGR",      "RGBx",
                                          "BGRx", "xRGB", "xBGR", "I420", "NV12", "I420_10LE", "P010_10LE"};
    static const int sizes[][2] = {{WIDTH, HEIGHT}, {17, 9}, {1, 1}};
    for (guint i = 0; i < G_N_ELEMENTS(formats); i++)
        for (guint s = 0; s < G_N_ELEMENTS(sizes); s++) {
            g_autofree char *in = caps_text(formats[i], sizes[s][0], sizes[s][1], "");
            g_autofree char *wanted = caps_text(formats[i], SCALE * sizes[s][0], SCALE * sizes[s][1], "");
            GstHarness *h = harness_new("");
            gst_harness_set_src_caps_str(h, in);
            GstBuffer *out = gst_harness_push_and_pull(h, frame_new(in, 1));
            g_assert_nonnull(out);
            g_autoptr(GstCaps) expected = gst_caps_from_string(wanted), got = gst_pad_get_current_caps(h->sinkpad);
            g_assert_true(gst_caps_can_intersect(got, expected));
            GstVideoInfo info;
            g_assert_true(gst_video_info_from_caps(&info, got));
            g_assert_cmpuint(gst_buffer_get_size(out), >=, GST_VIDEO_INFO_SIZE(&info));
            gst_buffer_unref(out);
            gst_harness_teardown(h);
        }
}

static void test_caps_fields(void) {
    GstHarness *h = harness_new("");
    gst_harness_set_src_caps_str(
        h, "video/x-raw,format=P010_10LE,width=32,height=16,framerate=30000/1001,"
           "pixel-aspect-ratio=4/3,colorimetry=bt2100-pq,chroma-site=mpeg2,"
           "mastering-display-info=(string)34000:16000:13250:34500:7500:3000:15635:16450:10000000:1,"
           "content-light-level=(string)1000:400");
    gst_buffer_unref(gst_harness_push_and_pull(
        h, frame_new("video/x-raw,format=P010_10LE,width=32,height=16,framerate=30000/1001", 0)));
    g_autoptr(GstCaps) got = gst_pad_get_current_caps(h->sinkpad);
    g_autoptr(GstCaps) expected = gst_caps_from_string(
        "video/x-raw,format=P010_10LE,width=64,height=32,framerate=30000/1001,pixel-aspect-ratio=4/3,"
        "colorimetry=bt2100-pq,chroma-site=mpeg2,"
        "mastering-display-info=(string)34000:16000:13250:34500:7500:3000:15635:16450:10000000:1,"
        "content-light-level=(string)1000:400");
    g_assert_true(gst_caps_can_intersect(got, expected));
    g_assert_cmpstr(gst_structure_get_string(gst_caps_get_structure(got, 0), "colorimetry"), ==, "bt2100-pq");
    g_assert_cmpstr(gst_structure_get_string(gst_caps_get_structure(got, 0), "content-light-level"), ==, "1000:400");
    gst_harness_teardown(h);
}

/* Downstream's size decides upstream's, exact ones first; absurd ones are refused before anything is allocated. */
static void test_caps_both_ways(void) {
    GstHarness *h = harness_new("");
    g_autoptr(GstElement) element = gst_harness_find_element(h, "yonossr");
    g_autoptr(GstPad) sink = gst_element_get_static_pad(element, "sink");
    gst_harness_set_sink_caps_str(h, "video/x-raw,format=RGB,width=[ 10, 101 ],height={ 20, 33, 40 }");
    g_autoptr(GstCaps) caps = gst_pad_query_caps(sink, NULL);
    g_autoptr(GstCaps) best = gst_caps_copy_nth(caps, 0);
    g_autoptr(GstCaps) fits = gst_caps_from_string("video/x-raw,format=RGB,width=50,height=20");
    g_autoptr(GstCaps) too_wide = gst_caps_from_string("video/x-raw,format=RGB,width=51,height=20");
    g_autoptr(GstCaps) odd = gst_caps_from_string("video/x-raw,format=RGB,width=50,height=16");
    g_assert_true(gst_caps_can_intersect(best, fits));
    g_assert_false(gst_caps_can_intersect(best, too_wide)); /* reached by resampling only */
    g_assert_false(gst_caps_can_intersect(best, odd));
    g_assert_true(gst_caps_can_intersect(caps, too_wide));
    g_autoptr(GstCaps) absurd = gst_caps_from_string("video/x-raw,format=RGB,width=9000,height=16,framerate=1/1");
    g_autoptr(GstCaps) huge =
        gst_caps_from_string("video/x-raw,format=RGB,width=2147483647,height=2147483647,framerate=1/1");
    g_assert_false(gst_pad_query_accept_caps(sink, absurd));
    g_assert_false(gst_pad_query_accept_caps(sink, huge));
    gst_harness_teardown(h);
}

static void test_interlaced(void) {
    GstHarness *h = harness_new("");
    g_autoptr(GstBus) bus = gst_bus_new();
    g_autoptr(GstElement) element = gst_harness_find_element(h, "yonossr");
    gst_element_set_bus(element, bus);
    const char *caps = "video/x-raw,format=RGB,width=16,height=16,framerate=25/1,interlace-mode=interleaved";
    gst_harness_set_src_caps_str(h, caps);
    g_assert_cmpint(gst_harness_push(h, frame_new(caps, 0)), !=, GST_FLOW_OK);
    g_autofree char *text = wait_for_message(bus, GST_MESSAGE_ERROR);
    g_assert_nonnull(text);
    g_assert_nonnull(strstr(text, "deinterlace"));
    /* Told once, however often it is tried again, and again where something else was taken in between. */
    g_assert_cmpint(gst_harness_push(h, frame_new(caps, 1)), !=, GST_FLOW_OK);
    g_assert_null(wait_for_message(bus, GST_MESSAGE_ERROR));
    gst_harness_set_src_caps_str(h, "video/x-raw,format=RGB,width=16,height=16,framerate=25/1");
    gst_buffer_unref(gst_harness_push_and_pull(h, frame_new(caps, 2)));
    gst_harness_set_src_caps_str(h, caps);
    g_assert_cmpint(gst_harness_push(h, frame_new(caps, 3)), !=, GST_FLOW_OK);
    g_autofree char *again = wait_for_message(bus, GST_MESSAGE_ERROR);
    g_assert_cmpstr(again, ==, text);
    gst_element_set_bus(element, NULL);
    gst_harness_teardown(h);
}

/* ---- pixels ------------------------------------------------------------------------------------------ */

static void test_timestamps(void) {
    GstHarness *h = harness_new("");
    g_autofree char *caps = caps_text("RGB", 16, 16, "");
    gst_harness_set_src_caps_str(h, caps);
    GstBuffer *in = frame_new(caps, 3);
    GST_BUFFER_OFFSET(in) = 77;
    GST_BUFFER_FLAG_SET(in, GST_BUFFER_FLAG_MARKER);
    GstBuffer *out = gst_harness_push_and_pull(h, in);
    g_assert_cmpuint(GST_BUFFER_PTS(out), ==, 120 * GST_MSECOND);
    g_assert_cmpuint(GST_BUFFER_DURATION(out), ==, 40 * GST_MSECOND);
    g_assert_cmpuint(GST_BUFFER_OFFSET(out), ==, 77);
    g_assert_true(GST_BUFFER_FLAG_IS_SET(out, GST_BUFFER_FLAG_MARKER));
    gst_buffer_unref(out);
    gst_harness_teardown(h);
}

static void test_threads(void) {
    g_autofree char *caps = caps_text("RGB", WIDTH, HEIGHT, "");
    assert_same(run_one("threads=1", caps, 4), run_one("threads=2", caps, 4));
    assert_same(run_one("threads=1 precision=auto", caps, 4), run_one("threads=3 precision=auto", caps, 4));
}

/* Per-frame noise changes the picture with the frame's number, static noise does not; the seed always does. */
static void test_noise(void) {
    g_autofree char *caps = caps_text("RGB", WIDTH, HEIGHT, "");
    GstHarness *h = harness_new("noise-mode=static colour-fix=none");
    gst_harness_set_src_caps_str(h, caps);
    GBytes *result[4];
    for (int i = 0; i < 4; i++) {
        GstBuffer *in = frame_new(caps, 0);
        GST_BUFFER_PTS(in) = (GstClockTime)(i % 2) * 40 * GST_MSECOND;
        if (i == 2)
            gst_harness_set(h, "yonossr", "noise-mode", YONOS_NOISE_PER_FRAME, NULL);
        GstBuffer *out = gst_harness_push_and_pull(h, in);
        result[i] = bytes_of(out);
        gst_buffer_unref(out);
    }
    g_assert_true(g_bytes_equal(result[0], result[1]));
    g_assert_true(g_bytes_equal(result[0], result[2])); /* frame 0's field is the static one */
    g_assert_false(g_bytes_equal(result[2], result[3]));
    for (int i = 0; i < 4; i++)
        g_bytes_unref(result[i]);
    gst_harness_teardown(h);
    GBytes *a = run_one("seed=1 colour-fix=none", caps, 0), *b = run_one("seed=2 colour-fix=none", caps, 0);
    g_assert_false(g_bytes_equal(a, b));
    g_bytes_unref(a);
    g_bytes_unref(b);
}

/* The same frame before and after a flush gives the same bytes. */
static void test_seek(void) {
    g_autofree char *caps = caps_text("I420", WIDTH, HEIGHT, "");
    GstHarness *h = harness_new("noise-mode=per-frame");
    GBytes *first[3];
    gst_harness_set_src_caps_str(h, caps);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++) {
            GstBuffer *out = gst_harness_push_and_pull(h, frame_new(caps, i));
            GBytes *bytes = bytes_of(out);
            gst_buffer_unref(out);
            if (round == 0)
                first[i] = bytes;
            else
                assert_same(first[i], bytes);
        }
        GstSegment segment;
        gst_segment_init(&segment, GST_FORMAT_TIME);
        g_assert_true(gst_harness_push_event(h, gst_event_new_flush_start()));
        g_assert_true(gst_harness_push_event(h, gst_event_new_flush_stop(TRUE)));
        g_assert_true(gst_harness_push_event(h, gst_event_new_segment(&segment)));
    }
    gst_harness_teardown(h);
}

/* Tiles lie in their places. The U-Net, whose statistics and attention are those of one tile, is left out: x0 is the
 * latent. What is left is the autoencoder at tiles' edges, much less than from a frame to the next. */
static void test_tiles(void) {
    char *plain = tiny_model_new();
    tiny_model_replace(plain, "model_index.json", "\"scale\": 2", "\"scale\": 2, \"a\": 0, \"b\": 0, \"c\": 1");
    g_autofree char *caps = caps_text("RGB", 96, 80, "");
    g_autofree char *at_once = g_strdup_printf("model=%s", plain);
    g_autofree char *in_tiles = g_strdup_printf("model=%s tile-size=64 tile-overlap=32", plain);
    g_autoptr(GBytes) whole = run_one(at_once, caps, 5), tiled = run_one(in_tiles, caps, 5);
    g_autoptr(GBytes) next = run_one(at_once, caps, 6);
    g_assert_cmpfloat(4.0 * mean_difference(whole, tiled), <, mean_difference(whole, next));
    tiny_model_remove(plain);
}

/* A 10-bit ramp has more than 256 levels after upscaling. */
static void test_ten_bits(void) {
    const char *caps = "video/x-raw,format=I420_10LE,width=512,height=16,framerate=25/1";
    GstHarness *h = grey_harness_new("");
    gst_harness_set_src_caps_str(h, caps);
    GstBuffer *in = gst_buffer_new_allocate(NULL, 512 * 16 * 2 * 3 / 2, NULL);
    GstMapInfo map;
    gst_buffer_map(in, &map, GST_MAP_WRITE);
    for (int i = 0; i < 512 * 24; i++)
        GST_WRITE_UINT16_LE(map.data + 2 * i, i < 512 * 16 ? 256 + i % 512 : 512);
    gst_buffer_unmap(in, &map);
    GST_BUFFER_PTS(in) = 0;
    GstBuffer *out = gst_harness_push_and_pull(h, in);
    gboolean seen[1024] = {FALSE};
    int levels = 0;
    gst_buffer_map(out, &map, GST_MAP_READ);
    for (int i = 0; i < 1024 * 32; i++) {
        guint v = GST_READ_UINT16_LE(map.data + 2 * i);
        g_assert_cmpuint(v, <, 1024);
        levels += !seen[v];
        seen[v] = TRUE;
    }
    gst_buffer_unmap(out, &map);
    gst_buffer_unref(out);
    g_assert_cmpint(levels, >, 256);
    gst_harness_teardown(h);
}

static void test_bypass(void) {
    g_autofree char *caps = caps_text("NV12", WIDTH, HEIGHT, "");
    GstHarness *h = harness_new("");
    gst_harness_set_src_caps_str(h, caps);
    gst_buffer_unref(gst_harness_push_and_pull(h, frame_new(caps, 0)));
    gst_harness_set(h, "yonossr", "bypass", TRUE, "seed", G_GUINT64_CONSTANT(9), NULL);
    GstBuffer *out = gst_harness_push_and_pull(h, frame_new(caps, 1));
    g_assert_cmpuint(gst_buffer_get_size(out), >=, SCALE * WIDTH * SCALE * HEIGHT * 3 / 2);
    gst_buffer_unref(out);
    g_assert_cmpuint(stats_count(h, "bypassed"), ==, 1);
    g_assert_cmpuint(stats_count(h, "frames"), ==, 1); /* the bypassed one did not go through the networks */
    gst_harness_teardown(h);
}

static void test_renegotiation(void) {
    static const char *const caps[] = {"video/x-raw,format=RGB,width=16,height=24,framerate=25/1",
                                       "video/x-raw,format=I420,width=33,height=17,framerate=25/1",
                                       "video/x-raw,format=RGB,width=16,height=24,framerate=25/1"};
    GstHarness *h = harness_new("");
    GBytes *first = NULL;
    for (int i = 0; i < 12; i++) {
        gst_harness_set_src_caps_str(h, caps[i % 3]);
        GstBuffer *out = gst_harness_push_and_pull(h, frame_new(caps[i % 3], 0));
        g_assert_nonnull(out);
        if (i % 3 != 1) {
            GBytes *bytes = bytes_of(out);
            if (first) {
                g_assert_true(g_bytes_equal(first, bytes));
                g_bytes_unref(bytes);
            } else {
                first = bytes;
            }
        }
        gst_buffer_unref(out);
    }
    g_bytes_unref(first);
    gst_harness_teardown(h);
}

/* ---- states and errors ---------------------------------------------------------------------------------- */

static void test_states(void) {
    g_autofree char *line = g_strdup_printf(
        "videotestsrc num-buffers=1 ! video/x-raw,format=RGB,width=16,height=16 ! yonossr model=%s threads=1 ! "
        "fakesink",
        model_folder);
    g_autoptr(GstElement) pipeline = gst_parse_launch(line, NULL);
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    for (int i = 0; i < 50; i++) {
        gst_element_set_state(pipeline, GST_STATE_PLAYING);
        g_autoptr(GstMessage) message =
            gst_bus_timed_pop_filtered(bus, 10 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
        g_assert_nonnull(message);
        g_assert_cmpint(GST_MESSAGE_TYPE(message), ==, GST_MESSAGE_EOS);
        gst_element_set_state(pipeline, i % 2 ? GST_STATE_NULL : GST_STATE_READY);
    }
    gst_element_set_state(pipeline, GST_STATE_NULL);
}

static void assert_start_fails(const char *model, const char *in_message) {
    GstElement *element = gst_element_factory_make("yonossr", NULL);
    g_autoptr(GstBus) bus = gst_bus_new();
    g_object_set(element, "model", model, NULL);
    gst_element_set_bus(element, bus);
    g_assert_cmpint(gst_element_set_state(element, GST_STATE_PAUSED), ==, GST_STATE_CHANGE_FAILURE);
    g_autofree char *text = wait_for_message(bus, GST_MESSAGE_ERROR),
                    *second = wait_for_message(bus, GST_MESSAGE_ERROR);
    g_assert_nonnull(text);
    g_assert_nonnull(strstr(text, in_message));
    g_assert_null(second);
    gst_element_set_bus(element, NULL);
    gst_element_set_state(element, GST_STATE_NULL);
    gst_object_unref(element);
}

static void test_broken_model(void) {
    assert_start_fails("/there/is/no/such/model", "/there/is/no/such/model");
    char *folder = tiny_model_new();
    g_autofree char *file = g_build_filename(folder, "vae", "diffusion_pytorch_model.safetensors", NULL);
    g_assert_true(g_file_set_contents(file, "this is no safetensors file", -1, NULL));
    assert_start_fails(folder, file);
    g_assert_cmpint(g_unlink(file), ==, 0);
    assert_start_fails(folder, file);
    tiny_model_remove(folder);
}

int main(int argc, char **argv) {
    init_tests(&argc, &argv);
    g_test_add_func("/element/formats", test_formats);
    g_test_add_func("/element/caps-fields", test_caps_fields);
    g_test_add_func("/element/caps-both-ways", test_caps_both_ways);
    g_test_add_func("/element/interlaced", test_interlaced);
    g_test_add_func("/element/timestamps", test_timestamps);
    g_test_add_func("/element/threads", test_threads);
    g_test_add_func("/element/noise", test_noise);
    g_test_add_func("/element/seek", test_seek);
    g_test_add_func("/element/tiles", test_tiles);
    g_test_add_func("/element/ten-bits", test_ten_bits);
    g_test_add_func("/element/bypass", test_bypass);
    g_test_add_func("/element/renegotiation", test_renegotiation);
    g_test_add_func("/element/states", test_states);
    g_test_add_func("/element/broken-model", test_broken_model);
    return run_tests();
}
