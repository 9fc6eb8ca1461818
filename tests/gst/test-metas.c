/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What comes with frames and what goes back from them: metas, crops, the pointer's place.
 */
#include <gst/video/navigation.h>

#include "helpers.h"

enum { WIDTH = 32, HEIGHT = 24 };

static const char rgb[] = "video/x-raw,format=RGB,width=32,height=24,framerate=25/1";

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

int main(int argc, char **argv) {
    init_tests(&argc, &argv);
    g_test_add_func("/stream/metas", test_metas);
    g_test_add_func("/stream/crop", test_crop);
    g_test_add_func("/stream/bad-crop", test_bad_crop);
    g_test_add_func("/stream/navigation", test_navigation);
    return run_tests();
}
