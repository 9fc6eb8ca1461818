/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Folding: with one timestep and one prompt, large parts of the U-Net are constants.
 *
 * The sinusoidal embedding follows diffusers' get_timestep_embedding(); sums run in f32 over
 * eight partial sums so that the compiler can vectorise them.
 */
#include "model/folding.h"

#include <math.h>

static float *to_floats(const YonosConst *c) {
    gsize count = yonos_const_count(c);
    float *out = g_new(float, MAX(count, 1));
    for (gsize i = 0; i < count; i++)
        out[i] = yonos_const_get(c, i);
    return out;
}

static float dot(const float *x, const float *y, gsize count) {
    enum { LANES = 8 };
    float sum[LANES] = {0};
    gsize i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int lane = 0; lane < LANES; lane++)
            sum[lane] += x[i + lane] * y[i + lane];
    for (; i < count; i++)
        sum[0] += x[i] * y[i];
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

static float activate(float x, YonosActivation activation) {
    switch (activation) {
    case YONOS_ACTIVATION_RELU:
        return MAX(x, 0.0f);
    case YONOS_ACTIVATION_GELU:
        return 0.5f * x * (1.0f + erff(x * 0.70710678f));
    default:
        return x / (1.0f + expf(-x));
    }
}

/* out (rows) = W x + b; b may be NULL. */
static float *affine(const YonosConst *w, const YonosConst *b, const float *x) {
    gsize rows = (gsize)w->dim[0], columns = (gsize)w->dim[1];
    g_autofree float *row = g_new(float, columns);
    float *out = g_new(float, rows);
    for (gsize i = 0; i < rows; i++) {
        for (gsize j = 0; j < columns; j++)
            row[j] = yonos_const_get(w, i * columns + j);
        out[i] = dot(row, x, columns) + (b ? yonos_const_get(b, i) : 0.0f);
    }
    return out;
}

/* (dim): cos then sin (flipped) or sin then cos of t / 10000^(i / (dim/2 - shift)). */
static float *sinusoids(const YonosTimeEmbedding *time, int dim) {
    int half = dim / 2;
    float *out = g_new0(float, dim);
    for (int i = 0; i < half; i++) {
        double angle = time->timestep * exp(-log(10000.0) * i / (half - time->freq_shift));
        out[i] = (float)(time->flip_sin_to_cos ? cos(angle) : sin(angle));
        out[half + i] = (float)(time->flip_sin_to_cos ? sin(angle) : cos(angle));
    }
    return out;
}

const YonosConst *yonos_fold_time(YonosWeights *weights, const char *name, const YonosTimeEmbedding *time) {
    const YonosConst *there = yonos_weights_derived(weights, name);
    if (there || !time->weight1 || !time->bias1 || !time->weight2 || !time->bias2)
        return there;
    gint64 hidden = time->weight1->dim[0], dim = time->weight2->dim[0];
    g_autofree float *wave = sinusoids(time, (int)time->weight1->dim[1]);
    g_autofree float *first = affine(time->weight1, time->bias1, wave);
    for (gint64 i = 0; i < hidden; i++)
        first[i] = activate(first[i], time->activation);
    float *out = affine(time->weight2, time->bias2, first);
    for (gint64 i = 0; i < dim; i++) {
        if (time->classes)
            out[i] += yonos_const_get(time->classes, (gsize)(time->label * dim + i));
        out[i] = activate(out[i], time->activation);
    }
    return yonos_weights_derive(weights, name, 1, &dim, out);
}

const YonosConst *yonos_fold_bias(YonosWeights *weights, const char *name, const YonosConst *bias, const YonosConst *w,
                                  const YonosConst *b, const YonosConst *x) {
    const YonosConst *there = yonos_weights_derived(weights, name);
    if (there || !bias || !w || !b || !x)
        return there;
    float *out = affine(w, b, x->data);
    for (gint64 i = 0; i < w->dim[0]; i++)
        out[i] += yonos_const_get(bias, (gsize)i);
    return yonos_weights_derive(weights, name, 1, w->dim, out);
}

const YonosConst *yonos_fold_slice(YonosWeights *weights, const char *name, const YonosConst *source, gint64 row,
                                   gint64 rows, gint64 column, gint64 columns) {
    const YonosConst *there = yonos_weights_derived(weights, name);
    if (there || !source)
        return there;
    gint64 dim[8], stride = source->rank > 1 ? source->dim[1] : 1;
    gsize inner = 1;
    memcpy(dim, source->dim, sizeof dim);
    dim[0] = rows;
    if (source->rank > 1)
        dim[1] = columns;
    for (int i = 2; i < source->rank; i++)
        inner *= (gsize)source->dim[i];
    float *out = g_new(float, (gsize)(rows * columns) * inner), *to = out;
    for (gint64 i = row; i < row + rows; i++)
        for (gsize k = 0; k < (gsize)columns * inner; k++)
            *to++ = yonos_const_get(source, (gsize)(i * stride + column) * inner + k);
    return yonos_weights_derive(weights, name, source->rank, dim, out);
}

const YonosConst *yonos_fold_affine(YonosWeights *weights, const char *name, const YonosConst *source, float a,
                                    float b) {
    const YonosConst *there = yonos_weights_derived(weights, name);
    if (there || !source)
        return there;
    float *out = to_floats(source);
    for (gsize i = 0; i < yonos_const_count(source); i++)
        out[i] = a * out[i] + b;
    return yonos_weights_derive(weights, name, source->rank, source->dim, out);
}

const YonosConst *yonos_fold_stack(YonosWeights *weights, const char *name, const YonosConst *const *parts, int count) {
    const YonosConst *there = yonos_weights_derived(weights, name);
    if (there)
        return there;
    gsize total = 0;
    for (int i = 0; i < count; i++) {
        if (!parts[i])
            return NULL;
        total += yonos_const_count(parts[i]);
    }
    gint64 dim[8];
    memcpy(dim, parts[0]->dim, sizeof dim);
    float *out = g_new(float, total), *to = out;
    dim[0] = 0;
    for (int i = 0; i < count; i++) {
        g_autofree float *part = to_floats(parts[i]);
        memcpy(to, part, yonos_const_count(parts[i]) * sizeof *part);
        to += yonos_const_count(parts[i]);
        dim[0] += parts[i]->dim[0];
    }
    return yonos_weights_derive(weights, name, parts[0]->rank, dim, out);
}

const YonosConst *yonos_fold_prompt(YonosWeights *weights, const char *name, const YonosConst *prompt,
                                    const YonosConst *w, const YonosConst *b) {
    const YonosConst *there = yonos_weights_derived(weights, name);
    if (there || !prompt || !w)
        return there;
    gint64 dim[2] = {prompt->dim[1], w->dim[0]};
    gsize columns = (gsize)w->dim[1];
    g_autofree float *tokens = to_floats(prompt), *matrix = to_floats(w);
    float *out = g_new(float, (gsize)(dim[0] * dim[1]));
    for (gint64 t = 0; t < dim[0]; t++)
        for (gint64 i = 0; i < dim[1]; i++)
            out[t * dim[1] + i] = dot(tokens + (gsize)t * columns, matrix + (gsize)i * columns, columns) +
                                  (b ? yonos_const_get(b, (gsize)i) : 0.0f);
    return yonos_weights_derive(weights, name, 2, dim, out);
}
