/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * WINDOW cuts, pads by replication and crops; BLEND adds a tile into the frame.
 */
#include "backend/ref/ref.h"

static gboolean run_window(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    YonosShape in = node->in[0]->shape, out = node->out->shape;
    int factor = node->attr.window.follow_tile;
    for (int n = 0; n < out.n; n++) {
        int y0 = node->attr.window.y0, x0 = node->attr.window.x0, row, column;
        if (factor > 0) {
            yonos_run_tile(run, n, &row, &column);
            y0 += run->grid->y0[row] / factor;
            x0 += run->grid->x0[column] / factor;
        }
        for (int y = 0; y < out.h; y++)
            for (int x = 0; x < out.w; x++) {
                gsize from = ref_index(in, n % in.n, CLAMP(y + y0, 0, in.h - 1), CLAMP(x + x0, 0, in.w - 1), 0);
                gsize to = ref_index(out, n, y, x, 0);
                for (int c = 0; c < out.c; c++)
                    ref_set(run, node->out, to + c, ref_get(run, node->in[0], from + c));
            }
    }
    return TRUE;
}

static gboolean run_blend(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    YonosShape tile = node->in[0]->shape, frame = node->out->shape;
    for (int n = 0; n < tile.n; n++) {
        int row, column;
        yonos_run_tile(run, n, &row, &column);
        const float *ramp_y = run->grid->ramp_y[row], *ramp_x = run->grid->ramp_x[column];
        int y0 = run->grid->y0[row], x0 = run->grid->x0[column];
        for (int y = MAX(0, -y0); y < MIN(tile.h, frame.h - y0); y++)
            for (int x = MAX(0, -x0); x < MIN(tile.w, frame.w - x0); x++) {
                float weight = ramp_y[y] * ramp_x[x];
                gsize from = ref_index(tile, n, y, x, 0), to = ref_index(frame, n % frame.n, y + y0, x + x0, 0);
                for (int c = 0; c < frame.c; c++)
                    ref_set(run, node->out, to + c,
                            ref_get(run, node->out, to + c) + weight * ref_get(run, node->in[0], from + c));
            }
    }
    return TRUE;
}

const YonosOp ref_window = {NULL, run_window, NULL};
const YonosOp ref_blend = {NULL, run_blend, NULL};
