/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One oneDNN convolution as a kernel; shared by conv.c and gemm.c.
 */
#ifndef YONOS_CPU_CONV_H
#define YONOS_CPU_CONV_H

#include "backend/cpu/cpu.h"

typedef struct {
    YonosDnnlConv *dnnl;
    gsize upsampled_bytes; /* at the start of the workspace */
} CpuConv;

/* Fills the kernel, or hands it to ref where oneDNN has no fast implementation. Errors: MEMORY. */
gboolean cpu_conv_prepare(YonosKernel *kernel, const YonosDnnlShape *shape, const YonosConst *weight,
                          const YonosConst *bias, YonosActivation activation, gsize upsampled_bytes, GError **error);
/* Residual into the destination, then the convolution of `src`. */
gboolean cpu_conv_run(const YonosKernel *kernel, const YonosRun *run, const void *src, GError **error);
void cpu_conv_release(YonosKernel *kernel);

#endif
