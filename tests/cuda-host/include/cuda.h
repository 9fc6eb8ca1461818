/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The CUDA driver's names for the host, as far as cuda/context.c uses them; ../runtime.cc.
 */
#ifndef CUDA_HOST_DRIVER_H
#define CUDA_HOST_DRIVER_H

#include <stddef.h>

typedef int CUresult; /* a cudaError_t */
typedef struct CUctx_st *CUcontext;
typedef struct CUstream_st *CUstream;
typedef size_t CUdeviceptr;
typedef int CUdevice;
typedef enum CUmemorytype_enum { CU_MEMORYTYPE_DEVICE = 2 } CUmemorytype;

typedef struct {
    CUmemorytype srcMemoryType, dstMemoryType;
    CUdeviceptr srcDevice, dstDevice;
    CUcontext srcContext, dstContext;
    size_t srcPitch, dstPitch, WidthInBytes, Height, Depth;
} CUDA_MEMCPY3D_PEER;

#endif
