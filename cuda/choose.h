/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which of cuDNN's engines runs a graph.
 */
#ifndef YONOS_CUDA_CHOOSE_H
#define YONOS_CUDA_CHOOSE_H

#include "cuda.h"
#include "dnn.h"

/* Starts `choice`, which is built, on `memory` (of the bytes asked for, plus its workspace behind them). */
typedef gboolean (*CudaChoiceTry)(CudaDnnChoice *choice, char *memory, void *workspace, gconstpointer data,
                                  GError **error);

/*
 * A built choice for `graph`: the one that is kept for `shape` (one line of text), else the fastest of the best few,
 * timed on `bytes` of scratch memory, which is then kept. Without memory for the timing the first one, which is not.
 * NULL with `error` set where no engine takes the graph. Free with cuda_dnn_choice_free().
 */
CudaDnnChoice *cuda_choose(YonosCuda *cuda, CudaDnnGraph *graph, const char *shape, gsize bytes, CudaChoiceTry try,
                           gconstpointer data, GError **error);

#endif
