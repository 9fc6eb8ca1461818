/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Resampling tables; see taps.h. Kernels: bilinear (triangle), bicubic by Keys with a = -0.5,
 * Lanczos with three lobes, area as a box of one input sample stretched by the factor.
 */
#include "backend/taps.h"

#include <math.h>

static double triangle(double x) {
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

double yonos_keys(double x) {
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    if (x < 2.0)
        return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
    return 0.0;
}

static double sinc(double x) {
    if (x == 0.0)
        return 1.0;
    return sin(G_PI * x) / (G_PI * x);
}

static double lanczos(double x) { return fabs(x) < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0; }

static double box(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

static const struct {
    double (*kernel)(double);
    double support;
} kernels[] = {
    [YONOS_FILTER_BILINEAR] = {triangle, 1.0},
    [YONOS_FILTER_BICUBIC] = {yonos_keys, 2.0},
    [YONOS_FILTER_LANCZOS] = {lanczos, 3.0},
    [YONOS_FILTER_AREA] = {box, 0.5},
};

static YonosTaps *taps_alloc(int out, int width) {
    YonosTaps *taps = g_new0(YonosTaps, 1);
    taps->out = out;
    taps->width = width;
    taps->first = g_new0(int, out);
    taps->count = g_new0(int, out);
    taps->weight = g_new0(float, (gsize)out * width);
    return taps;
}

static YonosTaps *nearest(int in, int out) {
    YonosTaps *taps = taps_alloc(out, 1);
    for (int i = 0; i < out; i++) {
        taps->first[i] = (int)((gint64)i * in / out);
        taps->count[i] = 1;
        taps->weight[i] = 1.0f;
    }
    return taps;
}

YonosTaps *yonos_taps_new(YonosFilter filter, int in, int out) {
    if (filter == YONOS_FILTER_NEAREST)
        return nearest(in, out);
    double scale = (double)in / out, stretch = MAX(scale, 1.0), support = kernels[filter].support * stretch;
    int width = MIN((int)ceil(support) * 2 + 1, in);
    YonosTaps *taps = taps_alloc(out, width);
    g_autofree double *w = g_new(double, width);
    for (int i = 0; i < out; i++) {
        double centre = (i + 0.5) * scale, sum = 0.0;
        int first = MAX((int)(centre - support + 0.5), 0), end = MIN((int)(centre + support + 0.5), in);
        for (int k = 0; k < end - first; k++)
            sum += w[k] = kernels[filter].kernel((first + k - centre + 0.5) / stretch);
        for (int k = 0; k < end - first; k++)
            taps->weight[(gsize)i * width + k] = (float)(w[k] / sum);
        taps->first[i] = first;
        taps->count[i] = end - first;
    }
    return taps;
}

void yonos_taps_free(YonosTaps *taps) {
    if (!taps)
        return;
    g_free(taps->first);
    g_free(taps->count);
    g_free(taps->weight);
    g_free(taps);
}
