/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * MOTION finds out where things were; WARP takes them from there.
 */
#include "backend/motion.h"

#include <math.h>
#include <stdlib.h>

#include "backend/ref/ref.h"
#include "backend/taps.h"

/* ---- MOTION ------------------------------------------------------------------------------------------ */

/* One level of one image's. */
typedef struct {
    int h, w;
    const int *x, *before; /* brightness (h,w) */
} Level;

typedef int Vector[2];

static int clamped(const int *picture, int h, int w, int y, int x) {
    return picture[(gsize)CLAMP(y, 0, h - 1) * w + CLAMP(x, 0, w - 1)];
}

/* What the picture before shows at (y, x) + v. */
static int sample(const Level *l, int y, int x, const Vector v) {
    int left = x + (v[0] >> 4) - 1, top = y + (v[1] >> 4) - 1, sum = 2048;
    for (int j = 0; j < 4; j++)
        for (int i = 0; i < 4; i++)
            sum += yonos_motion_tap(v[0] & 15, i) * yonos_motion_tap(v[1] & 15, j) *
                   clamped(l->before, l->h, l->w, top + j, left + i);
    return sum >> 12;
}

static void step(const Level *l, int top, int left, Vector v) {
    YonosMotionSums sums = {0};
    for (int y = top; y < top + YONOS_MOTION_WINDOW; y++)
        for (int x = left; x < left + YONOS_MOTION_WINDOW; x++) {
            int gx = clamped(l->x, l->h, l->w, y, x + 1) - clamped(l->x, l->h, l->w, y, x - 1);
            int gy = clamped(l->x, l->h, l->w, y + 1, x) - clamped(l->x, l->h, l->w, y - 1, x);
            int d = sample(l, y, x, v) - clamped(l->x, l->h, l->w, y, x);
            yonos_motion_add(&sums, gx, gy, d);
        }
    yonos_motion_step(sums, v);
}

static int difference(const Level *l, int top, int left, const Vector v) {
    int sum = 0;
    for (int y = top; y < top + YONOS_MOTION_WINDOW; y++)
        for (int x = left; x < left + YONOS_MOTION_WINDOW; x++)
            sum += abs(sample(l, y, x, v) - clamped(l->x, l->h, l->w, y, x));
    return sum;
}

/* Vectors of the level, from those of the next coarser one, NULL for the coarsest. */
static Vector *search(const Level *l, const Vector *coarser) {
    int rows = yonos_motion_blocks(l->h), columns = yonos_motion_blocks(l->w);
    int coarser_rows = yonos_motion_blocks((l->h + 1) / 2), coarser_columns = yonos_motion_blocks((l->w + 1) / 2);
    Vector *v = g_new0(Vector, (gsize)rows * columns);
    for (int i = 0; i < rows * columns; i++) {
        int row = i / columns, column = i % columns;
        int top = row * YONOS_MOTION_BLOCK - YONOS_MOTION_MARGIN;
        int left = column * YONOS_MOTION_BLOCK - YONOS_MOTION_MARGIN;
        for (int axis = 0; coarser && axis < 2; axis++)
            v[i][axis] = 2 * coarser[MIN(row / 2, coarser_rows - 1) * coarser_columns +
                                     MIN(column / 2, coarser_columns - 1)][axis];
        for (int k = 0; k < YONOS_MOTION_STEPS; k++)
            step(l, top, left, v[i]);
    }
    return v;
}

static void gate(const Level *l, Vector *v) {
    int rows = yonos_motion_blocks(l->h), columns = yonos_motion_blocks(l->w);
    for (int i = 0; i < rows * columns; i++) {
        int top = i / columns * YONOS_MOTION_BLOCK - YONOS_MOTION_MARGIN;
        int left = i % columns * YONOS_MOTION_BLOCK - YONOS_MOTION_MARGIN;
        yonos_motion_gate(difference(l, top, left, (Vector){0, 0}), difference(l, top, left, v[i]), v[i]);
    }
}

static int *brightness(const YonosRun *run, const YonosTensor *t, int n) {
    YonosShape s = t->shape;
    int *to = g_new0(int, (gsize)s.h * s.w);
    for (int i = 0; i < s.h * s.w; i++)
        for (int c = 0; c < s.c; c++)
            to[i] += yonos_motion_brightness(ref_get(run, t, ref_index(s, n, i / s.w, i % s.w, c)));
    return to;
}

static int *halved(const int *from, int h, int w) {
    int to_h = (h + 1) / 2, to_w = (w + 1) / 2;
    int *to = g_new(int, (gsize)to_h * to_w);
    for (int y = 0; y < to_h; y++)
        for (int x = 0; x < to_w; x++)
            to[(gsize)y * to_w + x] = (clamped(from, h, w, 2 * y, 2 * x) + clamped(from, h, w, 2 * y, 2 * x + 1) +
                                       clamped(from, h, w, 2 * y + 1, 2 * x) +
                                       clamped(from, h, w, 2 * y + 1, 2 * x + 1) + 2) >> 2;
    return to;
}

/* Of two pictures of brightness, at all `levels` of them. */
static Vector *search_all(const int *x, const int *before, int h, int w, int levels) {
    const Level level = {h, w, x, before};
    if (levels == 1)
        return search(&level, NULL);
    g_autofree int *half_x = halved(x, h, w), *half_before = halved(before, h, w);
    g_autofree Vector *coarser = search_all(half_x, half_before, (h + 1) / 2, (w + 1) / 2, levels - 1);
    return search(&level, (const Vector *)coarser);
}

static gboolean run_motion(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    YonosShape s = node->in[0]->shape, blocks = node->out->shape;
    gsize count = (gsize)blocks.h * blocks.w;
    for (int n = 0; n < s.n; n++) {
        g_autofree Vector *v = NULL;
        if (run->steadiness > 0.0f) {
            g_autofree int *x = brightness(run, node->in[0], n), *before = brightness(run, node->in[1], n);
            v = search_all(x, before, s.h, s.w, yonos_motion_levels(s.h, s.w));
            gate(&(Level){s.h, s.w, x, before}, v);
        }
        for (gsize i = 0; i < 2 * count; i++)
            ref_set(run, node->out, 2 * count * n + i, v ? (float)v[i / 2][i % 2] / YONOS_MOTION_UNIT : 0.0f);
    }
    return TRUE;
}

/* ---- WARP -------------------------------------------------------------------------------------------- */

static float motion_at(const YonosRun *run, const YonosTensor *motion, int block, int n, int y, int x, int axis) {
    YonosShape s = motion->shape;
    float down, right, row[2];
    int top = yonos_motion_block_before(y, block, s.h, &down), left = yonos_motion_block_before(x, block, s.w, &right);
    for (int i = 0; i < 2; i++) {
        int at = MIN(top + i, s.h - 1);
        float a = ref_get(run, motion, ref_index(s, n, at, left, axis));
        row[i] = a + right * (ref_get(run, motion, ref_index(s, n, at, MIN(left + 1, s.w - 1), axis)) - a);
    }
    return row[0] + down * (row[1] - row[0]);
}

static float warped_at(const YonosRun *run, const YonosNode *node, int n, int y, int x, int c) {
    YonosShape s = node->out->shape;
    int scale = node->attr.warp.scale, block = YONOS_MOTION_BLOCK * scale;
    float right = (float)scale * motion_at(run, node->in[1], block, n, y, x, 0), sum = 0.0f;
    float down = (float)scale * motion_at(run, node->in[1], block, n, y, x, 1);
    float across = floorf(right), along = floorf(down);
    for (int j = -1; j < 3; j++)
        for (int i = -1; i < 3; i++) {
            int py = CLAMP(y + (int)along + j, 0, s.h - 1), px = CLAMP(x + (int)across + i, 0, s.w - 1);
            sum += (float)(yonos_keys(down - along - (float)j) * yonos_keys(right - across - (float)i)) *
                   ref_get(run, node->in[0], ref_index(s, n, py, px, c));
        }
    return sum;
}

static gboolean run_warp(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    YonosShape s = node->out->shape;
    gsize pixels = (gsize)s.n * s.h * s.w;
    for (gsize p = 0; p < pixels; p++) {
        gboolean wanted = run->steadiness > 0.0f && !(node->in[2] && ref_get(run, node->in[2], p) == 0.0f);
        int n = (int)(p / ((gsize)s.h * s.w)), y = (int)(p / s.w % s.h), x = (int)(p % s.w);
        for (int c = 0; c < s.c; c++)
            ref_set(run, node->out, p * s.c + c, wanted ? warped_at(run, node, n, y, x, c) : 0.0f);
    }
    return TRUE;
}

const YonosOp ref_motion = {NULL, run_motion, NULL};
const YonosOp ref_warp = {NULL, run_warp, NULL};
