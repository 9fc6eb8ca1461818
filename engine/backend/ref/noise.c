/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * NOISE: the field of philox.h at the current tile's latents, (n,h,w,c) f32; every image of a batch alike.
 */
#include "backend/ref/ref.h"

#include "backend/philox.h"

static gboolean run_noise(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    YonosShape s = kernel->node->out->shape;
    float *out = run->data[kernel->node->out->id];
    int factor = kernel->node->attr.noise.factor;
    for (int n = 0; n < s.n; n++) {
        int row, column;
        yonos_run_tile(run, n, &row, &column);
        int y0 = run->grid->y0[row] / factor, x0 = run->grid->x0[column] / factor;
        for (int y = 0; y < s.h; y++)
            for (int x = 0; x < s.w; x++)
                for (int c = 0; c < s.c; c += 4) {
                    float normal[4];
                    yonos_noise_normals(run->seed, run->frame, y0 + y, x0 + x, c / 4, normal);
                    memcpy(out + ref_index(s, n, y, x, c), normal, sizeof(float) * (gsize)MIN(4, s.c - c));
                }
    }
    return TRUE;
}

const YonosOp ref_noise = {NULL, run_noise, NULL};
