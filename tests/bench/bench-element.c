/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the element costs besides the engine, in milliseconds per frame:
 *
 *   bench-element [--model NAME] [--frames N] [--bypass-frames N]
 *
 *   upscale   640 x 360 -> 1280 x 720 per format: all of it from push to pull, what is not the engine's (stats:
 *             ms-engine), and its share
 *   bypass    960 x 540 -> 1920 x 1080: all of it, with no engine
 *   fast      640 x 360 -> 1280 x 720 with late-policy=fast, every frame late
 *
 * Medians, which a busy machine disturbs least. One frame goes first that is not counted. Buffers come from outside, as
 * they would from a decoder.
 */
#include <gst/check/gstharness.h>
#include <gst/video/video.h>
#include <stdlib.h>

static gchar *model = NULL;
static gint frames = 5, bypass_frames = 60;

static const GOptionEntry entries[] = {
    {"model", 0, 0, G_OPTION_ARG_STRING, &model, "model folder or name (default: the default model)", "NAME"},
    {"frames", 0, 0, G_OPTION_ARG_INT, &frames, "frames through the networks per format", "N"},
    {"bypass-frames", 0, 0, G_OPTION_ARG_INT, &bypass_frames, "frames past the networks per format", "N"},
    {NULL, 0, 0, 0, NULL, NULL, NULL}};

/* Noise of moderate contrast: nothing is constant, nothing is clipped. */
static GstBuffer *frame_new(const GstVideoInfo *info, guint number) {
    GstMapInfo map;
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(info), NULL);
    guint32 state = 12345;
    gst_buffer_map(buffer, &map, GST_MAP_WRITE);
    for (gsize i = 0; i < map.size; i++)
        map.data[i] = (guint8)(64 + ((state = state * 1664525u + 1013904223u) >> 25));
    gst_buffer_unmap(buffer, &map);
    GST_BUFFER_PTS(buffer) = number * 40 * GST_MSECOND;
    GST_BUFFER_DURATION(buffer) = 40 * GST_MSECOND;
    return buffer;
}

/* Of all frames so far; a benchmark has fewer than `stats` takes its means of. */
static double engine_ms(GstHarness *h) {
    g_autoptr(GstStructure) stats = NULL;
    double ms = 0.0;
    guint64 count = 0;
    gst_harness_get(h, "yonossr", "stats", &stats, NULL);
    gst_structure_get_double(stats, "ms-engine", &ms);
    gst_structure_get_uint64(stats, "frames", &count);
    return ms * (double)count;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, by_value);
    return values[count / 2];
}

typedef struct {
    double all, rest; /* ms per frame; without the engine */
} Cost;

/* Pushes one frame and pulls the result. */
static Cost measure_frame(GstHarness *h, const GstVideoInfo *info, guint number) {
    GstBuffer *in = frame_new(info, number);
    double before = engine_ms(h);
    gint64 begin = g_get_monotonic_time();
    GstBuffer *out = gst_harness_push_and_pull(h, in);
    double all = (double)(g_get_monotonic_time() - begin) / 1e3;
    gst_buffer_unref(out);
    return (Cost){all, all - (engine_ms(h) - before)};
}

static Cost measure(const char *options, const char *format, int width, int height, int count, gboolean late) {
    g_autofree char *line = g_strdup_printf("yonossr name=y %s model=%s", options, model ? model : "yonos-lite-x2");
    g_autofree char *text =
        g_strdup_printf("video/x-raw,format=%s,width=%d,height=%d,framerate=25/1", format, width, height);
    g_autoptr(GstCaps) caps = gst_caps_from_string(text);
    GstHarness *h = gst_harness_new_parse(line);
    GstVideoInfo info;
    gst_video_info_from_caps(&info, caps);
    gst_harness_set_src_caps(h, gst_caps_ref(caps));
    if (late)
        gst_harness_push_upstream_event(h, gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 2.0, GST_SECOND * 3600, 0));
    gst_buffer_unref(gst_harness_push_and_pull(h, frame_new(&info, 0)));
    g_autofree double *all = g_new(double, count), *rest = g_new(double, count);
    for (int i = 0; i < count; i++) {
        Cost cost = measure_frame(h, &info, (guint)i + 1);
        all[i] = cost.all;
        rest[i] = cost.rest;
    }
    gst_harness_teardown(h);
    return (Cost){median(all, count), median(rest, count)};
}

static void upscaling(void) {
    static const char *const formats[] = {"I420", "NV12", "RGB", "I420_10LE", "Y42B", "YUY2", "GRAY8", "Y444_12LE"};
    g_print("640 x 360 -> 1280 x 720, %d frames each\n%-10s %10s %10s %8s\n", frames, "format", "all ms", "rest ms",
            "share");
    for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
        Cost cost = measure("qos=false", formats[i], 640, 360, frames, FALSE);
        g_print("%-10s %10.1f %10.2f %7.2f%%\n", formats[i], cost.all, cost.rest, 100.0 * cost.rest / cost.all);
    }
}

static void resampling(const char *title, const char *options, int width, int height, gboolean late) {
    static const char *const formats[] = {"I420", "NV12", "RGBx", "I420_10LE"};
    g_print("\n%s: %d x %d -> %d x %d, %d frames each\n%-10s %10s %10s\n", title, width, height, 2 * width, 2 * height,
            bypass_frames, "format", "ms", "fps");
    for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
        Cost cost = measure(options, formats[i], width, height, bypass_frames, late);
        g_print("%-10s %10.2f %10.0f\n", formats[i], cost.all, 1e3 / cost.all);
    }
}

int main(int argc, char **argv) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GOptionContext) context = g_option_context_new("- the element's cost besides the engine");
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || frames < 1 || bypass_frames < 1) {
        g_printerr("bench-element: %s\n", error ? error->message : "the numbers of frames must be 1 or more");
        return 2;
    }
    gst_init(NULL, NULL);
    upscaling();
    resampling("bypass", "qos=false bypass=true", 960, 540, FALSE);
    resampling("late-policy=fast", "late-policy=fast", 640, 360, TRUE);
    g_free(model);
    return 0;
}
