/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stand-in for the CUDA driver, libcuda.so.1, as far as GStreamer's CUDA library calls it for frames: contexts are
 * names, device memory is the host's. It comes from the backend's stand-in (tests/cuda-host), which knows whose context's
 * it is and refuses copies that leave it. So the way of frames in CUDA memory through the element is tested without
 * a GPU. What is not here fails with CUDA_ERROR_NOT_SUPPORTED.
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

API CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D *copy, CUstream stream) {
    (void)stream;
    return cuMemcpy2D_v2(copy);
}

/* ---- streams ------------------------------------------------------------------------------------------- */

API CUresult cuStreamCreate(CUstream *stream, unsigned flags) {
    (void)flags;
    *stream = NULL;
    return CUDA_SUCCESS;
}

#undef cuStreamDestroy /* the library asks for the old name */
API CUresult cuStreamDestroy(CUstream stream) {
    (void)stream;
    return CUDA_SUCCESS;
}

API CUresult cuStreamSynchronize(CUstream stream) {
    (void)stream;
    return CUDA_SUCCESS;
}

/* ---- what frames do not need --------------------------------------------------------------------------- */

/* By the names in the library, which the header gives other types or newer versions. */
#define NOT_SUPPORTED(name)                                                                                            \
    API CUresult no_##name(void) __asm__(#name);                                                                       \
    API CUresult no_##name(void) {                                                                                     \
        return CUDA_ERROR_NOT_SUPPORTED;                                                                               \
    }

NOT_SUPPORTED(cuCtxDisablePeerAccess)
NOT_SUPPORTED(cuCtxEnablePeerAccess)
NOT_SUPPORTED(cuGLGetDevices_v2)
NOT_SUPPORTED(cuGraphicsGLRegisterBuffer)
NOT_SUPPORTED(cuGraphicsGLRegisterImage)
NOT_SUPPORTED(cuGraphicsMapResources)
NOT_SUPPORTED(cuGraphicsResourceGetMappedPointer_v2)
NOT_SUPPORTED(cuGraphicsResourceSetMapFlags_v2)
NOT_SUPPORTED(cuGraphicsSubResourceGetMappedArray)
NOT_SUPPORTED(cuGraphicsUnmapResources)
NOT_SUPPORTED(cuGraphicsUnregisterResource)
NOT_SUPPORTED(cuLaunchKernel)
NOT_SUPPORTED(cuModuleGetFunction)
NOT_SUPPORTED(cuModuleLoadData)
NOT_SUPPORTED(cuModuleUnload)
NOT_SUPPORTED(cuTexObjectCreate)
NOT_SUPPORTED(cuTexObjectDestroy)
