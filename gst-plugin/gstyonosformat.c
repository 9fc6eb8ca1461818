/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Conversions of descriptions, not of pixels; see gstyonosformat.h.
 */
#include "gstyonosformat.h"

#include "gstyonoscuda.h"

YonosFormat gst_yonos_format_native(GstVideoFormat format) {
    static const struct {
        GstVideoFormat gst;
        YonosFormat yonos;
    } table[] = {
        {GST_VIDEO_FORMAT_RGB, YONOS_FORMAT_RGB},
        {GST_VIDEO_FORMAT_BGR, YONOS_FORMAT_BGR},
        {GST_VIDEO_FORMAT_RGBA, YONOS_FORMAT_RGBA},
        {GST_VIDEO_FORMAT_BGRA, YONOS_FORMAT_BGRA},
        {GST_VIDEO_FORMAT_ARGB, YONOS_FORMAT_ARGB},
        {GST_VIDEO_FORMAT_ABGR, YONOS_FORMAT_ABGR},
        {GST_VIDEO_FORMAT_RGBx, YONOS_FORMAT_RGBX},
        {GST_VIDEO_FORMAT_BGRx, YONOS_FORMAT_BGRX},
        {GST_VIDEO_FORMAT_xRGB, YONOS_FORMAT_XRGB},
        {GST_VIDEO_FORMAT_xBGR, YONOS_FORMAT_XBGR},
        {GST_VIDEO_FORMAT_I420, YONOS_FORMAT_I420},
        {GST_VIDEO_FORMAT_NV12, YONOS_FORMAT_NV12},
        {GST_VIDEO_FORMAT_I420_10LE, YONOS_FORMAT_I420_10LE},
        {GST_VIDEO_FORMAT_P010_10LE, YONOS_FORMAT_P010_10LE},
    };
    for (guint i = 0; i < G_N_ELEMENTS(table); i++)
        if (table[i].gst == format)
            return table[i].yonos;
    return YONOS_FORMAT_UNKNOWN;
}

gint gst_yonos_format_component(const GstVideoFormatInfo *info, guint plane) {
    for (gint c = 0; c < (gint)GST_VIDEO_FORMAT_INFO_N_COMPONENTS(info); c++)
        if (GST_VIDEO_FORMAT_INFO_PLANE(info, c) == plane)
            return c;
    return 0;
}

gboolean gst_yonos_info(GstVideoInfo *info, const GstCaps *caps) {
    if (!gst_video_info_from_caps(info, caps))
        return FALSE;
    const gchar *name = gst_structure_get_string(gst_caps_get_structure(caps, 0), "chroma-site");
    GstVideoChromaSite site = name ? gst_video_chroma_site_from_string(name) : GST_VIDEO_CHROMA_SITE_UNKNOWN;
    if (site != GST_VIDEO_CHROMA_SITE_UNKNOWN)
        info->chroma_site = site;
    return TRUE;
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
        .format = gst_yonos_format_native(GST_VIDEO_FRAME_FORMAT(frame)),
        .width = GST_VIDEO_FRAME_WIDTH(frame),
        .height = GST_VIDEO_FRAME_HEIGHT(frame),
        .colour = gst_yonos_colour(&frame->info),
        .cuda_context = gst_yonos_cuda_frame_context(frame),
    };
    for (guint i = 0; i < GST_VIDEO_FRAME_N_PLANES(frame); i++) {
        out.plane[i] = GST_VIDEO_FRAME_PLANE_DATA(frame, i);
        out.stride[i] = GST_VIDEO_FRAME_PLANE_STRIDE(frame, i);
    }
    return out;
}

/* ---- what is lost ---------------------------------------------------------------------------- */

/* Chroma samples per pixel, as a power of two below the luma's; a grey picture has none. */
static guint chroma_subsampling(const GstVideoFormatInfo *info) {
    if (!GST_VIDEO_FORMAT_INFO_IS_YUV(info))
        return 0;
    return GST_VIDEO_FORMAT_INFO_W_SUB(info, 1) + GST_VIDEO_FORMAT_INFO_H_SUB(info, 1);
}

guint gst_yonos_format_loss(const GstVideoFormatInfo *from, const GstVideoFormatInfo *to) {
    enum { GREY = 1000, ALPHA = 500, DEPTH = 100, CHROMA = 20, KIND = 10, WIDER = 2, OTHER = 1 };
    if (from == to)
        return 0;
    guint loss = OTHER;
    guint deep = GST_VIDEO_FORMAT_INFO_DEPTH(from, 0), to_deep = GST_VIDEO_FORMAT_INFO_DEPTH(to, 0);
    guint sub = chroma_subsampling(from), to_sub = chroma_subsampling(to);
    gboolean grey = GST_VIDEO_FORMAT_INFO_IS_GRAY(from), to_grey = GST_VIDEO_FORMAT_INFO_IS_GRAY(to);
    if (!grey && to_grey)
        loss += GREY;
    if (GST_VIDEO_FORMAT_INFO_HAS_ALPHA(from) && !GST_VIDEO_FORMAT_INFO_HAS_ALPHA(to))
        loss += ALPHA;
    if (!GST_VIDEO_FORMAT_INFO_HAS_ALPHA(from) && GST_VIDEO_FORMAT_INFO_HAS_ALPHA(to))
        loss += WIDER;
    loss += to_deep < deep ? DEPTH * (deep - to_deep) : WIDER * (to_deep - deep);
    if (!grey)
        loss += to_sub > sub ? CHROMA * (to_sub - sub) : WIDER * (sub - to_sub);
    if (GST_VIDEO_FORMAT_INFO_IS_RGB(from) != GST_VIDEO_FORMAT_INFO_IS_RGB(to))
        loss += KIND;
    return loss;
}

/* ---- colorimetry ------------------------------------------------------------------------------- */

static GstVideoColorMatrix matrix_for(GstVideoColorPrimaries primaries) {
    switch (primaries) {
    case GST_VIDEO_COLOR_PRIMARIES_SMPTE170M:
    case GST_VIDEO_COLOR_PRIMARIES_BT470BG:
        return GST_VIDEO_COLOR_MATRIX_BT601;
    case GST_VIDEO_COLOR_PRIMARIES_BT2020:
        return GST_VIDEO_COLOR_MATRIX_BT2020;
    default:
        return GST_VIDEO_COLOR_MATRIX_BT709;
    }
}

GstVideoColorimetry gst_yonos_colorimetry(const GstVideoInfo *from, const GstVideoFormatInfo *to) {
    GstVideoColorimetry colorimetry = from->colorimetry;
    gboolean rgb = GST_VIDEO_FORMAT_INFO_IS_RGB(to);
    if (rgb == GST_VIDEO_FORMAT_INFO_IS_RGB(from->finfo))
        return colorimetry;
    colorimetry.matrix = rgb ? GST_VIDEO_COLOR_MATRIX_RGB : matrix_for(colorimetry.primaries);
    colorimetry.range = rgb ? GST_VIDEO_COLOR_RANGE_0_255 : GST_VIDEO_COLOR_RANGE_16_235;
    return colorimetry;
}
