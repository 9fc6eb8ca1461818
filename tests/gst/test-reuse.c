/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reuse-static: tiles that do not change are not computed again, and no pixel shows it.
 */
#include "helpers.h"

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
    g_test_add_func("/pictures/reuse", test_reuse);
    return run_tests();
}
