/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The folder of a job's segments, and whether it belongs to this job.
 */
#ifndef YONOS_UPSCALE_PARTS_H
#define YONOS_UPSCALE_PARTS_H

#include "options.h"

/* What decides about the bytes of the segments. */
typedef struct {
    const char *input; /* path */
    const UpscaleOptions *options;
    const char *container;
    const char *device;  /* NULL: do not ask (--join) */
    const char *encoder; /* NULL: do not ask (--join) */
    guint segments;
} PartsOf;

/*
 * Makes the folder, or checks that what is in it was made from the same. With --force, parts of another job go.
 * Errors: EXISTS (parts of another job; the message names what differs), OUTPUT, INPUT, MODEL, INCOMPLETE (--join
 * without parts).
 */
gboolean parts_open(const char *folder, const PartsOf *of, GError **error);

/* Notes that `file` is the result, so that parts_are_joined() knows it again. Errors: OUTPUT. */
gboolean parts_mark_joined(const char *folder, const char *file, GError **error);
gboolean parts_are_joined(const char *folder, const char *file);

void parts_remove(const char *folder);

#endif
