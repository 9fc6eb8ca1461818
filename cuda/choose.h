/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which of cuDNN's engines, or whether an own kernel, runs a graph.
 */
#ifndef YONOS_CUDA_CHOOSE_H
#define YONOS_CUDA_CHOOSE_H

#include "cuda.h"
#include "dnn.h"

/* Starts `choice`, which is built, on `memory` (of the bytes asked for, plus its workspace behind them). NULL is the
 * own kernel. */
typedef gboolean (*CudaChoiceTry)(CudaDnnChoice *choice, char *memory, void *workspace, gconstpointer data,
                                  GError **error);

/* What is chosen for, and what it is tried on. */
typedef struct {
    const char *shape; /* one line of text */
    YonosDType dtype;
    gsize bytes;       /* of scratch memory, which is filled with numbers of `dtype` in [-1, 1) */
    CudaChoiceTry try;
    gconstpointer data;
    /* An own kernel that competes. It is taken where its result, `count` elements at own_result in the scratch memory,
     * is that of one of cuDNN's engines, at `result`, to the precision of `dtype`, and where it is the fastest. */
    gboolean own;
    gsize result, own_result, count;
} CudaTrial;

/*
 * *choice for `graph`, built: the one that is kept for the shape, else the fastest of the best few, timed, which is
 * then kept; NULL for the own kernel. Without memory for the timing cuDNN's first one, which is not kept. FALSE with
 * `error` set where no engine takes the graph. Free with cuda_dnn_choice_free().
 */
gboolean cuda_choose(YonosCuda *cuda, CudaDnnGraph *graph, const CudaTrial *trial, CudaDnnChoice **choice,
                     GError **error);

#endif
