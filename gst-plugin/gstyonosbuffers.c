/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Allocation queries: what is offered to upstream, and where output frames come from.
 */
#include "gstyonoscaps.h"
#include "gstyonossr.h"

#define GST_CAT_DEFAULT gst_yonos_sr_debug

static GstBaseTransformClass *parent_class(void) {
    return GST_BASE_TRANSFORM_CLASS(g_type_class_peek(GST_TYPE_BASE_TRANSFORM));
}

/* In the memory that the caps say; *size becomes that of its buffers. `given` may be NULL; frames in CUDA memory may
 * come from it. NULL without a device. */
static GstBufferPool *make_pool(GstYonosSR *self, GstBufferPool *given, GstCaps *caps, guint *size, guint min,
                                guint max) {
    if (gst_yonos_caps_are_cuda(caps))
        return gst_yonos_cuda_pool(self->cuda, gst_yonos_sr_get_settings(self).cuda_device_id, given, caps, size, min,
                                   max);
    GstBufferPool *pool = gst_video_buffer_pool_new();
    GstStructure *config = gst_buffer_pool_get_config(pool);
    gst_buffer_pool_config_set_params(config, caps, *size, min, max);
    gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
    if (!gst_buffer_pool_set_config(pool, config))
        gst_clear_object(&pool);
    return pool;
}

gboolean gst_yonos_sr_propose_allocation(GstBaseTransform *trans, GstQuery *decide_query, GstQuery *query) {
    if (!parent_class()->propose_allocation(trans, decide_query, query))
        return FALSE;
    GstCaps *caps;
    GstVideoInfo info;
    gst_query_parse_allocation(query, &caps, NULL);
    if (!caps || !gst_video_info_from_caps(&info, caps))
        return FALSE;
    guint size = (guint)GST_VIDEO_INFO_SIZE(&info);
    g_autoptr(GstBufferPool) pool =
        gst_yonos_caps_are_cuda(caps) ? make_pool(GST_YONOS_SR(trans), NULL, caps, &size, 0, 0) : NULL;
    if (gst_query_get_n_allocation_pools(query) == 0)
        gst_query_add_allocation_pool(query, pool, size, 0, 0);
    gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
    gst_query_add_allocation_meta(query, GST_VIDEO_CROP_META_API_TYPE, NULL);
    return TRUE;
}

/* Keeping a frame takes one buffer more, which a pool with a limit may not have. */
static void note_pool(GstYonosSR *self, GstQuery *query) {
    GstBufferPool *pool = NULL;
    guint size, min, max;
    gst_query_parse_nth_allocation_pool(query, 0, &pool, &size, &min, &max);
    gboolean limited = max != 0 && max <= min + 1;
    GST_OBJECT_LOCK(self);
    self->limited_pool = limited;
    GST_OBJECT_UNLOCK(self);
    if (!limited && gst_yonos_sr_keeps_frames(self))
        gst_query_set_nth_allocation_pool(query, 0, pool, size, min + 1, max);
    gst_clear_object(&pool);
}

/* Sees to it that there is a pool; one for system memory is taken as downstream offers it. */
static gboolean set_pool(GstYonosSR *self, GstQuery *query, GstCaps *caps, guint size) {
    g_autoptr(GstBufferPool) given = NULL;
    guint min = 0, max = 0;
    gboolean offered = gst_query_get_n_allocation_pools(query) > 0;
    if (offered && !gst_yonos_caps_are_cuda(caps))
        return TRUE;
    if (offered)
        gst_query_parse_nth_allocation_pool(query, 0, &given, NULL, &min, &max);
    g_autoptr(GstBufferPool) pool = make_pool(self, given, caps, &size, min, max);
    if (!pool && gst_yonos_caps_are_cuda(caps))
        return FALSE;
    if (offered)
        gst_query_set_nth_allocation_pool(query, 0, pool, size, min, max);
    else
        gst_query_add_allocation_pool(query, pool, size, min, max);
    return TRUE;
}

gboolean gst_yonos_sr_decide_allocation(GstBaseTransform *trans, GstQuery *query) {
    GstCaps *caps;
    GstVideoInfo info;
    gst_query_parse_allocation(query, &caps, NULL);
    if (!caps || !gst_video_info_from_caps(&info, caps))
        return FALSE;
    if (GST_VIDEO_INFO_SIZE(&info) > G_MAXUINT) {
        GST_ELEMENT_ERROR(trans, STREAM, FORMAT, ("The output frame is too large for a buffer: use a smaller frame."),
                          ("%" GST_PTR_FORMAT, caps));
        return FALSE;
    }
    if (!set_pool(GST_YONOS_SR(trans), query, caps, (guint)GST_VIDEO_INFO_SIZE(&info))) {
        GST_ELEMENT_ERROR(trans, RESOURCE, NO_SPACE_LEFT,
                          ("No frames in the GPU's memory can be had: look at the device with nvidia-smi, or put "
                           "cudadownload before yonossr."),
                          ("%" GST_PTR_FORMAT, caps));
        return FALSE;
    }
    note_pool(GST_YONOS_SR(trans), query);
    return parent_class()->decide_allocation(trans, query);
}
