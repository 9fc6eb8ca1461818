/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * NOISE, a row of latents for each thread; the bits are philox.h's.
 */
#include "backend/cpu/cpu.h"
#include "backend/philox.h"

static void noise_row(const YonosRun *run, YonosShape s, int y, int x0, float *out) {
    for (int x = 0; x < s.w; x++, out += s.c)
        for (int c = 0; c < s.c; c += 4) {
            float normal[4];
            yonos_noise_normals(run->seed, run->frame, y, x0 + x, c / 4, normal);
            memcpy(out + c, normal, sizeof(float) * (gsize)MIN(4, s.c - c));
        }
}

static gboolean run_noise(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    YonosShape s = kernel->node->out->shape;
    float *out = run->data[kernel->node->out->id];
    int factor = kernel->node->attr.noise.factor;
    int y0 = run->grid->y0[run->row] / factor, x0 = run->grid->x0[run->column] / factor;
    cpu_use_threads(kernel);
#pragma omp parallel for schedule(static)
    for (int row = 0; row < s.n * s.h; row++)
        noise_row(run, s, y0 + row % s.h, x0, out + (gsize)row * s.w * s.c);
    return TRUE;
}

static gboolean prepare(YonosKernel *kernel, GError **error) {
    (void)error;
    kernel->implementation = "philox";
    return TRUE;
}

const YonosOp cpu_noise = {prepare, run_noise, NULL};
