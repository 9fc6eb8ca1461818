/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * MOTION, rows of blocks for each thread, and WARP, a row of pixels for each.
 *
 * A vector is the same for a whole window, and so are its taps: a window's samples are a small separable filter over a
 * copy of what lies around them, whose edges are repeated there. Sums are of whole numbers: any order gives the same.
 */
#include "backend/motion.h"

#include <math.h>
#include <string.h>

#include "backend/cpu/cpu.h"

enum {
    WINDOW = YONOS_MOTION_WINDOW,
    AROUND = WINDOW + 3, /* what the samples' taps reach */
    WITHIN = WINDOW + 2, /* what the gradients reach */
};

/* ---- MOTION: levels ------------------------------------------------------------------------------------ */

typedef YonosMotionLevel Level;
typedef int Vector[2];

static gboolean prepare_motion(YonosKernel *kernel, GError **error) {
    (void)error;
    Level levels[YONOS_MOTION_LEVELS];
    YonosShape s = kernel->node->in[0]->shape;
    kernel->workspace = yonos_motion_lay_out(s, NULL, yonos_motion_levels(s.h, s.w), levels);
    kernel->implementation = "windows";
    return TRUE;
}

static void brighten_row(const float *from, int w, int channels, int16_t *to) {
    for (int x = 0; x < w; x++) {
        int sum = 0;
        for (int c = 0; c < channels; c++)
            sum += yonos_motion_brightness(*from++);
        to[x] = (int16_t)sum;
    }
}

/* Row y of the image of half the size. */
static void halve_row(const int16_t *from, int h, int w, int y, int16_t *to) {
    const int16_t *upper = from + (gsize)2 * y * w, *lower = from + (gsize)MIN(2 * y + 1, h - 1) * w;
    for (int x = 0; x < (w + 1) / 2; x++) {
        int right = MIN(2 * x + 1, w - 1);
        to[x] = (int16_t)((upper[2 * x] + upper[right] + lower[2 * x] + lower[right] + 2) >> 2);
    }
}

static void halve(const Level *from, Level *to, int n) {
#pragma omp parallel for schedule(static)
    for (int i = 0; i < n * to->h; i++) {
        gsize image = (gsize)(i / to->h) * from->h * from->w;
        halve_row(from->x + image, from->h, from->w, i % to->h, to->x + (gsize)i * to->w);
        halve_row(from->before + image, from->h, from->w, i % to->h, to->before + (gsize)i * to->w);
    }
}

/* ---- MOTION: windows ------------------------------------------------------------------------------------ */

/* size x size pixels from (top, left) on, edges repeated. */
static void cut(const int16_t *from, int h, int w, int top, int left, int size, int16_t *to) {
    for (int y = 0; y < size; y++, to += size) {
        const int16_t *row = from + (gsize)CLAMP(top + y, 0, h - 1) * w;
        if (left >= 0 && left + size <= w) {
            memcpy(to, row + left, (gsize)size * sizeof *to);
            continue;
        }
        for (int x = 0; x < size; x++)
            to[x] = row[CLAMP(left + x, 0, w - 1)];
    }
}

/* A window of the picture, and its gradients. */
typedef struct {
    int16_t x[WINDOW][WINDOW], across[WINDOW][WINDOW], along[WINDOW][WINDOW];
    YonosMotionSums sums; /* of what does not depend on the vector */
} Window;

static void open_window(const int16_t *picture, const Level *l, int top, int left, Window *window) {
    int16_t around[WITHIN][WITHIN];
    cut(picture, l->h, l->w, top - 1, left - 1, WITHIN, around[0]);
    window->sums = (YonosMotionSums){0};
    for (int y = 0; y < WINDOW; y++)
        for (int x = 0; x < WINDOW; x++) {
            int gx = around[y + 1][x + 2] - around[y + 1][x], gy = around[y + 2][x + 1] - around[y][x + 1];
            window->x[y][x] = around[y + 1][x + 1];
            window->across[y][x] = (int16_t)gx;
            window->along[y][x] = (int16_t)gy;
            yonos_motion_add(&window->sums, gx, gy, 0);
        }
}

/* What the picture before shows at v from the window. */
static void sample(const int16_t *before, const Level *l, int top, int left, const Vector v,
                   int16_t to[WINDOW][WINDOW]) {
    int16_t around[AROUND][AROUND];
    int across[AROUND][WINDOW], a[4], b[4];
    cut(before, l->h, l->w, top + (v[1] >> 4) - 1, left + (v[0] >> 4) - 1, AROUND, around[0]);
    for (int i = 0; i < 4; i++) {
        a[i] = yonos_motion_tap(v[0] & 15, i);
        b[i] = yonos_motion_tap(v[1] & 15, i);
    }
    for (int y = 0; y < AROUND; y++)
        for (int x = 0; x < WINDOW; x++)
            across[y][x] = a[0] * around[y][x] + a[1] * around[y][x + 1] + a[2] * around[y][x + 2] +
                           a[3] * around[y][x + 3];
    for (int y = 0; y < WINDOW; y++)
        for (int x = 0; x < WINDOW; x++)
            to[y][x] = (int16_t)((b[0] * across[y][x] + b[1] * across[y + 1][x] + b[2] * across[y + 2][x] +
                                  b[3] * across[y + 3][x] + 2048) >> 12);
}

static void step(const Window *window, const int16_t samples[WINDOW][WINDOW], Vector v) {
    int sum = 0, dx = 0, dy = 0;
    for (int y = 0; y < WINDOW; y++)
        for (int x = 0; x < WINDOW; x++) {
            int d = samples[y][x] - window->x[y][x];
            sum += d;
            dx += window->across[y][x] * d;
            dy += window->along[y][x] * d;
        }
    YonosMotionSums sums = window->sums;
    sums.d = sum;
    sums.dx = dx;
    sums.dy = dy;
    yonos_motion_step(sums, v);
}

static int difference(const Window *window, const int16_t samples[WINDOW][WINDOW]) {
    int sum = 0;
    for (int y = 0; y < WINDOW; y++)
        for (int x = 0; x < WINDOW; x++)
            sum += ABS(samples[y][x] - window->x[y][x]);
    return sum;
}

/* v of a block of one image's level; the finest one's gets the gate. */
static void search(const Level *l, const int16_t *picture, const int16_t *before, int row, int column, gboolean finest,
                   Vector v) {
    int top = row * YONOS_MOTION_BLOCK - YONOS_MOTION_MARGIN;
    int left = column * YONOS_MOTION_BLOCK - YONOS_MOTION_MARGIN;
    int16_t samples[WINDOW][WINDOW];
    Window window;
    open_window(picture, l, top, left, &window);
    for (int i = 0; i < YONOS_MOTION_STEPS; i++) {
        sample(before, l, top, left, v, samples);
        step(&window, samples, v);
    }
    if (!finest)
        return;
    sample(before, l, top, left, v, samples);
    int moved = difference(&window, samples);
    sample(before, l, top, left, (Vector){0, 0}, samples);
    yonos_motion_gate(difference(&window, samples), moved, v);
}

/* `coarser` is NULL at the coarsest level. */
static void search_level(const Level *l, const Level *coarser, gboolean finest, int n) {
    gsize pixels = (gsize)l->h * l->w;
#pragma omp parallel for schedule(dynamic, 4)
    for (int i = 0; i < n * l->rows; i++)
        for (int column = 0; column < l->columns; column++) {
            int image = i / l->rows, row = i % l->rows;
            int *v = l->vector[(gsize)i * l->columns + column];
            v[0] = v[1] = 0;
            if (coarser) {
                int above = MIN(row / 2, coarser->rows - 1), beside = MIN(column / 2, coarser->columns - 1);
                const int *from = coarser->vector[((gsize)image * coarser->rows + above) * coarser->columns + beside];
                v[0] = 2 * from[0];
                v[1] = 2 * from[1];
            }
            search(l, l->x + image * pixels, l->before + image * pixels, row, column, finest, v);
        }
}

static gboolean run_motion(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    YonosShape s = node->in[0]->shape;
    gsize count = yonos_shape_count(node->out->shape), line = (gsize)s.w * s.c;
    const float *x = run->data[node->in[0]->id], *before = run->data[node->in[1]->id];
    float *out = run->data[node->out->id];
    if (run->steadiness == 0.0f) {
        memset(out, 0, count * sizeof *out);
        return TRUE;
    }
    Level levels[YONOS_MOTION_LEVELS];
    int deepest = yonos_motion_levels(s.h, s.w) - 1;
    yonos_motion_lay_out(s, run->workspace, deepest + 1, levels);
    cpu_use_threads(kernel);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < s.n * s.h; i++) {
        brighten_row(x + (gsize)i * line, s.w, s.c, levels[0].x + (gsize)i * s.w);
        brighten_row(before + (gsize)i * line, s.w, s.c, levels[0].before + (gsize)i * s.w);
    }
    for (int i = 0; i < deepest; i++)
        halve(&levels[i], &levels[i + 1], s.n);
    for (int i = deepest; i >= 0; i--)
        search_level(&levels[i], i < deepest ? &levels[i + 1] : NULL, i == 0, s.n);
    for (gsize i = 0; i < count; i++)
        out[i] = (float)levels[0].vector[i / 2][i % 2] / YONOS_MOTION_UNIT;
    return TRUE;
}

/* ---- WARP --------------------------------------------------------------------------------------------- */

static gboolean prepare_warp(YonosKernel *kernel, GError **error) {
    (void)error;
    kernel->implementation = "rows";
    return TRUE;
}

/* One pixel, from `right` and `down` of (y, x). */
static inline void take(const float *image, YonosShape s, int channels, int y, int x, float right, float down,
                        float *to) {
    float across = floorf(right), along = floorf(down), a[4], b[4], sum[YONOS_MOTION_CHANNELS] = {0};
    int left = x + (int)across - 1, top = y + (int)along - 1, column[4];
    yonos_motion_cubic(right - across, a);
    yonos_motion_cubic(down - along, b);
    for (int i = 0; i < 4; i++)
        column[i] = CLAMP(left + i, 0, s.w - 1) * channels;
    for (int j = 0; j < 4; j++) {
        const float *row = image + (gsize)CLAMP(top + j, 0, s.h - 1) * s.w * channels;
        for (int i = 0; i < 4; i++)
            for (int c = 0; c < channels; c++)
                sum[c] += b[j] * a[i] * row[column[i] + c];
    }
    for (int c = 0; c < channels; c++)
        to[c] = sum[c];
}

/* Row y of an image of so many channels; `motion` is the image's, `weight` the row's, may be NULL. */
static inline void warp_row(const float *image, YonosShape s, int channels, const float *motion, YonosShape blocks,
                            int scale, const float *weight, int y, float *to) {
    int block = YONOS_MOTION_BLOCK * scale;
    float further;
    int upper = yonos_motion_block_before(y, block, blocks.h, &further), lower = MIN(upper + 1, blocks.h - 1);
    const float *above = motion + (gsize)2 * upper * blocks.w, *below = motion + (gsize)2 * lower * blocks.w;
    const float *same = image + (gsize)y * s.w * channels;
    for (int x = 0; x < s.w; x++, to += channels, same += channels) {
        float part, v[2];
        if (weight && weight[x] == 0.0f) {
            for (int c = 0; c < channels; c++)
                to[c] = 0.0f;
            continue;
        }
        int left = yonos_motion_block_before(x, block, blocks.w, &part), right = MIN(left + 1, blocks.w - 1);
        for (int axis = 0; axis < 2; axis++) {
            float a = above[2 * left + axis], b = below[2 * left + axis];
            a += part * (above[2 * right + axis] - a);
            b += part * (below[2 * right + axis] - b);
            v[axis] = (float)scale * (a + further * (b - a));
        }
        if (v[0] != 0.0f || v[1] != 0.0f)
            take(image, s, channels, y, x, v[0], v[1], to);
        else
            for (int c = 0; c < channels; c++)
                to[c] = same[c];
    }
}

/* Apart, so that the compiler knows how many channels there are. */
static void warp_colours(const float *image, YonosShape s, const float *motion, YonosShape blocks, int scale,
                         const float *weight, int y, float *to) {
    warp_row(image, s, 3, motion, blocks, scale, weight, y, to);
}

static gboolean run_warp(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    YonosShape s = node->out->shape, blocks = node->in[1]->shape;
    gsize pixels = (gsize)s.h * s.w, count = (gsize)2 * blocks.h * blocks.w;
    const float *x = run->data[node->in[0]->id], *motion = run->data[node->in[1]->id];
    const float *weight = node->in[2] ? run->data[node->in[2]->id] : NULL;
    float *out = run->data[node->out->id];
    if (run->steadiness == 0.0f) {
        memset(out, 0, yonos_shape_count(s) * sizeof *out);
        return TRUE;
    }
    cpu_use_threads(kernel);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < s.n * s.h; i++) {
        int n = i / s.h, y = i % s.h;
        const float *image = x + n * pixels * s.c, *field = motion + n * count;
        const float *share = weight ? weight + (gsize)i * s.w : NULL;
        float *row = out + (gsize)i * s.w * s.c;
        if (s.c == 3)
            warp_colours(image, s, field, blocks, node->attr.warp.scale, share, y, row);
        else
            warp_row(image, s, s.c, field, blocks, node->attr.warp.scale, share, y, row);
    }
    return TRUE;
}

const YonosOp cpu_motion = {prepare_motion, run_motion, NULL};
const YonosOp cpu_warp = {prepare_warp, run_warp, NULL};
