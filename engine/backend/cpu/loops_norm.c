/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inner loops of the norms; see loops.h. They read and write storage directly, (rows, lanes) with a stride between
 * rows. A lane is a channel, or a channel of one of several neighbouring pixels that the caller folds into one row.
 */
#include "backend/cpu/loops.h"
#include "backend/cpu/loops_math.h"

#include "backend/cpu/loops_isa.h"

/* Rows that are summed in f32 before the sums go to double. */
enum { RUN = 32 };

/* sum and square of x - shift over `rows` <= RUN rows. */
LOOPS_INLINE void sum_run(const void *restrict x, YonosDType dtype, gsize stride, gsize rows, int lanes,
                          const float *restrict shift, float *restrict sum, float *restrict square) {
    gsize r = 0;
    memset(sum, 0, sizeof *sum * (gsize)lanes);
    memset(square, 0, sizeof *square * (gsize)lanes);
    for (; r + 4 <= rows; r += 4)
        for (int i = 0; i < lanes; i++) {
            float a = get_element(x, dtype, r * stride + i) - shift[i];
            float b = get_element(x, dtype, (r + 1) * stride + i) - shift[i];
            float c = get_element(x, dtype, (r + 2) * stride + i) - shift[i];
            float d = get_element(x, dtype, (r + 3) * stride + i) - shift[i];
            sum[i] += (a + b) + (c + d);
            square[i] += (a * a + b * b) + (c * c + d * d);
        }
    for (; r < rows; r++)
        for (int i = 0; i < lanes; i++) {
            float a = get_element(x, dtype, r * stride + i) - shift[i];
            sum[i] += a;
            square[i] += a * a;
        }
}

/* A run's sums around `shift` become sums around `pivot`, in double; its mean is the next run's shift. */
LOOPS_INLINE void join_run(gsize rows, int lanes, const float *restrict pivot, float *restrict shift,
                           const float *restrict sum, const float *restrict square, double *restrict total,
                           double *restrict squares) {
    double n = (double)rows;
    float inverse = 1.0f / (float)rows;
    for (int i = 0; i < lanes; i++) {
        double e = (double)shift[i] - (double)pivot[i], s = sum[i];
        total[i] += s + n * e;
        squares[i] += square[i] + e * (2.0 * s + n * e);
        shift[i] += sum[i] * inverse;
    }
}

LOOPS_INLINE void moments_of(const void *x, YonosDType dtype, gsize stride, gsize rows, int lanes, float *pivot,
                             double *total, double *squares) {
    float shift[CPU_LANES], sum[CPU_LANES], square[CPU_LANES];
    for (int i = 0; i < lanes; i++) {
        shift[i] = pivot[i] = get_element(x, dtype, (gsize)i);
        total[i] = squares[i] = 0.0;
    }
    for (gsize r = 0; r < rows; r += RUN) {
        gsize count = MIN(rows - r, (gsize)RUN);
        sum_run((const char *)x + r * stride * yonos_dtype_size(dtype), dtype, stride, count, lanes, shift, sum, square);
        join_run(count, lanes, pivot, shift, sum, square, total, squares);
    }
}

void loops_name(moments)(const void *x, YonosDType dtype, gsize stride, gsize rows, int lanes, float *pivot,
                         double *total, double *squares) {
    if (dtype == YONOS_DTYPE_F32)
        moments_of(x, YONOS_DTYPE_F32, stride, rows, lanes, pivot, total, squares);
    else
        moments_of(x, YONOS_DTYPE_BF16, stride, rows, lanes, pivot, total, squares);
}

/* ---- applying ---------------------------------------------------------------------------------- */

LOOPS_INLINE void normalise_as(const void *restrict x, gsize x_stride, void *restrict out, gsize out_stride,
                               YonosDType dtype, gsize rows, int lanes, const CpuScale *scale,
                               YonosActivation activation) {
    const float *restrict mean = scale->mean, *restrict factor = scale->factor, *restrict offset = scale->offset;
    for (gsize r = 0; r < rows; r++) {
        gsize from = r * x_stride, to = r * out_stride;
        for (int i = 0; i < lanes; i++) {
            float v = (get_element(x, dtype, from + i) - mean[i]) * factor[i] + offset[i];
            set_element(out, dtype, to + i, activation_of(v, activation));
        }
    }
}

LOOPS_INLINE void normalise_to(const void *x, gsize x_stride, void *out, gsize out_stride, YonosDType dtype, gsize rows,
                               int lanes, const CpuScale *scale, YonosActivation activation) {
    if (activation == YONOS_ACTIVATION_SILU)
        normalise_as(x, x_stride, out, out_stride, dtype, rows, lanes, scale, YONOS_ACTIVATION_SILU);
    else if (activation == YONOS_ACTIVATION_RELU)
        normalise_as(x, x_stride, out, out_stride, dtype, rows, lanes, scale, YONOS_ACTIVATION_RELU);
    else if (activation == YONOS_ACTIVATION_GELU)
        normalise_as(x, x_stride, out, out_stride, dtype, rows, lanes, scale, YONOS_ACTIVATION_GELU);
    else if (activation == YONOS_ACTIVATION_TANH_CLAMP)
        normalise_as(x, x_stride, out, out_stride, dtype, rows, lanes, scale, YONOS_ACTIVATION_TANH_CLAMP);
    else
        normalise_as(x, x_stride, out, out_stride, dtype, rows, lanes, scale, YONOS_ACTIVATION_NONE);
}

void loops_name(normalise)(const void *x, gsize x_stride, void *out, gsize out_stride, YonosDType dtype, gsize rows,
                           int lanes, const CpuScale *scale, YonosActivation activation) {
    if (dtype == YONOS_DTYPE_F32)
        normalise_to(x, x_stride, out, out_stride, YONOS_DTYPE_F32, rows, lanes, scale, activation);
    else
        normalise_to(x, x_stride, out, out_stride, YONOS_DTYPE_BF16, rows, lanes, scale, activation);
}

/* ---- one pixel --------------------------------------------------------------------------------- */

enum { PARTS = 32 }; /* partial sums of a pixel's channels */

LOOPS_INLINE void pixel_moments(const void *restrict x, YonosDType dtype, int c, float shift, double *sum,
                                double *square) {
    float s[PARTS] = {0}, q[PARTS] = {0};
    int i = 0;
    for (; i + PARTS <= c; i += PARTS)
        for (int j = 0; j < PARTS; j++) {
            float d = get_element(x, dtype, (gsize)(i + j)) - shift;
            s[j] += d;
            q[j] += d * d;
        }
    for (int j = 0; i + j < c; j++) {
        float d = get_element(x, dtype, (gsize)(i + j)) - shift;
        s[j] += d;
        q[j] += d * d;
    }
    *sum = *square = 0.0;
    for (int j = 0; j < PARTS; j++) {
        *sum += s[j];
        *square += q[j];
    }
}

LOOPS_INLINE void layer_norm_of(const void *restrict x, void *restrict out, YonosDType dtype, gsize pixels, int c,
                                float eps, const float *restrict gamma, const float *restrict beta) {
    for (gsize p = 0; p < pixels; p++) {
        const void *row = (const char *)x + p * c * yonos_dtype_size(dtype);
        double sum, square;
        pixel_moments(row, dtype, c, 0.0f, &sum, &square);
        float mean = (float)(sum / c);
        pixel_moments(row, dtype, c, mean, &sum, &square); /* the first pass cancels where the mean is large */
        double variance = (square - sum * sum / c) / c;
        float inverse = (float)(1.0 / sqrt((variance > 0.0 ? variance : 0.0) + (double)eps)), rest = (float)(sum / c);
        for (int i = 0; i < c; i++) {
            float v = (get_element(x, dtype, p * c + i) - mean - rest) * inverse;
            set_element(out, dtype, p * c + i, v * gamma[i] + beta[i]);
        }
    }
}

void loops_name(layer_norm)(const void *x, void *out, YonosDType dtype, gsize pixels, int c, float eps,
                            const float *gamma, const float *beta) {
    if (dtype == YONOS_DTYPE_F32)
        layer_norm_of(x, out, YONOS_DTYPE_F32, pixels, c, eps, gamma, beta);
    else
        layer_norm_of(x, out, YONOS_DTYPE_BF16, pixels, c, eps, gamma, beta);
}
