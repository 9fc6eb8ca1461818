/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shared by graph.c and nodes.c.
 */
#ifndef YONOS_GRAPH_PRIVATE_H
#define YONOS_GRAPH_PRIVATE_H

#include "graph/graph.h"

/* Remembers the first failure of a graph; yonos_graph_finish() reports it. */
void graph_fail(YonosGraph *graph, YonosError code, const char *format, ...) G_GNUC_PRINTF(3, 4);

#endif
