/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Constants computed from constants, once per weights file and exact up to f32 rounding.
 *
 * Each function looks for its result under `name` first, so building a second graph costs nothing.
 * NULL arguments (a claim that failed) give NULL. Thread-safe.
 */
#ifndef YONOS_FOLDING_H
#define YONOS_FOLDING_H

#include "model/weights.h"

/*
 * act(time embedding) (time_dim): sinusoids of the timestep -> linear_1 -> act -> linear_2, plus the row `label`
 * of class_embedding where given, then act: what every resnet's time_emb_proj sees.
 */
typedef struct {
    int timestep, label;
    YonosActivation activation;
    gboolean flip_sin_to_cos;
    double freq_shift;
    const YonosConst *weight1, *bias1, *weight2, *bias2, *classes;
} YonosTimeEmbedding;
const YonosConst *yonos_fold_time(YonosWeights *weights, const char *name, const YonosTimeEmbedding *time);

/* bias + W x + b: conv1's bias with the resnet's time projection added; all (c), W (c, time_dim). */
const YonosConst *yonos_fold_bias(YonosWeights *weights, const char *name, const YonosConst *bias, const YonosConst *w,
                                  const YonosConst *b, const YonosConst *x);

/* Rows row..row+rows and columns column..column+columns of a matrix (further dimensions stay); of a vector with
 * columns = 1. */
const YonosConst *yonos_fold_slice(YonosWeights *weights, const char *name, const YonosConst *source, gint64 row,
                                   gint64 rows, gint64 column, gint64 columns);

/* a x + b of each element x. */
const YonosConst *yonos_fold_affine(YonosWeights *weights, const char *name, const YonosConst *source, float a,
                                    float b);

/* `count` matrices or vectors on top of each other. */
const YonosConst *yonos_fold_stack(YonosWeights *weights, const char *name, const YonosConst *const *parts, int count);

/* prompt (1,tokens,dim) times W (c,dim) transposed, plus b (may be NULL): (tokens, c). */
const YonosConst *yonos_fold_prompt(YonosWeights *weights, const char *name, const YonosConst *prompt,
                                    const YonosConst *w, const YonosConst *b);

#endif
