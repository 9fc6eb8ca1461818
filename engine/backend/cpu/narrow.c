/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Four pixels at once; see narrow.h.
 *
 * Output channel j oc + c of the wide convolution is channel c of pixel j of the four: its kernel is that of c,
 * j columns further to the right, and 0 elsewhere.
 */
#include "backend/cpu/narrow.h"

enum { PIXELS = 4, LANES = 16 };

gboolean cpu_narrow_fits(const YonosDnnlShape *s) {
    return s->oc * PIXELS <= LANES && s->kw >= 3 && s->stride_h == 1 && s->stride_w == 1 && s->ow % PIXELS == 0;
}

static float *widen_weight(const YonosConst *w, int pixels) {
    gsize kw = (gsize)w->dim[3], wide = kw + (gsize)pixels - 1;
    gsize rows = (gsize)w->dim[0] * (gsize)w->dim[1] * (gsize)w->dim[2];
    float *out = g_new0(float, (gsize)pixels * rows * wide);
    for (gsize j = 0; j < (gsize)pixels; j++)
        for (gsize row = 0; row < rows; row++)
            for (gsize x = 0; x < kw; x++)
                out[(j * rows + row) * wide + j + x] = yonos_const_get(w, row * kw + x);
    return out;
}

static float *repeat_bias(const YonosConst *bias, int pixels) {
    gsize count = yonos_const_count(bias);
    float *out = g_new(float, (gsize)pixels * count);
    for (gsize i = 0; i < (gsize)pixels * count; i++)
        out[i] = yonos_const_get(bias, i % count);
    return out;
}

void cpu_narrow_widen(const YonosKernel *kernel, YonosDnnlShape *s, const YonosConst **weight,
                      const YonosConst **bias) {
    s->ow /= PIXELS;
    s->oc *= PIXELS;
    s->kw += PIXELS - 1;
    s->stride_w = PIXELS;
    const gint64 dim[4] = {s->oc, s->ic, s->kh, s->kw}, bias_dim[4] = {s->oc, 1, 1, 1};
    *weight = cpu_derived(kernel, *weight, PIXELS, dim, widen_weight);
    if (*bias)
        *bias = cpu_derived(kernel, *bias, PIXELS, bias_dim, repeat_bias);
}
