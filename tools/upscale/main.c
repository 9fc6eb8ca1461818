/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * yonos-upscale: a video file to a video file, or a folder to a folder. See docs/man/yonos-upscale.1.
 *
 *   scan.c      what is in the input            segments.c  where it is cut
 *   reader.c    decodes a segment               scaler.c    the element yonossr
 *   encoder.c   which encoder                   writer.c    encodes a segment
 *   work.c      these three at once             parts.c     the folder of finished segments
 *   packets.c, streams.c, join.c                segments and the other streams to the output
 *   job.c       one file                        folder.c    many
 *   sheet.c     the comparison picture
 */
#include "folder.h"
#include "job.h"
#include "sheet.h"

#include <stdio.h>

#define PROGRAM "yonos-upscale"

static UpscaleStatus report(GError *error) {
    int status = error->code == UPSCALE_NOT_VIDEO ? UPSCALE_INPUT : error->code;
    tool_report(PROGRAM, error);
    return (UpscaleStatus)status;
}

static UpscaleStatus run(const UpscaleOptions *options) {
    GError *error = NULL;
    upscale_catch_signals();
    if (options->sheet)
        return sheet_write(options, &error) ? UPSCALE_OK : report(error);
    if (g_file_test(options->input, G_FILE_TEST_IS_DIR)) {
        if (!options->parts)
            return folder_run(options);
        upscale_fail(&error, UPSCALE_USAGE, "--parts goes with one file, not with a folder");
        return report(error);
    }
    return job_run(options, options->input, options->output, &error) ? UPSCALE_OK : report(error);
}

int main(int argc, char **argv) {
    UpscaleOptions options;
    GError *error = NULL;
    UpscaleStatus status = options_parse(&options, argc, argv, &error) ? run(&options) : report(error);
    options_clear(&options);
    return status;
}
