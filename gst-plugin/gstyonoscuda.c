/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See gstyonoscuda.h. GStreamer 1.22 has neither streams nor a header for all; from 1.24 on both are there.
 */
#include "gstyonoscuda.h"

#if GST_CHECK_VERSION(1, 24, 0)
#include <gst/cuda/gstcuda.h>
#else
#include <gst/cuda/gstcudabufferpool.h>
#include <gst/cuda/gstcudacontext.h>
#include <gst/cuda/gstcudaloader.h>
#include <gst/cuda/gstcudamemory.h>
#include <gst/cuda/gstcudautils.h>
#endif

struct _GstYonosCuda {
    GstElement *element;
    GRecMutex lock; /* asking the neighbours for a context may set it */
    GstCudaContext *context;
};

GstYonosCuda *gst_yonos_cuda_new(GstElement *element) {
    GstYonosCuda *cuda = g_new0(GstYonosCuda, 1);
    cuda->element = element;
    g_rec_mutex_init(&cuda->lock);
    return cuda;
}

void gst_yonos_cuda_free(GstYonosCuda *cuda) {
    gst_clear_object(&cuda->context);
    g_rec_mutex_clear(&cuda->lock);
    g_free(cuda);
}

gboolean gst_yonos_cuda_available(void) {
    static gsize known = 0; /* 1: no, 2: yes */
    if (g_once_init_enter(&known)) {
        gboolean loaded = gst_cuda_load_library();
        if (loaded)
            gst_cuda_memory_init_once();
        g_once_init_leave(&known, loaded ? 2 : 1);
    }
    return known == 2;
}

/* ---- the context ---------------------------------------------------------------------------------------- */

void gst_yonos_cuda_set_context(GstYonosCuda *cuda, GstContext *context, gint device) {
    if (!context || !gst_context_has_context_type(context, GST_CUDA_CONTEXT_TYPE) || !gst_yonos_cuda_available())
        return;
    g_rec_mutex_lock(&cuda->lock);
    gst_cuda_handle_set_context(cuda->element, context, device, &cuda->context);
    g_rec_mutex_unlock(&cuda->lock);
}

gboolean gst_yonos_cuda_query_context(GstYonosCuda *cuda, GstQuery *query) {
    const gchar *type;
    gst_query_parse_context_type(query, &type);
    if (g_strcmp0(type, GST_CUDA_CONTEXT_TYPE) != 0)
        return FALSE;
    g_rec_mutex_lock(&cuda->lock);
    gboolean answered = cuda->context && gst_cuda_handle_context_query(cuda->element, query, cuda->context);
    g_rec_mutex_unlock(&cuda->lock);
    return answered;
}

void gst_yonos_cuda_reset(GstYonosCuda *cuda) {
    g_rec_mutex_lock(&cuda->lock);
    gst_clear_object(&cuda->context);
    g_rec_mutex_unlock(&cuda->lock);
}

/* Our context, the neighbours' or a new one; NULL without a device. Transfer full. */
static GstCudaContext *get_context(GstYonosCuda *cuda, gint device) {
    if (!gst_yonos_cuda_available())
        return NULL;
    g_rec_mutex_lock(&cuda->lock);
    gboolean there = gst_cuda_ensure_element_context(cuda->element, device, &cuda->context);
    GstCudaContext *context = there ? gst_object_ref(cuda->context) : NULL;
    g_rec_mutex_unlock(&cuda->lock);
    return context;
}

gpointer gst_yonos_cuda_get_handle(GstYonosCuda *cuda, gint device, gboolean create) {
    g_rec_mutex_lock(&cuda->lock);
    if (create && gst_yonos_cuda_available())
        gst_cuda_ensure_element_context(cuda->element, device, &cuda->context);
    gpointer handle = cuda->context ? gst_cuda_context_get_handle(cuda->context) : NULL;
    g_rec_mutex_unlock(&cuda->lock);
    return handle;
}

gboolean gst_yonos_cuda_enter(GstYonosCuda *cuda) {
    g_rec_mutex_lock(&cuda->lock);
    gboolean entered = cuda->context && gst_cuda_context_push(cuda->context);
    g_rec_mutex_unlock(&cuda->lock);
    return entered;
}

void gst_yonos_cuda_leave(gboolean entered) {
    if (entered)
        gst_cuda_context_pop(NULL);
}

/* ---- buffers -------------------------------------------------------------------------------------------- */

static gboolean is_in_context(GstBufferPool *pool, const GstCudaContext *context) {
    return GST_IS_CUDA_BUFFER_POOL(pool) && GST_CUDA_BUFFER_POOL(pool)->context == context;
}

/* `given`, or a new one; NULL without a device. Transfer full. */
static GstBufferPool *choose_pool(GstYonosCuda *cuda, gint device, GstBufferPool *given) {
    GstCudaContext *context = get_context(cuda, device);
    if (!context)
        return NULL;
    GstBufferPool *pool =
        given && is_in_context(given, context) ? gst_object_ref(given) : gst_cuda_buffer_pool_new(context);
    gst_object_unref(context);
    return pool;
}

GstBufferPool *gst_yonos_cuda_pool(GstYonosCuda *cuda, gint device, GstBufferPool *given, GstCaps *caps, guint *size,
                                   guint min, guint max) {
    GstVideoInfo info;
    GstBufferPool *pool = gst_video_info_from_caps(&info, caps) ? choose_pool(cuda, device, given) : NULL;
    if (!pool)
        return NULL;
    GstStructure *config = gst_buffer_pool_get_config(pool);
    gst_buffer_pool_config_set_params(config, caps, (guint)GST_VIDEO_INFO_SIZE(&info), min, max);
    gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
    if (!gst_buffer_pool_set_config(pool, config)) {
        gst_object_unref(pool);
        return NULL;
    }
    config = gst_buffer_pool_get_config(pool);
    gst_buffer_pool_config_get_params(config, NULL, size, NULL, NULL);
    gst_structure_free(config);
    return pool;
}

static GstCudaMemory *memory_of(GstBuffer *buffer) {
    GstMemory *memory = gst_buffer_n_memory(buffer) == 1 ? gst_buffer_peek_memory(buffer, 0) : NULL;
    return memory && gst_is_cuda_memory(memory) ? GST_CUDA_MEMORY_CAST(memory) : NULL;
}

GstMapFlags gst_yonos_cuda_map_flags(GstBuffer *buffer) {
    return memory_of(buffer) ? (GstMapFlags)GST_MAP_CUDA : 0;
}

gpointer gst_yonos_cuda_frame_context(const GstVideoFrame *frame) {
    if (!frame->buffer || !(frame->map[0].flags & GST_MAP_CUDA))
        return NULL;
    GstCudaMemory *memory = memory_of(frame->buffer);
    if (!memory)
        return NULL;
#if GST_CHECK_VERSION(1, 24, 0)
    gst_cuda_memory_sync(memory);
#endif
    return gst_cuda_context_get_handle(memory->context);
}
