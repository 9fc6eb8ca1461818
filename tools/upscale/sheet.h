/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A picture for the eye: the input's pixels, bicubic resampling and the networks' result side by side.
 */
#ifndef YONOS_UPSCALE_SHEET_H
#define YONOS_UPSCALE_SHEET_H

#include "options.h"

/*
 * Writes options->output (PNG). Each of options->times (seconds) gives two rows of three panels, one at 100 % of the
 * result's pixels and one at 400 %, both around the middle of the frame.
 * Errors: USAGE, INPUT, OUTPUT, EXISTS, MODEL, FAILED, INTERRUPTED.
 */
gboolean sheet_write(const UpscaleOptions *options, GError **error);

#endif
