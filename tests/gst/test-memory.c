/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Caps of frames in CUDA memory: which memory is chosen, and that without a driver there is none. Needs no GPU; frames
 * themselves are tests/gpu/cuda-memory.c's.
 */
#include <gmodule.h>

#include "gstyonoscaps.h"
#include "helpers.h"

#define SYSTEM "video/x-raw,format=NV12,width=32,height=24,framerate=25/1"
#define CUDA "video/x-raw(memory:CUDAMemory),format=NV12,width=32,height=24,framerate=25/1"

static gboolean is_cuda(const GstCaps *caps, guint i) {
    return gst_caps_features_contains(gst_caps_get_features(caps, i), "memory:CUDAMemory");
}

/* Each way in its own memory first, then in the other one; the other one only if asked for. */
static void test_transform(void) {
    for (int from_cuda = 0; from_cuda <= 1; from_cuda++) {
        g_autoptr(GstCaps) caps = gst_caps_from_string(from_cuda ? CUDA : SYSTEM);
        g_autoptr(GstCaps) both = gst_yonos_caps_transform(caps, SCALE, TRUE, TRUE);
        g_autoptr(GstCaps) one = gst_yonos_caps_transform(caps, SCALE, TRUE, FALSE);
        g_assert_cmpuint(gst_caps_get_size(both), ==, 2 * gst_caps_get_size(one));
        for (guint i = 0; i < gst_caps_get_size(both); i++) {
            g_assert_cmpint(is_cuda(both, i), ==, from_cuda != (int)(i % 2));
            g_assert_true(gst_structure_is_equal(gst_caps_get_structure(both, i), gst_caps_get_structure(one, i / 2)));
        }
        for (guint i = 0; i < gst_caps_get_size(one); i++)
            g_assert_cmpint(is_cuda(one, i), ==, from_cuda);
    }
    /* Other memories have no counterpart. */
    g_autoptr(GstCaps) gl = gst_caps_from_string("video/x-raw(memory:GLMemory),format=RGBA,width=8,height=8");
    g_autoptr(GstCaps) same = gst_yonos_caps_transform(gl, SCALE, TRUE, TRUE);
    for (guint i = 0; i < gst_caps_get_size(same); i++)
        g_assert_true(gst_caps_features_contains(gst_caps_get_features(same, i), "memory:GLMemory"));
}

static void test_fixate(void) {
    static const struct {
        const char *in, *others, *expected;
    } cases[] = {
        /* The memory that the frame is in, where both are possible. */
        {SYSTEM, "video/x-raw(memory:CUDAMemory),format={NV12,I420};video/x-raw,format={I420,NV12}",
         "video/x-raw,format=NV12,width=64,height=48"},
        {CUDA, "video/x-raw,format=NV12;video/x-raw(memory:CUDAMemory),format=NV12",
         "video/x-raw(memory:CUDAMemory),format=NV12,width=64,height=48"},
        /* The other one where it has to be, and where only it keeps the format or the size. */
        {SYSTEM, "video/x-raw(memory:CUDAMemory),format={I420,NV12}",
         "video/x-raw(memory:CUDAMemory),format=NV12,width=64,height=48"},
        {CUDA, "video/x-raw,format={RGB,NV12}", "video/x-raw,format=NV12,width=64,height=48"},
        {CUDA, "video/x-raw(memory:CUDAMemory),format=RGB;video/x-raw,format=NV12",
         "video/x-raw,format=NV12,width=64,height=48"},
        {CUDA, "video/x-raw(memory:CUDAMemory),format=NV12,width=50,height=50;video/x-raw,format=NV12",
         "video/x-raw,format=NV12,width=64,height=48"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GstCaps) in = gst_caps_from_string(cases[i].in), expected = gst_caps_from_string(cases[i].expected);
        g_autoptr(GstCaps) out = gst_yonos_caps_fixate(in, gst_caps_from_string(cases[i].others), SCALE, TRUE);
        g_assert_true(gst_caps_is_fixed(out));
        if (!gst_caps_is_subset(out, expected))
            g_error("case %u: %s", i, gst_caps_to_string(out));
    }
}

static void test_without(void) {
    g_autoptr(GstCaps) caps = gst_yonos_caps_without_cuda(gst_caps_from_string(CUDA ";" SYSTEM ";" CUDA));
    g_autoptr(GstCaps) expected = gst_caps_from_string(SYSTEM);
    g_assert_true(gst_caps_is_equal(caps, expected));
}

/* Where there is no driver, the element neither offers nor takes frames in CUDA memory, and goes on. */
static void test_no_driver(void) {
    GModule *driver = g_module_open("libcuda.so.1", G_MODULE_BIND_LAZY | G_MODULE_BIND_LOCAL);
    if (driver) {
        g_module_close(driver);
        g_test_skip("there is a driver");
        return;
    }
    GstHarness *h = harness_new("");
    g_autoptr(GstElement) element = gst_harness_find_element(h, "yonossr");
    static const char *const names[] = {"sink", "src"};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(GstPad) pad = gst_element_get_static_pad(element, names[i]);
        g_autoptr(GstCaps) caps = gst_pad_query_caps(pad, NULL);
        g_assert_cmpuint(gst_caps_get_size(caps), >, 0);
        for (guint k = 0; k < gst_caps_get_size(caps); k++)
            g_assert_false(is_cuda(caps, k));
    }
    g_autoptr(GstPad) sink = gst_element_get_static_pad(element, "sink");
    g_autoptr(GstCaps) cuda = gst_caps_from_string(CUDA), system = gst_caps_from_string(SYSTEM);
    g_assert_false(gst_pad_query_accept_caps(sink, cuda));
    g_assert_true(gst_pad_query_accept_caps(sink, system));
    g_autoptr(GstQuery) query = gst_query_new_context("gst.cuda.context");
    g_assert_false(gst_pad_query(sink, query));
    g_autoptr(GstContext) context = gst_context_new("gst.cuda.context", TRUE);
    gst_element_set_context(element, context);
    gst_harness_set_src_caps_str(h, SYSTEM);
    gst_buffer_unref(gst_harness_push_and_pull(h, frame_new(SYSTEM, 0)));
    gst_harness_teardown(h);
}

int main(int argc, char **argv) {
    init_tests(&argc, &argv);
    g_test_add_func("/memory/transform", test_transform);
    g_test_add_func("/memory/fixate", test_fixate);
    g_test_add_func("/memory/without", test_without);
    g_test_add_func("/memory/no-driver", test_no_driver);
    return run_tests();
}
