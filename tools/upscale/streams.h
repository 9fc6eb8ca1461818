/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What becomes of a file's other streams: sound, subtitles, and what else there is.
 */
#ifndef YONOS_UPSCALE_STREAMS_H
#define YONOS_UPSCALE_STREAMS_H

#include "encoder.h"
#include "scan.h"

typedef struct {
    const ScanStream *stream; /* borrowed */
    const char *pad;          /* template of the muxer's pad, "audio_%u"; NULL: the stream is left out */
    char *description;        /* the elements before it, for gst_parse_launch() */
    char *about;              /* in words: "audio, audio/mpeg: copied" */
    gboolean changed;         /* neither copied nor written in another, equal form */
} StreamPlan;

/* One StreamPlan for each stream of the file but the video, in the file's order. Free with g_ptr_array_unref(). */
GPtrArray *streams_plan(const Scan *scan, const Container *container);

/*
 * Adds a reader of the stream to a pipeline and links it to `target`, the muxer's pad. Each stream reads the file by
 * itself: a muxer that waits for one of them never holds up another.
 * Errors: FAILED (an element is missing).
 */
gboolean streams_add(const StreamPlan *plan, const Scan *scan, GstBin *pipeline, GstPad *target, GError **error);

#endif
