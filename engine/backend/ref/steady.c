/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * STILLNESS tells where a picture is what it was; KEEP holds on to what was there before.
 */
#include "backend/ref/ref.h"

static const float MOST = 4.0f; /* that one difference counts */

/* The mean difference around a pixel. */
static float change_at(const YonosRun *run, const YonosNode *node, int n, int y, int x) {
    YonosShape s = node->in[0]->shape;
    float sum = 0.0f;
    for (int ky = -1; ky <= 1; ky++)
        for (int kx = -1; kx <= 1; kx++)
            for (int c = 0; c < s.c; c++) {
                gsize i = ref_index(s, n, CLAMP(y + ky, 0, s.h - 1), CLAMP(x + kx, 0, s.w - 1), c);
                float difference = fabsf(ref_get(run, node->in[0], i) - ref_get(run, node->in[1], i));
                sum += difference < MOST ? difference : MOST;
            }
    return sum / (float)(9 * s.c);
}

static gboolean run_stillness(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    YonosShape s = node->out->shape;
    for (int n = 0; n < s.n; n++)
        for (int y = 0; y < s.h; y++)
            for (int x = 0; x < s.w; x++) {
                float most = 0.0f;
                for (int qy = MAX(y - 1, 0); run->steadiness > 0.0f && qy <= MIN(y + 1, s.h - 1); qy++)
                    for (int qx = MAX(x - 1, 0); qx <= MIN(x + 1, s.w - 1); qx++)
                        most = MAX(most, change_at(run, node, n, qy, qx));
                float share = 2.0f - most / node->attr.stillness.limit;
                ref_set(run, node->out, ref_index(s, n, y, x, 0), run->steadiness * CLAMP(share, 0.0f, 1.0f));
            }
    return TRUE;
}

static float keep(float x, const YonosRun *run, const YonosTensor *before, gsize i, float weight) {
    if (weight == 0.0f)
        return x;
    float further = ref_get(run, before, i) - x;
    return fabsf(further) < 1000.0f ? x + weight * further : x;
}

static gboolean run_keep(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    YonosShape s = node->out->shape;
    gsize count = yonos_shape_count(s);
    for (gsize i = 0; i < count; i++)
        ref_set(run, node->out, i, keep(ref_get(run, node->in[0], i), run, node->in[1], i,
                                        ref_get(run, node->in[2], i / (gsize)s.c)));
    return TRUE;
}

const YonosOp ref_stillness = {NULL, run_stillness, NULL};
const YonosOp ref_keep = {NULL, run_keep, NULL};
