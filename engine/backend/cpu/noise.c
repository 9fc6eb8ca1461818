/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * NOISE, a row of latents for each thread; the bits are philox.h's.
 */
#include "backend/cpu/cpu.h"
#include "backend/cpu/loops.h"

static gboolean run_noise(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    YonosShape s = kernel->node->out->shape;
    float *out = run->data[kernel->node->out->id];
    int factor = kernel->node->attr.noise.factor;
    cpu_use_threads(kernel);
#pragma omp parallel for schedule(static)
    for (int row = 0; row < s.n * s.h; row++) {
        int tile_row, tile_column;
        yonos_run_tile(run, row / s.h, &tile_row, &tile_column);
        int y0 = run->grid->y0[tile_row] / factor, x0 = run->grid->x0[tile_column] / factor;
        cpu_loops()->noise_row(run->seed, run->frame, y0 + row % s.h, x0, s.w, s.c, out + (gsize)row * s.w * s.c);
    }
    return TRUE;
}

static gboolean prepare(YonosKernel *kernel, GError **error) {
    (void)error;
    kernel->implementation = "philox";
    return TRUE;
}

const YonosOp cpu_noise = {prepare, run_noise, NULL};
