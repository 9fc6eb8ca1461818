/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Convolutions to few channels, such as a decoder's last to RGB. oneDNN computes 16 output channels at once, of which
 * three would be wanted: instead four neighbouring pixels become the channels of one, by a kernel three columns wider
 * that moves on four columns at a time. Of a 3x3 kernel that takes half of the multiplications, and the result lies
 * in memory as it should.
 */
#ifndef YONOS_CPU_NARROW_H
#define YONOS_CPU_NARROW_H

#include "backend/cpu/cpu.h"

/* TRUE where that is so of the convolution, and worth it. */
gboolean cpu_narrow_fits(const YonosDnnlShape *shape);
/* Changes the convolution accordingly; weight (out,in,kh,kw) and bias (out), which may be NULL, become new ones that
 * belong to the kernel's backend. */
void cpu_narrow_widen(const YonosKernel *kernel, YonosDnnlShape *shape, const YonosConst **weight,
                      const YonosConst **bias);

#endif
