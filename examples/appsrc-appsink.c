/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * appsrc-appsink: a program's own frames through yonossr and back, one in, one out.
 *
 *   appsrc-appsink [FRAMES]       8 by default; prints size, time and mean of each upscaled frame
 */
#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/video/video.h>
#include <stdlib.h>

enum { WIDTH = 48, HEIGHT = 32, RATE = 25 };

/* A frame of the program's own: RGB, a ramp that moves one pixel to the right with each frame. */
static GstBuffer *make_frame(guint number) {
    gsize stride = GST_ROUND_UP_4(WIDTH * 3);
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, stride * HEIGHT, NULL);
    GstMapInfo map;
    gst_buffer_map(buffer, &map, GST_MAP_WRITE);
    for (guint y = 0; y < HEIGHT; y++)
        for (guint x = 0; x < WIDTH * 3; x++)
            map.data[y * stride + x] = (guint8)((x / 3 + WIDTH - number % WIDTH) % WIDTH * 255 / WIDTH);
    gst_buffer_unmap(buffer, &map);
    GST_BUFFER_PTS(buffer) = gst_util_uint64_scale(number, GST_SECOND, RATE);
    GST_BUFFER_DURATION(buffer) = GST_SECOND / RATE;
    return buffer;
}

/* What the program does with a result: here, the mean of its samples. */
static gboolean use_frame(GstSample *sample) {
    GstVideoInfo info;
    GstVideoFrame frame;
    if (!gst_video_info_from_caps(&info, gst_sample_get_caps(sample)) ||
        !gst_video_frame_map(&frame, &info, gst_sample_get_buffer(sample), GST_MAP_READ))
        return FALSE;
    double sum = 0;
    for (gint y = 0; y < info.height; y++) {
        const guint8 *row =
            (const guint8 *)GST_VIDEO_FRAME_PLANE_DATA(&frame, 0) + (gssize)y * GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0);
        for (gint x = 0; x < info.width * 3; x++)
            sum += row[x];
    }
    gst_video_frame_unmap(&frame);
    g_print("%d x %d at %" GST_TIME_FORMAT ", mean %.1f\n", info.width, info.height,
            GST_TIME_ARGS(GST_BUFFER_PTS(gst_sample_get_buffer(sample))), sum / (info.width * 3.0 * info.height));
    return TRUE;
}

/* One after the other: a program that has more frames to give would push them from another thread meanwhile. */
static gboolean run(GstElement *pipeline, guint frames) {
    g_autoptr(GstElement) source = gst_bin_get_by_name(GST_BIN(pipeline), "source");
    g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    for (guint i = 0; i < frames; i++) {
        if (gst_app_src_push_buffer(GST_APP_SRC(source), make_frame(i)) != GST_FLOW_OK)
            return FALSE;
        g_autoptr(GstSample) sample = gst_app_sink_pull_sample(GST_APP_SINK(sink));
        if (!sample || !use_frame(sample))
            return FALSE;
    }
    gst_app_src_end_of_stream(GST_APP_SRC(source));
    return TRUE;
}

static void print_error(GstElement *pipeline) {
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    g_autoptr(GstMessage) message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    g_autoptr(GError) error = NULL;
    if (message)
        gst_message_parse_error(message, &error, NULL);
    g_printerr("appsrc-appsink: %s\n", error ? error->message : "failed");
}

int main(int argc, char **argv) {
    gst_init(&argc, &argv);
    guint frames = argc > 1 ? (guint)atoi(argv[1]) : 8;
    g_autofree char *description =
        g_strdup_printf("appsrc name=source format=time caps=video/x-raw,format=RGB,width=%d,height=%d,framerate=%d/1 "
                        "! yonossr qos=false ! appsink name=sink sync=false",
                        WIDTH, HEIGHT, RATE);
    g_autoptr(GError) error = NULL;
    GstElement *pipeline = gst_parse_launch(description, &error);
    if (error) {
        g_printerr("appsrc-appsink: %s\n", error->message);
        g_clear_object(&pipeline);
        return 1;
    }
    gboolean ok = run(pipeline, frames);
    if (!ok)
        print_error(pipeline);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
    return ok ? 0 : 1;
}
