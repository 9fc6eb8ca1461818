/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decoded frames of a part of a video, in order, with their stream times.
 *
 * The frames depend on the file and the part alone, not on what was read before: that is what makes a resumed run
 * give the bytes of an unbroken one.
 */
#ifndef YONOS_UPSCALE_READER_H
#define YONOS_UPSCALE_READER_H

#include "segments.h"

typedef struct _Reader Reader;

/*
 * Opens `scan`'s video for the frames of `segment`. Borrows `scan`.
 * Errors: INPUT, INTERRUPTED. Free with reader_free(). One thread at a time.
 */
Reader *reader_new(const Scan *scan, const Segment *segment, GError **error);
void reader_free(Reader *reader);

/*
 * The next frame, whose buffer has its stream time as timestamp. NULL at the end, or with `error` set (INPUT,
 * INTERRUPTED). `*cancel` becoming TRUE in another thread also ends it.
 */
GstSample *reader_pull(Reader *reader, const gint *cancel, GError **error);

/* The text of a decoding error that ended the video early; NULL without. Frames before it were given. */
const char *reader_get_damage(const Reader *reader);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Reader, reader_free)

#endif
