/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For the host, where nothing calls cuBLASLt: the types that cuda/libraries.h names.
 */
#ifndef CUDA_HOST_CUBLASLT_H
#define CUDA_HOST_CUBLASLT_H

typedef void *cublasLtHandle_t;
typedef int cublasStatus_t;

#endif
