/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the components of a YonosFormat lie in memory, and how Y'CbCr code values relate to R'G'B'.
 */
#ifndef YONOS_FORMAT_H
#define YONOS_FORMAT_H

#include "util/util.h"

G_BEGIN_DECLS

typedef enum { YONOS_LAYOUT_PACKED_8, YONOS_LAYOUT_PACKED_F32, YONOS_LAYOUT_YUV420 } YonosLayout;

typedef struct {
    const char *name;
    YonosLayout layout;
    int pixel_bytes;        /* packed: bytes from pixel to pixel */
    int r, g, b;            /* packed: byte offsets inside a pixel */
    int alpha, filler;      /* packed: byte offset of alpha, or of the unused byte; -1 for none */
    gboolean semi_planar;   /* YUV: U and V interleaved in plane 1 */
    int depth, shift;       /* YUV: bits, and how far left they stand in their 8 or 16 */
    int planes;
} YonosFormatInfo;

/* NULL for UNKNOWN and values out of range. */
const YonosFormatInfo *yonos_format_get_info(YonosFormat format);

/* Bytes of a row of plane `plane` of a picture `width` pixels wide; rows of the plane at `height`. */
gsize yonos_format_row_bytes(const YonosFormatInfo *info, int plane, int width);
int yonos_format_rows(const YonosFormatInfo *info, int plane, int height);

/* Code values: luma' = (code - luma_offset) / luma_range, chroma = (code - chroma_offset) / chroma_range. */
typedef struct {
    float luma_offset, luma_range, chroma_offset, chroma_range, max;
    float kr, kg, kb;
} YonosYuv;
YonosYuv yonos_format_yuv(const YonosFormatInfo *info, const YonosColour *colour);

G_END_DECLS

#endif
