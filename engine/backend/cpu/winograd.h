/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CONV2D 3x3, stride 1, of a picture as it is or doubled, by Winograd's algorithm: in bf16 storage on CPUs with AVX512-BF16,
 * in f32 on all.
 */
#ifndef YONOS_CPU_WINOGRAD_H
#define YONOS_CPU_WINOGRAD_H

#include "backend/cpu/cpu.h"

/* TRUE where the CPU, the storage type and the shape let cpu_winograd run a node, and faster than oneDNN would. */
gboolean cpu_winograd_fits(const YonosNode *node);
extern const YonosOp cpu_winograd;

#endif
