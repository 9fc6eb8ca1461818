/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames in CUDA memory through the element, on a machine with a GPU: the bytes of the same frames in system memory,
 * for each memory in and out, with a frame in flight and without; and one context for the pipeline, in which nothing is
 * copied from one context to another, unless a frame comes from a third one.
 *
 *   cuda-memory MODEL-FOLDER [WIDTH HEIGHT]         77 without a driver or a device
 */
#include <gmodule.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>
#include <stdio.h>
#include <stdlib.h>

#if GST_CHECK_VERSION(1, 24, 0)
#include <gst/cuda/gstcuda.h>
#else
#include <gst/cuda/gstcudabufferpool.h>
#include <gst/cuda/gstcudacontext.h>
#include <gst/cuda/gstcudaloader.h>
#include <gst/cuda/gstcudamemory.h>
#include <gst/cuda/gstcudautils.h>
#endif

enum { FRAMES = 5, SKIPPED = 77 };

static int width = 322, height = 182; /* of the input */

static const char *const formats[] = {"NV12", "I420", "P010_10LE", "RGBA", "RGB"};
static const char *const memories[] = {"", "(memory:CUDAMemory)"};

static char *caps_text(gboolean cuda, const char *format, int scale) {
    return g_strdup_printf("video/x-raw%s,format=%s,width=%d,height=%d,framerate=25/1", memories[cuda], format,
                           width * scale, height * scale);
}

/* A moving picture with edges, the same for every memory. */
static void fill(GstBuffer *buffer, const GstVideoInfo *info, int number) {
    GstVideoFrame frame;
    if (!gst_video_frame_map(&frame, info, buffer, GST_MAP_WRITE))
        g_error("a frame cannot be written");
    for (guint p = 0; p < GST_VIDEO_FRAME_N_PLANES(&frame); p++)
        for (int y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT(&frame, p); y++) {
            guint8 *row = (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(&frame, p) + y * GST_VIDEO_FRAME_PLANE_STRIDE(&frame, p);
            int bytes = GST_VIDEO_FRAME_COMP_WIDTH(&frame, p) * GST_VIDEO_FRAME_COMP_PSTRIDE(&frame, p);
            for (int x = 0; x < bytes; x++)
                row[x] = (guint8)(60 + (x * 3 + y * 5 + number * 7) % 120);
        }
    gst_video_frame_unmap(&frame);
}

static GstBuffer *new_frame(GstBufferPool *pool, const GstVideoInfo *info, int number) {
    GstBuffer *buffer = NULL;
    if (gst_buffer_pool_acquire_buffer(pool, &buffer, NULL) != GST_FLOW_OK)
        g_error("no frame can be had");
    fill(buffer, info, number);
    GST_BUFFER_PTS(buffer) = (GstClockTime)number * 40 * GST_MSECOND;
    GST_BUFFER_DURATION(buffer) = 40 * GST_MSECOND;
    return buffer;
}

/* From 1.24 on frames are uploaded in a stream, which whoever reads them waits for. */
static void set_stream(GstStructure *config, GstCudaContext *context) {
#if GST_CHECK_VERSION(1, 24, 0)
    GstCudaStream *stream = gst_cuda_stream_new(context);
    if (!stream)
        g_error("no stream can be had");
    gst_buffer_pool_config_set_cuda_stream(config, stream);
    gst_cuda_stream_unref(stream);
#else
    (void)config;
    (void)context;
#endif
}

static GstBufferPool *new_pool(GstCudaContext *context, gboolean cuda, GstCaps *caps, const GstVideoInfo *info) {
    GstBufferPool *pool = cuda ? gst_cuda_buffer_pool_new(context) : gst_video_buffer_pool_new();
    GstStructure *config = gst_buffer_pool_get_config(pool);
    gst_buffer_pool_config_set_params(config, caps, (guint)GST_VIDEO_INFO_SIZE(info), 0, 0);
    gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
    if (cuda)
        set_stream(config, context);
    if (!gst_buffer_pool_set_config(pool, config) || !gst_buffer_pool_set_active(pool, TRUE))
        g_error("a pool cannot be set up");
    return pool;
}

/* The rows of a frame, without what lies between them. */
static void append_rows(GByteArray *bytes, GstBuffer *buffer, const GstVideoInfo *info) {
    GstVideoFrame frame;
    if (!gst_video_frame_map(&frame, info, buffer, GST_MAP_READ))
        g_error("a frame cannot be read");
    for (guint p = 0; p < GST_VIDEO_FRAME_N_PLANES(&frame); p++)
        for (int y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT(&frame, p); y++)
            g_byte_array_append(bytes,
                                (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(&frame, p) +
                                    y * GST_VIDEO_FRAME_PLANE_STRIDE(&frame, p),
                                (guint)GST_VIDEO_FRAME_COMP_WIDTH(&frame, p) *
                                    (guint)GST_VIDEO_FRAME_COMP_PSTRIDE(&frame, p));
    gst_video_frame_unmap(&frame);
}

static gboolean is_in(const GstBuffer *buffer, const GstCudaContext *context) {
    GstMemory *memory = gst_buffer_peek_memory((GstBuffer *)buffer, 0);
    return gst_is_cuda_memory(memory) && GST_CUDA_MEMORY_CAST(memory)->context == context;
}

static void share(GstHarness *h, GstCudaContext *cuda) {
    GstContext *context = gst_context_new_cuda_context(cuda);
    gst_element_set_context(h->element, context);
    gst_context_unref(context);
}

/* The clip through a new element that has `context`; its frames in CUDA memory come from `source`. */
static GByteArray *play(const char *model, GstCudaContext *context, GstCudaContext *source, const char *format,
                        gboolean in_cuda, gboolean out_cuda, const char *options) {
    g_autofree char *line = g_strdup_printf("yonossr model=%s backend=cuda qos=false %s", model, options);
    g_autofree char *in_text = caps_text(in_cuda, format, 1), *out_text = caps_text(out_cuda, format, 2);
    GstCaps *in_caps = gst_caps_from_string(in_text), *out_caps = gst_caps_from_string(out_text);
    GByteArray *bytes = g_byte_array_new();
    GstVideoInfo in, out;
    GstHarness *h = gst_harness_new_parse(line);
    share(h, context);
    gst_video_info_from_caps(&in, in_caps);
    gst_video_info_from_caps(&out, out_caps);
    gst_harness_set_caps(h, gst_caps_ref(in_caps), out_caps);
    GstBufferPool *pool = new_pool(source, in_cuda, in_caps, &in);
    for (int i = 0; i < FRAMES; i++)
        if (gst_harness_push(h, new_frame(pool, &in, i)) != GST_FLOW_OK)
            g_error("%s: frame %d is refused", in_text, i);
    gst_harness_push_event(h, gst_event_new_eos());
    for (int i = 0; i < FRAMES; i++) {
        GstBuffer *buffer = gst_harness_pull(h);
        if (out_cuda && !is_in(buffer, context))
            g_error("%s: a frame is not in the pipeline's CUDA context", out_text);
        append_rows(bytes, buffer, &out);
        gst_buffer_unref(buffer);
    }
    gst_buffer_pool_set_active(pool, FALSE);
    gst_object_unref(pool);
    gst_caps_unref(in_caps);
    gst_harness_teardown(h);
    return bytes;
}

/* Each from the next, or they could change places unseen. */
static gboolean frames_differ(const GByteArray *bytes) {
    gsize frame = bytes->len / FRAMES;
    for (gsize i = 1; i < FRAMES; i++)
        if (memcmp(bytes->data + (i - 1) * frame, bytes->data + i * frame, frame) == 0)
            return FALSE;
    return TRUE;
}

/* Copies between contexts so far, which the stand-in for the runtime counts (tests/cuda-host); a device does not: 0. */
static int peer_copies(void) {
    static int (*count)(void);
    const char *path = g_getenv("CUDA_HOST_MODULE");
    if (path && !count) {
        GModule *module = g_module_open(path, G_MODULE_BIND_LAZY | G_MODULE_BIND_LOCAL);
        if (!module || !g_module_symbol(module, "cuda_host_peer_copies", (gpointer *)&count))
            g_error("%s: %s", path, g_module_error());
    }
    return count ? count() : 0;
}

static int report(const char *format, const char *from, const char *to, const char *options, GByteArray *is,
                  const GByteArray *expected) {
    gboolean same = is->len == expected->len && memcmp(is->data, expected->data, is->len) == 0;
    printf("%s, %s -> %s, %s: %s\n", format, from, to, options, same ? "the same bytes" : "OTHER BYTES");
    g_byte_array_unref(is);
    return !same;
}

/* 1 where a memory makes a difference. */
static int compare(const char *model, GstCudaContext *context, GstCudaContext *third, const char *format,
                   const char *overlap, const char *tiles) {
    g_autofree char *alone = g_strdup_printf("overlap=never %s", tiles);
    g_autofree char *options = g_strdup_printf("overlap=%s %s", overlap, tiles);
    GByteArray *expected = play(model, context, context, format, FALSE, FALSE, alone);
    int wrong = 0, copies = peer_copies();
    if (!frames_differ(expected))
        g_error("%s: the pictures do not depend on the input", format);
    for (int way = 0; way < 4; way++) {
        GByteArray *is = play(model, context, context, format, way & 1, way >> 1, options);
        wrong |= report(format, way & 1 ? "CUDA" : "system", way >> 1 ? "CUDA" : "system", options, is, expected);
    }
    if (peer_copies() > copies) {
        printf("%s: %d COPIES BETWEEN CONTEXTS\n", format, peer_copies() - copies);
        wrong = 1;
    }
    GByteArray *is = play(model, context, third, format, TRUE, TRUE, options);
    wrong |= report(format, "another context's CUDA", "CUDA", options, is, expected);
    g_byte_array_unref(expected);
    return wrong;
}

int main(int argc, char **argv) {
    gst_init(&argc, &argv);
    if (argc != 2 && argc != 4) {
        fprintf(stderr, "usage: %s MODEL-FOLDER [WIDTH HEIGHT]\n", argv[0]);
        return 2;
    }
    if (argc == 4) {
        width = atoi(argv[2]);
        height = atoi(argv[3]);
    }
    if (!gst_cuda_load_library()) { /* before anything else of this library, which aborts without a driver */
        printf("there is no NVIDIA driver\n");
        return SKIPPED;
    }
    gst_cuda_memory_init_once();
    GstCudaContext *context = gst_cuda_context_new(0), *third = context ? gst_cuda_context_new(0) : NULL;
    if (!third) {
        printf("there is no device\n");
        return SKIPPED;
    }
    int wrong = 0;
    for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
        wrong |= compare(argv[1], context, third, formats[i], "never", "");
        wrong |= compare(argv[1], context, third, formats[i], "always", "");
        wrong |= compare(argv[1], context, third, formats[i], "always", "tile-size=64");
    }
    gst_object_unref(third);
    gst_object_unref(context);
    gst_deinit(); /* the leaks tracer reports here */
    return wrong;
}
