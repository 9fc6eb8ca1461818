/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All videos of a folder.
 */
#ifndef YONOS_UPSCALE_FOLDER_H
#define YONOS_UPSCALE_FOLDER_H

#include "options.h"
#include "status.h"

/*
 * Upscales every video of options->input, subfolders too, into options->output under the same names; containers that
 * cannot be written become .mkv. Outputs that are there already are left alone, files that are no videos are named
 * and left out, and a failure does not stop the others, except those that would meet every file (disk, model,
 * signal). Returns the status of the first failure; each is reported on standard error.
 */
UpscaleStatus folder_run(const UpscaleOptions *options);

#endif
