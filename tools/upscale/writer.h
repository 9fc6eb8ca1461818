/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One segment: frames in, an encoded file out, in the background.
 *
 * The file holds the encoder's packets as GStreamer's data protocol (gdppay) writes them: exact timestamps, caps and
 * all. It is no format for players; the join makes one of it.
 */
#ifndef YONOS_UPSCALE_WRITER_H
#define YONOS_UPSCALE_WRITER_H

#include "encoder.h"

typedef struct _Writer Writer;

/*
 * The encoder starts with the first frame; a segment without frames gives an empty file. Borrows `encoder`; `index`
 * is the caller's. Free with writer_free().
 */
Writer *writer_new(const Encoder *encoder, const char *path, guint index);
/* Without writer_done() before, nothing is left on the disk. */
void writer_free(Writer *writer);

guint writer_get_index(const Writer *writer);
guint writer_get_frames(const Writer *writer);

/* FALSE while the encoder has enough to do. */
gboolean writer_is_ready(Writer *writer);
/* Takes the sample. Errors: FAILED (the encoder does not start, the size changes), OUTPUT. */
gboolean writer_push(Writer *writer, GstSample *sample, GError **error);
/* Before writer_finish(): FALSE where encoder or file have failed meanwhile, after which it may never be ready again.
 * Errors: FAILED, OUTPUT. */
gboolean writer_check(Writer *writer, GError **error);
/* No more frames follow. */
void writer_finish(Writer *writer);
/* After writer_finish(): TRUE once the segment has its name, or with `error` set (FAILED, OUTPUT). Never waits. */
gboolean writer_done(Writer *writer, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Writer, writer_free)

#endif
