/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A CONV2D node, or a LINEAR one as a 1x1 convolution, by cuDNN or by an own kernel.
 */
#ifndef YONOS_CUDA_CONV_H
#define YONOS_CUDA_CONV_H

#include "cuda.h"

/* The environment variable that leaves no choice where the own kernel takes a shape: "own" or "cudnn". */
#define YONOS_CUDA_CONV "YONOS_CUDA_CONV"

typedef struct _CudaConv CudaConv;

/* Also fills the kernel's workspace and implementation. NULL with `error` set (MEMORY, DEVICE). */
CudaConv *cuda_conv_new(YonosKernel *kernel, GError **error);
void cuda_conv_free(CudaConv *conv);
gboolean cuda_conv_run(const CudaConv *conv, const YonosKernel *kernel, const YonosRun *run, GError **error);

#endif
