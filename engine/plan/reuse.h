/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Results of tiles, kept from one frame to the next.
 *
 * What the networks make of a tile depends on the tile's input tensor (graph->tile_in, halo and padding included), on
 * the noise (seed, frame number, place) and on nothing else. So where both are bit for bit those of the frame before,
 * the kept output (graph->tile_out) is what they would compute. Comparing whole inputs rather than hashes of them
 * leaves no chance of a wrong tile. A batch of tiles counts as one. Copies are in host memory: input and output of every tile, 2 to 4 bytes a sample.
 */
#ifndef YONOS_REUSE_H
#define YONOS_REUSE_H

#include "backend/backend.h"

typedef struct _YonosReuse YonosReuse;

/* For the tiles of a graph that has tile_in and tile_out; NULL with `error` set (MEMORY). One thread at a time. */
YonosReuse *yonos_reuse_new(YonosBackend *backend, const YonosGraph *graph, GError **error);
void yonos_reuse_free(YonosReuse *reuse);

/* Before the tiles of a frame: forgets everything when the noise is another one. */
void yonos_reuse_begin(YonosReuse *reuse, guint64 seed, guint64 frame);

/* *same: tile `index` has the input it had in the frame before, and its output is there. Else remembers the input,
 * and the tile counts as unknown until yonos_reuse_store(). `in` is the backend's memory. Errors: DEVICE. */
gboolean yonos_reuse_compare(YonosReuse *reuse, guint index, const void *in, gboolean *same, GError **error);

/* The kept output into the backend's memory, or from it. Errors: DEVICE. */
gboolean yonos_reuse_load(YonosReuse *reuse, guint index, void *out, GError **error);
gboolean yonos_reuse_store(YonosReuse *reuse, guint index, const void *out, GError **error);

#endif
