/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line of yonos-upscale.
 */
#ifndef YONOS_UPSCALE_OPTIONS_H
#define YONOS_UPSCALE_OPTIONS_H

#include "../common.h"
#include "status.h"

typedef struct {
    ToolOptions model;   /* the element's properties */
    char *encoder;       /* NULL: chosen */
    char *quality;       /* draft, good, best or lossless */
    char *compare;       /* NULL, "split" or "side-by-side" */
    double steadiness;
    char *parts;         /* folder of the segments; NULL: beside the output */
    char *times;         /* --at, of --sheet */
    char *place_text;    /* --around X,Y, of --sheet */
    double place[2];     /* the same, 0 to 1 of the frame's width and height; the middle */
    char *share_text;    /* --segment K/N */
    guint share, shares; /* 1..shares; 0, 0: all */
    gboolean sheet, force, dry_run, join, keep_parts, quiet;
    char *input, *output;
} UpscaleOptions;

/*
 * Reads and checks the command line. Errors: USAGE. Exits after --help and --version, as GOption does.
 * Free the contents with options_clear() in any case.
 */
gboolean options_parse(UpscaleOptions *options, int argc, char **argv, GError **error);
void options_clear(UpscaleOptions *options);

#endif
