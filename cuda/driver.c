/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copies between our memory and that of other contexts on the machine, as GStreamer's CUDA elements have them. The
 * runtime knows one context of a device, the primary one, so these are the driver's calls.
 */
#include <cuda.h>

#include "cuda.h"

#include "backend/format.h"

enum { DRIVER_API = 12000 }; /* the version of the functions below */

struct _CudaDriver {
    CUresult (*get_current)(CUcontext *context);
    CUresult (*copy)(const CUDA_MEMCPY3D_PEER *copy, CUstream stream);
    CUcontext context; /* ours */
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

gboolean cuda_driver_open(YonosCuda *cuda, GError **error) {
    CudaDriver *driver = cuda->driver_calls = g_new0(CudaDriver, 1);
    return find(cuda, "cuCtxGetCurrent", (void **)&driver->get_current, error) &&
           find(cuda, "cuMemcpy3DPeerAsync", (void **)&driver->copy, error) && cuda_enter(cuda, error) &&
           cuda_check(cuda, (cudaError_t)driver->get_current(&driver->context), "cuCtxGetCurrent", error);
}

gboolean cuda_copy_frame(YonosCuda *cuda, const YonosFrame *to, const YonosFrame *from, cudaStream_t stream,
                         GError **error) {
    const YonosFormatInfo *info = yonos_format_get_info(from->format);
    const CudaDriver *driver = cuda->driver_calls;
    for (int i = 0; i < info->planes; i++) {
        CUDA_MEMCPY3D_PEER copy = {
            .srcMemoryType = CU_MEMORYTYPE_DEVICE,
            .srcDevice = (CUdeviceptr)from->plane[i],
            .srcContext = from->cuda_context ? from->cuda_context : driver->context,
            .srcPitch = (size_t)from->stride[i],
            .dstMemoryType = CU_MEMORYTYPE_DEVICE,
            .dstDevice = (CUdeviceptr)to->plane[i],
            .dstContext = to->cuda_context ? to->cuda_context : driver->context,
            .dstPitch = (size_t)to->stride[i],
            .WidthInBytes = yonos_format_row_bytes(info, i, from->width),
            .Height = (size_t)yonos_format_rows(info, i, from->height),
            .Depth = 1,
        };
        /* The driver's statuses are the runtime's for all that these calls return. */
        if (!cuda_check(cuda, (cudaError_t)driver->copy(&copy, stream), "cuMemcpy3DPeerAsync", error))
            return FALSE;
    }
    return TRUE;
}
