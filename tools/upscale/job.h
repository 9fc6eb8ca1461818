/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One video from file to file.
 */
#ifndef YONOS_UPSCALE_JOB_H
#define YONOS_UPSCALE_JOB_H

#include "options.h"

/*
 * Upscales `input` to `output` as the options say, going on where an earlier run of the same job stopped.
 * Errors: every UpscaleStatus.
 */
gboolean job_run(const UpscaleOptions *options, const char *input, const char *output, GError **error);

#endif
