/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Conversions of descriptions, not of pixels; see gstyonosframe.h.
 */
#include "gstyonosframe.h"

YonosFormat gst_yonos_format(GstVideoFormat format) {
    static const struct {
        GstVideoFormat gst;
        YonosFormat yonos;
    } table[] = {
        {GST_VIDEO_FORMAT_RGB, YONOS_FORMAT_RGB},           {GST_VIDEO_FORMAT_BGR, YONOS_FORMAT_BGR},
        {GST_VIDEO_FORMAT_RGBA, YONOS_FORMAT_RGBA},         {GST_VIDEO_FORMAT_BGRA, YONOS_FORMAT_BGRA},
        {GST_VIDEO_FORMAT_ARGB, YONOS_FORMAT_ARGB},         {GST_VIDEO_FORMAT_ABGR, YONOS_FORMAT_ABGR},
        {GST_VIDEO_FORMAT_RGBx, YONOS_FORMAT_RGBX},         {GST_VIDEO_FORMAT_BGRx, YONOS_FORMAT_BGRX},
        {GST_VIDEO_FORMAT_xRGB, YONOS_FORMAT_XRGB},         {GST_VIDEO_FORMAT_xBGR, YONOS_FORMAT_XBGR},
        {GST_VIDEO_FORMAT_I420, YONOS_FORMAT_I420},         {GST_VIDEO_FORMAT_NV12, YONOS_FORMAT_NV12},
        {GST_VIDEO_FORMAT_I420_10LE, YONOS_FORMAT_I420_10LE}, {GST_VIDEO_FORMAT_P010_10LE, YONOS_FORMAT_P010_10LE},
    };
    for (guint i = 0; i < G_N_ELEMENTS(table); i++)
        if (table[i].gst == format)
            return table[i].yonos;
    return YONOS_FORMAT_UNKNOWN;
}

YonosColour gst_yonos_colour(const GstVideoInfo *info) {
    YonosColour colour = {.kr = 0.299, .kb = 0.114};
    gst_video_color_matrix_get_Kr_Kb(info->colorimetry.matrix, &colour.kr, &colour.kb);
    colour.full_range = info->colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255;
    GstVideoChromaSite site = info->chroma_site;
    /* MPEG-2's siting is what H.264 and later mean when they say nothing. */
    colour.chroma_cosited_h = site == GST_VIDEO_CHROMA_SITE_UNKNOWN || (site & GST_VIDEO_CHROMA_SITE_H_COSITED) != 0;
    colour.chroma_cosited_v = (site & GST_VIDEO_CHROMA_SITE_V_COSITED) != 0;
    return colour;
}

YonosFrame gst_yonos_frame(const GstVideoFrame *frame) {
    YonosFrame out = {
        .format = gst_yonos_format(GST_VIDEO_FRAME_FORMAT(frame)),
        .width = GST_VIDEO_FRAME_WIDTH(frame),
        .height = GST_VIDEO_FRAME_HEIGHT(frame),
        .colour = gst_yonos_colour(&frame->info),
    };
    for (guint i = 0; i < GST_VIDEO_FRAME_N_PLANES(frame); i++) {
        out.plane[i] = GST_VIDEO_FRAME_PLANE_DATA(frame, i);
        out.stride[i] = GST_VIDEO_FRAME_PLANE_STRIDE(frame, i);
    }
    return out;
}
