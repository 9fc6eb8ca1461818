/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pictures through the element: formats, colours, depths, alpha, sizes, borders, compare, reuse of tiles.
 *
 * Frames of one colour are the oracle of most tests: see grey_harness_new().
 */
#include <string.h>

#include "helpers.h"

/* ---- flat frames ---------------------------------------------------------------------------------- */

typedef struct {
    guint16 a, r, g, b;
} Colour;

static const Colour teal = {65535, 0x2000, 0x9000, 0xa000}, half_teal = {0x6000, 0x2000, 0x9000, 0xa000};

static GstVideoInfo info_of(const char *caps_string) {
    GstVideoInfo info;
    g_autoptr(GstCaps) caps = gst_caps_from_string(caps_string);
    g_assert_true(gst_video_info_from_caps(&info, caps));
    return info;
}

/* Between a buffer of `info` and 16-bit ARGB of the same size, by GStreamer. */
static GstBuffer *convert(GstBuffer *buffer, GstVideoInfo *from, GstVideoInfo *to) {
    GstVideoFrame in, out;
    GstBuffer *result = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(to), NULL);
    GstVideoConverter *converter = gst_video_converter_new(from, to, NULL);
    g_assert_nonnull(converter);
    g_assert_true(gst_video_frame_map(&in, from, buffer, GST_MAP_READ));
    g_assert_true(gst_video_frame_map(&out, to, result, GST_MAP_WRITE));
    gst_video_converter_frame(converter, &in, &out);
    gst_video_frame_unmap(&out);
    gst_video_frame_unmap(&in);
    gst_video_converter_free(converter);
    gst_buffer_unref(buffer);
    return result;
}

static guint8 *sample_at(const GstVideoFrame *frame, guint c, int x, int y) {
    guint8 *at = (guint8 *)GST_VIDEO_FRAME_COMP_DATA(frame, c) + y * GST_VIDEO_FRAME_COMP_STRIDE(frame, c) +
                 x * GST_VIDEO_FRAME_COMP_PSTRIDE(frame, c);
    /* GStreamer says that P010 and its like have V one byte behind U, which has two. */
    gboolean words = GST_VIDEO_FRAME_COMP_DEPTH(frame, c) > 8 && GST_VIDEO_FRAME_COMP_PLANE(frame, c) > 0;
    return words && GST_VIDEO_FRAME_COMP_POFFSET(frame, c) == 1 ? at + 1 : at;
}

/* Of 8 bits, or in the low or high bits of a little-endian word. */
static int sample(const GstVideoFrame *frame, guint c, int x, int y) {
    const guint8 *at = sample_at(frame, c, x, y);
    return GST_VIDEO_FRAME_COMP_DEPTH(frame, c) == 8 ? *at : GST_READ_UINT16_LE(at) >> frame->info.finfo->shift[c];
}

static void set_sample(const GstVideoFrame *frame, guint c, int x, int y, int code) {
    guint8 *at = sample_at(frame, c, x, y);
    guint16 word = GUINT16_TO_LE((guint16)(code << frame->info.finfo->shift[c]));
    if (GST_VIDEO_FRAME_COMP_DEPTH(frame, c) == 8)
        *at = (guint8)code;
    else
        memcpy(at, &word, sizeof word); /* packed formats have samples at odd addresses */
}

static GstVideoInfo argb64_like(const GstVideoInfo *like) {
    GstVideoInfo info;
    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_ARGB64, (guint)like->width, (guint)like->height);
    info.fps_n = like->fps_n;
    info.fps_d = like->fps_d;
    return info;
}

static GstBuffer *flat_new(GstVideoInfo *info, Colour colour) {
    GstVideoInfo deep = argb64_like(info);
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(&deep), NULL);
    GstMapInfo map;
    gst_buffer_map(buffer, &map, GST_MAP_WRITE);
    for (gsize i = 0; i + sizeof colour <= map.size; i += sizeof colour)
        memcpy(map.data + i, &colour, sizeof colour);
    gst_buffer_unmap(buffer, &map);
    buffer = convert(buffer, &deep, info);
    GST_BUFFER_PTS(buffer) = 0;
    return buffer;
}

/* Distance of the mean of `part` from `colour`, of 65535; alpha counts when `alpha`. */
static int distance(GstBuffer *buffer, GstVideoInfo *info, const GstVideoRectangle *part, Colour colour,
                    gboolean alpha) {
    GstVideoInfo deep = argb64_like(info);
    const int wanted[4] = {colour.a, colour.r, colour.g, colour.b};
    gint64 sum[4] = {0}, pixels = (gint64)part->w * part->h;
    GstMapInfo map;
    int largest = 0;
    buffer = convert(gst_buffer_ref(buffer), info, &deep);
    gst_buffer_map(buffer, &map, GST_MAP_READ);
    for (int y = part->y; y < part->y + part->h; y++)
        for (int x = part->x; x < part->x + part->w; x++) {
            const guint16 *pixel = (const guint16 *)map.data + 4 * ((gsize)y * (gsize)info->width + (gsize)x);
            for (int c = 0; c < 4; c++)
                sum[c] += pixel[c];
        }
    gst_buffer_unmap(buffer, &map);
    gst_buffer_unref(buffer);
    for (int c = alpha ? 0 : 1; c < 4; c++)
        largest = MAX(largest, ABS((int)(sum[c] / pixels) - wanted[c]));
    return largest;
}

static GstBuffer *push_flat(GstHarness *h, const char *caps, Colour colour) {
    GstVideoInfo in = info_of(caps);
    gst_harness_set_src_caps_str(h, caps);
    GstBuffer *out = gst_harness_push_and_pull(h, flat_new(&in, colour));
    g_assert_nonnull(out);
    return out;
}

static GstVideoInfo output_info(GstHarness *h) {
    GstVideoInfo info;
    g_autoptr(GstCaps) caps = gst_pad_get_current_caps(h->sinkpad);
    g_assert_true(gst_video_info_from_caps(&info, caps));
    return info;
}

/* What one code of the coarser of the two may be off, of 65535, and a little for the matrix. */
static int tolerance(const GstVideoInfo *a, const GstVideoInfo *b) {
    int depth = MIN(GST_VIDEO_INFO_COMP_DEPTH(a, 0), GST_VIDEO_INFO_COMP_DEPTH(b, 0));
    return 65536 * 5 / (1 << MIN(depth, 12)) + 16;
}

/* How far off a frame is from the start, where that is more than rounding: NV61 of an odd width has its last chroma
 * samples swapped by GStreamer's converter (1.22). */
static int own_loss(GstVideoInfo *info, Colour colour, gboolean alpha) {
    GstVideoRectangle all = {0, 0, info->width, info->height};
    GstBuffer *buffer = flat_new(info, colour);
    int off = distance(buffer, info, &all, colour, alpha);
    gst_buffer_unref(buffer);
    return off > tolerance(info, info) ? off : 0;
}

static GPtrArray *all_formats(void) {
    GPtrArray *names = g_ptr_array_new();
    g_autoptr(GstElementFactory) factory = gst_element_factory_find("yonossr");
    const GstStaticPadTemplate *template = gst_element_factory_get_static_pad_templates(factory)->data;
    g_autoptr(GstCaps) caps = gst_static_caps_get((GstStaticCaps *)&template->static_caps);
    const GValue *list = gst_structure_get_value(gst_caps_get_structure(caps, 0), "format");
    for (guint i = 0; i < gst_value_list_get_size(list); i++)
        g_ptr_array_add(names, (gpointer)g_intern_string(g_value_get_string(gst_value_list_get_value(list, i))));
    return names;
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
    ramp = convert(ramp, &deep, &in);
    GST_BUFFER_PTS(ramp) = 0;
    gst_harness_set_sink_caps_str(h, wanted);
    gst_harness_set_src_caps_str(h, caps);
    GstBuffer *out = gst_harness_push_and_pull(h, ramp);
    GstVideoInfo info = output_info(h), big = argb64_like(&info);
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    out = convert(out, &info, &big);
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

/* ---- sizes ------------------------------------------------------------------------------------------- */

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

static void test_no_borders(void) {
    GstHarness *h = grey_harness_new("add-borders=false");
    gst_harness_set_sink_caps_str(h, "video/x-raw,width=64,height=24,pixel-aspect-ratio=1/1");
    GstBuffer *out = push_flat(h, "video/x-raw,format=RGB,width=16,height=12,framerate=25/1", teal);
    GstVideoInfo info = output_info(h);
    GstVideoRectangle all = {0, 0, 64, 24};
    g_assert_cmpint(distance(out, &info, &all, teal, TRUE), <=, tolerance(&info, &info));
    gst_buffer_unref(out);
    gst_harness_teardown(h);
}

/* A picture without colorimetry keeps its matrix where its size passes the border between SD and HD. */
static void test_sd_to_hd(void) {
    GstHarness *h = harness_new("bypass=true");
    GstBuffer *out = push_flat(h, "video/x-raw,format=Y444,width=32,height=576,framerate=25/1", teal);
    GstVideoInfo info = output_info(h);
    GstVideoRectangle all = {0, 0, 64, 1152};
    g_assert_cmpint(distance(out, &info, &all, teal, TRUE), <=, tolerance(&info, &info));
    gst_buffer_unref(out);
    gst_harness_teardown(h);
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

/* ---- resampling ------------------------------------------------------------------------------------------- */

/* What GStreamer's own Lanczos makes of a frame: `in` to `out`. Takes the buffer. */
static GstBuffer *converted(GstBuffer *buffer, GstVideoInfo *in, GstVideoInfo *out) {
    GstVideoFrame from, to;
    GstBuffer *result = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(out), NULL);
    GstVideoConverter *converter = gst_video_converter_new(
        in, out,
        gst_structure_new("options", GST_VIDEO_CONVERTER_OPT_RESAMPLER_METHOD, GST_TYPE_VIDEO_RESAMPLER_METHOD,
                          GST_VIDEO_RESAMPLER_METHOD_LANCZOS, GST_VIDEO_CONVERTER_OPT_CHROMA_RESAMPLER_METHOD,
                          GST_TYPE_VIDEO_RESAMPLER_METHOD, GST_VIDEO_RESAMPLER_METHOD_LANCZOS,
                          GST_VIDEO_CONVERTER_OPT_DITHER_METHOD, GST_TYPE_VIDEO_DITHER_METHOD, GST_VIDEO_DITHER_NONE,
                          NULL));
    g_assert_true(gst_video_frame_map(&from, in, buffer, GST_MAP_READ));
    g_assert_true(gst_video_frame_map(&to, out, result, GST_MAP_WRITE));
    gst_video_converter_frame(converter, &from, &to);
    gst_video_frame_unmap(&to);
    gst_video_frame_unmap(&from);
    gst_video_converter_free(converter);
    gst_buffer_unref(buffer);
    return result;
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
    GstBuffer *expected = converted(slopes_new(caps), &in, &info);
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

/* ---- the networks' pictures -------------------------------------------------------------------------------- */

static GBytes *picture_of(const char *format, int seed) {
    g_autofree char *deep_caps = caps_text("ARGB64", 24, 16, ""), *caps = caps_text(format, 24, 16, "");
    GstVideoInfo deep = info_of(deep_caps), info = info_of(caps);
    GstHarness *h = harness_new("");
    gst_harness_set_src_caps_str(h, caps);
    GstBuffer *out = gst_harness_push_and_pull(h, convert(frame_new(deep_caps, seed), &deep, &info));
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

/* ---- compare ---------------------------------------------------------------------------------------------- */

static GBytes *compared(const char *options, const char *caps) {
    g_autofree char *all = g_strdup_printf("colour-fix=none %s", options);
    return run_one(all, caps, 3);
}

/* Columns [from, to) of an RGB picture of `width` pixels, from a's column `a_from` on, are the same. */
static gboolean same_columns(GBytes *a, int a_from, GBytes *b, int b_from, int count, int width, int height) {
    const guint8 *x = g_bytes_get_data(a, NULL), *y = g_bytes_get_data(b, NULL);
    for (int row = 0; row < height; row++)
        if (memcmp(x + 3 * (row * width + a_from), y + 3 * (row * width + b_from), 3 * (gsize)count) != 0)
            return FALSE;
    return TRUE;
}

static void test_compare(void) {
    enum { W = 64, H = 32 };
    g_autofree char *caps = caps_text("RGB", W / 2, H / 2, "");
    g_autoptr(GBytes) result = compared("", caps), original = compared("bypass=true", caps);
    g_autoptr(GBytes) split = compared("compare=split compare-position=0.25", caps);
    g_autoptr(GBytes) all = compared("compare=split compare-position=1", caps);
    g_autoptr(GBytes) sides = compared("compare=side-by-side compare-position=0.5", caps);
    g_autoptr(GBytes) twice = compared("compare=side-by-side compare-position=0.75 bypass=true", caps);
    g_assert_false(same_columns(result, 0, original, 0, W, W, H));
    g_assert_true(same_columns(split, 0, original, 0, W / 4, W, H));
    g_assert_true(same_columns(split, W / 4, result, W / 4, W - W / 4, W, H));
    g_assert_true(g_bytes_equal(all, original));
    g_assert_true(same_columns(sides, 0, original, W / 4, W / 2, W, H));
    g_assert_true(same_columns(sides, W / 2, result, W / 4, W / 2, W, H));
    /* A frame that the networks did not do keeps the view. */
    g_assert_true(same_columns(twice, 0, original, 3 * W / 8, W / 2, W, H));
    g_assert_true(same_columns(twice, W / 2, original, 3 * W / 8, W / 2, W, H));
}

static void test_compare_formats(void) {
    g_autoptr(GPtrArray) formats = all_formats();
    for (guint i = 0; i < formats->len; i++) {
        g_autofree char *caps = caps_text(g_ptr_array_index(formats, i), 9, 7, "");
        GBytes *all = run_one("compare=split compare-position=1", caps, 3), *bypass = run_one("bypass=true", caps, 3);
        GstVideoInfo info = info_of(caps);
        /* Padding at the ends of rows is nobody's. */
        if (GST_VIDEO_INFO_N_PLANES(&info) == 1 && GST_VIDEO_INFO_COMP_PSTRIDE(&info, 0) >= 4 &&
            GST_VIDEO_FORMAT_INFO_W_SUB(info.finfo, 1) == 0)
            g_assert_true(g_bytes_equal(all, bypass));
        g_bytes_unref(all);
        g_bytes_unref(bypass);
        g_bytes_unref(run_one("compare=side-by-side compare-position=0.3", caps, 3));
    }
}

/* ---- reuse ---------------------------------------------------------------------------------------------------- */

/* A frame of noise-free content whose right part moves with `step`. */
static GstBuffer *moving_frame(const char *caps, int step) {
    GstBuffer *buffer = frame_new(caps, 0);
    GstMapInfo map;
    gst_buffer_map(buffer, &map, GST_MAP_READWRITE);
    for (int y = 10; y < 20; y++)
        for (int x = 100; x < 110; x++)
            map.data[(y * 128 + x) * 3] = (guint8)(step * 37);
    gst_buffer_unmap(buffer, &map);
    GST_BUFFER_PTS(buffer) = (GstClockTime)step * 40 * GST_MSECOND;
    return buffer;
}

static void test_reuse(void) {
    static const char *const grids[] = {"tile-size=0", "tile-size=64", "tile-size=96 tile-overlap=48"};
    const char *caps = "video/x-raw,format=RGB,width=128,height=64,framerate=25/1";
    for (guint g = 0; g < G_N_ELEMENTS(grids); g++) {
        g_autofree char *with = g_strdup_printf("reuse-static=true %s", grids[g]);
        GstHarness *plain = harness_new(grids[g]), *reuse = harness_new(with);
        gst_harness_set_src_caps_str(plain, caps);
        gst_harness_set_src_caps_str(reuse, caps);
        static const int steps[] = {0, 0, 1, 1, 2, 0};
        for (guint i = 0; i < G_N_ELEMENTS(steps); i++) {
            if (i == 4) { /* another seed is another picture everywhere */
                gst_harness_set(plain, "yonossr", "seed", G_GUINT64_CONSTANT(5), NULL);
                gst_harness_set(reuse, "yonossr", "seed", G_GUINT64_CONSTANT(5), NULL);
            }
            GstBuffer *a = gst_harness_push_and_pull(plain, moving_frame(caps, steps[i]));
            GstBuffer *b = gst_harness_push_and_pull(reuse, moving_frame(caps, steps[i]));
            assert_same(bytes_of(a), bytes_of(b));
            gst_buffer_unref(a);
            gst_buffer_unref(b);
        }
        gst_harness_set(reuse, "yonossr", "reuse-static", FALSE, NULL);
        gst_buffer_unref(gst_harness_push_and_pull(reuse, moving_frame(caps, 0)));
        gst_buffer_unref(gst_harness_push_and_pull(plain, moving_frame(caps, 0)));
        guint64 run = stats_count(reuse, "tiles-run"), reused = stats_count(reuse, "tiles-reused");
        g_test_message("%s: %" G_GUINT64_FORMAT " tiles run, %" G_GUINT64_FORMAT " reused", grids[g], run, reused);
        g_assert_cmpuint(stats_count(plain, "tiles-run"), ==, run + reused);
        g_assert_cmpuint(stats_count(plain, "tiles-reused"), ==, 0);
        g_assert_cmpuint(reused, >=, 2); /* frames 1 and 3 at least */
        if (g > 0)
            g_assert_cmpuint(reused, >, (run + reused) / 7 * 2);
        gst_harness_teardown(plain);
        gst_harness_teardown(reuse);
    }
}

int main(int argc, char **argv) {
    init_tests(&argc, &argv);
    g_test_add_func("/pictures/every-format", test_every_format);
    g_test_add_func("/pictures/other-formats", test_other_formats);
    g_test_add_func("/pictures/matrices", test_matrices);
    g_test_add_func("/pictures/depth", test_depth);
    g_test_add_func("/pictures/codes", test_codes);
    g_test_add_func("/pictures/sizes", test_sizes);
    g_test_add_func("/pictures/no-borders", test_no_borders);
    g_test_add_func("/pictures/sd-to-hd", test_sd_to_hd);
    g_test_add_func("/pictures/extremes", test_extremes);
    g_test_add_func("/pictures/8k", test_8k);
    g_test_add_func("/pictures/reverse", test_reverse);
    g_test_add_func("/pictures/resampling", test_resampling);
    g_test_add_func("/pictures/resampling-threads", test_resampling_threads);
    g_test_add_func("/pictures/resampling-sites", test_resampling_sites);
    g_test_add_func("/pictures/neighbours", test_neighbours);
    g_test_add_func("/pictures/compare", test_compare);
    g_test_add_func("/pictures/compare-formats", test_compare_formats);
    g_test_add_func("/pictures/reuse", test_reuse);
    return run_tests();
}
