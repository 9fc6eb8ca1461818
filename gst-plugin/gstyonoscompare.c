/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copies columns of frames and mixes frames; see gstyonoscompare.h. Works plane by plane on bytes: a plane's columns
 * are counted in its own samples, so subsampled and packed formats need no cases of their own.
 */
#include "gstyonoscompare.h"

#include "gstyonosformat.h"

#include <string.h>

/* Bytes from the left edge of a plane to column `x` of the frame, x being a multiple of the chroma step. */
static gsize plane_bytes(const GstVideoFormatInfo *info, guint plane, gint x) {
    gint c = gst_yonos_format_component(info, plane);
    return (gsize)GST_VIDEO_FORMAT_INFO_SCALE_WIDTH(info, c, x) * (gsize)GST_VIDEO_FORMAT_INFO_PSTRIDE(info, c);
}

static gint plane_rows(const GstVideoFormatInfo *info, guint plane, gint y) {
    return GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT(info, gst_yonos_format_component(info, plane), y);
}

static guint8 *plane_row(const GstVideoFrame *frame, guint plane, gint row) {
    return (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(frame, plane) +
           (gssize)row * GST_VIDEO_FRAME_PLANE_STRIDE(frame, plane);
}

static gint align(const GstVideoFormatInfo *info, gint x) {
    gint step = GST_VIDEO_FORMAT_INFO_N_COMPONENTS(info) > 1 ? 1 << GST_VIDEO_FORMAT_INFO_W_SUB(info, 1) : 1;
    return x / step * step;
}

/* Columns from_x .. from_x + width of `from`, rows of the picture, to to_x in `to` (which may be `from`). */
static void copy_columns(const GstVideoFrame *from, gint from_x, GstVideoFrame *to, gint to_x, gint width,
                         const GstVideoRectangle *picture) {
    const GstVideoFormatInfo *info = from->info.finfo;
    for (guint plane = 0; plane < GST_VIDEO_FRAME_N_PLANES(from); plane++) {
        gint top = plane_rows(info, plane, picture->y), bottom = plane_rows(info, plane, picture->y + picture->h);
        gsize source = plane_bytes(info, plane, from_x), target = plane_bytes(info, plane, to_x);
        gsize bytes = plane_bytes(info, plane, from_x + width) - source;
        for (gint row = top; row < bottom; row++)
            memmove(plane_row(to, plane, row) + target, plane_row(from, plane, row) + source, bytes);
    }
}

/* Side by side: columns `from` .. `from` + `half` of the frame are shown at the picture's left edge and at `right`. */
typedef struct {
    gint half, from, right;
} Halves;

static Halves halves_of(gdouble position, const GstVideoFormatInfo *info, const GstVideoRectangle *picture) {
    gint half = align(info, picture->w / 2);
    gint from = picture->x + align(info, (gint)(CLAMP(position, 0.0, 1.0) * (picture->w - half)));
    return (Halves){half, from, picture->x + picture->w - half};
}

void gst_yonos_compare(GstYonosCompare mode, gdouble position, const GstVideoRectangle *picture,
                       const GstVideoFrame *original, GstVideoFrame *result) {
    const GstVideoFormatInfo *info = original->info.finfo;
    if (mode == GST_YONOS_COMPARE_SPLIT && original != result) {
        gint left = position >= 1.0 ? picture->w : align(info, (gint)(MAX(position, 0.0) * picture->w));
        copy_columns(original, picture->x, result, picture->x, left, picture);
    } else if (mode == GST_YONOS_COMPARE_SIDE_BY_SIDE) {
        Halves h = halves_of(position, info, picture);
        copy_columns(result, h.from, result, h.right, h.half, picture);
        copy_columns(original, original == result ? h.right : h.from, result, picture->x, h.half, picture);
    }
}

gdouble gst_yonos_compare_column(GstYonosCompare mode, gdouble position, const GstVideoRectangle *picture,
                                 const GstVideoFormatInfo *info, gdouble x) {
    Halves h = halves_of(position, info, picture);
    if (mode != GST_YONOS_COMPARE_SIDE_BY_SIDE || x < picture->x || x >= picture->x + picture->w)
        return x;
    return x + h.from - (x < h.right ? picture->x : h.right);
}

/* ---- fading ------------------------------------------------------------------------------------------ */

static void mix8(guint weight, guint total, const guint8 *a, guint8 *b, gsize count) {
    for (gsize i = 0; i < count; i++)
        b[i] = (guint8)((b[i] * weight + a[i] * (total - weight) + total / 2) / total);
}

static void mix16(guint weight, guint total, const guint8 *a, guint8 *b, gsize count, gboolean little) {
    for (gsize i = 0; i < count; i += 2) {
        guint x = little ? GST_READ_UINT16_LE(a + i) : GST_READ_UINT16_BE(a + i);
        guint y = little ? GST_READ_UINT16_LE(b + i) : GST_READ_UINT16_BE(b + i);
        guint16 mixed = (guint16)((y * weight + x * (total - weight) + total / 2) / total);
        if (little)
            GST_WRITE_UINT16_LE(b + i, mixed);
        else
            GST_WRITE_UINT16_BE(b + i, mixed);
    }
}

/* Bytes of a sample, 0 where samples share bytes. */
static guint sample_bytes(const GstVideoFormatInfo *info) {
    switch (GST_VIDEO_FORMAT_INFO_FORMAT(info)) {
    case GST_VIDEO_FORMAT_r210:
    case GST_VIDEO_FORMAT_Y410:
    case GST_VIDEO_FORMAT_RGB10A2_LE:
    case GST_VIDEO_FORMAT_BGR10A2_LE:
        return 0;
    default:
        return GST_VIDEO_FORMAT_INFO_DEPTH(info, 0) > 8 ? 2 : 1;
    }
}

/* The Y210 family has depth and byte order in its name only; its samples are little endian but for Y212_BE, Y412_BE. */
static gboolean is_little(const GstVideoFormatInfo *info) {
    GstVideoFormat format = GST_VIDEO_FORMAT_INFO_FORMAT(info);
    return GST_VIDEO_FORMAT_INFO_IS_LE(info) || format == GST_VIDEO_FORMAT_Y210 || format == GST_VIDEO_FORMAT_v216;
}

void gst_yonos_fade(guint weight, guint total, const GstVideoFrame *original, GstVideoFrame *result) {
    const GstVideoFormatInfo *info = result->info.finfo;
    guint bytes = sample_bytes(info);
    if (bytes == 0 || weight == 0) {
        if (weight <= total / 2)
            gst_video_frame_copy(result, original);
        return;
    }
    for (guint plane = 0; plane < GST_VIDEO_FRAME_N_PLANES(result); plane++) {
        gsize row_bytes = plane_bytes(info, plane, GST_VIDEO_FRAME_WIDTH(result));
        for (gint row = 0; row < plane_rows(info, plane, GST_VIDEO_FRAME_HEIGHT(result)); row++) {
            const guint8 *a = plane_row(original, plane, row);
            guint8 *b = plane_row(result, plane, row);
            if (bytes == 1)
                mix8(weight, total, a, b, row_bytes);
            else
                mix16(weight, total, a, b, row_bytes, is_little(info));
        }
    }
}
