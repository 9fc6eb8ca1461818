/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Nearest-neighbour doubling and a 3x3 convolution as four 2x2 convolutions of the small image: 16 instead of
 * 36 multiplications for four output pixels, exact but for rounding.
 */
#ifndef YONOS_CPU_UPCONV_H
#define YONOS_CPU_UPCONV_H

#include "backend/cpu/cpu.h"

/* TRUE where a CONV2D node is one: both sides doubled, 3x3, stride 1, padding 1, no residual. */
gboolean cpu_upconv_fits(const YonosNode *node);

extern const YonosOp cpu_upconv;

#endif
