/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See gstyonosmeta.h.
 */
#include "gstyonosmeta.h"

#include <gst/video/gstvideometa.h>
#include <gst/video/navigation.h>

#include "gstyonosformat.h"

/* gst_video_meta_transform_scale knows two sizes and no offset: borders are added afterwards. */
static void scale_meta(GstBuffer *outbuf, GstMeta *meta, GstBuffer *inbuf, const GstVideoInfo *in,
                       const GstVideoInfo *out, const GstVideoRectangle *picture) {
    GstVideoInfo from = *in, to = *out;
    guint before = gst_buffer_get_n_meta(outbuf, meta->info->api);
    GST_VIDEO_INFO_WIDTH(&to) = picture->w;
    GST_VIDEO_INFO_HEIGHT(&to) = picture->h;
    GstVideoMetaTransform scaling = {&from, &to};
    if (!meta->info->transform_func ||
        !meta->info->transform_func(outbuf, meta, inbuf, gst_video_meta_transform_scale_get_quark(), &scaling))
        return;
    if (meta->info->api != GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)
        return;
    GstMeta *added;
    gpointer state = NULL;
    for (guint i = 0; (added = gst_buffer_iterate_meta_filtered(outbuf, &state, meta->info->api)); i++) {
        if (i < before)
            continue;
        GstVideoRegionOfInterestMeta *region = (GstVideoRegionOfInterestMeta *)added;
        region->x += (guint)picture->x;
        region->y += (guint)picture->y;
    }
}

gboolean gst_yonos_meta_transform(GstBuffer *outbuf, GstMeta *meta, GstBuffer *inbuf, const GstVideoInfo *in,
                                  const GstVideoInfo *out, const GstVideoRectangle *picture) {
    static const gchar *const kept[] = {GST_META_TAG_VIDEO_STR, GST_META_TAG_VIDEO_ORIENTATION_STR,
                                        GST_META_TAG_VIDEO_SIZE_STR, NULL};
    const gchar *const *tags = gst_meta_api_type_get_tags(meta->info->api);
    gboolean sized = FALSE;
    if (meta->info->api == GST_VIDEO_CROP_META_API_TYPE)
        return FALSE;
    for (; tags && *tags; tags++) {
        if (!g_strv_contains(kept, *tags))
            return FALSE;
        sized = sized || g_str_equal(*tags, GST_META_TAG_VIDEO_SIZE_STR);
    }
    if (sized)
        scale_meta(outbuf, meta, inbuf, in, out, picture);
    return !sized;
}

/* A part of width x height of a frame, on whole chroma samples. */
static gboolean is_part(const GstVideoFrame *frame, const GstVideoCropMeta *crop, guint width, guint height) {
    const GstVideoFormatInfo *format = frame->info.finfo;
    guint frame_w = (guint)GST_VIDEO_FRAME_WIDTH(frame), frame_h = (guint)GST_VIDEO_FRAME_HEIGHT(frame);
    if (crop->width != width || crop->height != height || crop->x > frame_w || frame_w - crop->x < width ||
        crop->y > frame_h || frame_h - crop->y < height)
        return FALSE;
    for (guint c = 0; c < GST_VIDEO_FORMAT_INFO_N_COMPONENTS(format); c++)
        if (crop->x % (1u << GST_VIDEO_FORMAT_INFO_W_SUB(format, c)) != 0 ||
            crop->y % (1u << GST_VIDEO_FORMAT_INFO_H_SUB(format, c)) != 0)
            return FALSE;
    return TRUE;
}

/* The first byte of a plane in the part that begins at x, y. */
static guint8 *plane_at(const GstVideoFrame *frame, guint plane, guint x, guint y) {
    const GstVideoFormatInfo *format = frame->info.finfo;
    gint c = gst_yonos_format_component(format, plane);
    return (guint8 *)frame->data[plane] +
           (gssize)(y >> GST_VIDEO_FORMAT_INFO_H_SUB(format, c)) * GST_VIDEO_FRAME_PLANE_STRIDE(frame, plane) +
           (gssize)(x >> GST_VIDEO_FORMAT_INFO_W_SUB(format, c)) * GST_VIDEO_FORMAT_INFO_PSTRIDE(format, c);
}

gboolean gst_yonos_meta_crop(GstBuffer *buffer, const GstVideoInfo *info, GstVideoFrame *frame) {
    const GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta(buffer);
    gint width = GST_VIDEO_INFO_WIDTH(info), height = GST_VIDEO_INFO_HEIGHT(info);
    if (!crop)
        return GST_VIDEO_FRAME_WIDTH(frame) == width && GST_VIDEO_FRAME_HEIGHT(frame) == height;
    if (!is_part(frame, crop, (guint)width, (guint)height))
        return FALSE;
    for (guint plane = 0; plane < GST_VIDEO_FRAME_N_PLANES(frame); plane++)
        frame->data[plane] = plane_at(frame, plane, crop->x, crop->y);
    GST_VIDEO_INFO_WIDTH(&frame->info) = width;
    GST_VIDEO_INFO_HEIGHT(&frame->info) = height;
    return TRUE;
}

GstEvent *gst_yonos_meta_navigation(GstEvent *event, const GstVideoInfo *in, const GstVideoInfo *out,
                                    const GstVideoRectangle *picture, GstYonosCompare compare, gdouble position) {
    gdouble x, y;
    event = GST_EVENT(gst_mini_object_make_writable(GST_MINI_OBJECT(event)));
    GstStructure *structure = (GstStructure *)gst_event_get_structure(event);
    if (!gst_structure_get_double(structure, "pointer_x", &x) ||
        !gst_structure_get_double(structure, "pointer_y", &y) || picture->w <= 0 || picture->h <= 0)
        return event;
    x = gst_yonos_compare_column(compare, position, picture, out->finfo, x);
    gst_structure_set(structure, "pointer_x", G_TYPE_DOUBLE, (x - picture->x) * GST_VIDEO_INFO_WIDTH(in) / picture->w,
                      "pointer_y", G_TYPE_DOUBLE, (y - picture->y) * GST_VIDEO_INFO_HEIGHT(in) / picture->h, NULL);
    return event;
}
