/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PACK and UNPACK. Frames pass through a picture in pinned memory and one of the same layout on the device: the
 * caller's memory is pageable and has any strides. Frames in the memory of another CUDA context pass through the latter
 * alone; those in our own context's through neither: the kernels read and write them where they are.
 *
 * Both pictures are there YONOS_IN_FLIGHT times, and each direction has its own stream: while the networks work on one
 * frame, the next goes up and the one before comes down. PACK waits for the upload, the download for UNPACK, collect()
 * for the download. Nothing waits for a slot to be free: its last frame was collected, so that all of this is over, or
 * was dropped, so that nobody looks at what becomes of it.
 */
#include "cuda.h"

#include "backend/format.h"

/* One frame on its way. */
typedef struct {
    YonosFrame host, device; /* the same layout */
    cudaEvent_t copied;      /* the latest copy between the two */
    cudaEvent_t made;        /* UNPACK: the latest picture in `device` */
    YonosFrame to;           /* UNPACK: the caller's */
} Slot;

typedef struct {
    const YonosFormatInfo *info;
    int width, height;
    gsize bytes;
    Slot slot[YONOS_IN_FLIGHT];
} Staging;

/* ---- staging ------------------------------------------------------------------------------------------ */

static void release_slot(YonosCuda *cuda, Slot *slot) {
    cuda_free(cuda, slot->device.plane[0]);
    if (slot->host.plane[0])
        cudaFreeHost(slot->host.plane[0]);
    if (slot->copied)
        cudaEventDestroy(slot->copied);
    if (slot->made)
        cudaEventDestroy(slot->made);
}

static void release(YonosKernel *kernel) {
    Staging *s = kernel->data;
    if (!s)
        return;
    for (int i = 0; i < YONOS_IN_FLIGHT; i++)
        release_slot(cuda_of(kernel), &s->slot[i]);
    g_free(s);
}

/* Planes one behind the other, rows 256-byte aligned. */
static gsize lay_out(const Staging *s, YonosFrame *frame, gsize offset[4]) {
    enum { ALIGNMENT = 256 };
    gsize bytes = 0;
    for (int i = 0; i < s->info->planes; i++) {
        gsize stride = yonos_size_align(yonos_format_row_bytes(s->info, i, s->width), ALIGNMENT);
        offset[i] = bytes;
        frame->stride[i] = (gssize)stride;
        bytes += stride * (gsize)yonos_format_rows(s->info, i, s->height);
    }
    return bytes;
}

static gboolean prepare_slot(YonosCuda *cuda, const Staging *s, Slot *slot, const gsize offset[4], GError **error) {
    char *host = NULL, *device = cuda_allocate(cuda, s->bytes, error);
    slot->device.plane[0] = device;
    if (!device || !cuda_call(cuda, error, cudaMallocHost, (void **)&host, s->bytes))
        return FALSE;
    for (int i = 0; i < s->info->planes; i++) {
        slot->host.plane[i] = host + offset[i];
        slot->device.plane[i] = device + offset[i];
    }
    return cuda_call(cuda, error, cudaEventCreateWithFlags, &slot->copied, cudaEventDisableTiming) &&
           cuda_call(cuda, error, cudaEventCreateWithFlags, &slot->made, cudaEventDisableTiming);
}

static gboolean prepare(YonosKernel *kernel, YonosShape picture, GError **error) {
    Staging *s = g_new0(Staging, 1);
    YonosFrame frame = {.format = kernel->node->attr.frame.format,
                        .width = picture.w,
                        .height = picture.h,
                        .colour = kernel->node->attr.frame.colour};
    gsize offset[4];
    kernel->data = s;
    s->info = yonos_format_get_info(frame.format);
    s->width = picture.w;
    s->height = picture.h;
    s->bytes = lay_out(s, &frame, offset);
    for (int i = 0; i < YONOS_IN_FLIGHT; i++) {
        s->slot[i].host = s->slot[i].device = frame;
        if (!prepare_slot(cuda_of(kernel), s, &s->slot[i], offset, error))
            return FALSE;
    }
    return TRUE;
}

static void copy_frame(const Staging *s, const YonosFrame *to, const YonosFrame *from) {
    for (int i = 0; i < s->info->planes; i++) {
        gsize row = yonos_format_row_bytes(s->info, i, s->width);
        for (int y = 0; y < yonos_format_rows(s->info, i, s->height); y++)
            memcpy((char *)to->plane[i] + y * to->stride[i], (const char *)from->plane[i] + y * from->stride[i], row);
    }
}

/* Where the kernels find the caller's frame: in its place where that is our context's memory, else in the slot's. */
static YonosFrame picture_of(const YonosCuda *cuda, const Slot *slot, const YonosFrame *frame) {
    YonosFrame picture = slot->device;
    if (!cuda_is_ours(cuda, frame))
        return picture;
    memcpy(picture.plane, frame->plane, sizeof picture.plane);
    memcpy(picture.stride, frame->stride, sizeof picture.stride);
    return picture;
}

/* ---- PACK ------------------------------------------------------------------------------------------------ */

static gboolean prepare_pack(YonosKernel *kernel, GError **error) {
    return prepare(kernel, kernel->node->out->shape, error);
}

static gboolean upload(YonosCuda *cuda, const Staging *s, Slot *slot, const YonosFrame *in, GError **error) {
    if (in->cuda_context)
        return cuda_copy_frame(cuda, &slot->device, in, cuda->to_device, error);
    copy_frame(s, &slot->host, in);
    return cuda_call(cuda, error, cudaMemcpyAsync, slot->device.plane[0], slot->host.plane[0], s->bytes,
                     cudaMemcpyHostToDevice, cuda->to_device);
}

/* Puts the frame where the kernels find it. */
static gboolean fetch(YonosCuda *cuda, const Staging *s, Slot *slot, const YonosFrame *in, GError **error) {
    return cuda_is_ours(cuda, in) ||
           (upload(cuda, s, slot, in, error) &&
            cuda_call(cuda, error, cudaEventRecord, slot->copied, cuda->to_device) &&
            cuda_call(cuda, error, cudaStreamWaitEvent, cuda->stream, slot->copied, 0));
}

static gboolean run_pack(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    YonosCuda *cuda = cuda_of(kernel);
    Staging *s = kernel->data;
    Slot *slot = &s->slot[run->slot];
    YonosCudaTensor out = cuda_tensor(run, kernel->node->out);
    YonosFrame picture = picture_of(cuda, slot, run->in);
    return fetch(cuda, s, slot, run->in, error) &&
           cuda_launch(cuda, error, yonos_cuda_pack, &out, &picture, kernel->node->attr.frame.alpha, cuda->stream);
}

/* ---- UNPACK ---------------------------------------------------------------------------------------------- */

/* The padding between rows comes down with them: it is written here, once. */
static gboolean prepare_unpack(YonosKernel *kernel, GError **error) {
    if (!prepare(kernel, kernel->node->in[0]->shape, error))
        return FALSE;
    YonosCuda *cuda = cuda_of(kernel);
    const Staging *s = kernel->data;
    for (int i = 0; i < YONOS_IN_FLIGHT; i++)
        if (!cuda_call(cuda, error, cudaMemsetAsync, s->slot[i].device.plane[0], 0, s->bytes, cuda->stream))
            return FALSE;
    return TRUE;
}

static gboolean download(YonosCuda *cuda, const Staging *s, const Slot *slot, GError **error) {
    if (slot->to.cuda_context)
        return cuda_copy_frame(cuda, &slot->to, &slot->device, cuda->from_device, error);
    return cuda_call(cuda, error, cudaMemcpyAsync, slot->host.plane[0], slot->device.plane[0], s->bytes,
                     cudaMemcpyDeviceToHost, cuda->from_device);
}

/* Takes the picture to the caller's frame, once it is made. */
static gboolean deliver(YonosCuda *cuda, const Staging *s, const Slot *slot, GError **error) {
    return cuda_is_ours(cuda, &slot->to) ||
           (cuda_call(cuda, error, cudaStreamWaitEvent, cuda->from_device, slot->made, 0) &&
            download(cuda, s, slot, error) &&
            cuda_call(cuda, error, cudaEventRecord, slot->copied, cuda->from_device));
}

static gboolean run_unpack(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    YonosCuda *cuda = cuda_of(kernel);
    const YonosNode *node = kernel->node;
    Staging *s = kernel->data;
    Slot *slot = &s->slot[run->slot];
    YonosCudaTensor x = cuda_tensor(run, node->in[0]), alpha;
    if (node->in[1])
        alpha = cuda_tensor(run, node->in[1]);
    YonosFrame picture = picture_of(cuda, slot, run->out);
    slot->to = *run->out;
    return cuda_launch(cuda, error, yonos_cuda_unpack, &picture, &x, node->in[1] ? &alpha : NULL, cuda->stream) &&
           cuda_call(cuda, error, cudaEventRecord, slot->made, cuda->stream) && deliver(cuda, s, slot, error);
}

gboolean cuda_collect(const YonosKernel *unpack, int slot, GError **error) {
    const YonosCuda *cuda = cuda_of(unpack);
    const Staging *s = unpack->data;
    const Slot *from = &s->slot[slot];
    cudaEvent_t last = cuda_is_ours(cuda, &from->to) ? from->made : from->copied;
    if (!cuda_enter(cuda, error) || !cuda_call(cuda, error, cudaEventSynchronize, last))
        return FALSE;
    if (!from->to.cuda_context)
        copy_frame(s, &from->to, &from->host);
    return TRUE;
}

const YonosOp cuda_pack = {prepare_pack, run_pack, release};
const YonosOp cuda_unpack = {prepare_unpack, run_unpack, release};
