/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Handles of cuDNN and cuBLASLt, one of each per backend.
 */
#ifndef YONOS_CUDA_LIBRARIES_H
#define YONOS_CUDA_LIBRARIES_H

#include <cublasLt.h>

#include "cuda.h"
#include "dnn.h"

struct _CudaLibraries {
    CudaDnn *dnn;
    cublasLtHandle_t blas;
    char *versions;
};

/* A status of cuBLASLt as a GError, which names the call. */
gboolean cuda_blas_check(const YonosCuda *cuda, cublasStatus_t status, const char *call, GError **error);

#endif
