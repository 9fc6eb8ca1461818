/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PACK and UNPACK. Frames pass through a picture in pinned memory and one of the same layout on the device: the caller's
 * memory is pageable and has any strides. An output frame is complete after finish().
 */
#include "cuda.h"

#include "backend/format.h"

typedef struct {
    const YonosFormatInfo *info;
    int width, height;
    YonosFrame host, device; /* the same layout */
    gsize bytes;
    cudaEvent_t done;        /* the latest upload from host.plane[0] */
} Staging;

/* A download that finish() completes. */
typedef struct {
    const Staging *staging;
    YonosFrame to;
} Download;

/* ---- staging ------------------------------------------------------------------------------------------ */

static void release(YonosKernel *kernel) {
    Staging *s = kernel->data;
    if (!s)
        return;
    cuda_free(cuda_of(kernel), s->device.plane[0]);
    if (s->host.plane[0])
        cudaFreeHost(s->host.plane[0]);
    if (s->done)
        cudaEventDestroy(s->done);
    g_free(s);
}

/* Planes one behind the other, rows 256-byte aligned. Offsets stand in device.plane until there is memory. */
static gsize lay_out(Staging *s, gsize offset[4]) {
    enum { ALIGNMENT = 256 };
    gsize bytes = 0;
    for (int i = 0; i < s->info->planes; i++) {
        gsize stride = yonos_size_align(yonos_format_row_bytes(s->info, i, s->width), ALIGNMENT);
        offset[i] = bytes;
        s->host.stride[i] = s->device.stride[i] = (gssize)stride;
        bytes += stride * (gsize)yonos_format_rows(s->info, i, s->height);
    }
    return bytes;
}

static gboolean prepare(YonosKernel *kernel, YonosShape picture, GError **error) {
    YonosCuda *cuda = cuda_of(kernel);
    Staging *s = g_new0(Staging, 1);
    gsize offset[4];
    char *host = NULL;
    kernel->data = s;
    s->info = yonos_format_get_info(kernel->node->attr.frame.format);
    s->width = picture.w;
    s->height = picture.h;
    s->host = s->device = (YonosFrame){.format = kernel->node->attr.frame.format,
                                       .width = picture.w,
                                       .height = picture.h,
                                       .colour = kernel->node->attr.frame.colour};
    s->bytes = lay_out(s, offset);
    char *device = cuda_allocate(cuda, s->bytes, error);
    s->device.plane[0] = device;
    if (!device || !cuda_call(cuda, error, cudaMallocHost, (void **)&host, s->bytes))
        return FALSE;
    for (int i = 0; i < s->info->planes; i++) {
        s->host.plane[i] = host + offset[i];
        s->device.plane[i] = device + offset[i];
    }
    return cuda_call(cuda, error, cudaEventCreateWithFlags, &s->done, cudaEventDisableTiming);
}

static void copy_frame(const Staging *s, const YonosFrame *to, const YonosFrame *from) {
    for (int i = 0; i < s->info->planes; i++) {
        gsize row = yonos_format_row_bytes(s->info, i, s->width);
        for (int y = 0; y < yonos_format_rows(s->info, i, s->height); y++)
            memcpy((char *)to->plane[i] + y * to->stride[i], (const char *)from->plane[i] + y * from->stride[i], row);
    }
}

/* ---- PACK ------------------------------------------------------------------------------------------------ */

static gboolean prepare_pack(YonosKernel *kernel, GError **error) {
    return prepare(kernel, kernel->node->out->shape, error);
}

static gboolean run_pack(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    YonosCuda *cuda = cuda_of(kernel);
    const Staging *s = kernel->data;
    YonosCudaTensor out = cuda_tensor(run, kernel->node->out);
    if (!cuda_call(cuda, error, cudaEventSynchronize, s->done))
        return FALSE;
    copy_frame(s, &s->host, run->in);
    return cuda_call(cuda, error, cudaMemcpyAsync, s->device.plane[0], s->host.plane[0], s->bytes,
                     cudaMemcpyHostToDevice, cuda->stream) &&
           cuda_call(cuda, error, cudaEventRecord, s->done, cuda->stream) &&
           cuda_launch(cuda, error, yonos_cuda_pack, &out, &s->device, kernel->node->attr.frame.alpha, cuda->stream);
}

/* ---- UNPACK ---------------------------------------------------------------------------------------------- */

static gboolean prepare_unpack(YonosKernel *kernel, GError **error) {
    return prepare(kernel, kernel->node->in[0]->shape, error);
}

static gboolean run_unpack(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    YonosCuda *cuda = cuda_of(kernel);
    const YonosNode *node = kernel->node;
    const Staging *s = kernel->data;
    YonosCudaTensor x = cuda_tensor(run, node->in[0]), alpha;
    if (node->in[1])
        alpha = cuda_tensor(run, node->in[1]);
    if (!cuda_launch(cuda, error, yonos_cuda_unpack, &s->device, &x, node->in[1] ? &alpha : NULL, cuda->stream) ||
        !cuda_call(cuda, error, cudaMemcpyAsync, s->host.plane[0], s->device.plane[0], s->bytes,
                   cudaMemcpyDeviceToHost, cuda->stream))
        return FALSE;
    Download download = {s, *run->out};
    cuda->downloads = g_slist_prepend(cuda->downloads, g_memdup2(&download, sizeof download));
    return TRUE;
}

void cuda_finish_downloads(YonosCuda *cuda, gboolean drop) {
    for (GSList *item = drop ? NULL : cuda->downloads; item; item = item->next) {
        const Download *download = item->data;
        copy_frame(download->staging, &download->to, &download->staging->host);
    }
    g_slist_free_full(cuda->downloads, g_free);
    cuda->downloads = NULL;
}

const YonosOp cuda_pack = {prepare_pack, run_pack, release};
const YonosOp cuda_unpack = {prepare_unpack, run_unpack, release};
