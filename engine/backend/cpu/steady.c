/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * STILLNESS and KEEP, a row for each thread.
 */
#include <math.h>

#include "backend/cpu/cpu.h"

/* ---- STILLNESS -------------------------------------------------------------------------------------- */

static const float MOST = 4.0f; /* that one difference counts */

static gboolean prepare_stillness(YonosKernel *kernel, GError **error) {
    (void)error;
    kernel->workspace = 2 * sizeof(float) * yonos_shape_count(kernel->node->out->shape);
    kernel->implementation = "rows";
    return TRUE;
}

/* Sums over the channels. */
static void differ(const float *x, const float *before, int w, int channels, float *to) {
    for (int i = 0; i < w; i++) {
        float sum = 0.0f;
        for (int c = 0; c < channels; c++, x++, before++) {
            float difference = fabsf(*x - *before);
            sum += difference < MOST ? difference : MOST;
        }
        to[i] = sum;
    }
}

static float column_sum(const float *const rows[3], int x) { return rows[0][x] + rows[1][x] + rows[2][x]; }
static float column_most(const float *const rows[3], int x) { return MAX(MAX(rows[0][x], rows[1][x]), rows[2][x]); }

/* Sums of 3x3 pixels, the edges replicated. */
static void box(const float *const rows[3], int w, float *to) {
    for (int x = 0; x < w; x++)
        to[x] = column_sum(rows, MAX(x - 1, 0)) + column_sum(rows, x) + column_sum(rows, MIN(x + 1, w - 1));
}

static void weigh(const float *const rows[3], int w, float per_limit, float steadiness, float *to) {
    for (int x = 0; x < w; x++) {
        float most = MAX(MAX(column_most(rows, MAX(x - 1, 0)), column_most(rows, x)),
                         column_most(rows, MIN(x + 1, w - 1)));
        to[x] = steadiness * CLAMP(2.0f - most * per_limit, 0.0f, 1.0f);
    }
}

/* Rows y - 1 to y + 1 of the image of row i, repeated at its edges. */
static void rows_around(const float *map, YonosShape s, int i, const float *rows[3]) {
    int y = i % s.h;
    const float *row = map + (gsize)i * s.w;
    rows[0] = y > 0 ? row - s.w : row;
    rows[1] = row;
    rows[2] = y + 1 < s.h ? row + s.w : row;
}

static gboolean run_stillness(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    YonosShape s = node->out->shape;
    int channels = node->in[0]->shape.c, lines = s.n * s.h;
    const float *x = run->data[node->in[0]->id], *before = run->data[node->in[1]->id];
    float *out = run->data[node->out->id], *change = run->workspace, *mean = change + yonos_shape_count(s);
    if (run->steadiness == 0.0f) {
        memset(out, 0, sizeof *out * yonos_shape_count(s));
        return TRUE;
    }
    float per_limit = 1.0f / ((float)(9 * channels) * node->attr.stillness.limit);
    cpu_use_threads(kernel);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < lines; i++)
        differ(x + (gsize)i * s.w * channels, before + (gsize)i * s.w * channels, s.w, channels,
               change + (gsize)i * s.w);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < lines; i++) {
        const float *rows[3];
        rows_around(change, s, i, rows);
        box(rows, s.w, mean + (gsize)i * s.w);
    }
#pragma omp parallel for schedule(static)
    for (int i = 0; i < lines; i++) {
        const float *rows[3];
        rows_around(mean, s, i, rows);
        weigh(rows, s.w, per_limit, run->steadiness, out + (gsize)i * s.w);
    }
    return TRUE;
}

/* ---- KEEP ------------------------------------------------------------------------------------------- */

static gboolean prepare_keep(YonosKernel *kernel, GError **error) {
    (void)error;
    kernel->implementation = "rows";
    return TRUE;
}

static void keep_row(const float *x, const float *before, const float *weight, int w, int channels, float *state) {
    for (int i = 0; i < w; i++)
        for (int c = 0; c < channels; c++, x++, before++, state++) {
            float further = weight[i] != 0.0f ? *before - *x : 0.0f;
            *state = fabsf(further) < 1000.0f ? *x + weight[i] * further : *x;
        }
}

static gboolean run_keep(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    YonosShape s = node->out->shape;
    gsize row = (gsize)s.w * s.c;
    const float *x = run->data[node->in[0]->id], *before = run->data[node->in[1]->id];
    const float *weight = run->data[node->in[2]->id];
    float *state = run->data[node->out->id];
    cpu_use_threads(kernel);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < s.n * s.h; i++)
        keep_row(x + (gsize)i * row, before + (gsize)i * row, weight + (gsize)i * s.w, s.w, s.c, state + (gsize)i * row);
    return TRUE;
}

const YonosOp cpu_stillness = {prepare_stillness, run_stillness, NULL};
const YonosOp cpu_keep = {prepare_keep, run_keep, NULL};
