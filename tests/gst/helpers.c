/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See helpers.h.
 */
#include "helpers.h"

char *model_folder;
static char *grey_folder;

/* The tiny model without the weights of its last layer, whose bias is grey. */
static char *grey_model_new(void) {
    static const float zeros[3 * 4 * 3 * 3];
    static const YonosConst last = {.name = "decoder.layers.6.weight", .dtype = YONOS_DTYPE_F32, .rank = 4,
                                    .dim = {3, 4, 3, 3}, .data = zeros};
    char *folder = tiny_model_new();
    tiny_model_rewrite(folder, "vae/diffusion_pytorch_model.safetensors", last.name, &last);
    return folder;
}

GstHarness *grey_harness_new(const char *extra) {
    if (!grey_folder)
        grey_folder = grey_model_new();
    g_autofree char *options = g_strdup_printf("model=%s colour-fix=back-projection %s", grey_folder, extra);
    return harness_new(options);
}

GstHarness *harness_new(const char *extra) {
    g_autofree char *line =
        g_strdup_printf("yonossr model=%s threads=1 precision=f32 qos=false %s", model_folder, extra);
    GstHarness *h = gst_harness_new_parse(line);
    g_assert_nonnull(h);
    return h;
}

char *caps_text(const char *format, int width, int height, const char *extra) {
    return g_strdup_printf("video/x-raw,format=%s,width=%d,height=%d,framerate=25/1%s", format, width, height, extra);
}

GstBuffer *frame_new(const char *caps_string, int seed) {
    g_autoptr(GstCaps) caps = gst_caps_from_string(caps_string);
    GstVideoInfo info;
    GstVideoFrame frame;
    g_assert_true(gst_video_info_from_caps(&info, caps));
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(&info), NULL);
    gst_buffer_memset(buffer, 0, 0, GST_VIDEO_INFO_SIZE(&info));
    g_assert_true(gst_video_frame_map(&frame, &info, buffer, GST_MAP_WRITE));
    gboolean deep = GST_VIDEO_INFO_COMP_DEPTH(&info, 0) > 8;
    guint more = deep ? GST_VIDEO_INFO_COMP_DEPTH(&info, 0) - 8 : 0, shift = info.finfo->shift[0];
    for (guint c = 0; c < GST_VIDEO_FRAME_N_COMPONENTS(&frame); c++)
        for (int y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT(&frame, c); y++) {
            guint8 *row = (guint8 *)GST_VIDEO_FRAME_COMP_DATA(&frame, c) + y * GST_VIDEO_FRAME_COMP_STRIDE(&frame, c);
            for (int x = 0; x < GST_VIDEO_FRAME_COMP_WIDTH(&frame, c); x++) {
                guint v = (guint)(40 + x * 3 + y * 2 + (int)c * 20 + seed * 7) % 200;
                guint8 *at = row + x * GST_VIDEO_FRAME_COMP_PSTRIDE(&frame, c);
                guint code = deep ? ((v << more) + (guint)(x & 3)) << shift : v;
                at[0] = (guint8)code;
                if (deep) /* bytes: the buffer may begin at an odd address */
                    at[1] = (guint8)(code >> 8);
            }
        }
    gst_video_frame_unmap(&frame);
    GST_BUFFER_PTS(buffer) = (GstClockTime)seed * 40 * GST_MSECOND;
    GST_BUFFER_DURATION(buffer) = 40 * GST_MSECOND;
    return buffer;
}

GBytes *bytes_of(GstBuffer *buffer) {
    gpointer data;
    gsize size;
    gst_buffer_extract_dup(buffer, 0, gst_buffer_get_size(buffer), &data, &size);
    return g_bytes_new_take(data, size);
}

void push_frames(GstHarness *h, const char *caps, int first, int count) {
    for (int i = first; i < first + count; i++) {
        gst_harness_push(h, frame_new(caps, i));
        GstBuffer *out = gst_harness_try_pull(h);
        if (out)
            gst_buffer_unref(out);
    }
}

GBytes *run_one(const char *options, const char *caps, int seed) {
    GstHarness *h = harness_new(options);
    gst_harness_set_src_caps_str(h, caps);
    GstBuffer *out = gst_harness_push_and_pull(h, frame_new(caps, seed));
    g_assert_nonnull(out);
    GBytes *bytes = bytes_of(out);
    gst_buffer_unref(out);
    gst_harness_teardown(h);
    return bytes;
}

void assert_same(GBytes *a, GBytes *b) {
    g_assert_true(g_bytes_equal(a, b));
    g_bytes_unref(a);
    g_bytes_unref(b);
}

void assert_different(GBytes *a, GBytes *b) {
    g_assert_false(g_bytes_equal(a, b));
    g_bytes_unref(a);
    g_bytes_unref(b);
}

double mean_difference(GBytes *a, GBytes *b) {
    gsize size, other;
    const guint8 *x = g_bytes_get_data(a, &size), *y = g_bytes_get_data(b, &other);
    double sum = 0.0;
    g_assert_cmpuint(size, ==, other);
    for (gsize i = 0; i < size; i++)
        sum += ABS(x[i] - y[i]);
    return sum / (double)size;
}

double differing_part(GBytes *a, GBytes *b) {
    gsize size, other, differ = 0;
    const guint8 *x = g_bytes_get_data(a, &size), *y = g_bytes_get_data(b, &other);
    g_assert_cmpuint(size, ==, other);
    for (gsize i = 0; i < size; i++)
        differ += x[i] != y[i];
    return (double)differ / (double)size;
}

char *wait_for_message(GstBus *bus, GstMessageType type) {
    g_autoptr(GstMessage) message = gst_bus_pop_filtered(bus, type);
    g_autoptr(GError) error = NULL;
    if (!message)
        return NULL;
    if (type == GST_MESSAGE_ERROR)
        gst_message_parse_error(message, &error, NULL);
    else if (type == GST_MESSAGE_WARNING)
        gst_message_parse_warning(message, &error, NULL);
    else
        gst_message_parse_info(message, &error, NULL);
    return g_strdup(error->message);
}

guint64 stats_count(GstHarness *h, const char *field) {
    g_autoptr(GstStructure) stats = NULL;
    guint64 count = 0;
    gst_harness_get(h, "yonossr", "stats", &stats, NULL);
    g_assert_true(gst_structure_get_uint64(stats, field, &count));
    return count;
}

int run_tests(void) {
    int result = g_test_run();
    tiny_model_remove(model_folder);
    if (grey_folder)
        tiny_model_remove(grey_folder);
    gst_deinit(); /* the leaks tracer reports here */
    return result;
}

void init_tests(int *argc, char ***argv) {
    g_test_init(argc, argv, NULL);
    gst_init(NULL, NULL);
    model_folder = tiny_model_new();
}
