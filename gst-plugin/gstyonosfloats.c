/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See gstyonosfloats.h. GStreamer's 16-bit samples of a format of d bits hold its codes
 *
 *   unpacked: repeated to fill the word, so word = code * 65535 / (2^d - 1)
 *   to pack:  in the upper d bits; the rest is cut off, so half a code is added for rounding
 */
#include "gstyonosfloats.h"

#include "gstyonosformat.h"

/* Codes of a value: of R', G', B' and Y' code = gain * value + offset, of Cb and Cr likewise with [-0.5, 0.5]. */
typedef struct {
    gboolean rgb;
    float kr, kg, kb;
    float gain, offset, chroma_gain, chroma_offset;
    float unpack; /* code per word */
    float pack;   /* words per code */
} Codes;

static Codes codes_of(const GstVideoInfo *info) {
    YonosColour colour = gst_yonos_colour(info);
    gint depth = GST_VIDEO_INFO_COMP_DEPTH(info, 0);
    float max = (float)((1 << depth) - 1), unit = (float)(1 << (depth - 8)); /* a code of 8 bits */
    gboolean rgb = GST_VIDEO_INFO_IS_RGB(info), full = rgb || colour.full_range;
    return (Codes){.rgb = rgb,
                   .kr = (float)colour.kr,
                   .kg = (float)(1.0 - colour.kr - colour.kb),
                   .kb = (float)colour.kb,
                   .gain = full ? max : 219.0f * unit,
                   .offset = full ? 0.0f : 16.0f * unit,
                   .chroma_gain = full ? max : 224.0f * unit,
                   .chroma_offset = 128.0f * unit,
                   .unpack = max / 65535.0f,
                   .pack = (float)(1 << (16 - depth))};
}

GstVideoFormat gst_yonos_floats_format(const GstVideoInfo *info) {
    return GST_VIDEO_INFO_IS_RGB(info) ? GST_VIDEO_FORMAT_ARGB64 : GST_VIDEO_FORMAT_AYUV64;
}

guint16 *gst_yonos_floats_row(const GstVideoFrame *frame, gint y) {
    return (guint16 *)((guint8 *)GST_VIDEO_FRAME_PLANE_DATA(frame, 0) +
                       (gssize)y * GST_VIDEO_FRAME_PLANE_STRIDE(frame, 0));
}

/* ---- pixels --------------------------------------------------------------------------------------- */

static inline void read_rgb(const Codes *codes, const guint16 *word, float *rgb) {
    for (gint c = 0; c < 3; c++)
        rgb[c] = (float)word[c] * codes->unpack / codes->gain;
}

static inline void read_yuv(const Codes *codes, const guint16 *word, float *rgb) {
    float y = ((float)word[0] * codes->unpack - codes->offset) / codes->gain;
    float cb = ((float)word[1] * codes->unpack - codes->chroma_offset) / codes->chroma_gain;
    float cr = ((float)word[2] * codes->unpack - codes->chroma_offset) / codes->chroma_gain;
    rgb[0] = y + 2.0f * (1.0f - codes->kr) * cr;
    rgb[2] = y + 2.0f * (1.0f - codes->kb) * cb;
    rgb[1] = (y - codes->kr * rgb[0] - codes->kb * rgb[2]) / codes->kg;
}

static inline guint16 word_of(const Codes *codes, float code) {
    float word = (code + 0.5f) * codes->pack;
    return word > 0.0f ? word < 65535.0f ? (guint16)word : 65535 : 0;
}

static inline void write_rgb(const Codes *codes, const float *rgb, guint16 *word) {
    for (gint c = 0; c < 3; c++)
        word[c] = word_of(codes, rgb[c] * codes->gain);
}

static inline void write_yuv(const Codes *codes, const float *rgb, guint16 *word) {
    float y = codes->kr * rgb[0] + codes->kg * rgb[1] + codes->kb * rgb[2];
    float cb = (rgb[2] - y) / (2.0f * (1.0f - codes->kb)), cr = (rgb[0] - y) / (2.0f * (1.0f - codes->kr));
    word[0] = word_of(codes, y * codes->gain + codes->offset);
    word[1] = word_of(codes, cb * codes->chroma_gain + codes->chroma_offset);
    word[2] = word_of(codes, cr * codes->chroma_gain + codes->chroma_offset);
}

/* ---- frames ---------------------------------------------------------------------------------------- */

void gst_yonos_floats_read(const GstVideoFrame *frame, const GstVideoInfo *info, float *rgb) {
    const Codes codes = codes_of(info);
    gint w = GST_VIDEO_FRAME_WIDTH(frame), h = GST_VIDEO_FRAME_HEIGHT(frame);
    for (gint y = 0; y < h; y++) {
        const guint16 *word = gst_yonos_floats_row(frame, y) + 1;
        if (codes.rgb)
            for (gint x = 0; x < w; x++, word += 4, rgb += 3)
                read_rgb(&codes, word, rgb);
        else
            for (gint x = 0; x < w; x++, word += 4, rgb += 3)
                read_yuv(&codes, word, rgb);
    }
}

static void write_alpha(const guint16 *alpha, gint width, guint16 *row) {
    for (gint x = 0; x < width; x++)
        row[4 * x] = alpha ? alpha[x] : 65535;
}

void gst_yonos_floats_write(const float *rgb, const GstVideoFrame *alpha, const GstVideoInfo *info,
                            GstVideoFrame *frame) {
    const Codes codes = codes_of(info);
    gint w = GST_VIDEO_FRAME_WIDTH(frame), h = GST_VIDEO_FRAME_HEIGHT(frame);
    for (gint y = 0; y < h; y++) {
        guint16 *word = gst_yonos_floats_row(frame, y);
        write_alpha(alpha ? gst_yonos_floats_row(alpha, y) : NULL, w, word++);
        if (codes.rgb)
            for (gint x = 0; x < w; x++, word += 4, rgb += 3)
                write_rgb(&codes, rgb, word);
        else
            for (gint x = 0; x < w; x++, word += 4, rgb += 3)
                write_yuv(&codes, rgb, word);
    }
}
