/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The element under bad treatment: random caps, properties that change while it plays, states, seeks, new caps, too
 * little memory. Short by default; with YONOS_LONG=1 (meson suite "long") as often as docs/robustness.md says.
 * Random draws come from GLib's --seed, which a failing run prints.
 */
#include <gst/app/gstappsink.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "helpers.h"

static gboolean is_long(void) {
    return g_getenv("YONOS_LONG") != NULL;
}

static int times(int normal, int thorough) {
    return is_long() ? thorough : normal;
}

/* Bytes of address space, and of memory, that this process has. */
static void measure(long *space, long *memory) {
    FILE *file = fopen("/proc/self/statm", "r");
    *space = *memory = 0;
    if (file && fscanf(file, "%ld %ld", space, memory) != 2)
        *space = *memory = 0;
    if (file)
        fclose(file);
    *space *= sysconf(_SC_PAGESIZE);
    *memory *= sysconf(_SC_PAGESIZE);
}

static long address_space(void) {
    long space, memory;
    measure(&space, &memory);
    return space;
}

/* In KiB. */
static long resident(void) {
    long space, memory;
    measure(&space, &memory);
    return memory / 1024;
}

static void assert_no_growth(long before, long allowed, const char *what) {
    long grown = resident() - before;
    g_test_message("%s: %ld KiB more resident", what, grown);
#if !defined(__SANITIZE_ADDRESS__) /* whose quarantine keeps what was freed */
    if (before > 0)
        g_assert_cmpint(grown, <, allowed);
#else
    (void)allowed;
#endif
}

/* ---- random caps -------------------------------------------------------------------------------------- */

static const char *pick(const char *const *list, guint count) {
    return list[g_test_rand_int_range(0, (gint)count)];
}

static char *random_caps(void) {
    static const char *const formats[] = {
        "RGB",  "I420", "NV12", "YUY2",     "Y42B",  "GRAY8",    "GRAY16_LE", "ARGB64",   "P010_10LE", "A420",
        "UYVY", "AYUV", "r210", "GBR_12LE", "NV61",  "Y410",     "P016_LE",   "v308",     "GRAY16_BE", "Y212_LE",
        "AV12", "VUYA", "v216", "v210",     "RGB16", "NV12_4L4", "ENCODED",   "nonsense", ""};
    static const char *const widths[] = {"1", "2",  "7",    "16",         "33",           "48",
                                         "0", "-3", "9000", "2147483647", "(int)[ 4, 8 ]"};
    static const char *const rates[] = {"25/1", "0/1", "30000/1001", "1/2147483647", "2147483647/1"};
    static const char *const extras[] = {"",
                                         "",
                                         "",
                                         ",pixel-aspect-ratio=40/33",
                                         ",pixel-aspect-ratio=1/2147483647",
                                         ",interlace-mode=interleaved",
                                         ",interlace-mode=mixed",
                                         ",colorimetry=bt709",
                                         ",colorimetry=nonsense",
                                         ",chroma-site=mpeg2",
                                         ",multiview-mode=side-by-side",
                                         ",colorimetry=bt2100-pq",
                                         ",views=2"};
    return g_strdup_printf("video/x-raw,format=(string)%s,width=%s,height=%s,framerate=%s%s",
                           pick(formats, G_N_ELEMENTS(formats)), pick(widths, G_N_ELEMENTS(widths)),
                           pick(widths, G_N_ELEMENTS(widths)), pick(rates, G_N_ELEMENTS(rates)),
                           pick(extras, G_N_ELEMENTS(extras)));
}

/* A frame of the caps where they are fixed and small; else one of a few bytes. */
static GstBuffer *frame_for(const char *text) {
    g_autoptr(GstCaps) caps = gst_caps_from_string(text);
    GstVideoInfo info;
    if (!caps || !gst_caps_is_fixed(caps) || !gst_video_info_from_caps(&info, caps) ||
        GST_VIDEO_INFO_SIZE(&info) > 1 << 20)
        return gst_buffer_new_allocate(NULL, (gsize)g_test_rand_int_range(1, 64), NULL);
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(&info), NULL);
    gst_buffer_memset(buffer, 0, (guint8)g_test_rand_int_range(0, 256), GST_VIDEO_INFO_SIZE(&info));
    if (g_test_rand_int_range(0, 4) > 0)
        GST_BUFFER_PTS(buffer) = (GstClockTime)g_test_rand_int_range(0, 1000) * GST_MSECOND;
    return buffer;
}

/* Whatever the caps: a frame comes out, or an error goes up. Nothing else. */
static void test_random_caps(void) {
    int accepted = 0, rounds = times(300, 5000);
    for (int i = 0; i < rounds; i++) {
        g_autofree char *caps = random_caps(), *wanted = random_caps();
        g_autoptr(GstCaps) parsed = gst_caps_from_string(caps), filter = gst_caps_from_string(wanted);
        GstHarness *h = harness_new(g_test_rand_int_range(0, 2) ? "bypass=true" : "");
        if (filter && g_test_rand_int_range(0, 2) && !gst_caps_is_empty(filter))
            gst_harness_set_sink_caps(h, gst_caps_ref(filter));
        if (parsed && gst_caps_is_fixed(parsed)) {
            gst_harness_push_event(h, gst_event_new_stream_start("fuzz"));
            gst_harness_push_event(h, gst_event_new_caps(parsed));
            GstSegment segment;
            gst_segment_init(&segment, GST_FORMAT_TIME);
            gst_harness_push_event(h, gst_event_new_segment(&segment));
            GstFlowReturn result = gst_harness_push(h, frame_for(caps));
            guint out = gst_harness_buffers_received(h);
            g_assert_cmpuint(out, ==, result == GST_FLOW_OK ? 1 : 0);
            accepted += result == GST_FLOW_OK;
        }
        gst_harness_teardown(h);
    }
    g_test_message("%d of %d random caps gave a frame", accepted, rounds);
    g_assert_cmpint(accepted, >, 0);
    g_assert_cmpint(accepted, <, rounds);
}

/* ---- random properties -------------------------------------------------------------------------------------- */

static void set_random(GObject *object, GParamSpec *spec) {
    g_auto(GValue) value = G_VALUE_INIT;
    g_value_init(&value, spec->value_type);
    if (G_IS_PARAM_SPEC_BOOLEAN(spec)) {
        g_value_set_boolean(&value, g_test_rand_int_range(0, 2));
    } else if (G_IS_PARAM_SPEC_ENUM(spec)) {
        GEnumClass *values = G_PARAM_SPEC_ENUM(spec)->enum_class;
        g_value_set_enum(&value, values->values[g_test_rand_int_range(0, (gint)values->n_values)].value);
    } else if (G_IS_PARAM_SPEC_DOUBLE(spec)) {
        GParamSpecDouble *number = G_PARAM_SPEC_DOUBLE(spec);
        g_value_set_double(&value, g_test_rand_double_range(number->minimum, number->maximum));
    } else if (G_IS_PARAM_SPEC_UINT64(spec)) {
        g_value_set_uint64(&value, (guint64)g_test_rand_int());
    } else if (G_IS_PARAM_SPEC_UINT(spec)) {
        g_value_set_uint(&value, (guint)g_test_rand_int_range(1, 50));
    } else {
        return;
    }
    g_object_set_property(object, spec->name, &value);
}

/* Every property that may change while playing does, at random times; stats and scale are read between. */
static void test_random_properties(void) {
    g_autofree char *line =
        g_strdup_printf("videotestsrc pattern=ball ! video/x-raw,format=I420,width=64,height=48,framerate=25/1 ! "
                        "yonossr name=y model=%s threads=1 tile-size=64 ! video/x-raw,width=100,height=90 ! fakesink",
                        model_folder);
    g_autoptr(GstElement) pipeline = gst_parse_launch(line, NULL);
    g_autoptr(GstElement) element = gst_bin_get_by_name(GST_BIN(pipeline), "y");
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    guint count, changed = 0;
    g_autofree GParamSpec **specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(element), &count);
    gint64 end = g_get_monotonic_time() + times(2, 60) * G_USEC_PER_SEC;
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    while (g_get_monotonic_time() < end) {
        GParamSpec *spec = specs[g_test_rand_int_range(0, (gint)count)];
        g_autoptr(GstStructure) stats = NULL;
        guint scale;
        if ((spec->flags & GST_PARAM_MUTABLE_PLAYING) && (spec->flags & G_PARAM_WRITABLE)) {
            set_random(G_OBJECT(element), spec);
            changed++;
        }
        g_object_get(element, "stats", &stats, "scale", &scale, NULL);
        g_assert_nonnull(stats);
        g_assert_cmpuint(scale, ==, SCALE);
        g_usleep(500);
    }
    gst_element_set_state(pipeline, GST_STATE_NULL);
    g_autoptr(GstMessage) error = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    g_assert_null(error);
    g_test_message("%u changes", changed);
    g_assert_cmpuint(changed, >, 100);
}

/* ---- states ---------------------------------------------------------------------------------------------------- */

static void test_states(void) {
    int cycles = times(500, 2000);
    g_autofree char *line = g_strdup_printf(
        "videotestsrc ! video/x-raw,format=RGB,width=48,height=32 ! yonossr model=%s threads=1 ! fakesink",
        model_folder);
    g_autoptr(GstElement) pipeline = gst_parse_launch(line, NULL);
    long before = 0;
    for (int i = 0; i < cycles; i++) {
        static const GstState ends[] = {GST_STATE_NULL, GST_STATE_READY, GST_STATE_PAUSED};
        g_assert_cmpint(gst_element_set_state(pipeline, GST_STATE_PLAYING), !=, GST_STATE_CHANGE_FAILURE);
        if (i % 3 > 0)
            g_usleep((gulong)g_test_rand_int_range(0, 8000)); /* inside of a frame, mostly */
        gint64 begin = g_get_monotonic_time();
        g_assert_cmpint(gst_element_set_state(pipeline, ends[g_test_rand_int_range(0, 3)]), !=,
                        GST_STATE_CHANGE_FAILURE);
        g_assert_cmpint(g_get_monotonic_time() - begin, <, 5 * G_USEC_PER_SEC);
        if (i == cycles / 4)
            before = resident();
    }
    gst_element_set_state(pipeline, GST_STATE_NULL);
    assert_no_growth(before, 4096, "state cycles");
}

/* ---- seeks ------------------------------------------------------------------------------------------------------- */

static char *checksum(GstSample *sample) {
    GstMapInfo map;
    GstBuffer *buffer = gst_sample_get_buffer(sample);
    g_assert_true(gst_buffer_map(buffer, &map, GST_MAP_READ));
    char *sum = g_compute_checksum_for_data(G_CHECKSUM_MD5, map.data, map.size);
    gst_buffer_unmap(buffer, &map);
    return sum;
}

/* After any seek a frame has the pixels it had before, with per-frame noise. */
static void test_seeks(void) {
    enum { FRAMES = 25 };
    g_autofree char *line = g_strdup_printf(
        "videotestsrc pattern=ball animation-mode=frames ! video/x-raw,format=RGB,width=32,height=24,framerate=25/1 ! "
        "yonossr model=%s threads=1 noise-mode=per-frame ! appsink name=a sync=false max-buffers=2",
        model_folder);
    g_autoptr(GstElement) pipeline = gst_parse_launch(line, NULL);
    g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "a");
    char *seen[FRAMES] = {NULL};
    int rounds = times(200, 2000), repeated = 0;
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    for (int i = 0; i < rounds; i++) {
        int frame = g_test_rand_int_range(0, FRAMES);
        g_assert_true(gst_element_seek_simple(pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE,
                                              frame * 40 * GST_MSECOND));
        g_autoptr(GstSample) sample = gst_app_sink_try_pull_sample(GST_APP_SINK(sink), 10 * GST_SECOND);
        g_assert_nonnull(sample);
        guint at = (guint)(GST_BUFFER_PTS(gst_sample_get_buffer(sample)) / (40 * GST_MSECOND));
        g_assert_cmpuint(at, <, FRAMES);
        g_autofree char *sum = checksum(sample);
        repeated += seen[at] != NULL;
        if (seen[at])
            g_assert_cmpstr(sum, ==, seen[at]);
        else
            seen[at] = g_steal_pointer(&sum);
    }
    gst_element_set_state(pipeline, GST_STATE_NULL);
    g_test_message("%d seeks, %d of them to a frame seen before", rounds, repeated);
    g_assert_cmpint(repeated, >, rounds / 2);
    for (int i = 0; i < FRAMES; i++)
        g_free(seen[i]);
}

/* ---- new caps in mid-stream
 * ------------------------------------------------------------------------------------------ */

static void test_renegotiation(void) {
    static const char *const formats[] = {"RGB", "I420", "NV12", "Y42B", "GRAY8", "RGBA", "I420_10LE"};
    GstHarness *h = harness_new("compare=split reuse-static=true");
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
    long before = 0;
    int rounds = times(100, 2000);
    for (int i = 0; i < rounds; i++) {
        int width = 8 * g_test_rand_int_range(1, 5), height = 8 * g_test_rand_int_range(1, 4);
        char *caps = caps_text(pick(formats, G_N_ELEMENTS(formats)), width, height, "");
        gst_harness_set_src_caps_str(h, caps);
        GstBuffer *out = gst_harness_push_and_pull(h, frame_new(caps, 1));
        g_assert_nonnull(out);
        g_autoptr(GstCaps) got = gst_pad_get_current_caps(h->sinkpad);
        GstVideoInfo info;
        g_assert_true(gst_video_info_from_caps(&info, got));
        g_assert_cmpint(info.width, ==, SCALE * width);
        g_assert_cmpint(info.height, ==, SCALE * height);
        GBytes *bytes = bytes_of(out), *known = g_hash_table_lookup(seen, caps);
        gst_buffer_unref(out);
        if (known) {
            g_assert_true(g_bytes_equal(bytes, known));
            g_bytes_unref(bytes);
            g_free(caps);
        } else {
            g_hash_table_insert(seen, caps, bytes);
        }
        if (i == rounds / 2)
            before = resident();
    }
    assert_no_growth(before, 8192, "renegotiations");
    gst_harness_teardown(h);
}

/* ---- too little memory
 * ---------------------------------------------------------------------------------------------------- */

#define ROOM_VARIABLE "YONOS_TEST_ROOM"

/* In a process of its own, with so many MiB more than now: a frame that needs more is an error, whatever it was that
 * there was no room for. */
static void test_memory_child(void) {
    const char *caps = "video/x-raw,format=Y42B,width=2048,height=2048,framerate=25/1";
    guint64 room = g_ascii_strtoull(g_getenv(ROOM_VARIABLE), NULL, 10) << 20;
    g_autoptr(GstBus) bus = gst_bus_new();
    GstHarness *h = harness_new("");
    g_autoptr(GstElement) element = gst_harness_find_element(h, "yonossr");
    gst_element_set_bus(element, bus);
    GstBuffer *frame = gst_buffer_new_allocate(NULL, 2048 * 2048 * 2, NULL);
    struct rlimit limit = {(rlim_t)address_space() + room, RLIM_INFINITY};
    g_assert_cmpint(setrlimit(RLIMIT_AS, &limit), ==, 0);
    gst_harness_set_src_caps_str(h, caps);
    g_assert_cmpint(gst_harness_push(h, frame), !=, GST_FLOW_OK);
    g_autofree char *text = wait_for_message(bus, GST_MESSAGE_ERROR);
    g_assert_nonnull(text);
    g_printerr("error: %s\n", text);
    g_assert_nonnull(strstr(text, "memory"));
    gst_element_set_bus(element, NULL);
    gst_harness_teardown(h);
}

/* Below 56 MiB GLib itself ends the program, for a few bytes; from 800 MiB on this frame fits. */
static void test_memory(void) {
#if defined(__SANITIZE_ADDRESS__)
    g_test_skip("the address sanitizer takes all of the address space");
#else
    for (int room = 56; room < 768; room += times(88, 4)) {
        g_autofree char *text = g_strdup_printf("%d", room);
        g_setenv(ROOM_VARIABLE, text, TRUE);
        g_test_trap_subprocess("/robust/memory/subprocess/child", 60 * G_USEC_PER_SEC, 0);
        g_test_trap_assert_passed();
        g_test_trap_assert_stderr("*error: *memory*");
    }
#endif
}

int main(int argc, char **argv) {
    init_tests(&argc, &argv);
    g_test_add_func("/robust/random-caps", test_random_caps);
    g_test_add_func("/robust/random-properties", test_random_properties);
    g_test_add_func("/robust/states", test_states);
    g_test_add_func("/robust/seeks", test_seeks);
    g_test_add_func("/robust/renegotiation", test_renegotiation);
    g_test_add_func("/robust/memory", test_memory);
    g_test_add_func("/robust/memory/subprocess/child", test_memory_child);
    return run_tests();
}
