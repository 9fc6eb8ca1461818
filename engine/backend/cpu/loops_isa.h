/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The functions that the files of one instruction set's loops give to its table in loops.c. LOOPS_ISA is a word that
 * the build sets; loops.h says what each does.
 */
#ifndef YONOS_CPU_LOOPS_ISA_H
#define YONOS_CPU_LOOPS_ISA_H

#include "backend/cpu/loops.h"
#include "backend/cpu/loops_math.h"

void loops_name(moments)(const void *x, YonosDType dtype, gsize stride, gsize rows, int lanes, float *pivot,
                         double *total, double *squares);
void loops_name(normalise)(const void *x, gsize x_stride, void *out, gsize out_stride, YonosDType dtype, gsize rows,
                           int lanes, const CpuScale *scale, YonosActivation activation);
void loops_name(layer_norm)(const void *x, void *out, YonosDType dtype, gsize pixels, int c, float eps,
                            const float *gamma, const float *beta);

#endif
