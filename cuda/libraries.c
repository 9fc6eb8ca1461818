/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See libraries.h.
 */
#include "libraries.h"

gboolean cuda_blas_check(const YonosCuda *cuda, cublasStatus_t status, const char *call, GError **error) {
    if (status == CUBLAS_STATUS_SUCCESS)
        return TRUE;
    return yonos_fail(error, status == CUBLAS_STATUS_ALLOC_FAILED ? YONOS_ERROR_MEMORY : YONOS_ERROR_DEVICE,
                      "backend cuda: %s: %s: %s; look at the device with nvidia-smi, or use cpu or auto", cuda->label,
                      call, cublasLtGetStatusString(status));
}

CudaLibraries *cuda_libraries_new(const YonosCuda *cuda, GError **error) {
    CudaLibraries *libraries = g_new0(CudaLibraries, 1);
    gsize blas = cublasLtGetVersion();
    libraries->dnn = cuda_dnn_new(cuda->stream, error);
    if (libraries->dnn && cuda_blas_check(cuda, cublasLtCreate(&libraries->blas), "cublasLtCreate", error)) {
        libraries->versions =
            g_strdup_printf("cuDNN %s, cuBLASLt %d.%d.%d", cuda_dnn_version(libraries->dnn), (int)(blas / 10000),
                            (int)(blas / 100 % 100), (int)(blas % 100));
        return libraries;
    }
    cuda_libraries_free(libraries);
    return NULL;
}

void cuda_libraries_free(CudaLibraries *libraries) {
    if (!libraries)
        return;
    if (libraries->blas)
        cublasLtDestroy(libraries->blas);
    cuda_dnn_free(libraries->dnn);
    g_free(libraries->versions);
    g_free(libraries);
}

const char *cuda_libraries_versions(const CudaLibraries *libraries) { return libraries->versions; }
