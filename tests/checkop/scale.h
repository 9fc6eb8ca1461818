/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How large the numbers were that an element of a result was summed from: what its error is measured by.
 */
#ifndef CHECKOP_SCALE_H
#define CHECKOP_SCALE_H

#include "run.h"

/*
 * Fills magnitude and condition (as judge.h uses them), one for each of the `count` elements of `expected`, which is
 * what ref made of `exact`, an f32 instance, and `inputs`. Errors: the reference backend's.
 */
gboolean scale_of(YonosBackend *reference, const Instance *exact, const Inputs *inputs, const float *expected,
                  gsize count, float *magnitude, float *condition, GError **error);

#endif
