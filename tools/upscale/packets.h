/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The packets of all segments as one stream, with decoding times that run on across the segments.
 */
#ifndef YONOS_UPSCALE_PACKETS_H
#define YONOS_UPSCALE_PACKETS_H

#include <gst/gst.h>

typedef struct _Packets Packets;

/* Running time begins here, so that decoding times may lie before it. */
#define PACKETS_BASE (1000 * 3600 * GST_SECOND)

/*
 * Reads the times of all packets of `files` (paths, in order). `delay` (ns) is added to every time.
 * Errors: FAILED (a file is damaged, or they come from different encoders). Free with packets_free().
 */
Packets *packets_open(const GPtrArray *files, gint64 delay, GError **error);
void packets_free(Packets *packets);

guint packets_get_count(const Packets *packets);
/* The next packet as a sample for an appsrc; NULL at the end, or with `error` set (FAILED). */
GstSample *packets_next(Packets *packets, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Packets, packets_free)

#endif
