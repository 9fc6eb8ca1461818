/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Format descriptors; see format.h. Ranges by ITU-R BT.601/709/2020: limited range has 219 luma and 224
 * chroma steps of 8 bits.
 */
#include "backend/format.h"

#define PACKED(name, bytes, r, g, b, alpha, filler) {name, YONOS_LAYOUT_PACKED_8, bytes, r, g, b, alpha, filler, FALSE, 8, 0, 1}
#define YUV(name, semi, depth, shift) {name, YONOS_LAYOUT_YUV420, 0, 0, 0, 0, -1, -1, semi, depth, shift, semi ? 2 : 3}

static const YonosFormatInfo formats[YONOS_FORMAT_COUNT] = {
    [YONOS_FORMAT_RGB] = PACKED("RGB", 3, 0, 1, 2, -1, -1),
    [YONOS_FORMAT_BGR] = PACKED("BGR", 3, 2, 1, 0, -1, -1),
    [YONOS_FORMAT_RGBA] = PACKED("RGBA", 4, 0, 1, 2, 3, -1),
    [YONOS_FORMAT_BGRA] = PACKED("BGRA", 4, 2, 1, 0, 3, -1),
    [YONOS_FORMAT_ARGB] = PACKED("ARGB", 4, 1, 2, 3, 0, -1),
    [YONOS_FORMAT_ABGR] = PACKED("ABGR", 4, 3, 2, 1, 0, -1),
    [YONOS_FORMAT_RGBX] = PACKED("RGBx", 4, 0, 1, 2, -1, 3),
    [YONOS_FORMAT_BGRX] = PACKED("BGRx", 4, 2, 1, 0, -1, 3),
    [YONOS_FORMAT_XRGB] = PACKED("xRGB", 4, 1, 2, 3, -1, 0),
    [YONOS_FORMAT_XBGR] = PACKED("xBGR", 4, 3, 2, 1, -1, 0),
    [YONOS_FORMAT_I420] = YUV("I420", FALSE, 8, 0),
    [YONOS_FORMAT_NV12] = YUV("NV12", TRUE, 8, 0),
    [YONOS_FORMAT_I420_10LE] = YUV("I420_10LE", FALSE, 10, 0),
    [YONOS_FORMAT_P010_10LE] = YUV("P010_10LE", TRUE, 10, 6),
    [YONOS_FORMAT_RGB_F32] = {"RGB_F32", YONOS_LAYOUT_PACKED_F32, 12, 0, 4, 8, -1, -1, FALSE, 32, 0, 1},
};

const YonosFormatInfo *yonos_format_get_info(YonosFormat format) {
    return format > YONOS_FORMAT_UNKNOWN && format < YONOS_FORMAT_COUNT ? &formats[format] : NULL;
}

gsize yonos_format_row_bytes(const YonosFormatInfo *info, int plane, int width) {
    if (info->layout != YONOS_LAYOUT_YUV420)
        return (gsize)width * info->pixel_bytes;
    gsize sample = info->depth > 8 ? 2 : 1, chroma = ((gsize)width + 1) / 2;
    return sample * (plane == 0 ? (gsize)width : info->semi_planar ? 2 * chroma : chroma);
}

int yonos_format_rows(const YonosFormatInfo *info, int plane, int height) {
    return info->layout == YONOS_LAYOUT_YUV420 && plane > 0 ? (height + 1) / 2 : height;
}

YonosYuv yonos_format_yuv(const YonosFormatInfo *info, const YonosColour *colour) {
    float step = (float)(1 << (info->depth - 8)), max = (float)((1 << info->depth) - 1);
    YonosYuv yuv = {.max = max, .chroma_offset = 128.0f * step};
    yuv.luma_offset = colour->full_range ? 0.0f : 16.0f * step;
    yuv.luma_range = colour->full_range ? max : 219.0f * step;
    yuv.chroma_range = colour->full_range ? max : 224.0f * step;
    yuv.kr = (float)colour->kr;
    yuv.kb = (float)colour->kb;
    yuv.kg = (float)(1.0 - colour->kr - colour->kb);
    return yuv;
}
