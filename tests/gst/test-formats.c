/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every format through the element: its colours, matrices, codes, depth and alpha.
 *
 * Frames of one colour are the oracle: see grey_harness_new().
 */
#include <string.h>

#include "helpers.h"
#include "pixels.h"

static const Colour half_teal = {0x6000, 0x2000, 0x9000, 0xa000};

/* How far off a frame is from the start, where that is more than rounding: NV61 of an odd width has its last chroma
 * samples swapped by GStreamer's converter (1.22). */
static int own_loss(GstVideoInfo *info, Colour colour, gboolean alpha) {
    GstVideoRectangle all = {0, 0, info->width, info->height};
    GstBuffer *buffer = flat_new(info, colour);
    int off = distance(buffer, info, &all, colour, alpha);
    gst_buffer_unref(buffer);
    return off > tolerance(info, info) ? off : 0;
}

/* Every format comes out in itself, in its colour and alpha, at an even and an odd size. */
static void test_every_format(void) {
    static const int sizes[][2] = {{16, 8}, {7, 5}};
    g_autoptr(GPtrArray) formats = all_formats();
    g_assert_cmpuint(formats->len, >, 80);
    for (guint i = 0; i < formats->len; i++)
        for (guint s = 0; s < G_N_ELEMENTS(sizes); s++) {
            const char *format = g_ptr_array_index(formats, i);
            g_autofree char *caps = caps_text(format, sizes[s][0], sizes[s][1], "");
            GstHarness *h = grey_harness_new("");
            GstVideoInfo in = info_of(caps);
            gboolean grey = GST_VIDEO_INFO_IS_GRAY(&in), alpha = GST_VIDEO_INFO_HAS_ALPHA(&in);
            Colour colour = grey ? (Colour){65535, 0x9000, 0x9000, 0x9000} : half_teal;
            if (!alpha)
                colour.a = 65535;
            GstBuffer *out = push_flat(h, caps, colour);
            GstVideoInfo info = output_info(h);
            g_assert_cmpstr(GST_VIDEO_INFO_NAME(&info), ==, format);
            g_assert_cmpint(info.width, ==, SCALE * sizes[s][0]);
            g_assert_cmpint(info.height, ==, SCALE * sizes[s][1]);
            GstVideoRectangle all = {0, 0, info.width, info.height};
            int off = distance(out, &info, &all, colour, alpha);
            if (off > tolerance(&in, &info) + own_loss(&in, colour, alpha))
                g_error("%s %d x %d: a flat frame comes out %d of 65535 off", format, in.width, in.height, off);
            gst_buffer_unref(out);
            gst_harness_teardown(h);
        }
}

/* The colour that the codes of a flat frame mean: GStreamer cuts off what a code does not hold, so it is not quite what
 * the frame was made from. */
static Colour meaning_of(GstBuffer *buffer, GstVideoInfo *info) {
    GstVideoFrame frame;
    gint offset[4], scale[4];
    double value[4] = {0.0, 0.0, 0.0, 1.0}, kr, kb;
    gst_video_color_range_offsets(info->colorimetry.range, info->finfo, offset, scale);
    g_assert_true(gst_video_frame_map(&frame, info, buffer, GST_MAP_READ));
    for (guint c = 0; c < GST_VIDEO_INFO_N_COMPONENTS(info); c++)
        value[c] = (double)(sample(&frame, c, 0, 0) - offset[c]) / scale[c];
    gst_video_frame_unmap(&frame);
    double rgb[3] = {value[0], value[1], value[2]};
    if (GST_VIDEO_INFO_IS_GRAY(info)) {
        rgb[1] = rgb[2] = rgb[0];
    } else if (GST_VIDEO_INFO_IS_YUV(info)) {
        g_assert_true(gst_video_color_matrix_get_Kr_Kb(info->colorimetry.matrix, &kr, &kb));
        rgb[0] = value[0] + 2.0 * (1.0 - kr) * value[2];
        rgb[2] = value[0] + 2.0 * (1.0 - kb) * value[1];
        rgb[1] = (value[0] - kr * rgb[0] - kb * rgb[2]) / (1.0 - kr - kb);
    }
    return (Colour){(guint16)(value[3] * 65535.0), (guint16)(rgb[0] * 65535.0), (guint16)(rgb[1] * 65535.0),
                    (guint16)(rgb[2] * 65535.0)};
}

/* Other formats and colorimetries downstream: the same colour. */
static void test_other_formats(void) {
    static const char *const pairs[][2] = {
        {"I420", "RGB"},   {"RGB", "NV12"},        {"NV12", "BGRx"},      {"I420_10LE", "P010_10LE"},
        {"YUY2", "I420"},  {"RGBA", "A420"},       {"I420", "I420_10LE"}, {"Y444_12LE", "ARGB64"},
        {"UYVY", "v216"},  {"GBR_10LE", "BGRA"},   {"AYUV64", "RGBA"},    {"P016_LE", "Y444_16LE"},
        {"GRAY8", "I420"}, {"GRAY16_LE", "GRAY8"}, {"P010_10LE", "I420"}, {"RGB", "GBR_12LE"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(pairs); i++) {
        g_autofree char *caps = caps_text(pairs[i][0], 16, 12, "");
        g_autofree char *wanted = g_strdup_printf("video/x-raw,format=%s", pairs[i][1]);
        GstHarness *h = grey_harness_new("");
        gst_harness_set_sink_caps_str(h, wanted);
        GstVideoInfo in = info_of(caps);
        Colour colour = GST_VIDEO_INFO_IS_GRAY(&in) ? (Colour){65535, 0x9000, 0x9000, 0x9000} : teal;
        GstBuffer *flat = flat_new(&in, colour);
        colour = meaning_of(flat, &in);
        gst_harness_set_src_caps_str(h, caps);
        GstBuffer *out = gst_harness_push_and_pull(h, flat);
        g_assert_nonnull(out);
        GstVideoInfo info = output_info(h);
        GstVideoRectangle all = {0, 0, info.width, info.height};
        g_assert_cmpstr(GST_VIDEO_INFO_NAME(&info), ==, pairs[i][1]);
        int off = distance(out, &info, &all, colour, TRUE);
        g_test_message("%s -> %s: %d of 65535 off, %d allowed", pairs[i][0], pairs[i][1], off, tolerance(&in, &info));
        if (off > tolerance(&in, &info))
            g_error("%s -> %s: a flat frame comes out %d of 65535 off", pairs[i][0], pairs[i][1], off);
        gst_buffer_unref(out);
        gst_harness_teardown(h);
    }
}

static void test_matrices(void) {
    static const char *const colorimetries[] = {"bt601", "bt709", "bt2020", "2:3:5:1", "1:4:5:4"};
    for (guint i = 0; i < G_N_ELEMENTS(colorimetries); i++)
        for (guint k = 0; k < G_N_ELEMENTS(colorimetries); k++) {
            g_autofree char *caps = g_strdup_printf("video/x-raw,format=Y42B,width=16,height=12,framerate=25/1,"
                                                    "colorimetry=%s",
                                                    colorimetries[i]);
            g_autofree char *wanted =
                g_strdup_printf("video/x-raw,format={ I420, Y42B },colorimetry=%s", colorimetries[k]);
            GstHarness *h = grey_harness_new("");
            gst_harness_set_sink_caps_str(h, wanted);
            GstBuffer *out = push_flat(h, caps, teal);
            GstVideoInfo info = output_info(h), in = info_of(caps);
            GstVideoRectangle all = {0, 0, info.width, info.height};
            g_assert_cmpstr(GST_VIDEO_INFO_NAME(&info), ==, "Y42B");
            g_assert_cmpint(distance(out, &info, &all, teal, TRUE), <=, tolerance(&in, &info) * 3 / 2);
            gst_buffer_unref(out);
            gst_harness_teardown(h);
        }
}

static void fill(const GstVideoFrame *frame, const int *codes) {
    for (guint c = 0; c < GST_VIDEO_FRAME_N_COMPONENTS(frame); c++)
        for (int y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT(frame, c); y++)
            for (int x = 0; x < GST_VIDEO_FRAME_COMP_WIDTH(frame, c); x++)
                set_sample(frame, c, x, y, codes[c]);
}

static double mean_of(const GstVideoFrame *frame, guint c) {
    int w = GST_VIDEO_FRAME_COMP_WIDTH(frame, c), h = GST_VIDEO_FRAME_COMP_HEIGHT(frame, c);
    double sum = 0.0;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            sum += sample(frame, c, x, y);
    return sum / (w * h);
}

/* A flat frame of these codes of 8 bits (alpha 200), shifted up to the format's depth, comes out in the same codes. */
static void check_codes(const char *format, const char *colorimetry, int y, int cb, int cr) {
    g_autofree char *extra = g_strdup_printf(",colorimetry=%s", colorimetry);
    g_autofree char *caps = caps_text(format, 16, 12, extra);
    GstHarness *h = grey_harness_new("");
    GstVideoInfo in = info_of(caps), info;
    GstVideoFrame frame;
    GstBuffer *buffer = frame_new(caps, 0);
    int unit = 1 << (GST_VIDEO_INFO_COMP_DEPTH(&in, 0) - 8), codes[4] = {y * unit, cb * unit, cr * unit, 200 * unit};
    g_assert_true(gst_video_frame_map(&frame, &in, buffer, GST_MAP_WRITE));
    fill(&frame, codes);
    gst_video_frame_unmap(&frame);
    gst_harness_set_src_caps_str(h, caps);
    GstBuffer *out = gst_harness_push_and_pull(h, buffer);
    info = output_info(h);
    g_assert_true(gst_video_frame_map(&frame, &info, out, GST_MAP_READ));
    for (guint c = 0; c < GST_VIDEO_FRAME_N_COMPONENTS(&frame); c++)
        if (ABS(mean_of(&frame, c) - codes[c]) > 0.4 * unit + 0.2)
            g_error("%s, %s: component %u is %.2f instead of %d", format, colorimetry, c, mean_of(&frame, c), codes[c]);
    gst_video_frame_unmap(&frame);
    gst_buffer_unref(out);
    gst_harness_teardown(h);
}

/* Codes above nominal white and below black, which HDR video uses, come out as they went in, and so do colours. */
static void test_codes(void) {
    static const char *const formats[] = {"I420",      "NV12",      "I420_10LE", "Y42B",
                                          "Y444_10LE", "I422_12LE", "YUY2",      "AYUV"};
    for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
        check_codes(formats[i], "bt2100-pq", 245, 128, 128);
        check_codes(formats[i], "bt2100-hlg", 9, 128, 128);
        check_codes(formats[i], "bt709", 150, 90, 180);
        check_codes(formats[i], "1:4:0:0", 90, 170, 110);
    }
    check_codes("GRAY8", "1:3:5:1", 200, 0, 0);
}

/* Levels of a ramp in the luma or red of the result. */
static guint levels(const char *from, const char *to) {
    g_autofree char *caps = caps_text(from, 1024, 8, "");
    g_autofree char *wanted = g_strdup_printf("video/x-raw,format=%s", to);
    GstHarness *h = grey_harness_new("");
    GstVideoInfo in = info_of(caps), deep = argb64_like(&in);
    GstBuffer *ramp = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(&deep), NULL);
    GstMapInfo map;
    gst_buffer_map(ramp, &map, GST_MAP_WRITE);
    for (guint i = 0; i < 1024 * 8; i++) {
        guint16 v = (guint16)(0x2000 + i % 1024 * 48), pixel[4] = {65535, v, v, v};
        memcpy(map.data + i * sizeof pixel, pixel, sizeof pixel);
    }
    gst_buffer_unmap(ramp, &map);
    ramp = convert(ramp, &deep, &in, NULL);
    GST_BUFFER_PTS(ramp) = 0;
    gst_harness_set_sink_caps_str(h, wanted);
    gst_harness_set_src_caps_str(h, caps);
    GstBuffer *out = gst_harness_push_and_pull(h, ramp);
    GstVideoInfo info = output_info(h), big = argb64_like(&info);
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    out = convert(out, &info, &big, NULL);
    gst_buffer_map(out, &map, GST_MAP_READ);
    for (gsize i = 0; i + 8 <= map.size; i += 8)
        g_hash_table_add(seen, GUINT_TO_POINTER(((guint16 *)(map.data + i))[1]));
    gst_buffer_unmap(out, &map);
    gst_buffer_unref(out);
    gst_harness_teardown(h);
    return g_hash_table_size(seen);
}

/* More than 8 bits never pass through 8. */
static void test_depth(void) {
    static const char *const pairs[][2] = {
        {"I420_10LE", "I420_10LE"}, {"P010_10LE", "I422_10LE"}, {"Y444_10LE", "Y444_10LE"}, {"I422_12LE", "I422_12LE"},
        {"GBR_10LE", "GBR_10LE"},   {"r210", "RGB10A2_LE"},     {"GRAY16_LE", "GRAY16_LE"}, {"ARGB64", "Y444_16LE"},
        {"P016_LE", "P010_10LE"},   {"Y210", "ARGB64"}};
    for (guint i = 0; i < G_N_ELEMENTS(pairs); i++) {
        guint count = levels(pairs[i][0], pairs[i][1]);
        if (count <= 300)
            g_error("%s -> %s: only %u levels of a ramp are left", pairs[i][0], pairs[i][1], count);
    }
}

static GBytes *picture_of(const char *format, int seed) {
    g_autofree char *deep_caps = caps_text("ARGB64", 24, 16, ""), *caps = caps_text(format, 24, 16, "");
    GstVideoInfo deep = info_of(deep_caps), info = info_of(caps);
    GstHarness *h = harness_new("");
    gst_harness_set_src_caps_str(h, caps);
    GstBuffer *out = gst_harness_push_and_pull(h, convert(frame_new(deep_caps, seed), &deep, &info, NULL));
    GBytes *bytes = bytes_of(out);
    gst_buffer_unref(out);
    gst_harness_teardown(h);
    return bytes;
}

/* Frames that follow each other come out different in every format, but for the high bytes of words of 10 bits. Tests
 * that compare pictures rely on it. */
static void test_neighbours(void) {
    g_autoptr(GPtrArray) formats = all_formats();
    for (guint i = 0; i < formats->len; i++) {
        const char *format = g_ptr_array_index(formats, i);
        g_autoptr(GBytes) now = picture_of(format, 3), next = picture_of(format, 4);
        double part = differing_part(now, next);
        if (part < 0.4)
            g_error("%s: only %.2f of the bytes differ", format, part);
    }
}

int main(int argc, char **argv) {
    init_tests(&argc, &argv);
    g_test_add_func("/pictures/every-format", test_every_format);
    g_test_add_func("/pictures/other-formats", test_other_formats);
    g_test_add_func("/pictures/matrices", test_matrices);
    g_test_add_func("/pictures/depth", test_depth);
    g_test_add_func("/pictures/codes", test_codes);
    g_test_add_func("/pictures/neighbours", test_neighbours);
    return run_tests();
}
