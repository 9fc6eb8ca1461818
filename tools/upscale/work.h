/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decoding, upscaling and encoding segments, all three at once.
 */
#ifndef YONOS_UPSCALE_WORK_H
#define YONOS_UPSCALE_WORK_H

#include "encoder.h"
#include "progress.h"
#include "scaler.h"
#include "segments.h"

typedef struct {
    const Scan *scan;
    const GArray *segments; /* of Segment: all of the video */
    const GArray *pending;  /* of guint: the ones to do, ascending */
    const char *parts;      /* folder for the files */
    const Encoder *encoder;
    Scaler *scaler; /* ends with this work */
    Progress *progress;
    guint lost_frames; /* result: told by the container, but not given by the decoder */
    char *damage;      /* result: what ended the decoding early; NULL for a sound file */
} Work;

/* The file of a segment. Free with g_free(). */
char *work_segment_path(const char *parts, guint index);

/*
 * Does all pending segments. On an error the ones that were finished are on the disk.
 * Errors: INPUT, OUTPUT, MODEL, FAILED, INTERRUPTED.
 */
gboolean work_run(Work *work, GError **error);

#endif
