/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PACK and UNPACK: a frame in the caller's memory <-> (1,h,w,3) f32 in [-1,1].
 *
 * Y'CbCr 4:2:0: chroma is interpolated linearly between the samples around a pixel on the way in; on the way
 * out a chroma sample is the mean of two pixels where it sits between them, (1 2 1)/4 where it sits on one.
 * Picture edges replicate. Codes are clipped and rounded to nearest; NaN becomes 0; unused bytes become 255.
 */
#include "backend/ref/ref.h"

#include "backend/format.h"

/* ---- samples of YUV planes ----------------------------------------------------------------- */

typedef enum { LUMA, CB, CR } Component;

/* Address of a component's sample (x, y) in its own plane. */
static guint8 *sample_at(const YonosFrame *frame, const YonosFormatInfo *info, Component component, int y, int x) {
    int plane = component == LUMA ? 0 : info->semi_planar ? 1 : (int)component;
    int bytes = info->depth > 8 ? 2 : 1;
    gssize at = component != LUMA && info->semi_planar ? 2 * (gssize)x + (component == CR) : x;
    return (guint8 *)frame->plane[plane] + y * frame->stride[plane] + at * bytes;
}

static float read_code(const guint8 *p, const YonosFormatInfo *info) {
    if (info->depth == 8)
        return *p;
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return (float)(GUINT16_FROM_LE(v) >> info->shift & ((1 << info->depth) - 1));
}

static void write_code(guint8 *p, const YonosFormatInfo *info, float v, float max) {
    float clipped = v > 0.0f ? fminf(v, max) : 0.0f; /* also for NaN */
    long code = lrintf(clipped);
    if (info->depth == 8) {
        *p = (guint8)code;
    } else {
        uint16_t word = GUINT16_TO_LE((uint16_t)(code << info->shift));
        memcpy(p, &word, sizeof word);
    }
}

/* Where luma position x lies between chroma samples: the left one and the weight of the right one. */
static int chroma_position(int x, gboolean cosited, float *weight) {
    if (cosited) {
        *weight = (x & 1) ? 0.5f : 0.0f;
        return x >> 1;
    }
    *weight = (x & 1) ? 0.25f : 0.75f;
    return (x & 1) ? x >> 1 : (x >> 1) - 1;
}

static float chroma_at(const YonosFrame *frame, const YonosFormatInfo *info, Component component, int y, int x) {
    int w = (frame->width + 1) / 2, h = (frame->height + 1) / 2;
    float wx, wy;
    int x0 = chroma_position(x, frame->colour.chroma_cosited_h, &wx);
    int y0 = chroma_position(y, frame->colour.chroma_cosited_v, &wy);
    int xa = CLAMP(x0, 0, w - 1), xb = CLAMP(x0 + 1, 0, w - 1), ya = CLAMP(y0, 0, h - 1), yb = CLAMP(y0 + 1, 0, h - 1);
    float top = (1.0f - wx) * read_code(sample_at(frame, info, component, ya, xa), info) +
                wx * read_code(sample_at(frame, info, component, ya, xb), info);
    float bottom = (1.0f - wx) * read_code(sample_at(frame, info, component, yb, xa), info) +
                   wx * read_code(sample_at(frame, info, component, yb, xb), info);
    return (1.0f - wy) * top + wy * bottom;
}

/* ---- PACK ------------------------------------------------------------------------------------- */

static void pack_yuv(const YonosFrame *frame, const YonosFormatInfo *info, float *out) {
    YonosYuv k = yonos_format_yuv(info, &frame->colour);
    for (int y = 0; y < frame->height; y++)
        for (int x = 0; x < frame->width; x++, out += 3) {
            float luma = (read_code(sample_at(frame, info, LUMA, y, x), info) - k.luma_offset) / k.luma_range;
            float cb = (chroma_at(frame, info, CB, y, x) - k.chroma_offset) / k.chroma_range;
            float cr = (chroma_at(frame, info, CR, y, x) - k.chroma_offset) / k.chroma_range;
            float r = luma + 2.0f * (1.0f - k.kr) * cr, b = luma + 2.0f * (1.0f - k.kb) * cb;
            float g = (luma - k.kr * r - k.kb * b) / k.kg;
            out[0] = 2.0f * r - 1.0f;
            out[1] = 2.0f * g - 1.0f;
            out[2] = 2.0f * b - 1.0f;
        }
}

static void pack_packed(const YonosFrame *frame, const YonosFormatInfo *info, float *out) {
    const int offset[3] = {info->r, info->g, info->b};
    for (int y = 0; y < frame->height; y++) {
        const guint8 *row = (const guint8 *)frame->plane[0] + y * frame->stride[0];
        for (int x = 0; x < frame->width; x++, row += info->pixel_bytes)
            for (int c = 0; c < 3; c++, out++) {
                float v;
                if (info->layout == YONOS_LAYOUT_PACKED_F32)
                    memcpy(&v, row + offset[c], sizeof v);
                else
                    v = row[offset[c]] / 255.0f;
                *out = 2.0f * v - 1.0f;
            }
    }
}

static void pack_alpha(const YonosFrame *frame, const YonosFormatInfo *info, float *out) {
    for (int y = 0; y < frame->height; y++) {
        const guint8 *row = (const guint8 *)frame->plane[0] + y * frame->stride[0];
        for (int x = 0; x < frame->width; x++)
            *out++ = row[x * info->pixel_bytes + info->alpha] / 255.0f;
    }
}

static gboolean run_pack(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    const YonosFormatInfo *info = yonos_format_get_info(node->attr.frame.format);
    YonosFrame frame = *run->in;
    frame.colour = node->attr.frame.colour;
    float *out = run->data[node->out->id];
    if (node->attr.frame.alpha)
        pack_alpha(&frame, info, out);
    else if (info->layout == YONOS_LAYOUT_YUV420)
        pack_yuv(&frame, info, out);
    else
        pack_packed(&frame, info, out);
    return TRUE;
}

/* ---- UNPACK ------------------------------------------------------------------------------------- */

static void unpack_packed(const YonosFrame *frame, const YonosFormatInfo *info, const float *in, const float *alpha) {
    const int offset[3] = {info->r, info->g, info->b};
    static const YonosFormatInfo byte = {.depth = 8};
    for (int y = 0; y < frame->height; y++) {
        guint8 *row = (guint8 *)frame->plane[0] + y * frame->stride[0];
        for (int x = 0; x < frame->width; x++, row += info->pixel_bytes) {
            for (int c = 0; c < 3; c++, in++) {
                float v = 0.5f * *in + 0.5f;
                if (info->layout == YONOS_LAYOUT_PACKED_F32)
                    memcpy(row + offset[c], &v, sizeof v);
                else
                    write_code(row + offset[c], &byte, v * 255.0f, 255.0f);
            }
            if (info->filler >= 0)
                row[info->filler] = 255;
            if (info->alpha >= 0)
                write_code(row + info->alpha, &byte, *alpha++ * 255.0f, 255.0f);
        }
    }
}

/* Y', Cb or Cr of a pixel, Y' in [0,1] and chroma in [-1/2,1/2] for legal colours. */
static float component_of(const float *rgb, const YonosYuv *k, Component component) {
    float r = 0.5f * rgb[0] + 0.5f, g = 0.5f * rgb[1] + 0.5f, b = 0.5f * rgb[2] + 0.5f;
    float luma = k->kr * r + k->kg * g + k->kb * b;
    if (component == LUMA)
        return luma;
    return component == CB ? (b - luma) / (2.0f * (1.0f - k->kb)) : (r - luma) / (2.0f * (1.0f - k->kr));
}

/* The pixels under chroma sample i along one axis, and their weights: returns how many. */
static int chroma_taps(int i, int size, gboolean cosited, int at[3], float weight[3]) {
    int first = cosited ? 2 * i - 1 : 2 * i, count = cosited ? 3 : 2;
    for (int k = 0; k < count; k++) {
        at[k] = CLAMP(first + k, 0, size - 1);
        weight[k] = !cosited || k == 1 ? 0.5f : 0.25f;
    }
    return count;
}

static float mean_chroma(const YonosFrame *frame, const YonosYuv *k, const float *in, Component component, int y,
                         int x) {
    int ax[3], ay[3];
    float wx[3], wy[3], sum = 0.0f;
    int nx = chroma_taps(x, frame->width, frame->colour.chroma_cosited_h, ax, wx);
    int ny = chroma_taps(y, frame->height, frame->colour.chroma_cosited_v, ay, wy);
    for (int j = 0; j < ny; j++)
        for (int i = 0; i < nx; i++)
            sum += wy[j] * wx[i] * component_of(in + 3 * ((gsize)ay[j] * frame->width + ax[i]), k, component);
    return sum;
}

static void unpack_yuv(const YonosFrame *frame, const YonosFormatInfo *info, const float *in) {
    YonosYuv k = yonos_format_yuv(info, &frame->colour);
    for (int y = 0; y < frame->height; y++)
        for (int x = 0; x < frame->width; x++) {
            float luma = component_of(in + 3 * ((gsize)y * frame->width + x), &k, LUMA);
            write_code(sample_at(frame, info, LUMA, y, x), info, luma * k.luma_range + k.luma_offset, k.max);
        }
    for (Component component = CB; component <= CR; component++)
        for (int y = 0; y < (frame->height + 1) / 2; y++)
            for (int x = 0; x < (frame->width + 1) / 2; x++) {
                float v = mean_chroma(frame, &k, in, component, y, x);
                write_code(sample_at(frame, info, component, y, x), info, v * k.chroma_range + k.chroma_offset, k.max);
            }
}

static gboolean run_unpack(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    const YonosFormatInfo *info = yonos_format_get_info(node->attr.frame.format);
    YonosFrame frame = *run->out;
    frame.colour = node->attr.frame.colour;
    const float *in = run->data[node->in[0]->id];
    if (info->layout == YONOS_LAYOUT_YUV420)
        unpack_yuv(&frame, info, in);
    else
        unpack_packed(&frame, info, in, node->in[1] ? run->data[node->in[1]->id] : NULL);
    return TRUE;
}

const YonosOp ref_pack = {NULL, run_pack, NULL};
const YonosOp ref_unpack = {NULL, run_unpack, NULL};
