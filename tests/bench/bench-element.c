/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the element costs besides the engine, in milliseconds per frame:
 *
 *   bench-element [--model NAME] [--frames N] [--bypass-frames N] [--seconds N] [--only PART]
 *
 *   upscale   640 x 360 -> 1280 x 720 per format: all of it from push to pull, what is not the engine's (stats:
 *             ms-engine), and its share
 *   bypass    960 x 540 -> 1920 x 1080: all of it, with no engine
 *   fast      640 x 360 -> 1280 x 720 with late-policy=fast, every frame late
 *   playback  the same at 30 frames per second by the clock, from a file's source and a live one: frames
 *             that reach the sink less than one frame late, and the second from which on all do
 *   reuse     640 x 360 -> 1280 x 720 in tiles of 256 with a small part that moves, without and with reuse-static
 *
 * Medians, which a busy machine disturbs least. One frame goes first that is not counted. Buffers come from outside, as
 * they would from a decoder.
 */
#include <gst/base/gstbasesink.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static gchar *model = NULL;
static gint frames = 5, bypass_frames = 60, seconds = 10;
static gchar *only = NULL;

static const GOptionEntry entries[] = {
    {"model", 0, 0, G_OPTION_ARG_STRING, &model, "model folder or name (default: the default model)", "NAME"},
    {"frames", 0, 0, G_OPTION_ARG_INT, &frames, "frames through the networks per format", "N"},
    {"bypass-frames", 0, 0, G_OPTION_ARG_INT, &bypass_frames, "frames past the networks per format", "N"},
    {"seconds", 0, 0, G_OPTION_ARG_INT, &seconds, "length of the playback", "N"},
    {"only", 0, 0, G_OPTION_ARG_STRING, &only, "upscale, bypass, fast, playback or reuse alone", "PART"},
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
    double all, rest, cpu; /* ms per frame: all, without the engine, of processor time in all threads */
} Cost;

/* Pushes one frame and pulls the result. */
static Cost measure_frame(GstHarness *h, const GstVideoInfo *info, guint number) {
    GstBuffer *in = frame_new(info, number);
    double before = engine_ms(h);
    clock_t cpu_begin = clock();
    gint64 begin = g_get_monotonic_time();
    GstBuffer *out = gst_harness_push_and_pull(h, in);
    double all = (double)(g_get_monotonic_time() - begin) / 1e3;
    double cpu = (double)(clock() - cpu_begin) * 1e3 / CLOCKS_PER_SEC;
    gst_buffer_unref(out);
    return (Cost){all, all - (engine_ms(h) - before), cpu};
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
    g_autofree double *cpu = g_new(double, count);
    for (int i = 0; i < count; i++) {
        Cost cost = measure_frame(h, &info, (guint)i + 1);
        all[i] = cost.all;
        rest[i] = cost.rest;
        cpu[i] = cost.cpu;
    }
    gst_harness_teardown(h);
    return (Cost){median(all, count), median(rest, count), median(cpu, count)};
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
    static const char *const formats[] = {"I420", "NV12", "RGB", "RGBx", "I420_10LE"};
    g_print("\n%s: %d x %d -> %d x %d, %d frames each\n%-10s %10s %10s %10s\n", title, width, height, 2 * width,
            2 * height, bypass_frames, "format", "ms", "cpu ms", "fps");
    for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
        Cost cost = measure(options, formats[i], width, height, bypass_frames, late);
        g_print("%-10s %10.2f %10.2f %10.0f\n", formats[i], cost.all, cost.cpu, 1e3 / cost.all);
    }
}

/* ---- playback ---------------------------------------------------------------------------------------- */

static guint64 count_of(const GstStructure *stats, const char *field) {
    guint64 count = 0;
    gst_structure_get_uint64(stats, field, &count);
    return count;
}

typedef struct {
    GstElement *sink;
    guint arrived, in_time; /* frames at the sink; of them less than a frame's time late */
    GstClockTime caught_up; /* time of the stream after which none was late */
} Arrivals;

static GstPadProbeReturn note_arrival(GstPad *pad, GstPadProbeInfo *probe, gpointer data) {
    Arrivals *arrivals = data;
    GstClockTime time = GST_BUFFER_PTS(GST_PAD_PROBE_INFO_BUFFER(probe));
    g_autoptr(GstClock) clock = gst_element_get_clock(arrivals->sink);
    (void)pad;
    gint64 late = 0; /* without a clock: prerolling */
    if (clock)
        late = (gint64)(gst_clock_get_time(clock) - gst_element_get_base_time(arrivals->sink) - time -
                        gst_base_sink_get_latency(GST_BASE_SINK(arrivals->sink)));
    arrivals->arrived++;
    if (late < (gint64)GST_SECOND / 30)
        arrivals->in_time++;
    else
        arrivals->caught_up = time;
    return GST_PAD_PROBE_OK;
}

static void play(const char *title, const char *source) {
    g_autoptr(GError) error = NULL;
    g_autofree char *line = g_strdup_printf(
        "%s num-buffers=%d pattern=ball ! video/x-raw,format=I420,width=640,height=360,framerate=30/1 ! "
        "yonossr name=y model=%s late-policy=fast ! fakesink name=s sync=true qos=true",
        source, 30 * seconds, model ? model : "yonos-lite-x2");
    g_autoptr(GstElement) pipeline = gst_parse_launch(line, &error);
    if (!pipeline)
        g_error("%s", error->message);
    g_autoptr(GstElement) element = gst_bin_get_by_name(GST_BIN(pipeline), "y");
    g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "s");
    g_autoptr(GstPad) pad = gst_element_get_static_pad(sink, "sink");
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    g_autoptr(GstStructure) stats = NULL;
    Arrivals arrivals = {.sink = sink};
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, note_arrival, &arrivals, NULL);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    gst_message_unref(gst_bus_timed_pop_filtered(bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
    g_object_get(element, "stats", &stats, NULL);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    g_print("%-10s %10u %10u %12.2f %10" G_GUINT64_FORMAT " %10" G_GUINT64_FORMAT "\n", title, arrivals.arrived,
            arrivals.in_time, (double)arrivals.caught_up / GST_SECOND, count_of(stats, "frames"),
            count_of(stats, "fast-frames"));
}

static void playback(void) {
    g_print("\nplayback: 640 x 360 -> 1280 x 720, late-policy=fast, 30 frames per second for %d s\n"
            "%-10s %10s %10s %12s %10s %10s\n",
            seconds, "source", "shown", "in time", "in time from", "networks", "resampled");
    play("file", "videotestsrc");
    play("live", "videotestsrc is-live=true");
}

/* ---- reuse ---------------------------------------------------------------------------------------------- */

/* Median ms of frames in which 40 x 40 pixels of 640 x 360 change. */
static double moving(const char *options) {
    g_autofree char *line =
        g_strdup_printf("yonossr qos=false tile-size=256 %s model=%s", options, model ? model : "yonos-lite-x2");
    GstHarness *h = gst_harness_new_parse(line);
    g_autofree double *times = g_new(double, frames);
    GstVideoInfo info;
    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_RGB, 640, 360);
    gst_harness_set_src_caps(h, gst_video_info_to_caps(&info));
    for (int i = -1; i < frames; i++) {
        GstBuffer *in = frame_new(&info, (guint)(i + 1));
        for (gsize y = 100; y < 140; y++)
            gst_buffer_memset(in, (y * 640 + 60) * 3, (guint8)(i * 11), 40 * 3);
        gint64 begin = g_get_monotonic_time();
        gst_buffer_unref(gst_harness_push_and_pull(h, in));
        if (i >= 0)
            times[i] = (double)(g_get_monotonic_time() - begin) / 1e3;
    }
    gst_harness_teardown(h);
    return median(times, frames);
}

static void reuse(void) {
    double plain = moving(""), reused = moving("reuse-static=true");
    g_print("\nreuse-static: 640 x 360 -> 1280 x 720, tiles of 256, 40 x 40 pixels move, %d frames each\n"
            "%10s %10s %10s\n%10.1f %10.1f %9.1fx\n",
            frames, "off ms", "on ms", "faster", plain, reused, plain / reused);
}

static gboolean wanted(const char *part) {
    return !only || strcmp(only, part) == 0;
}

int main(int argc, char **argv) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GOptionContext) context = g_option_context_new("- the element's cost besides the engine");
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || frames < 1 || bypass_frames < 1 || seconds < 1) {
        g_printerr("bench-element: %s\n", error ? error->message : "numbers must be 1 or more");
        return 2;
    }
    gst_init(NULL, NULL);
    if (wanted("upscale"))
        upscaling();
    if (wanted("bypass"))
        resampling("bypass", "qos=false bypass=true", 960, 540, FALSE);
    if (wanted("fast"))
        resampling("late-policy=fast", "late-policy=fast", 640, 360, TRUE);
    if (wanted("playback"))
        playback();
    if (wanted("reuse"))
        reuse();
    g_free(model);
    g_free(only);
    return 0;
}
