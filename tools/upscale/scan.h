/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is in a media file: one reading of the container, without decoding.
 */
#ifndef YONOS_UPSCALE_SCAN_H
#define YONOS_UPSCALE_SCAN_H

#include <gst/gst.h>

typedef enum { SCAN_VIDEO, SCAN_AUDIO, SCAN_TEXT, SCAN_OTHER } ScanKind;

typedef struct {
    ScanKind kind;
    char *id; /* GStreamer's stream id: the same at every opening of the same file */
    GstCaps *caps;
    GstTagList *tags; /* of this stream; NULL without */
} ScanStream;

typedef struct {
    GstClockTime time; /* stream time */
    gboolean key;      /* decoding can begin here */
} ScanFrame;

typedef struct {
    char *path;
    char *container;    /* its media type, "video/quicktime" */
    GPtrArray *streams; /* of ScanStream, in the file's order */
    ScanStream *video;  /* the first video stream, borrowed */
    GArray *frames;     /* of ScanFrame: its coded pictures by time */
    gint64 delay;       /* of the video's running time behind its stream time, ns */
    gboolean seekable;  /* the container's index leads to exact key frames */
    GstTagList *tags;   /* of the whole file; NULL without */
    GstToc *toc;        /* chapters; NULL without */
    char *damage;       /* what stopped the reading before the end; NULL for a sound file */
} Scan;

/*
 * Reads `path` to its end. A file that breaks off gives what was there, with `damage` set.
 * Errors: INPUT (unreadable, no video in it), NOT_VIDEO (not a media file at all, or one without pictures in motion),
 * INTERRUPTED. Free with scan_free().
 */
Scan *scan_file(const char *path, GError **error);
void scan_free(Scan *scan);

/* The kind of stream that caps describe. */
ScanKind scan_kind(const GstCaps *caps);

/* Makes a parsebin give subtitles as they are stored, styles and all, instead of as plain text. */
void scan_keep_text(GstElement *parsebin);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Scan, scan_free)

#endif
