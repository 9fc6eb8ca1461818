/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See pixels.h.
 */
#include "pixels.h"

#include <string.h>

const Colour teal = {65535, 0x2000, 0x9000, 0xa000};

GPtrArray *all_formats(void) {
    GPtrArray *names = g_ptr_array_new();
    g_autoptr(GstElementFactory) factory = gst_element_factory_find("yonossr");
    const GstStaticPadTemplate *template = gst_element_factory_get_static_pad_templates(factory)->data;
    g_autoptr(GstCaps) caps = gst_static_caps_get((GstStaticCaps *)&template->static_caps);
    const GValue *list = gst_structure_get_value(gst_caps_get_structure(caps, 0), "format");
    for (guint i = 0; i < gst_value_list_get_size(list); i++)
        g_ptr_array_add(names, (gpointer)g_intern_string(g_value_get_string(gst_value_list_get_value(list, i))));
    return names;
}

GstVideoInfo info_of(const char *caps_string) {
    GstVideoInfo info;
    g_autoptr(GstCaps) caps = gst_caps_from_string(caps_string);
    g_assert_true(gst_video_info_from_caps(&info, caps));
    return info;
}

GstVideoInfo output_info(GstHarness *h) {
    GstVideoInfo info;
    g_autoptr(GstCaps) caps = gst_pad_get_current_caps(h->sinkpad);
    g_assert_true(gst_video_info_from_caps(&info, caps));
    return info;
}

GstVideoInfo argb64_like(const GstVideoInfo *like) {
    GstVideoInfo info;
    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_ARGB64, (guint)like->width, (guint)like->height);
    info.fps_n = like->fps_n;
    info.fps_d = like->fps_d;
    return info;
}

GstBuffer *convert(GstBuffer *buffer, GstVideoInfo *from, GstVideoInfo *to, GstStructure *options) {
    GstVideoFrame in, out;
    GstBuffer *result = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(to), NULL);
    GstVideoConverter *converter = gst_video_converter_new(from, to, options);
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

int sample(const GstVideoFrame *frame, guint c, int x, int y) {
    const guint8 *at = sample_at(frame, c, x, y);
    return GST_VIDEO_FRAME_COMP_DEPTH(frame, c) == 8 ? *at : GST_READ_UINT16_LE(at) >> frame->info.finfo->shift[c];
}

void set_sample(const GstVideoFrame *frame, guint c, int x, int y, int code) {
    guint8 *at = sample_at(frame, c, x, y);
    guint16 word = GUINT16_TO_LE((guint16)(code << frame->info.finfo->shift[c]));
    if (GST_VIDEO_FRAME_COMP_DEPTH(frame, c) == 8)
        *at = (guint8)code;
    else
        memcpy(at, &word, sizeof word); /* packed formats have samples at odd addresses */
}

GstBuffer *flat_new(GstVideoInfo *info, Colour colour) {
    GstVideoInfo deep = argb64_like(info);
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(&deep), NULL);
    GstMapInfo map;
    gst_buffer_map(buffer, &map, GST_MAP_WRITE);
    for (gsize i = 0; i + sizeof colour <= map.size; i += sizeof colour)
        memcpy(map.data + i, &colour, sizeof colour);
    gst_buffer_unmap(buffer, &map);
    buffer = convert(buffer, &deep, info, NULL);
    GST_BUFFER_PTS(buffer) = 0;
    return buffer;
}

GstBuffer *push_flat(GstHarness *h, const char *caps, Colour colour) {
    GstVideoInfo in = info_of(caps);
    gst_harness_set_src_caps_str(h, caps);
    GstBuffer *out = gst_harness_push_and_pull(h, flat_new(&in, colour));
    g_assert_nonnull(out);
    return out;
}

int distance(GstBuffer *buffer, GstVideoInfo *info, const GstVideoRectangle *part, Colour colour, gboolean alpha) {
    GstVideoInfo deep = argb64_like(info);
    const int wanted[4] = {colour.a, colour.r, colour.g, colour.b};
    gint64 sum[4] = {0}, pixels = (gint64)part->w * part->h;
    GstMapInfo map;
    int largest = 0;
    buffer = convert(gst_buffer_ref(buffer), info, &deep, NULL);
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

int tolerance(const GstVideoInfo *a, const GstVideoInfo *b) {
    int depth = MIN(GST_VIDEO_INFO_COMP_DEPTH(a, 0), GST_VIDEO_INFO_COMP_DEPTH(b, 0));
    return 65536 * 5 / (1 << MIN(depth, 12)) + 16;
}
