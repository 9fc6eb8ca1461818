/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * overlap: one frame is kept while the next one is begun. Pixels and times are those of frames alone, and nothing of the
 * stream overtakes a frame. Also run with the CUDA backend on the host's stand-in (gst-cuda-overlap in meson.build).
 */
#include <gst/app/gstappsink.h>

#include "helpers.h"

static const char rgb[] = "video/x-raw,format=RGB,width=10,height=8,framerate=25/1";
static const char wider[] = "video/x-raw,format=RGB,width=12,height=8,framerate=25/1";

static gboolean on_cuda(void) { return g_getenv("YONOS_TEST_BACKEND") != NULL; }

static GstHarness *overlap_harness(const char *options) {
    g_autofree char *line =
        g_strdup_printf("backend=%s noise-mode=per-frame colour-fix=none %s", on_cuda() ? "cuda" : "cpu", options);
    GstHarness *h = harness_new(line);
    gst_harness_set_src_caps_str(h, rgb);
    return h;
}

static void push(GstHarness *h, const char *caps, int i) {
    g_assert_cmpint(gst_harness_push(h, frame_new(caps, i)), ==, GST_FLOW_OK);
}

static guint waiting(GstHarness *h) { return gst_harness_buffers_in_queue(h); }

/* The next output is that of frame `i`; its bytes. */
static GBytes *pull(GstHarness *h, int i) {
    g_assert_cmpuint(waiting(h), >, 0);
    GstBuffer *out = gst_harness_pull(h);
    g_assert_cmpuint(GST_BUFFER_PTS(out), ==, (GstClockTime)i * 40 * GST_MSECOND);
    g_assert_cmpuint(GST_BUFFER_DURATION(out), ==, 40 * GST_MSECOND);
    GBytes *bytes = bytes_of(out);
    gst_buffer_unref(out);
    return bytes;
}

/* The next output is frame `i`, with the pixels that it has alone. */
static void expect(GstHarness *h, const char *caps, int i) {
    GstHarness *alone = overlap_harness("overlap=never");
    gst_harness_set_src_caps_str(alone, caps);
    push(alone, caps, i);
    assert_same(pull(h, i), pull(alone, i));
    gst_harness_teardown(alone);
}

static void test_pixels(void) {
    enum { FRAMES = 5 };
    GstHarness *h = overlap_harness("overlap=always");
    for (int i = 0; i < FRAMES; i++) {
        push(h, rgb, i);
        g_assert_cmpuint(waiting(h), ==, i > 0);
        g_assert_cmpuint(stats_count(h, "frames"), ==, (guint64)i);
        if (i > 0)
            expect(h, rgb, i - 1);
    }
    g_assert_true(gst_harness_push_event(h, gst_event_new_eos()));
    expect(h, rgb, FRAMES - 1);
    g_assert_cmpuint(waiting(h), ==, 0);
    g_assert_cmpuint(stats_count(h, "frames"), ==, FRAMES);
    gst_harness_teardown(h);
}

/* Whatever is serialized with the frames comes behind the one that is kept. */
static void test_order(void) {
    GstHarness *h = overlap_harness("overlap=always");
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    GstEvent *events[] = {gst_event_new_gap(0, GST_SECOND), gst_event_new_segment(&segment),
                          gst_event_new_tag(gst_tag_list_new(GST_TAG_TITLE, "title", NULL)),
                          gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM, gst_structure_new_empty("mark"))};
    for (guint i = 0; i < G_N_ELEMENTS(events); i++) {
        push(h, rgb, (int)i);
        g_assert_cmpuint(waiting(h), ==, 0);
        g_assert_true(gst_harness_push_event(h, events[i]));
        expect(h, rgb, (int)i);
    }
    push(h, rgb, 9);
    g_autoptr(GstQuery) drain = gst_query_new_drain();
    gst_pad_peer_query(h->srcpad, drain);
    expect(h, rgb, 9);
    gst_harness_teardown(h);
}

static void test_new_caps(void) {
    GstHarness *h = overlap_harness("overlap=always");
    push(h, rgb, 0);
    gst_harness_set_src_caps_str(h, wider);
    g_assert_cmpuint(waiting(h), ==, 1);
    push(h, wider, 1);
    expect(h, rgb, 0);
    /* Downstream asks for other caps, which come with the next frame. */
    gst_harness_set_sink_caps_str(h, "video/x-raw,format=RGB,width=30,height=16");
    gst_harness_push_upstream_event(h, gst_event_new_reconfigure());
    push(h, wider, 2);
    expect(h, wider, 1);
    GstBuffer *out = gst_harness_pull(h); /* resampled, so not kept */
    g_assert_cmpuint(GST_BUFFER_PTS(out), ==, 80 * GST_MSECOND);
    g_assert_cmpuint(gst_buffer_get_size(out), >=, 30 * 16 * 3);
    gst_buffer_unref(out);
    gst_harness_teardown(h);
}

static void flush(GstHarness *h) {
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    g_assert_true(gst_harness_push_event(h, gst_event_new_flush_start()));
    g_assert_true(gst_harness_push_event(h, gst_event_new_flush_stop(TRUE)));
    g_assert_true(gst_harness_push_event(h, gst_event_new_segment(&segment)));
}

/* A seek forgets the frame that is kept, and changes no pixel of those that follow. */
static void test_flush(void) {
    GstHarness *h = overlap_harness("overlap=always");
    for (int round = 0; round < 3; round++) {
        push(h, rgb, 7);
        flush(h);
        g_assert_cmpuint(waiting(h), ==, 0);
        push(h, rgb, 3);
        push(h, rgb, 4);
        expect(h, rgb, 3);
        g_assert_cmpuint(waiting(h), ==, 0);
        flush(h);
    }
    gst_harness_teardown(h);
}

static gboolean is_discont(GstHarness *h) {
    GstBuffer *out = gst_harness_pull(h);
    gboolean discont = GST_BUFFER_FLAG_IS_SET(out, GST_BUFFER_FLAG_DISCONT);
    gst_buffer_unref(out);
    return discont;
}

static void push_discont(GstHarness *h, int i, gboolean discont) {
    GstBuffer *in = frame_new(rgb, i);
    if (discont)
        GST_BUFFER_FLAG_SET(in, GST_BUFFER_FLAG_DISCONT);
    g_assert_cmpint(gst_harness_push(h, in), ==, GST_FLOW_OK);
}

/* Frames are kept behind a discontinuity, too: if they were not, the base class would go on to mark what it pushes, and
 * that would be the last one here. */
static void test_discont(void) {
    static const gboolean discont[] = {FALSE, FALSE, FALSE, TRUE, FALSE, TRUE, TRUE, FALSE, FALSE};
    enum { LAST = G_N_ELEMENTS(discont) - 1 };
    GstHarness *h = overlap_harness("overlap=always");
    for (int i = 0; i < LAST; i++) {
        push_discont(h, i, discont[i]);
        g_assert_cmpuint(waiting(h), ==, i);
    }
    gst_harness_set(h, "yonossr", "overlap", 1 /* never */, NULL);
    push_discont(h, LAST, discont[LAST]);
    for (int i = 0; i <= LAST; i++)
        g_assert_cmpint(is_discont(h), ==, discont[i]);
    gst_harness_teardown(h);
}

/* Behind one that is left out as late stands a discontinuity of its own. */
static void test_dropped(void) {
    GstHarness *h = overlap_harness("overlap=always");
    gst_harness_set(h, "yonossr", "qos", TRUE, NULL);
    push_discont(h, 0, TRUE);
    gst_harness_push_upstream_event(h, gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 2.0, 60 * GST_MSECOND, 0));
    for (int i = 1; i < 4; i++)
        push_discont(h, i, FALSE);
    g_assert_cmpuint(stats_count(h, "dropped"), ==, 1);
    g_assert_true(is_discont(h) && is_discont(h));
    g_assert_true(gst_harness_push_event(h, gst_event_new_eos()));
    g_assert_false(is_discont(h));
    gst_harness_teardown(h);
}

/* Frames that need more than the engine are not kept, and come behind the one that is. */
static void test_changes(void) {
    static const struct {
        const char *property;
        int value, back;
    } changes[] = {{"compare", 1, 0}, {"bypass", TRUE, FALSE}, {"overlap", 1, 2}};
    GstHarness *h = overlap_harness("overlap=always");
    int i = 0;
    for (guint c = 0; c < G_N_ELEMENTS(changes); c++) {
        push(h, rgb, i++);
        g_assert_cmpuint(waiting(h), ==, 0);
        gst_harness_set(h, "yonossr", changes[c].property, changes[c].value, NULL);
        push(h, rgb, i++);
        g_assert_cmpuint(waiting(h), ==, 2);
        expect(h, rgb, i - 2);
        g_bytes_unref(pull(h, i - 1));
        gst_harness_set(h, "yonossr", changes[c].property, changes[c].back, NULL);
    }
    gst_harness_teardown(h);
}

/* A harness is live. */
static void test_latency(void) {
    static const struct {
        const char *overlap, *caps;
        gboolean keeps;
    } cases[] = {{"always", rgb, TRUE},
                 {"auto", rgb, FALSE},
                 {"never", rgb, FALSE},
                 {"always", "video/x-raw,format=RGB,width=10,height=8,framerate=0/1", FALSE},
                 {"always", "video/x-raw,format=GRAY8,width=10,height=8,framerate=25/1", FALSE}};
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *options = g_strdup_printf("overlap=%s", cases[i].overlap);
        GstHarness *h = overlap_harness(options);
        gst_harness_set_src_caps_str(h, cases[i].caps);
        gst_harness_set_upstream_latency(h, 10 * GST_MSECOND);
        g_assert_cmpuint(gst_harness_query_latency(h), ==, (cases[i].keeps ? 50 : 10) * GST_MSECOND);
        push(h, cases[i].caps, 0);
        g_assert_cmpuint(waiting(h), ==, !cases[i].keeps);
        gst_harness_teardown(h);
    }
}

/* Stopped with a frame in flight, and started again. */
static void test_stop(void) {
    GstHarness *h = overlap_harness("overlap=always");
    g_autoptr(GstElement) element = gst_harness_find_element(h, "yonossr");
    push(h, rgb, 0);
    gst_element_set_state(element, GST_STATE_NULL);
    gst_element_set_state(element, GST_STATE_PLAYING);
    gst_harness_set_src_caps_str(h, rgb);
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    g_assert_true(gst_harness_push_event(h, gst_event_new_segment(&segment)));
    push(h, rgb, 5);
    push(h, rgb, 6);
    expect(h, rgb, 5);
    gst_harness_teardown(h);
}

/* ---- pipelines ---------------------------------------------------------------------------------------- */

typedef struct {
    int in, out, kept; /* kept: when the first one comes out, how many have gone in behind it */
} Counts;

static GstPadProbeReturn count_in(GstPad *pad G_GNUC_UNUSED, GstPadProbeInfo *info G_GNUC_UNUSED, gpointer data) {
    ((Counts *)data)->in++;
    return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn count_out(GstPad *pad G_GNUC_UNUSED, GstPadProbeInfo *info G_GNUC_UNUSED, gpointer data) {
    Counts *counts = data;
    if (counts->out++ == 0)
        counts->kept = counts->in - 1;
    return GST_PAD_PROBE_OK;
}

static Counts play(const char *source, const char *options) {
    Counts counts = {0, 0, 0};
    g_autofree char *line =
        g_strdup_printf("videotestsrc num-buffers=4 %s ! %s ! yonossr name=y model=%s threads=1 backend=%s %s ! "
                        "fakesink sync=false",
                        source, rgb, model_folder, on_cuda() ? "cuda" : "cpu", options);
    g_autoptr(GstElement) pipeline = gst_parse_launch(line, NULL);
    g_autoptr(GstElement) element = gst_bin_get_by_name(GST_BIN(pipeline), "y");
    g_autoptr(GstPad) sink = gst_element_get_static_pad(element, "sink");
    g_autoptr(GstPad) src = gst_element_get_static_pad(element, "src");
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    gst_pad_add_probe(sink, GST_PAD_PROBE_TYPE_BUFFER, count_in, &counts, NULL);
    gst_pad_add_probe(src, GST_PAD_PROBE_TYPE_BUFFER, count_out, &counts, NULL);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    g_autoptr(GstMessage) end = gst_bus_timed_pop_filtered(bus, 60 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    g_assert_nonnull(end);
    g_assert_cmpint(GST_MESSAGE_TYPE(end), ==, GST_MESSAGE_EOS);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    return counts;
}

/* auto keeps a frame where that pays and nobody waits. */
static void test_pipelines(void) {
    static const struct {
        const char *source, *options;
        int cpu, cuda; /* frames kept */
    } cases[] = {{"", "", 0, 1},
                 {"", "overlap=never", 0, 0},
                 {"", "overlap=always", 1, 1},
                 {"is-live=true", "", 0, 0},
                 {"is-live=true", "overlap=always", 1, 1}};
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        Counts counts = play(cases[i].source, cases[i].options);
        g_assert_cmpint(counts.in, ==, 4);
        g_assert_cmpint(counts.out, ==, 4);
        g_assert_cmpint(counts.kept, ==, on_cuda() ? cases[i].cuda : cases[i].cpu);
    }
}

int main(int argc, char **argv) {
    init_tests(&argc, &argv);
    g_test_add_func("/overlap/pixels", test_pixels);
    g_test_add_func("/overlap/order", test_order);
    g_test_add_func("/overlap/new-caps", test_new_caps);
    g_test_add_func("/overlap/flush", test_flush);
    g_test_add_func("/overlap/discont", test_discont);
    g_test_add_func("/overlap/dropped", test_dropped);
    g_test_add_func("/overlap/changes", test_changes);
    g_test_add_func("/overlap/latency", test_latency);
    g_test_add_func("/overlap/stop", test_stop);
    g_test_add_func("/overlap/pipelines", test_pipelines);
    return run_tests();
}
