/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Statuses of the CUDA runtime as GErrors.
 */
#include "cuda.h"

/* After these every further call of the process fails. */
static gboolean is_final(cudaError_t status) {
    switch (status) {
    case cudaErrorECCUncorrectable:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
        return TRUE;
    default:
        return FALSE;
    }
}

static const char *what_to_do(cudaError_t status) {
    if (status == cudaErrorMemoryAllocation)
        return "use a smaller frame or a smaller tile-size, or end what else uses the device (nvidia-smi lists it)";
    if (is_final(status))
        return "this process cannot use the device any more: restart it, and look for \"Xid\" in the kernel's log if it "
               "happens again";
    return "look at the device with nvidia-smi, or use cpu or auto";
}

gboolean cuda_check(const YonosCuda *cuda, cudaError_t status, const char *call, GError **error) {
    if (status == cudaSuccess)
        return TRUE;
    cudaGetLastError();
    return yonos_fail(error, status == cudaErrorMemoryAllocation ? YONOS_ERROR_MEMORY : YONOS_ERROR_DEVICE,
                      "backend cuda: %s: %s: %s (%s); %s", cuda->label ? cuda->label : "the device", call,
                      cudaGetErrorString(status), cudaGetErrorName(status), what_to_do(status));
}
