/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PACK and UNPACK of 8-bit packed RGB by rows; planar Y'CbCr goes to ref's rows, threaded over bands.
 */
#include "backend/cpu/cpu.h"
#include "backend/cpu/loops.h"
#include "backend/format.h"

static gboolean is_packed(const YonosKernel *kernel) {
    return yonos_format_get_info(kernel->node->attr.frame.format)->layout == YONOS_LAYOUT_PACKED_8;
}

static gboolean prepare_pack(YonosKernel *kernel, GError **error) {
    if (!is_packed(kernel) || kernel->node->attr.frame.alpha)
        return cpu_fall_back(kernel, error);
    kernel->implementation = cpu_loops()->name;
    return TRUE;
}

static gboolean run_pack(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    const YonosFormatInfo *info = yonos_format_get_info(node->attr.frame.format);
    int w = run->in->width, h = run->in->height;
    float *out = run->data[node->out->id];
    cpu_use_threads(kernel);
#pragma omp parallel for schedule(static)
    for (int y = 0; y < h; y++)
        cpu_loops()->pack_bytes((const guint8 *)run->in->plane[0] + y * run->in->stride[0], info->pixel_bytes, info->r,
                                info->g, info->b, w, out + (gsize)y * w * 3);
    return TRUE;
}

static gboolean prepare_unpack(YonosKernel *kernel, GError **error) {
    if (!is_packed(kernel) || kernel->node->in[1])
        return cpu_fall_back(kernel, error);
    kernel->implementation = cpu_loops()->name;
    return TRUE;
}

static gboolean run_unpack(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    const YonosFormatInfo *info = yonos_format_get_info(node->attr.frame.format);
    int w = run->out->width, h = run->out->height;
    const float *in = run->data[node->in[0]->id];
    cpu_use_threads(kernel);
#pragma omp parallel for schedule(static)
    for (int y = 0; y < h; y++) {
        guint8 *row = (guint8 *)run->out->plane[0] + y * run->out->stride[0];
        cpu_loops()->unpack_bytes(in + (gsize)y * w * 3, info->pixel_bytes, info->r, info->g, info->b, w, row);
        for (int x = 0; info->filler >= 0 && x < w; x++)
            row[x * info->pixel_bytes + info->filler] = 255;
    }
    return TRUE;
}

const YonosOp cpu_pack = {prepare_pack, run_pack, NULL};
const YonosOp cpu_unpack = {prepare_unpack, run_unpack, NULL};
