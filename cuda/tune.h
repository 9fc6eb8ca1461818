/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Choices of algorithms, kept from start to start: a text file in the user's cache folder for each combination of device,
 * driver and library versions, with a line for each shape. Shapes and choices are one-line texts. Another process may
 * write the same file; the last one wins, with the lines of both.
 */
#ifndef YONOS_CUDA_TUNE_H
#define YONOS_CUDA_TUNE_H

#include "cuda.h"

/* `circumstances`: what makes choices comparable, in one line. Never fails: without a file it starts empty. */
CudaTune *cuda_tune_new(const char *circumstances);
void cuda_tune_free(CudaTune *tune);

/* NULL where the shape is not known yet. */
const char *cuda_tune_get(const CudaTune *tune, const char *shape);
/* Remembers, and writes the file; logs where that fails. */
void cuda_tune_set(CudaTune *tune, const char *shape, const char *choice);

/* Runs something once without waiting for it. */
typedef gboolean (*CudaTry)(gpointer data, GError **error);
/* The time that it takes on the device, in milliseconds: the least of several, after one that is not counted. */
gboolean cuda_time(const YonosCuda *cuda, CudaTry try, gpointer data, float *milliseconds, GError **error);

#endif
