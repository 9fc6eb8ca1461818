/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The functions that the files of one instruction set's loops give to its table in loops.c. LOOPS_ISA is a word that
 * the build sets; loops.h says what each does.
 */
#ifndef YONOS_CPU_LOOPS_ISA_H
#define YONOS_CPU_LOOPS_ISA_H

#include "backend/cpu/loops.h"
#include "backend/cpu/loops_math.h"

void loops_name(moments)(const void *x, YonosDType dtype, gsize stride, gsize rows, int lanes, float *pivot,
                         double *total, double *squares);
void loops_name(normalise)(const void *x, gsize x_stride, void *out, gsize out_stride, YonosDType dtype, gsize rows,
                           int lanes, const CpuScale *scale, YonosActivation activation);
void loops_name(layer_norm)(const void *x, void *out, YonosDType dtype, gsize pixels, int c, float eps,
                            const float *gamma, const float *beta);

void loops_name(sum_rows)(const float *const *rows, const float *weight, int taps, gsize count, float *out);
void loops_name(blur)(const float *a, const float *b, const float *c, gsize count, float *out);
void loops_name(resample_row)(const float *row, int channels, const int *first, const float *weight, int taps,
                              int out_w, float *out);
void loops_name(load_codes)(const void *row, int depth, int shift, int step, int width, float *out);
void loops_name(store_codes)(const float *in, float scale, float offset, int depth, int shift, int step, int width,
                             void *row);
void loops_name(spread_chroma)(const float *half, gboolean cosited, int width, float *out);
void loops_name(gather_chroma)(const float *full, gboolean cosited, int width, float *out);
void loops_name(yuv_to_rgb)(const float *luma, const float *cb, const float *cr, const YonosYuv *yuv, int width,
                            float *out);
void loops_name(rgb_to_yuv)(const float *in, const YonosYuv *yuv, int width, float *luma, float *cb, float *cr);

void loops_name(noise_row)(guint64 seed, guint64 frame, int y, int x0, int width, int channels, float *out);

#endif
