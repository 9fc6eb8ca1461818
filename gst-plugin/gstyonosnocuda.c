/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gstyonoscuda.h where GStreamer's CUDA library is not there: no buffer is in CUDA memory.
 */
#include "gstyonoscuda.h"

GstYonosCuda *gst_yonos_cuda_new(GstElement *element G_GNUC_UNUSED) {
    return NULL;
}

void gst_yonos_cuda_free(GstYonosCuda *cuda G_GNUC_UNUSED) {
}

gboolean gst_yonos_cuda_available(void) {
    return FALSE;
}

void gst_yonos_cuda_set_context(GstYonosCuda *cuda G_GNUC_UNUSED, GstContext *context G_GNUC_UNUSED,
                                gint device G_GNUC_UNUSED) {
}

gboolean gst_yonos_cuda_query_context(GstYonosCuda *cuda G_GNUC_UNUSED, GstQuery *query G_GNUC_UNUSED) {
    return FALSE;
}

void gst_yonos_cuda_reset(GstYonosCuda *cuda G_GNUC_UNUSED) {
}

gpointer gst_yonos_cuda_get_handle(GstYonosCuda *cuda G_GNUC_UNUSED, gint device G_GNUC_UNUSED,
                                   gboolean create G_GNUC_UNUSED) {
    return NULL;
}

gboolean gst_yonos_cuda_enter(GstYonosCuda *cuda G_GNUC_UNUSED) {
    return FALSE;
}

void gst_yonos_cuda_leave(gboolean entered G_GNUC_UNUSED) {
}

GstBufferPool *gst_yonos_cuda_pool(GstYonosCuda *cuda G_GNUC_UNUSED, gint device G_GNUC_UNUSED,
                                   GstBufferPool *given G_GNUC_UNUSED, GstCaps *caps G_GNUC_UNUSED,
                                   guint *size G_GNUC_UNUSED, guint min G_GNUC_UNUSED, guint max G_GNUC_UNUSED) {
    return NULL;
}

GstMapFlags gst_yonos_cuda_map_flags(GstBuffer *buffer G_GNUC_UNUSED) {
    return 0;
}

gpointer gst_yonos_cuda_frame_context(const GstVideoFrame *frame G_GNUC_UNUSED) {
    return NULL;
}
