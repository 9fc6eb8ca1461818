/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stand-in for the CUDA driver, libcuda.so.1, as far as GStreamer's CUDA library (1.22 to 1.26) calls it for frames:
 * contexts are names, device memory is the host's. It comes from the backend's stand-in (tests/cuda-host), which knows
 * whose context's it is and refuses copies that leave it. Copies in a stream are done when it is waited for, no sooner.
 * So the way of frames in CUDA memory through the element is tested without a GPU. What is not here fails with
 * CUDA_ERROR_NOT_SUPPORTED, or is missing where the library does without: virtual memory, allocation in the order of
 * streams, external memory.
 */
#include <cuda.h>
#include <gmodule.h>
#include <stdlib.h>
#include <string.h>

enum { PITCH = 512, DEPTH = 16 };

#define API __attribute__((visibility("default")))

/* ---- devices and contexts ------------------------------------------------------------------------------ */

API CUresult cuInit(unsigned flags) {
    (void)flags;
    return CUDA_SUCCESS;
}

API CUresult cuDriverGetVersion(int *version) {
    *version = 13000;
    return CUDA_SUCCESS;
}

API CUresult cuDeviceGetCount(int *count) {
    *count = 1;
    return CUDA_SUCCESS;
}

API CUresult cuDeviceGet(CUdevice *device, int number) {
    *device = number;
    return number == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

API CUresult cuDeviceGetName(char *name, int size, CUdevice device) {
    (void)device;
    g_strlcpy(name, "host stand-in", (gsize)size);
    return CUDA_SUCCESS;
}

API CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device) {
    (void)device;
    *value = attribute == CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT ? PITCH : 1;
    return CUDA_SUCCESS;
}

API CUresult cuDeviceCanAccessPeer(int *can, CUdevice device, CUdevice peer) {
    (void)device;
    (void)peer;
    *can = 0;
    return CUDA_SUCCESS;
}

static __thread CUcontext stack[DEPTH];
static __thread int depth;

API CUresult cuCtxPushCurrent_v2(CUcontext context) {
    if (depth == DEPTH)
        return CUDA_ERROR_OUT_OF_MEMORY;
    stack[depth++] = context;
    return CUDA_SUCCESS;
}

API CUresult cuCtxPopCurrent_v2(CUcontext *context) {
    if (depth == 0)
        return CUDA_ERROR_INVALID_CONTEXT;
    depth--;
    if (context)
        *context = stack[depth];
    return CUDA_SUCCESS;
}

API CUresult cuCtxCreate_v2(CUcontext *context, unsigned flags, CUdevice device);
API CUresult cuCtxCreate_v2(CUcontext *context, unsigned flags, CUdevice device) {
    (void)flags;
    (void)device;
    *context = malloc(1);
    return cuCtxPushCurrent_v2(*context);
}

API CUresult cuCtxDestroy_v2(CUcontext context) {
    free(context);
    return CUDA_SUCCESS;
}

API CUresult cuGetErrorName(CUresult error, const char **name) {
    *name = error == CUDA_SUCCESS ? "CUDA_SUCCESS" : "CUDA_ERROR";
    return CUDA_SUCCESS;
}

API CUresult cuGetErrorString(CUresult error, const char **text) { return cuGetErrorName(error, text); }

/* ---- memory -------------------------------------------------------------------------------------------- */

static struct {
    void *(*allocate)(void *context, size_t bytes);
    void (*release)(void *memory);
} host;

static gboolean open_host(void) {
    static gsize done = 0;
    if (g_once_init_enter(&done)) {
        const char *path = g_getenv("CUDA_HOST_MODULE");
        GModule *module = path ? g_module_open(path, G_MODULE_BIND_LAZY | G_MODULE_BIND_LOCAL) : NULL;
        if (module) {
            g_module_make_resident(module);
            g_module_symbol(module, "cuda_host_context_allocate", (gpointer *)&host.allocate);
            g_module_symbol(module, "cuda_host_context_free", (gpointer *)&host.release);
        }
        g_once_init_leave(&done, 1);
    }
    return host.allocate && host.release;
}

static CUresult allocate(CUdeviceptr *memory, size_t bytes) {
    if (depth == 0)
        return CUDA_ERROR_INVALID_CONTEXT;
    *memory = open_host() ? (CUdeviceptr)host.allocate(stack[depth - 1], bytes) : 0;
    return *memory ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

API CUresult cuMemAlloc_v2(CUdeviceptr *memory, size_t bytes) { return allocate(memory, bytes); }

API CUresult cuMemAllocPitch_v2(CUdeviceptr *memory, size_t *pitch, size_t width, size_t height, unsigned element) {
    (void)element;
    *pitch = (width + PITCH - 1) / PITCH * PITCH;
    return allocate(memory, *pitch * height);
}

API CUresult cuMemFree_v2(CUdeviceptr memory) {
    host.release((void *)memory);
    return CUDA_SUCCESS;
}

API CUresult cuMemAllocHost_v2(void **memory, size_t bytes) {
    *memory = malloc(bytes);
    return *memory ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

API CUresult cuMemFreeHost(void *memory) {
    free(memory);
    return CUDA_SUCCESS;
}

API CUresult cuMemcpy2D_v2(const CUDA_MEMCPY2D *c) {
    const char *from = c->srcMemoryType == CU_MEMORYTYPE_HOST ? c->srcHost : (const char *)c->srcDevice;
    char *to = c->dstMemoryType == CU_MEMORYTYPE_HOST ? c->dstHost : (char *)c->dstDevice;
    if (depth == 0)
        return CUDA_ERROR_INVALID_CONTEXT;
    for (size_t y = 0; y < c->Height; y++)
        memcpy(to + (c->dstY + y) * c->dstPitch + c->dstXInBytes, from + (c->srcY + y) * c->srcPitch + c->srcXInBytes,
               c->WidthInBytes);
    return CUDA_SUCCESS;
}

/* ---- streams ------------------------------------------------------------------------------------------- */

struct CUstream_st {
    GMutex lock;
    GArray *copies; /* CUDA_MEMCPY2D, still to do */
};

API CUresult cuStreamCreate(CUstream *stream, unsigned flags) {
    (void)flags;
    *stream = g_new0(struct CUstream_st, 1);
    (*stream)->copies = g_array_new(FALSE, FALSE, sizeof(CUDA_MEMCPY2D));
    return CUDA_SUCCESS;
}

API CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D *copy, CUstream stream) {
    if (!stream || depth == 0)
        return cuMemcpy2D_v2(copy);
    g_mutex_lock(&stream->lock);
    g_array_append_vals(stream->copies, copy, 1);
    g_mutex_unlock(&stream->lock);
    return CUDA_SUCCESS;
}

API CUresult cuStreamSynchronize(CUstream stream) {
    if (!stream)
        return CUDA_SUCCESS;
    CUresult status = CUDA_SUCCESS;
    g_mutex_lock(&stream->lock);
    for (guint i = 0; status == CUDA_SUCCESS && i < stream->copies->len; i++)
        status = cuMemcpy2D_v2(&g_array_index(stream->copies, CUDA_MEMCPY2D, i));
    g_array_set_size(stream->copies, 0);
    g_mutex_unlock(&stream->lock);
    return status;
}

API CUresult cuStreamDestroy_v2(CUstream stream) {
    CUresult status = cuStreamSynchronize(stream);
    g_array_unref(stream->copies);
    g_mutex_clear(&stream->lock);
    g_free(stream);
    return status;
}

#undef cuStreamDestroy /* GStreamer 1.22 asks for the old name */
API CUresult cuStreamDestroy(CUstream stream) { return cuStreamDestroy_v2(stream); }

/* ---- what frames do not need --------------------------------------------------------------------------- */

/* By the names in the library, which the header gives other types or newer versions. */
#define NOT_SUPPORTED(name)                                                                                            \
    API CUresult no_##name(void) __asm__(#name);                                                                       \
    API CUresult no_##name(void) {                                                                                     \
        return CUDA_ERROR_NOT_SUPPORTED;                                                                               \
    }

NOT_SUPPORTED(cuCtxDisablePeerAccess)
NOT_SUPPORTED(cuCtxEnablePeerAccess)
NOT_SUPPORTED(cuCtxGetLimit)
NOT_SUPPORTED(cuCtxSetLimit)
NOT_SUPPORTED(cuCtxSynchronize)
NOT_SUPPORTED(cuEventCreate)
NOT_SUPPORTED(cuEventDestroy_v2)
NOT_SUPPORTED(cuEventRecord)
NOT_SUPPORTED(cuEventSynchronize)
NOT_SUPPORTED(cuGLGetDevices_v2)
NOT_SUPPORTED(cuGraphicsGLRegisterBuffer)
NOT_SUPPORTED(cuGraphicsGLRegisterImage)
NOT_SUPPORTED(cuGraphicsMapResources)
NOT_SUPPORTED(cuGraphicsResourceGetMappedPointer_v2)
NOT_SUPPORTED(cuGraphicsResourceSetMapFlags_v2)
NOT_SUPPORTED(cuGraphicsSubResourceGetMappedArray)
NOT_SUPPORTED(cuGraphicsUnmapResources)
NOT_SUPPORTED(cuGraphicsUnregisterResource)
NOT_SUPPORTED(cuIpcCloseMemHandle)
NOT_SUPPORTED(cuIpcGetEventHandle)
NOT_SUPPORTED(cuIpcGetMemHandle)
NOT_SUPPORTED(cuIpcOpenEventHandle)
NOT_SUPPORTED(cuIpcOpenMemHandle)
NOT_SUPPORTED(cuLaunchKernel)
NOT_SUPPORTED(cuMemcpyDtoDAsync_v2)
NOT_SUPPORTED(cuMemcpyDtoD_v2)
NOT_SUPPORTED(cuMemcpyDtoHAsync_v2)
NOT_SUPPORTED(cuMemcpyDtoH_v2)
NOT_SUPPORTED(cuMemcpyHtoDAsync_v2)
NOT_SUPPORTED(cuMemcpyHtoD_v2)
NOT_SUPPORTED(cuMemsetD2D16Async)
NOT_SUPPORTED(cuMemsetD2D16_v2)
NOT_SUPPORTED(cuMemsetD2D32Async)
NOT_SUPPORTED(cuMemsetD2D32_v2)
NOT_SUPPORTED(cuMemsetD2D8Async)
NOT_SUPPORTED(cuMemsetD2D8_v2)
NOT_SUPPORTED(cuModuleGetFunction)
NOT_SUPPORTED(cuModuleLoadData)
NOT_SUPPORTED(cuModuleUnload)
NOT_SUPPORTED(cuTexObjectCreate)
NOT_SUPPORTED(cuTexObjectDestroy)
