/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How yonos-upscale ends. Every error of the tool is in the UPSCALE_ERROR domain, and its code is the exit status.
 */
#ifndef YONOS_UPSCALE_STATUS_H
#define YONOS_UPSCALE_STATUS_H

#include <glib.h>

#define UPSCALE_ERROR (upscale_error_quark())
GQuark upscale_error_quark(void);

typedef enum {
    UPSCALE_OK = 0,
    UPSCALE_FAILED = 1,     /* none of the others: a failure while encoding, ... */
    UPSCALE_USAGE = 2,      /* the command line */
    UPSCALE_INPUT = 3,      /* the input cannot be read or decoded, or there is no video in it */
    UPSCALE_OUTPUT = 4,     /* the output cannot be written: disk full, no permission. Finished segments are kept */
    UPSCALE_EXISTS = 5,     /* the output is there already, or the parts belong to another job; --force was not given */
    UPSCALE_MODEL = 6,      /* model, device or memory for them */
    UPSCALE_INCOMPLETE = 7, /* --join: segments are missing */
    UPSCALE_NOT_VIDEO = 8,  /* never an exit status: a file of a folder that is no video, which is left out */
    UPSCALE_INTERRUPTED = 130, /* SIGINT or SIGTERM. Finished segments are kept */
} UpscaleStatus;

/* Sets *error and returns FALSE. */
gboolean upscale_fail(GError **error, UpscaleStatus status, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Catches SIGINT and SIGTERM from now on; upscale_interrupted() then sets INTERRUPTED and returns TRUE after one. */
void upscale_catch_signals(void);
gboolean upscale_interrupted(GError **error);

#endif
