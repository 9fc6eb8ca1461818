/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames with canaries; see picture.h.
 */
#include "picture.h"

#include <math.h>

#include "backend/format.h"

enum { CANARY = 0xA5, GUARD = 64, PADDING = 20 };

Picture *picture_new(YonosFormat format, int width, int height, PictureLayout layout) {
    const YonosFormatInfo *info = yonos_format_get_info(format);
    Picture *p = g_new0(Picture, 1);
    gsize stride[4], start[4];
    p->bytes = GUARD;
    for (int i = 0; i < info->planes; i++) {
        stride[i] = yonos_format_row_bytes(info, i, width) + (layout == PICTURE_TIGHT ? 0 : PADDING);
        start[i] = p->bytes;
        p->bytes += stride[i] * (gsize)yonos_format_rows(info, i, height) + GUARD;
        p->bytes = yonos_size_align(p->bytes, 4);
    }
    p->memory = g_malloc(p->bytes);
    memset(p->memory, CANARY, p->bytes);
    p->frame = (YonosFrame){.format = format, .width = width, .height = height,
                            .colour = {.kr = 0.2126, .kb = 0.0722, .chroma_cosited_h = TRUE}};
    for (int i = 0; i < info->planes; i++) {
        gsize last = layout == PICTURE_UPSIDE ? stride[i] * (gsize)(yonos_format_rows(info, i, height) - 1) : 0;
        p->frame.plane[i] = p->memory + start[i] + last;
        p->frame.stride[i] = layout == PICTURE_UPSIDE ? -(gssize)stride[i] : (gssize)stride[i];
    }
    return p;
}

void picture_free(Picture *picture) {
    g_free(picture->memory);
    g_free(picture);
}

static guint8 *row_of(const Picture *p, int plane, int y) {
    return (guint8 *)p->frame.plane[plane] + y * p->frame.stride[plane];
}

static void fill_row(const YonosFormatInfo *info, guint8 *row, gsize bytes, GRand *rand) {
    for (gsize i = 0; i < bytes;) {
        if (info->layout == YONOS_LAYOUT_PACKED_F32) {
            float v = (float)g_rand_double(rand);
            memcpy(row + i, &v, sizeof v);
            i += sizeof v;
        } else if (info->depth > 8) {
            uint16_t v = GUINT16_TO_LE((uint16_t)(g_rand_int_range(rand, 0, 1 << info->depth) << info->shift));
            memcpy(row + i, &v, sizeof v);
            i += sizeof v;
        } else {
            row[i++] = (guint8)g_rand_int(rand);
        }
    }
}

void picture_fill_noise(Picture *picture, guint32 seed) {
    const YonosFormatInfo *info = yonos_format_get_info(picture->frame.format);
    GRand *rand = g_rand_new_with_seed(seed);
    for (int i = 0; i < info->planes; i++)
        for (int y = 0; y < yonos_format_rows(info, i, picture->frame.height); y++)
            fill_row(info, row_of(picture, i, y), yonos_format_row_bytes(info, i, picture->frame.width), rand);
    g_rand_free(rand);
}

int picture_sample_bytes(const YonosFormatInfo *info) {
    return info->layout == YONOS_LAYOUT_PACKED_F32 ? (int)sizeof(float) : info->depth > 8 ? (int)sizeof(guint16) : 1;
}

/* `code` is one of 8 bits. */
static void set_sample(const YonosFormatInfo *info, guint8 *at, int code) {
    if (info->layout == YONOS_LAYOUT_PACKED_F32) {
        float value = (float)code / 255.0f;
        memcpy(at, &value, sizeof value);
    } else if (info->depth > 8) {
        guint16 deep = GUINT16_TO_LE((guint16)(code << (info->depth - 8 + info->shift)));
        memcpy(at, &deep, sizeof deep);
    } else {
        *at = (guint8)code;
    }
}

void picture_fill_ramp(Picture *picture, guint32 seed) {
    const YonosFormatInfo *info = yonos_format_get_info(picture->frame.format);
    int bytes = picture_sample_bytes(info);
    for (int i = 0; i < info->planes; i++) {
        int row_bytes = (int)yonos_format_row_bytes(info, i, picture->frame.width);
        int components = info->pixel_bytes > 0 ? info->pixel_bytes / bytes : info->semi_planar && i == 1 ? 2 : 1;
        for (int y = 0; y < yonos_format_rows(info, i, picture->frame.height); y++)
            for (int k = 0; k < row_bytes / bytes; k++)
                set_sample(info, row_of(picture, i, y) + k * bytes,
                           (40 + k / components * 3 + y * 2 + (i + k % components) * 20 + (int)seed * 7) % 200);
    }
}

static float smooth_value(int y, int x, int c) {
    double wave = 0.5 + 0.2 * sin(0.21 * x + 0.9 * c) + 0.15 * cos(0.17 * y - 0.3 * c) + 0.1 * sin(0.05 * (x + y));
    return (float)(x > 20 + y / 2 ? wave : 1.0 - wave);
}

void picture_fill_smooth(Picture *picture) {
    const YonosFormatInfo *info = yonos_format_get_info(picture->frame.format);
    const int offset[3] = {info->r, info->g, info->b};
    for (int y = 0; y < picture->frame.height; y++)
        for (int x = 0; x < picture->frame.width; x++)
            for (int c = 0; c < 3; c++) {
                guint8 *at = row_of(picture, 0, y) + x * info->pixel_bytes + offset[c];
                float v = smooth_value(y, x, c);
                if (info->layout == YONOS_LAYOUT_PACKED_F32)
                    memcpy(at, &v, sizeof v);
                else
                    *at = (guint8)lrintf(CLAMP(v, 0.0f, 1.0f) * 255.0f);
            }
}

gboolean picture_equal(const Picture *a, const Picture *b) {
    const YonosFormatInfo *info = yonos_format_get_info(a->frame.format);
    g_assert_cmpint(a->frame.format, ==, b->frame.format);
    g_assert_true(a->frame.width == b->frame.width && a->frame.height == b->frame.height);
    for (int i = 0; i < info->planes; i++)
        for (int y = 0; y < yonos_format_rows(info, i, a->frame.height); y++)
            if (memcmp(row_of(a, i, y), row_of(b, i, y), yonos_format_row_bytes(info, i, a->frame.width)) != 0)
                return FALSE;
    return TRUE;
}

gboolean picture_is_intact(const Picture *picture) {
    const YonosFormatInfo *info = yonos_format_get_info(picture->frame.format);
    g_autofree guint8 *copy = g_memdup2(picture->memory, picture->bytes);
    for (int i = 0; i < info->planes; i++)
        for (int y = 0; y < yonos_format_rows(info, i, picture->frame.height); y++)
            memset(copy + (row_of(picture, i, y) - picture->memory), CANARY,
                   yonos_format_row_bytes(info, i, picture->frame.width));
    for (gsize i = 0; i < picture->bytes; i++)
        if (copy[i] != CANARY)
            return FALSE;
    return TRUE;
}
