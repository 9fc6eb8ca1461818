/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The element's own resampling, past the networks, against GStreamer's.
 */
#include "helpers.h"
#include "pixels.h"

/* Options of GStreamer's converter: its own Lanczos. */
static GstStructure *lanczos(void) {
    return gst_structure_new("options", GST_VIDEO_CONVERTER_OPT_RESAMPLER_METHOD, GST_TYPE_VIDEO_RESAMPLER_METHOD,
                             GST_VIDEO_RESAMPLER_METHOD_LANCZOS, GST_VIDEO_CONVERTER_OPT_CHROMA_RESAMPLER_METHOD,
                             GST_TYPE_VIDEO_RESAMPLER_METHOD, GST_VIDEO_RESAMPLER_METHOD_LANCZOS,
                             GST_VIDEO_CONVERTER_OPT_DITHER_METHOD, GST_TYPE_VIDEO_DITHER_METHOD,
                             GST_VIDEO_DITHER_NONE, NULL);
}

/* The largest difference of two frames in component `c`, but for `border` samples on all sides. */
static int difference_inside(const GstVideoFrame *a, const GstVideoFrame *b, guint c, int border) {
    int largest = 0;
    for (int y = border; y < GST_VIDEO_FRAME_COMP_HEIGHT(a, c) - border; y++)
        for (int x = border; x < GST_VIDEO_FRAME_COMP_WIDTH(a, c) - border; x++)
            largest = MAX(largest, ABS(sample(a, c, x, y) - sample(b, c, x, y)));
    return largest;
}

/* A frame of rising and falling slopes: no overshoot reaches the ends of the range. */
static GstBuffer *slopes_new(const char *caps) {
    GstVideoInfo info = info_of(caps);
    GstVideoFrame frame;
    GstBuffer *buffer = frame_new(caps, 0);
    g_assert_true(gst_video_frame_map(&frame, &info, buffer, GST_MAP_WRITE));
    for (guint c = 0; c < GST_VIDEO_FRAME_N_COMPONENTS(&frame); c++)
        for (int y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT(&frame, c); y++)
            for (int x = 0; x < GST_VIDEO_FRAME_COMP_WIDTH(&frame, c); x++)
                set_sample(&frame, c, x, y,
                           (60 + ABS((x * 11 + y * 7 + (int)c * 20) % 240 - 120))
                               << (GST_VIDEO_FRAME_COMP_DEPTH(&frame, c) - 8));
    gst_video_frame_unmap(&frame);
    return buffer;
}

/* Whether GStreamer does what we do: it stretches chroma whose size is not exactly `scale` times the input's, and
 * takes subsampled chroma of more than 8 bits through full size. */
static gboolean is_comparable(const GstVideoFrame *frame, guint c, int scale) {
    return GST_VIDEO_FRAME_COMP_WIDTH(frame, c) % scale == 0 && GST_VIDEO_FRAME_COMP_HEIGHT(frame, c) % scale == 0 &&
           (GST_VIDEO_FRAME_COMP_DEPTH(frame, c) == 8 ||
            GST_VIDEO_FRAME_COMP_WIDTH(frame, c) == GST_VIDEO_FRAME_WIDTH(frame));
}

/* Our resampling against GStreamer's, which rounds and clips between its two directions and does not extrapolate at
 * the border. */
static void check_resampling(const char *format, int width, int height, int scale, const char *options) {
    g_autofree char *caps = caps_text(format, width, height, ",chroma-site=jpeg");
    GstHarness *h = harness_new(options);
    gst_harness_set_src_caps_str(h, caps);
    GstBuffer *out = gst_harness_push_and_pull(h, slopes_new(caps));
    GstVideoInfo in = info_of(caps), info = output_info(h);
    g_assert_cmpint(info.width, ==, scale * width);
    GstBuffer *expected = convert(slopes_new(caps), &in, &info, lanczos());
    GstVideoFrame a, b;
    g_assert_true(gst_video_frame_map(&a, &info, out, GST_MAP_READ));
    g_assert_true(gst_video_frame_map(&b, &info, expected, GST_MAP_READ));
    for (guint c = 0; c < GST_VIDEO_FRAME_N_COMPONENTS(&a); c++) {
        int off = is_comparable(&a, c, scale) ? difference_inside(&a, &b, c, scale) : 0;
        if (off > 2)
            g_error("%s %d x %d, %d times: %d away from GStreamer's Lanczos", format, width, height, scale, off);
    }
    gst_video_frame_unmap(&a);
    gst_video_frame_unmap(&b);
    gst_buffer_unref(out);
    gst_buffer_unref(expected);
    gst_harness_teardown(h);
}

static void test_resampling(void) {
    static const char *const formats[] = {"I420",      "NV12",      "YV12",      "NV21",      "Y42B",    "NV16",
                                          "Y444",      "NV24",      "v308",      "A420",      "AYUV",    "GRAY8",
                                          "RGB",       "BGRx",      "ARGB",      "GBR",       "GBRA",    "IYU2",
                                          "I420_10LE", "P010_10LE", "Y444_10LE", "A422_10LE", "GBR_10LE"};
    char *other = tiny_model_new();
    tiny_model_replace(other, "model_index.json", "\"scale\": 2", "\"scale\": 4");
    g_autofree char *by_four = g_strdup_printf("bypass=true model=%s", other);
    for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
        check_resampling(formats[i], 48, 32, 2, "bypass=true");
        check_resampling(formats[i], 37, 23, 2, "bypass=true");
        check_resampling(formats[i], 24, 18, 4, by_four);
    }
    tiny_model_remove(other);
}

static void test_resampling_threads(void) {
    static const char *const formats[] = {"NV12", "RGB"};
    for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
        g_autofree char *caps = caps_text(formats[i], 30, 200, "");
        assert_same(run_one("bypass=true threads=1", caps, 2), run_one("bypass=true threads=5", caps, 2));
    }
}

/* Chroma keeps its place: a ramp of 16 per sample, read where the siting says that the samples lie. */
static void test_resampling_sites(void) {
    static const struct {
        const char *site;
        int off; /* of sample 2 i below 16 i */
    } cases[] = {{"mpeg2", 2}, {"jpeg", 4}};
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *extra = g_strdup_printf(",chroma-site=%s", cases[i].site);
        g_autofree char *caps = caps_text("Y42B", 30, 8, extra);
        GstHarness *h = harness_new("bypass=true");
        GstVideoInfo in = info_of(caps), info;
        GstVideoFrame frame;
        GstBuffer *ramp = frame_new(caps, 0);
        g_assert_true(gst_video_frame_map(&frame, &in, ramp, GST_MAP_WRITE));
        for (int y = 0; y < 8; y++)
            for (int x = 0; x < 15; x++)
                set_sample(&frame, 1, x, y, 16 * x);
        gst_video_frame_unmap(&frame);
        gst_harness_set_src_caps_str(h, caps);
        GstBuffer *out = gst_harness_push_and_pull(h, ramp);
        info = output_info(h);
        g_assert_true(gst_video_frame_map(&frame, &info, out, GST_MAP_READ));
        for (int x = 6; x < 24; x += 2)
            g_assert_cmpint(ABS(sample(&frame, 1, x, 4) - (8 * x - cases[i].off)), <=, 1);
        gst_video_frame_unmap(&frame);
        gst_buffer_unref(out);
        gst_harness_teardown(h);
    }
}

int main(int argc, char **argv) {
    init_tests(&argc, &argv);
    g_test_add_func("/pictures/resampling", test_resampling);
    g_test_add_func("/pictures/resampling-threads", test_resampling_threads);
    g_test_add_func("/pictures/resampling-sites", test_resampling_sites);
    return run_tests();
}
