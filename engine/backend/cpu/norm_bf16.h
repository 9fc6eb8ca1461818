/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The loops of GROUP_NORM for bf16 storage on CPUs with AVX512-BF16, in place of those of loops_norm.c.
 */
#ifndef YONOS_CPU_NORM_BF16_H
#define YONOS_CPU_NORM_BF16_H

#include "backend/cpu/loops.h"

/* CpuLoops.normalise: bf16 with activation NONE or SILU here, all else by AVX512's loops. */
void cpu_normalise_bf16(const void *x, gsize x_stride, void *out, gsize out_stride, YonosDType dtype, gsize rows,
                        int lanes, const CpuScale *scale, YonosActivation activation);

#endif
