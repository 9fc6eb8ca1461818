/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sizes and shapes through the element: what downstream asks for, borders, the smallest and the largest frames.
 */
#include "helpers.h"
#include "pixels.h"

typedef struct {
    const char *in, *filter;
    int width, height, par_n, par_d;
    GstVideoRectangle picture;
} SizeCase;

/* In 16 x 12 (4:3), scale 2: what comes out for what downstream asks for, and where the picture lies. */
static const SizeCase size_cases[] = {
    {"", "", 32, 24, 1, 1, {0, 0, 32, 24}},
    {"", ",width=48", 48, 36, 1, 1, {0, 0, 48, 36}},
    {"", ",height=30", 40, 30, 1, 1, {0, 0, 40, 30}},
    {"", ",width=[1,20],height=[1,100]", 20, 15, 1, 1, {0, 0, 20, 15}},
    {"", ",width=[1,100],height=[1,15]", 20, 15, 1, 1, {0, 0, 20, 15}},
    {"", ",width=64,height=24", 64, 24, 1, 2, {0, 0, 64, 24}},
    {"", ",width=64,height=24,pixel-aspect-ratio=1/1", 64, 24, 1, 1, {16, 0, 32, 24}},
    {"", ",width=32,height=48,pixel-aspect-ratio=1/1", 32, 48, 1, 1, {0, 12, 32, 24}},
    {",pixel-aspect-ratio=40/33", "", 32, 24, 40, 33, {0, 0, 32, 24}},
    {",pixel-aspect-ratio=2/1", ",width=64,height=24,pixel-aspect-ratio=1/1", 64, 24, 1, 1, {0, 0, 64, 24}},
    {",pixel-aspect-ratio=2/1", ",pixel-aspect-ratio=1/1", 32, 24, 1, 1, {0, 6, 32, 12}},
    {"", ",width=5,height=3,pixel-aspect-ratio=1/1", 5, 3, 1, 1, {0, 0, 4, 3}},
};

static void check_size(const SizeCase *c, const char *format) {
    g_autofree char *caps = caps_text(format, 16, 12, c->in);
    g_autofree char *wanted = g_strdup_printf("video/x-raw%s", c->filter);
    GstHarness *h = grey_harness_new("");
    gst_harness_set_sink_caps_str(h, wanted);
    GstBuffer *out = push_flat(h, caps, teal);
    GstVideoInfo info = output_info(h);
    g_test_message("%s%s -> %s", format, c->in, c->filter);
    g_assert_cmpint(info.width, ==, c->width);
    g_assert_cmpint(info.height, ==, c->height);
    g_assert_cmpint(info.par_n, ==, c->par_n);
    g_assert_cmpint(info.par_d, ==, c->par_d);
    g_assert_cmpint(distance(out, &info, &c->picture, teal, TRUE), <=, tolerance(&info, &info));
    if (c->picture.x > 0) {
        GstVideoRectangle left = {0, 0, c->picture.x, info.height};
        g_assert_cmpint(distance(out, &info, &left, (Colour){65535, 0, 0, 0}, TRUE), <=, tolerance(&info, &info));
    }
    if (c->picture.y > 0) {
        GstVideoRectangle top = {0, 0, info.width, c->picture.y};
        g_assert_cmpint(distance(out, &info, &top, (Colour){65535, 0, 0, 0}, TRUE), <=, tolerance(&info, &info));
    }
    gst_buffer_unref(out);
    gst_harness_teardown(h);
}

static void test_sizes(void) {
    for (guint i = 0; i < G_N_ELEMENTS(size_cases); i++) {
        check_size(&size_cases[i], "RGB");
        check_size(&size_cases[i], "Y444");
    }
}

/* A frame of one colour comes out in that colour, all `width` x `height` of it. Takes the harness. */
static void check_flat(GstHarness *h, const char *caps, int width, int height) {
    GstBuffer *out = push_flat(h, caps, teal);
    GstVideoInfo info = output_info(h);
    GstVideoRectangle all = {0, 0, width, height};
    g_assert_cmpint(distance(out, &info, &all, teal, TRUE), <=, tolerance(&info, &info));
    gst_buffer_unref(out);
    gst_harness_teardown(h);
}

static void test_no_borders(void) {
    GstHarness *h = grey_harness_new("add-borders=false");
    gst_harness_set_sink_caps_str(h, "video/x-raw,width=64,height=24,pixel-aspect-ratio=1/1");
    check_flat(h, "video/x-raw,format=RGB,width=16,height=12,framerate=25/1", 64, 24);
}

/* A picture without colorimetry keeps its matrix where its size passes the border between SD and HD. */
static void test_sd_to_hd(void) {
    check_flat(harness_new("bypass=true"), "video/x-raw,format=Y444,width=32,height=576,framerate=25/1", 64, 1152);
}

/* 1 x 1 to 8K wide and high (thin, so that the test is quick), networks included. */
static void test_extremes(void) {
    static const int sizes[][2] = {{1, 1}, {1, 64}, {64, 1}, {8192, 1}, {1, 8192}, {3, 7}};
    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        static const char *const formats[] = {"I420", "Y42B", "RGBA", "GRAY16_LE"};
        for (guint f = 0; f < G_N_ELEMENTS(formats); f++) {
            g_autofree char *caps = caps_text(formats[f], sizes[i][0], sizes[i][1], "");
            GstHarness *h = harness_new("");
            GstBuffer *out = push_flat(h, caps, teal);
            GstVideoInfo info = output_info(h);
            g_assert_cmpint(info.width, ==, SCALE * sizes[i][0]);
            g_assert_cmpint(info.height, ==, SCALE * sizes[i][1]);
            gst_buffer_unref(out);
            gst_harness_teardown(h);
        }
    }
}

/* 8K in, past the networks. */
static void test_8k(void) {
    GstHarness *h = harness_new("bypass=true");
    const char *caps = "video/x-raw,format=I420,width=7680,height=4320,framerate=25/1";
    GstVideoInfo in = info_of(caps);
    GstBuffer *frame = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(&in), NULL);
    gst_buffer_memset(frame, 0, 100, GST_VIDEO_INFO_SIZE(&in));
    gst_harness_set_src_caps_str(h, caps);
    GstBuffer *out = gst_harness_push_and_pull(h, frame);
    GstVideoInfo info = output_info(h);
    GstMapInfo map;
    g_assert_cmpint(info.width, ==, 15360);
    g_assert_cmpint(info.height, ==, 8640);
    gst_buffer_map(out, &map, GST_MAP_READ);
    g_assert_cmpint(map.data[0], ==, 100);
    g_assert_cmpint(map.data[(gsize)15360 * 8640 * 3 / 2 - 1], ==, 100);
    gst_buffer_unmap(out, &map);
    gst_buffer_unref(out);
    gst_harness_teardown(h);
}

/* The size that a capsfilter asks for goes through to a source that can choose. */
static void test_reverse(void) {
    g_autofree char *line =
        g_strdup_printf("videotestsrc num-buffers=1 ! yonossr name=y model=%s threads=1 bypass=true ! "
                        "video/x-raw,format=NV12,width=192,height=108,pixel-aspect-ratio=1/1 ! fakesink",
                        model_folder);
    g_autoptr(GstElement) pipeline = gst_parse_launch(line, NULL);
    g_autoptr(GstElement) element = gst_bin_get_by_name(GST_BIN(pipeline), "y");
    g_autoptr(GstPad) pad = gst_element_get_static_pad(element, "sink");
    gst_element_set_state(pipeline, GST_STATE_PAUSED);
    g_assert_cmpint(gst_element_get_state(pipeline, NULL, NULL, 10 * GST_SECOND), ==, GST_STATE_CHANGE_SUCCESS);
    g_autoptr(GstCaps) caps = gst_pad_get_current_caps(pad);
    GstVideoInfo info;
    g_assert_true(gst_video_info_from_caps(&info, caps));
    g_assert_cmpint(info.width, ==, 96);
    g_assert_cmpint(info.height, ==, 54);
    g_assert_cmpstr(GST_VIDEO_INFO_NAME(&info), ==, "NV12");
    gst_element_set_state(pipeline, GST_STATE_NULL);
}

int main(int argc, char **argv) {
    init_tests(&argc, &argv);
    g_test_add_func("/pictures/sizes", test_sizes);
    g_test_add_func("/pictures/no-borders", test_no_borders);
    g_test_add_func("/pictures/sd-to-hd", test_sd_to_hd);
    g_test_add_func("/pictures/extremes", test_extremes);
    g_test_add_func("/pictures/8k", test_8k);
    g_test_add_func("/pictures/reverse", test_reverse);
    return run_tests();
}
