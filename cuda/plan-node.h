/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is asked of cuDNN for a node: shared by the backend and by tests/cuda-plan, which asks it without a device.
 */
#ifndef YONOS_CUDA_PLAN_NODE_H
#define YONOS_CUDA_PLAN_NODE_H

#include "dnn.h"

enum { CUDA_CHANNEL_MULTIPLE = 8 }; /* tensor cores take channels in eights; others are padded */

/* The convolution of a CONV2D or LINEAR node with padded channels, and with all of the epilogue that cuDNN's precompiled
 * engines take. */
CudaConvShape cuda_conv_shape(const YonosNode *node);
/* The same without bias, residual and activation. */
CudaConvShape cuda_conv_shape_bare(const YonosNode *node);

/* TRUE when cuDNN may be asked for an ATTENTION node: its type, and the alignment of its channels. */
gboolean cuda_attention_fits_dnn(const YonosNode *node);
/* Strides and sizes of an ATTENTION node; pointers are NULL. */
YonosCudaAttention cuda_attention_shape(const YonosNode *node);

#endif
