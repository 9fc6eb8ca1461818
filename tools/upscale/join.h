/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From segments and the input's other streams to the output file.
 */
#ifndef YONOS_UPSCALE_JOIN_H
#define YONOS_UPSCALE_JOIN_H

#include "encoder.h"
#include "scan.h"

/*
 * Writes the packets of `files` (paths of segments, in order), and what `streams` (streams_plan()) keeps of the
 * input, to `output`. The same segments and input give the same bytes: no date, no random identifier.
 * Errors: FAILED, INPUT, OUTPUT, INTERRUPTED.
 */
gboolean join_segments(const GPtrArray *files, const Scan *scan, const GPtrArray *streams, const Container *container,
                       const char *output, GError **error);

#endif
