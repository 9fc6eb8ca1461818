/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an application does with the element besides frames: messages, models, presets, controlled properties.
 */
#include <unistd.h>

#include <glib/gstdio.h>
#include <gst/controller/gstdirectcontrolbinding.h>
#include <gst/controller/gstinterpolationcontrolsource.h>

#include "gstyonoslate.h"
#include "helpers.h"

static const char rgb[] = "video/x-raw,format=RGB,width=32,height=24,framerate=25/1";

/* ---- messages ------------------------------------------------------------------------------------------ */

static void test_messages(void) {
    g_autofree char *line =
        g_strdup_printf("videotestsrc num-buffers=6 ! video/x-raw,format=RGB,width=32,height=24 ! "
                        "yonossr model=%s threads=1 stats-interval=1 reuse-static=true noise-mode=per-frame ! fakesink",
                        model_folder);
    g_autoptr(GstElement) pipeline = gst_parse_launch(line, NULL);
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    int start = 0, complete = 0, info = 0, stats = 0, warnings = 0;
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    for (gboolean end = FALSE; !end;) {
        g_autoptr(GstMessage) message = gst_bus_timed_pop(bus, 10 * GST_SECOND);
        g_assert_nonnull(message);
        g_assert_cmpint(GST_MESSAGE_TYPE(message), !=, GST_MESSAGE_ERROR);
        GstProgressType type;
        end = GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS;
        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_PROGRESS) {
            gst_message_parse_progress(message, &type, NULL, NULL);
            start += type == GST_PROGRESS_TYPE_START;
            complete += type == GST_PROGRESS_TYPE_COMPLETE;
        } else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_INFO) {
            g_autoptr(GError) text = NULL;
            gst_message_parse_info(message, &text, NULL);
            g_assert_nonnull(strstr(text->message, "CPU, 1 thread"));
            g_assert_nonnull(strstr(text->message, "1 x 1 tiles of 64 x 48"));
            g_assert_nonnull(strstr(text->message, "frames per second"));
            info++;
        } else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_WARNING) {
            warnings++; /* reuse-static without static noise, once and not per frame */
        } else if (gst_message_has_name(message, "yonossr-stats")) {
            stats++;
        }
    }
    gst_element_set_state(pipeline, GST_STATE_NULL);
    g_assert_cmpint(start, ==, 1);
    g_assert_cmpint(complete, ==, 1);
    g_assert_cmpint(info, ==, 1);
    g_assert_cmpint(warnings, ==, 1);
    g_assert_cmpint(stats, >=, 1);
}

/* ---- models -------------------------------------------------------------------------------------------- */

/* In READY another model counts at the next start; while running it waits for the stop. */
static void test_model_change(void) {
    char *other = tiny_model_new();
    tiny_model_replace(other, "model_index.json", "\"scale\": 2", "\"scale\": 4");
    GstHarness *h = harness_new("");
    g_autoptr(GstElement) element = gst_harness_find_element(h, "yonossr");
    guint scale;
    gst_harness_set_src_caps_str(h, rgb);
    gst_buffer_unref(gst_harness_push_and_pull(h, frame_new(rgb, 0)));
    gst_harness_set(h, "yonossr", "model", other, NULL);
    gst_harness_get(h, "yonossr", "scale", &scale, NULL);
    g_assert_cmpuint(scale, ==, 2);
    gst_buffer_unref(gst_harness_push_and_pull(h, frame_new(rgb, 1)));
    gst_element_set_state(element, GST_STATE_READY);
    gst_harness_get(h, "yonossr", "scale", &scale, NULL);
    g_assert_cmpuint(scale, ==, 4);
    gst_harness_set(h, "yonossr", "model", model_folder, NULL);
    gst_harness_get(h, "yonossr", "scale", &scale, NULL);
    g_assert_cmpuint(scale, ==, 2);
    gst_harness_teardown(h);
    tiny_model_remove(other);
}

/* Two elements hold one copy of the model, whatever the way they write its folder. */
static void test_shared_model(void) {
    g_autofree char *link = g_strdup_printf("%s-link", model_folder);
    g_assert_cmpint(symlink(model_folder, link), ==, 0);
    g_autoptr(YonosModel) first = yonos_model_open(model_folder, NULL);
    g_autoptr(YonosModel) second = yonos_model_open(link, NULL);
    g_assert_nonnull(first);
    g_assert_true(first == second);
    GstHarness *a = harness_new(""), *b = harness_new("");
    gst_harness_set_src_caps_str(a, rgb);
    gst_harness_set_src_caps_str(b, rgb);
    for (int i = 0; i < 3; i++) {
        GstBuffer *x = gst_harness_push_and_pull(a, frame_new(rgb, i)),
                  *y = gst_harness_push_and_pull(b, frame_new(rgb, i));
        assert_same(bytes_of(x), bytes_of(y));
        gst_buffer_unref(x);
        gst_buffer_unref(y);
    }
    gst_harness_teardown(a);
    gst_harness_teardown(b);
    g_unlink(link);
}

static guint64 weights(GstHarness *h) {
    return stats_count(h, "weight-bytes");
}

static gpointer push_ten(gpointer data) {
    GstHarness *h = data;
    for (int i = 0; i < 10; i++)
        g_assert_cmpint(gst_harness_push(h, frame_new(rgb, i)), ==, GST_FLOW_OK);
    return NULL;
}

/* Packed weights are in memory once, for elements that run alike; and both may run at the same time. */
static void test_shared_weights(void) {
    GstHarness *a = harness_new("noise-mode=per-frame");
    gst_harness_set_src_caps_str(a, rgb);
    push_frames(a, rgb, 0, 1);
    g_assert_cmpuint(weights(a), >, 0);
    GstHarness *b = harness_new("noise-mode=per-frame"), *alone = harness_new("noise-mode=per-frame threads=2");
    g_assert_cmpuint(weights(b), ==, weights(a)); /* before its first caps */
    g_assert_cmpuint(weights(alone), ==, 0);
    gst_harness_set_src_caps_str(b, rgb);
    GThread *one = g_thread_new("a", push_ten, a), *other = g_thread_new("b", push_ten, b);
    g_thread_join(one);
    g_thread_join(other);
    for (int i = 0; i < 10; i++) {
        GstBuffer *x = gst_harness_pull(a), *y = gst_harness_pull(b);
        assert_same(bytes_of(x), bytes_of(y));
        gst_buffer_unref(x);
        gst_buffer_unref(y);
    }
    guint64 before = weights(b);
    gst_harness_teardown(a);
    push_frames(b, rgb, 0, 1); /* the weights stay for the one that is left */
    g_assert_cmpuint(weights(b), ==, before);
    gst_harness_teardown(b);
    gst_harness_teardown(alone);
}

/* ---- presets and controlled properties ----------------------------------------------------------------- */

static void test_presets(void) {
    g_autoptr(GstElement) element = gst_element_factory_make("yonossr", NULL);
    gst_object_ref_sink(element);
    static const char *const names[] = {"fast", "faithful", "vivid"};
    g_auto(GStrv) there = gst_preset_get_preset_names(GST_PRESET(element));
    g_assert_nonnull(there);
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *comment = NULL;
        g_assert_true(g_strv_contains((const char *const *)there, names[i]));
        g_assert_true(gst_preset_load_preset(GST_PRESET(element), names[i]));
        g_assert_true(gst_preset_get_meta(GST_PRESET(element), names[i], "comment", &comment));
    }
    int fix, policy;
    g_assert_true(gst_preset_load_preset(GST_PRESET(element), "fast"));
    g_object_get(element, "late-policy", &policy, NULL);
    g_assert_cmpint(policy, ==, GST_YONOS_LATE_FAST);
    g_assert_true(gst_preset_load_preset(GST_PRESET(element), "faithful"));
    g_object_get(element, "colour-fix", &fix, "late-policy", &policy, NULL);
    g_assert_cmpint(fix, ==, YONOS_COLOUR_FIX_BACK_PROJECTION);
    g_assert_cmpint(policy, ==, GST_YONOS_LATE_PROCESS);
}

/* compare-position follows a control source, frame by frame. */
static void test_controlled(void) {
    GstHarness *h = harness_new("compare=split colour-fix=none");
    g_autoptr(GstElement) element = gst_harness_find_element(h, "yonossr");
    GstControlSource *source = gst_interpolation_control_source_new();
    g_object_set(source, "mode", GST_INTERPOLATION_MODE_LINEAR, NULL);
    gst_object_add_control_binding(GST_OBJECT(element),
                                   gst_direct_control_binding_new(GST_OBJECT(element), "compare-position", source));
    gst_timed_value_control_source_set(GST_TIMED_VALUE_CONTROL_SOURCE(source), 0, 0.0);
    gst_timed_value_control_source_set(GST_TIMED_VALUE_CONTROL_SOURCE(source), 400 * GST_MSECOND, 1.0);
    gst_harness_set_src_caps_str(h, rgb);
    for (int i = 0; i <= 10; i += 5) {
        double position;
        gst_buffer_unref(gst_harness_push_and_pull(h, frame_new(rgb, i)));
        gst_harness_get(h, "yonossr", "compare-position", &position, NULL);
        g_assert_cmpfloat_with_epsilon(position, i / 10.0, 1e-6);
    }
    gst_object_unref(source);
    gst_harness_teardown(h);
}

int main(int argc, char **argv) {
    init_tests(&argc, &argv);
    g_test_add_func("/stream/messages", test_messages);
    g_test_add_func("/stream/model-change", test_model_change);
    g_test_add_func("/stream/shared-model", test_shared_model);
    g_test_add_func("/stream/shared-weights", test_shared_weights);
    g_test_add_func("/stream/presets", test_presets);
    g_test_add_func("/stream/controlled", test_controlled);
    return run_tests();
}
