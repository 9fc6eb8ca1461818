/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Moments of the channels of a picture; see moments.h.
 */
#include "backend/cpu/moments.h"

enum { MAX_BLOCKS = 64, BLOCK_ELEMENTS = 16384, FOLDED_LANES = 128 };

CpuMoments cpu_moments_plan(gsize pixels, int x_channels, int y_channels) {
    CpuMoments m = {.pixels = pixels, .c = x_channels + y_channels, .left = x_channels};
    m.fold = MAX(FOLDED_LANES / MAX(x_channels, y_channels), 1);
    m.blocks = (int)CLAMP(pixels * (gsize)m.c / BLOCK_ELEMENTS, 1, MAX_BLOCKS);
    return m;
}

gsize cpu_moments_bytes(const CpuMoments *m) {
    gsize c = (gsize)m->c;
    return sizeof(double) * 2 * c * (gsize)(m->blocks + 2) + sizeof(float) * 3 * c * (gsize)m->fold;
}

void cpu_moments_place(CpuMoments *m, void *workspace) {
    gsize c = (gsize)m->c, parts = (gsize)(m->blocks + 1) * c, lanes = c * (gsize)m->fold;
    m->mean = workspace;
    m->square = m->mean + c;
    m->part_mean = m->square + c;
    m->part_square = m->part_mean + parts;
    m->scale.mean = (float *)(m->part_square + parts);
    m->scale.factor = m->scale.mean + lanes;
    m->scale.offset = m->scale.factor + lanes;
}

/* ---- measuring -------------------------------------------------------------------------------- */

/* Mean and square of a (rows, channels * fold) range per channel; channels * fold <= CPU_LANES. */
static void measure_rows(const char *x, YonosDType dtype, gsize stride, gsize rows, int channels, int fold,
                         double *mean, double *square) {
    float pivot[CPU_LANES];
    double total[CPU_LANES], squares[CPU_LANES], n = (double)rows, inverse = 1.0 / n, share = 1.0 / fold;
    cpu_loops()->moments(x, dtype, stride, rows, channels * fold, pivot, total, squares);
    for (int i = 0; i < channels; i++)
        mean[i] = square[i] = 0.0;
    for (int f = 0; f < fold; f++)
        for (int i = 0; i < channels; i++)
            mean[i] += share * (pivot[f * channels + i] + total[f * channels + i] * inverse);
    for (int f = 0; f < fold; f++)
        for (int i = 0; i < channels; i++) {
            double t = total[f * channels + i], d = pivot[f * channels + i] + t * inverse - mean[i];
            square[i] += squares[f * channels + i] - t * t * inverse + n * d * d;
        }
}

/* Rows [begin, end) of `fold` pixels of one source with `channels`. */
static void measure_source(const char *x, YonosDType dtype, gsize pixel, gsize rows, int channels, int fold,
                           double *mean, double *square) {
    gsize size = yonos_dtype_size(dtype), stride = (gsize)channels * fold;
    x += pixel * channels * size;
    if (fold > 1) {
        measure_rows(x, dtype, stride, rows, channels, fold, mean, square);
        return;
    }
    for (int first = 0; first < channels; first += CPU_LANES)
        measure_rows(x + first * size, dtype, stride, rows, MIN(CPU_LANES, channels - first), 1, mean + first,
                     square + first);
}

/* First row of `fold` pixels of a block. */
static gsize block_row(const CpuMoments *m, int block) { return m->pixels / m->fold * block / m->blocks; }

/* Where part `part` begins and how many rows of how many pixels it has; the last one is the odd pixels. */
static gsize part_rows(const CpuMoments *m, int part, gsize *pixel, int *fold) {
    *fold = part < m->blocks ? m->fold : 1;
    *pixel = block_row(m, MIN(part, m->blocks)) * m->fold;
    return part < m->blocks ? block_row(m, part + 1) - block_row(m, part) : m->pixels - *pixel;
}

static void measure_part(const CpuMoments *m, const void *x, const void *y, YonosDType dtype, int part) {
    gsize pixel, rows;
    int fold;
    double *mean = m->part_mean + (gsize)part * m->c, *square = m->part_square + (gsize)part * m->c;
    rows = part_rows(m, part, &pixel, &fold);
    if (rows == 0)
        return;
    measure_source(x, dtype, pixel, rows, m->left, fold, mean, square);
    if (y)
        measure_source(y, dtype, pixel, rows, m->c - m->left, fold, mean + m->left, square + m->left);
}

static double part_pixels(const CpuMoments *m, int part) {
    gsize pixel;
    int fold;
    return (double)part_rows(m, part, &pixel, &fold) * fold;
}

void cpu_moments_measure(CpuMoments *m, const void *x, const void *y, YonosDType dtype) {
    int parts = m->blocks + 1;
#pragma omp parallel for schedule(static)
    for (int part = 0; part < parts; part++)
        measure_part(m, x, y, dtype, part);
    memset(m->mean, 0, sizeof *m->mean * (gsize)m->c);
    memset(m->square, 0, sizeof *m->square * (gsize)m->c);
    for (int part = 0; part < parts; part++) {
        double share = part_pixels(m, part) / (double)m->pixels;
        const double *mean = m->part_mean + (gsize)part * m->c;
        for (int i = 0; share > 0.0 && i < m->c; i++)
            m->mean[i] += share * mean[i];
    }
    for (int part = 0; part < parts; part++) {
        double n = part_pixels(m, part);
        const double *mean = m->part_mean + (gsize)part * m->c, *square = m->part_square + (gsize)part * m->c;
        for (int i = 0; n > 0.0 && i < m->c; i++)
            m->square[i] += MAX(square[i], 0.0) + n * (mean[i] - m->mean[i]) * (mean[i] - m->mean[i]);
    }
}

/* ---- applying --------------------------------------------------------------------------------- */

/* What rounding takes from the mean goes into the offset. */
void cpu_moments_set_scale(const CpuMoments *m, int i, double mean, double factor, double offset) {
    float rounded = (float)mean;
    for (int f = 0; f < m->fold; f++) {
        gsize lane = i < m->left ? (gsize)f * m->left + i
                                 : (gsize)m->fold * m->left + (gsize)f * (m->c - m->left) + (i - m->left);
        m->scale.mean[lane] = rounded;
        m->scale.factor[lane] = (float)factor;
        m->scale.offset[lane] = (float)(offset - (mean - rounded) * factor);
    }
}

static void apply_part(const CpuMoments *m, const void *x, const void *y, YonosDType dtype, YonosActivation activation,
                       void *out, int part) {
    gsize pixel, size = yonos_dtype_size(dtype);
    int fold, right = m->c - m->left;
    gsize rows = part_rows(m, part, &pixel, &fold);
    const char *from = (const char *)x + pixel * m->left * size;
    char *to = (char *)out + pixel * m->c * size;
    if (!y) {
        gsize lanes = (gsize)m->c * fold;
        cpu_loops()->normalise(from, lanes, to, lanes, dtype, rows, (int)lanes, &m->scale, activation);
        return;
    }
    gsize second = (gsize)m->fold * m->left;
    CpuScale scale = {m->scale.mean + second, m->scale.factor + second, m->scale.offset + second};
    rows *= fold;
    cpu_loops()->normalise(from, m->left, to, m->c, dtype, rows, m->left, &m->scale, activation);
    cpu_loops()->normalise((const char *)y + pixel * right * size, right, to + m->left * size, m->c, dtype, rows,
                           right, &scale, activation);
}

void cpu_moments_apply(const CpuMoments *m, const void *x, const void *y, YonosDType dtype, YonosActivation activation,
                       void *out) {
    /* Backwards: what measure() read last is still in the cache. */
#pragma omp parallel for schedule(static)
    for (int part = m->blocks; part >= 0; part--)
        apply_part(m, x, y, dtype, activation, out, part);
}
