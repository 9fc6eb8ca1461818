/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PACK and UNPACK row by row, 8-bit packed RGB and 4:2:0 Y'CbCr of any depth; the picture's conventions are ref's.
 * Y'CbCr passes through the thread's rows of floats in the workspace: chroma vertically first, then along the row.
 */
#include <omp.h>

#include "backend/cpu/cpu.h"
#include "backend/cpu/loops.h"

enum { ROWS = 9 }; /* rows of floats a thread needs for Y'CbCr */

/* A 4:2:0 frame and a thread's rows of floats. */
typedef struct {
    const YonosFrame *frame;
    const YonosFormatInfo *info;
    const YonosColour *colour;
    YonosYuv yuv;
    float *row[ROWS];
} Planes;

static const YonosFormatInfo *info_of(const YonosKernel *kernel) {
    return yonos_format_get_info(kernel->node->attr.frame.format);
}

static gsize row_floats(int width) { return yonos_size_align((gsize)width + 1, 16); }

static gboolean prepare(YonosKernel *kernel, GError **error) {
    const YonosFormatInfo *info = info_of(kernel);
    const YonosTensor *picture = kernel->node->out ? kernel->node->out : kernel->node->in[0];
    if (info->layout == YONOS_LAYOUT_PACKED_F32)
        return cpu_fall_back(kernel, error);
    kernel->workspace = sizeof(float) * ROWS * row_floats(picture->shape.w) * (gsize)kernel->backend->threads;
    kernel->implementation = cpu_loops()->name;
    return TRUE;
}

static Planes planes_of(const YonosKernel *kernel, const YonosRun *run, const YonosFrame *frame) {
    const YonosColour *colour = &kernel->node->attr.frame.colour;
    Planes p = {.frame = frame, .info = info_of(kernel), .colour = colour};
    gsize floats = row_floats(frame->width);
    float *own = (float *)run->workspace + ROWS * floats * (gsize)omp_get_thread_num();
    p.yuv = yonos_format_yuv(p.info, colour);
    for (int i = 0; i < ROWS; i++)
        p.row[i] = own + (gsize)i * floats;
    return p;
}

static guint8 *row_at(const YonosFrame *frame, int plane, int y) {
    return (guint8 *)frame->plane[plane] + y * frame->stride[plane];
}

/* First sample of row y of a chroma component, 0 for Cb, 1 for Cr. */
static guint8 *chroma_at(const Planes *p, int component, int y) {
    if (!p->info->semi_planar)
        return row_at(p->frame, 1 + component, y);
    return row_at(p->frame, 1, y) + component * (p->info->depth > 8 ? 2 : 1);
}

/* ---- PACK ------------------------------------------------------------------------------------- */

/* The two chroma rows around luma row y, cut at the picture's edge, and the lower one's weight. */
static float chroma_rows(const Planes *p, int y, int *above, int *below) {
    int last = (p->frame->height + 1) / 2 - 1, first;
    float weight;
    if (p->colour->chroma_cosited_v) {
        first = y / 2;
        weight = y % 2 ? 0.5f : 0.0f;
    } else {
        first = (y + 1) / 2 - 1;
        weight = y % 2 ? 0.25f : 0.75f;
    }
    *above = CLAMP(first, 0, last);
    *below = CLAMP(first + 1, 0, last);
    return weight;
}

static void pack_yuv_row(const Planes *p, int y, float *out) {
    const CpuLoops *loops = cpu_loops();
    const YonosFormatInfo *info = p->info;
    int width = p->frame->width, half = (width + 1) / 2, step = info->semi_planar ? 2 : 1, above, below;
    float weight = chroma_rows(p, y, &above, &below), *a = p->row[0], *b = p->row[1];
    for (int component = 0; component < 2; component++) {
        loops->load_codes(chroma_at(p, component, above), info->depth, info->shift, step, half, a);
        if (weight > 0.0f && above != below) {
            loops->load_codes(chroma_at(p, component, below), info->depth, info->shift, step, half, b);
            loops->affine(a, 1.0f - weight, b, weight, 0.0f, a, (gsize)half);
        }
        loops->spread_chroma(a, p->colour->chroma_cosited_h, width, p->row[2 + component]);
    }
    loops->load_codes(row_at(p->frame, 0, y), info->depth, info->shift, 1, width, a);
    loops->yuv_to_rgb(a, p->row[2], p->row[3], &p->yuv, width, out);
}

static void pack_row(const YonosKernel *kernel, const YonosRun *run, int y, float *out) {
    const YonosFormatInfo *info = info_of(kernel);
    const YonosFrame *frame = run->in;
    gsize width = (gsize)frame->width;
    if (kernel->node->attr.frame.alpha) {
        float *to = out + (gsize)y * width;
        cpu_loops()->load_codes(row_at(frame, 0, y) + info->alpha, 8, 0, info->pixel_bytes, frame->width, to);
        cpu_loops()->affine(to, 1.0f / 255.0f, NULL, 0.0f, 0.0f, to, width);
    } else if (info->layout == YONOS_LAYOUT_YUV420) {
        Planes p = planes_of(kernel, run, frame);
        pack_yuv_row(&p, y, out + (gsize)y * width * 3);
    } else {
        cpu_loops()->pack_bytes(row_at(frame, 0, y), info->pixel_bytes, info->r, info->g, info->b, frame->width,
                                out + (gsize)y * width * 3);
    }
}

static gboolean run_pack(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    cpu_use_threads(kernel);
#pragma omp parallel for schedule(static)
    for (int y = 0; y < run->in->height; y++)
        pack_row(kernel, run, y, run->data[kernel->node->out->id]);
    return TRUE;
}

/* ---- UNPACK ------------------------------------------------------------------------------------- */

/* Row y of the picture into rows at, at + 1, at + 2: luma, Cb, Cr. */
static void split_row(const Planes *p, const float *in, int y, int at) {
    y = CLAMP(y, 0, p->frame->height - 1);
    cpu_loops()->rgb_to_yuv(in + (gsize)y * p->frame->width * 3, &p->yuv, p->frame->width, p->row[at], p->row[at + 1],
                            p->row[at + 2]);
}

/* Row y of the chroma planes and the two luma rows over it. */
static void unpack_yuv_rows(const Planes *p, const float *in, int y) {
    const CpuLoops *loops = cpu_loops();
    const YonosFormatInfo *info = p->info;
    int width = p->frame->width, step = info->semi_planar ? 2 : 1;
    split_row(p, in, 2 * y, 0);
    split_row(p, in, 2 * y + 1, 3);
    if (p->colour->chroma_cosited_v)
        split_row(p, in, 2 * y - 1, 6);
    for (int i = 0; i < 2 && 2 * y + i < p->frame->height; i++)
        loops->store_codes(p->row[3 * i], p->yuv.luma_range, p->yuv.luma_offset, info->depth, info->shift, 1, width,
                           row_at(p->frame, 0, 2 * y + i));
    for (int component = 0; component < 2; component++) {
        float *a = p->row[1 + component], *b = p->row[4 + component], *c = p->row[7 + component];
        if (p->colour->chroma_cosited_v)
            loops->blur(b, a, c, (gsize)width, p->row[0]);
        else
            loops->affine(a, 0.5f, b, 0.5f, 0.0f, p->row[0], (gsize)width);
        loops->gather_chroma(p->row[0], p->colour->chroma_cosited_h, width, p->row[3]);
        loops->store_codes(p->row[3], p->yuv.chroma_range, p->yuv.chroma_offset, info->depth, info->shift, step,
                           (width + 1) / 2, chroma_at(p, component, y));
    }
}

static void unpack_packed_row(const YonosKernel *kernel, const YonosRun *run, int y) {
    const YonosFormatInfo *info = info_of(kernel);
    const YonosTensor *alpha = kernel->node->in[1];
    int w = run->out->width;
    guint8 *row = row_at(run->out, 0, y);
    const float *in = (const float *)run->data[kernel->node->in[0]->id] + (gsize)y * w * 3;
    cpu_loops()->unpack_bytes(in, info->pixel_bytes, info->r, info->g, info->b, w, row);
    if (alpha)
        cpu_loops()->store_codes((const float *)run->data[alpha->id] + (gsize)y * w, 255.0f, 0.0f, 8, 0,
                                 info->pixel_bytes, w, row + info->alpha);
}

static gboolean run_unpack(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    gboolean yuv = info_of(kernel)->layout == YONOS_LAYOUT_YUV420;
    int rows = yuv ? (run->out->height + 1) / 2 : run->out->height;
    cpu_use_threads(kernel);
#pragma omp parallel for schedule(static)
    for (int y = 0; y < rows; y++) {
        if (yuv) {
            Planes p = planes_of(kernel, run, run->out);
            unpack_yuv_rows(&p, run->data[kernel->node->in[0]->id], y);
        } else {
            unpack_packed_row(kernel, run, y);
        }
    }
    return TRUE;
}

const YonosOp cpu_pack = {prepare, run_pack, NULL};
const YonosOp cpu_unpack = {prepare, run_unpack, NULL};
