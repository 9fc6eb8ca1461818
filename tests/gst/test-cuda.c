/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The element on the CUDA backend, whose device is the host's stand-in (tests/cuda-host): which device, how much
 * memory, and calls that fail.
 */
#include <gmodule.h>

#include "helpers.h"
#include "host.h"

static const char rgb[] = "video/x-raw,format=RGB,width=32,height=24,framerate=25/1";
/* Large enough for whole MiB to matter; too large for the stand-in to run. */
static const char large[] = "video/x-raw,format=RGB,width=96,height=80,framerate=25/1";

/* ---- the stand-in ---------------------------------------------------------------------------------- */

static struct {
    void (*set_devices)(int count, int driver);
    void (*fail_after)(int calls, int status);
    void (*set_working)(int working);
    int (*calls)(void);
    int (*outstanding)(void);
} host;

/* The module's own copy of the stand-in, so the one that the element uses. */
static void open_host(void) {
    GModule *module = g_module_open(g_getenv("CUDA_HOST_MODULE"), G_MODULE_BIND_LAZY | G_MODULE_BIND_LOCAL);
    g_assert_nonnull(module);
    g_assert_true(g_module_symbol(module, "cuda_host_set_devices", (gpointer *)&host.set_devices));
    g_assert_true(g_module_symbol(module, "cuda_host_fail_after", (gpointer *)&host.fail_after));
    g_assert_true(g_module_symbol(module, "cuda_host_set_working", (gpointer *)&host.set_working));
    g_assert_true(g_module_symbol(module, "cuda_host_calls", (gpointer *)&host.calls));
    g_assert_true(g_module_symbol(module, "cuda_host_outstanding", (gpointer *)&host.outstanding));
    g_module_make_resident(module);
}

/* ---- which device -------------------------------------------------------------------------------------- */

static char *device_of(const char *options) {
    g_autoptr(GstStructure) stats = NULL;
    GstHarness *h = harness_new(options);
    gst_harness_set_src_caps_str(h, rgb);
    gst_buffer_unref(gst_harness_push_and_pull(h, frame_new(rgb, 0)));
    gst_harness_get(h, "yonossr", "stats", &stats, NULL);
    char *device = g_strdup(gst_structure_get_string(stats, "device"));
    gst_harness_teardown(h);
    return device;
}

static void assert_device(const char *options, const char *word) {
    g_autofree char *device = device_of(options);
    if (!strstr(device, word))
        g_error("%s: runs on %s, not on %s", options, device, word);
}

static void test_device(void) {
    host.set_devices(2, 13000);
    assert_device("backend=cuda", "host stand-in (device 0)");
    assert_device("backend=cuda cuda-device-id=-1", "host stand-in (device 0)");
    assert_device("backend=cuda cuda-device-id=1", "host stand-in (device 1)");
    assert_device("backend=auto cuda-device-id=1", "host stand-in (device 1)");
    assert_device("backend=auto cuda-device-id=2", "CPU");
    assert_device("backend=cpu cuda-device-id=1", "CPU");
    host.set_devices(1, 13000);
}

/* Starting or negotiating fails with one error, which holds `word`. */
static void assert_fails(const char *options, const char *word) {
    g_autofree char *line = g_strdup_printf("videotestsrc num-buffers=1 ! %s ! yonossr model=%s %s ! fakesink", large,
                                            model_folder, options);
    g_autoptr(GstElement) pipeline = gst_parse_launch(line, NULL);
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    g_autoptr(GstMessage) message =
        gst_bus_timed_pop_filtered(bus, 10 * GST_SECOND, GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
    g_assert_nonnull(message);
    g_assert_cmpint(GST_MESSAGE_TYPE(message), ==, GST_MESSAGE_ERROR);
    g_autoptr(GError) error = NULL;
    gst_message_parse_error(message, &error, NULL);
    if (!strstr(error->message, word))
        g_error("\"%s\" does not say \"%s\"", error->message, word);
    gst_element_set_state(pipeline, GST_STATE_NULL);
}

static void test_no_device(void) {
    assert_fails("backend=cuda cuda-device-id=1", "there is no device 1; the last one is cuda:0");
}

/* ---- how much memory ------------------------------------------------------------------------------------- */

/* *warning: the element's, to be freed; there is one at most. */
static int tiles_of(const char *options, guint64 *arena, char **warning) {
    g_autoptr(GstStructure) stats = NULL;
    int tiles = 0;
    GstHarness *h = harness_new(options);
    g_autoptr(GstElement) element = gst_harness_find_element(h, "yonossr");
    g_autoptr(GstBus) bus = gst_bus_new();
    gst_element_set_bus(element, bus);
    gst_harness_set_src_caps_str(h, large);
    gst_harness_get(h, "yonossr", "stats", &stats, NULL);
    g_assert_true(gst_structure_get(stats, "tiles", G_TYPE_INT, &tiles, "arena-bytes", G_TYPE_UINT64, arena, NULL));
    *warning = wait_for_message(bus, GST_MESSAGE_WARNING);
    g_autofree char *second = wait_for_message(bus, GST_MESSAGE_WARNING);
    g_assert_null(second);
    gst_element_set_bus(element, NULL);
    gst_harness_teardown(h);
    return tiles;
}

static void test_max_vram(void) {
    guint64 whole, tiled;
    g_autofree char *none = NULL, *warning = NULL;
    g_assert_cmpint(tiles_of("backend=cuda", &whole, &none), ==, 1);
    g_assert_null(none);
    /* The arena and less than the pictures and the weights beside it. */
    g_autofree char *options = g_strdup_printf("backend=cuda max-vram=%u", (guint)(whole >> 20) + 1);
    g_assert_cmpint(tiles_of(options, &tiled, &warning), >, 1);
    g_assert_cmpuint(tiled, <, whole);
    g_assert_nonnull(warning);
    g_assert_nonnull(strstr(warning, "max-vram is"));
    assert_fails("backend=cuda max-vram=1", "use a larger max-vram");
}

/* ---- calls that fail ------------------------------------------------------------------------------------- */

/* A frame alone, then frames in flight to the end of the stream; call `n` behind the first frame fails (-1: none does).
 * Returns the calls behind the first frame. There is one error, or every frame comes out. */
static int play_with_failure(int n, int status, const char *options, guint *failures) {
    enum { FRAMES = 4 };
    GstHarness *h = harness_new(options);
    g_autoptr(GstElement) element = gst_harness_find_element(h, "yonossr");
    g_autoptr(GstBus) bus = gst_bus_new();
    gst_element_set_bus(element, bus);
    gst_harness_set_src_caps_str(h, rgb);
    g_assert_cmpint(gst_harness_push(h, frame_new(rgb, 0)), ==, GST_FLOW_OK);
    int start = host.calls();
    host.fail_after(n, status);
    GstFlowReturn flow = GST_FLOW_OK;
    for (int i = 1; i < FRAMES && flow == GST_FLOW_OK; i++)
        flow = gst_harness_push(h, frame_new(rgb, i));
    gst_harness_push_event(h, gst_event_new_eos());
    int calls = host.calls() - start;
    g_autofree char *text = wait_for_message(bus, GST_MESSAGE_ERROR);
    g_autofree char *second = wait_for_message(bus, GST_MESSAGE_ERROR);
    g_assert_null(second);
    g_assert_true(flow == GST_FLOW_OK || (flow == GST_FLOW_ERROR && text));
    if (text ? !strstr(text, "backend cuda: ") : gst_harness_buffers_received(h) != FRAMES)
        g_error("call %d failed: %s, %u frames", n, text ? text : "no error", gst_harness_buffers_received(h));
    *failures += text != NULL;
    gst_element_set_bus(element, NULL);
    gst_harness_teardown(h);
    host.fail_after(-1, 0);
    g_assert_cmpint(host.outstanding(), ==, 0);
    return calls;
}

static void test_failures(gconstpointer options) {
    static const int statuses[] = {1, 2, 700}; /* invalid value, out of memory, illegal address: the device is lost */
    host.set_working(FALSE);
    for (guint s = 0; s < G_N_ELEMENTS(statuses); s++) {
        guint failures = 0;
        int calls = play_with_failure(-1, 0, options, &failures);
        g_assert_cmpuint(failures, ==, 0);
        for (int n = 0; n < calls; n++)
            play_with_failure(n, statuses[s], options, &failures);
        g_test_message("status %d: %d calls, %u errors", statuses[s], calls, failures);
        /* Most of them are recorded: what cannot be is run instead. */
        g_assert_cmpuint(failures, >, (guint)calls / 8);
    }
    host.set_working(TRUE);
}

int main(int argc, char **argv) {
    init_tests(&argc, &argv);
    open_host();
    g_test_add_func("/cuda/device", test_device);
    g_test_add_func("/cuda/no-device", test_no_device);
    g_test_add_func("/cuda/max-vram", test_max_vram);
    g_test_add_data_func("/cuda/failures/overlap", "backend=cuda overlap=always", test_failures);
    g_test_add_data_func("/cuda/failures/alone", "backend=cuda overlap=never", test_failures);
    return run_tests();
}
