/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The context that the backend works in, and copies between its memory and that of other contexts on the machine.
 *
 * The runtime does its work in the context that is current in the calling thread ("Interactions with the CUDA Driver
 * API", CUDA Runtime API). By itself it knows one context of a device, the primary one; others, as GStreamer's CUDA
 * elements make them, are the driver's.
 */
#include <cuda.h>

#include "cuda.h"

#include "backend/format.h"

enum { DRIVER_API = 12000 }; /* the version of the functions below */

struct _CudaContext {
    CUresult (*set_current)(CUcontext context);
    CUresult (*get_current)(CUcontext *context);
    CUresult (*get_device)(CUdevice *device);
    CUresult (*copy)(const CUDA_MEMCPY3D_PEER *copy, CUstream stream);
    CUcontext given; /* the caller's; NULL: the primary one */
    CUcontext own;   /* whichever it is */
};

static gboolean find(YonosCuda *cuda, const char *name, void **function, GError **error) {
    enum cudaDriverEntryPointQueryResult result = cudaDriverEntryPointSuccess;
    if (!cuda_call(cuda, error, cudaGetDriverEntryPointByVersion, name, function, DRIVER_API, cudaEnableDefault,
                   &result))
        return FALSE;
    if (result == cudaDriverEntryPointSuccess && *function)
        return TRUE;
    return yonos_fail(error, YONOS_ERROR_DEVICE,
                      "backend cuda: the NVIDIA driver has no %s; install a newer driver, or use cpu or auto", name);
}

static gboolean find_all(YonosCuda *cuda, CudaContext *c, GError **error) {
    return find(cuda, "cuCtxSetCurrent", (void **)&c->set_current, error) &&
           find(cuda, "cuCtxGetCurrent", (void **)&c->get_current, error) &&
           find(cuda, "cuCtxGetDevice", (void **)&c->get_device, error) &&
           find(cuda, "cuMemcpy3DPeerAsync", (void **)&c->copy, error);
}

/* The driver's statuses are the runtime's for all that these calls return. */
#define driver_call(cuda, error, name, call) cuda_check(cuda, (cudaError_t)(call), name, error)

gboolean cuda_context_open(YonosCuda *cuda, void *given, GError **error) {
    CudaContext *c = g_new0(CudaContext, 1);
    if (!find_all(cuda, c, error)) {
        g_free(c);
        return FALSE;
    }
    c->given = given;
    cuda->context = c;
    return cuda_enter(cuda, error) && driver_call(cuda, error, "cuCtxGetCurrent", c->get_current(&c->own)) &&
           (!given || driver_call(cuda, error, "cuCtxGetDevice", c->get_device(&cuda->device)));
}

void cuda_context_free(YonosCuda *cuda) { g_clear_pointer(&cuda->context, g_free); }

gboolean cuda_enter(const YonosCuda *cuda, GError **error) {
    const CudaContext *c = cuda->context;
    return c->given ? driver_call(cuda, error, "cuCtxSetCurrent", c->set_current(c->given))
                    : cuda_call(cuda, error, cudaSetDevice, cuda->device);
}

gboolean cuda_is_ours(const YonosCuda *cuda, const YonosFrame *frame) {
    return frame->cuda_context == cuda->context->own;
}

gboolean cuda_copy_frame(YonosCuda *cuda, const YonosFrame *to, const YonosFrame *from, cudaStream_t stream,
                         GError **error) {
    const YonosFormatInfo *info = yonos_format_get_info(from->format);
    const CudaContext *c = cuda->context;
    for (int i = 0; i < info->planes; i++) {
        CUDA_MEMCPY3D_PEER copy = {
            .srcMemoryType = CU_MEMORYTYPE_DEVICE,
            .srcDevice = (CUdeviceptr)from->plane[i],
            .srcContext = from->cuda_context ? from->cuda_context : c->own,
            .srcPitch = (size_t)from->stride[i],
            .dstMemoryType = CU_MEMORYTYPE_DEVICE,
            .dstDevice = (CUdeviceptr)to->plane[i],
            .dstContext = to->cuda_context ? to->cuda_context : c->own,
            .dstPitch = (size_t)to->stride[i],
            .WidthInBytes = yonos_format_row_bytes(info, i, from->width),
            .Height = (size_t)yonos_format_rows(info, i, from->height),
            .Depth = 1,
        };
        if (!driver_call(cuda, error, "cuMemcpy3DPeerAsync", c->copy(&copy, stream)))
            return FALSE;
    }
    return TRUE;
}
