/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How far the work is: one line that is written over on a terminal, a line every ten seconds elsewhere.
 */
#ifndef YONOS_UPSCALE_PROGRESS_H
#define YONOS_UPSCALE_PROGRESS_H

#include <glib.h>

typedef struct {
    const char *name; /* what is worked on */
    gboolean quiet, terminal;
    guint frames, done;      /* to do in this run; done */
    guint segments, written; /* in this run */
    gint64 begun, shown;     /* microseconds; begun 0: before the first frame */
} Progress;

void progress_begin(Progress *progress, const char *name, guint frames, guint segments, gboolean quiet);
/* Call it at every frame and while waiting; prints when it is time. */
void progress_update(Progress *progress);
void progress_end(Progress *progress);

/* A line on standard error, after a progress line if there is one. */
void progress_say(const Progress *progress, const char *format, ...) G_GNUC_PRINTF(2, 3);

#endif
