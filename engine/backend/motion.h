/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * MOTION: of each block of 8x8 pixels where in the picture before lay what it shows, by Lucas and Kanade, "An iterative
 * image registration technique", IJCAI 1981, with the gradients of the picture that stays (Baker and Matthews, IJCV
 * 2004), from coarse to fine.
 *
 * A backend that differs in one rounding would find other vectors where there is little to go by, so all of it is in
 * whole numbers, and the same to the last bit everywhere. This is what the backends share; how they go through the
 * pixels is their own.
 *
 *   brightness   of a pixel: the sum over its channels of round(128 x + 128), within 0 and 256 each
 *   levels       pictures of half the size, (a + b + c + d + 2) / 4, the edge repeated where a side is odd; as long as
 *                the shorter side is 16 or more, at most LEVELS in all
 *   a window     a block with a margin of 2 pixels, the edges of the picture repeated
 *   a vector     in sixteenths of a pixel, beginning with twice that of the block above it in the coarser level, or 0
 *   a sample     of the picture before at a vector: taps 4x4, (sum + 2048) / 4096
 *   a step       with the gradients g of the picture (right minus left, lower minus upper neighbour) and the
 *                differences d = sample - picture: the vector v that, with a number b, makes the sum of
 *                (d + g v / 2 + b)^2 + damping v^2 over the window least, at most a pixel each way; STEPS of them at
 *                each level. With b, a picture that becomes brighter does not move
 *   the gate     at the finest level: in so far as the vector does not make the differences smaller than no motion
 *                does, by 0.3 to 0.9 a pixel, of three channels' sum, there is none: noise has no direction
 *
 * / is the shift, which rounds down.
 */
#ifndef YONOS_MOTION_H
#define YONOS_MOTION_H

#include <stdint.h>

#include "graph/graph.h"

#ifndef YONOS_MOTION_INLINE
#define YONOS_MOTION_INLINE static inline
#endif

enum {
    YONOS_MOTION_MARGIN = 2,
    YONOS_MOTION_WINDOW = YONOS_MOTION_BLOCK + 2 * YONOS_MOTION_MARGIN,
    YONOS_MOTION_LEVELS = 3,
    YONOS_MOTION_STEPS = 3,
    YONOS_MOTION_UNIT = 16, /* of a vector, in a pixel */
};

/* Sums over a window. */
typedef struct {
    int32_t x, y, d;    /* of gradients and differences */
    int32_t xx, xy, yy; /* of products of gradients */
    int32_t dx, dy;     /* of differences with gradients */
} YonosMotionSums;

/* A pixel more. */
YONOS_MOTION_INLINE void yonos_motion_add(YonosMotionSums *sums, int across, int along, int difference) {
    sums->x += across;
    sums->y += along;
    sums->d += difference;
    sums->xx += across * across;
    sums->xy += across * along;
    sums->yy += along * along;
    sums->dx += across * difference;
    sums->dy += along * difference;
}

/* A level of all images. */
typedef struct {
    int h, w, rows, columns;
    int16_t *x, *before; /* brightness (n,h,w) */
    int (*vector)[2];    /* (n,rows,columns) of x, y */
} YonosMotionLevel;

YONOS_MOTION_INLINE int yonos_motion_levels(int h, int w) {
    int levels = 1;
    for (int side = h < w ? h : w; levels < YONOS_MOTION_LEVELS && side >= 16; side = (side + 1) / 2)
        levels++;
    return levels;
}

/* Fills `levels`, the finest first, with places behind `memory`, which may be NULL; returns the bytes. */
static inline gsize yonos_motion_lay_out(YonosShape s, void *memory, int count, YonosMotionLevel *levels) {
    gsize bytes = 0;
    for (int i = 0, h = s.h, w = s.w; i < count; i++, h = (h + 1) / 2, w = (w + 1) / 2) {
        YonosMotionLevel *l = &levels[i];
        gsize picture = yonos_size_align((gsize)s.n * (gsize)h * (gsize)w * sizeof *l->x, 256);
        l->h = h;
        l->w = w;
        l->rows = yonos_motion_blocks(h);
        l->columns = yonos_motion_blocks(w);
        l->x = (int16_t *)((char *)memory + bytes);
        l->before = (int16_t *)((char *)memory + bytes + picture);
        l->vector = (int (*)[2])((char *)memory + bytes + 2 * picture);
        bytes += 2 * picture +
                 yonos_size_align((gsize)s.n * (gsize)l->rows * (gsize)l->columns * sizeof *l->vector, 256);
    }
    return bytes;
}

/* Of one channel. The product is exact, so that it does not matter whether it is rounded before the sum is. */
YONOS_MOTION_INLINE int yonos_motion_brightness(float x) {
    return x > -1.0f ? x < 1.0f ? (int)(x * 128.0f + 128.5f) : 256 : 0;
}

/* 64 times Keys' cubic convolution (IEEE Trans. ASSP 1981) of a distance of t / 16. */
YONOS_MOTION_INLINE int yonos_motion_keys(int t) {
    int near = 3 * t * t * t - 5 * 16 * t * t + 2 * 4096, far = -t * t * t + 5 * 16 * t * t - 8 * 256 * t + 4 * 4096;
    return ((t <= 16 ? near : far) + 64) >> 7;
}

/* Tap i of 4 around a place `part` sixteenths behind that of tap 1. The largest one makes their sum 64. */
YONOS_MOTION_INLINE int yonos_motion_tap(int part, int i) {
    int around = yonos_motion_keys(16 + part) + yonos_motion_keys(32 - part);
    int left = yonos_motion_keys(part), right = yonos_motion_keys(16 - part);
    if (i == 0 || i == 3)
        return yonos_motion_keys(i == 0 ? 16 + part : 32 - part);
    if (part <= 8)
        return i == 1 ? 64 - around - right : right;
    return i == 2 ? 64 - around - left : left;
}

/* WARP: where pixel `i` of a side lies between the centres of blocks of `block` pixels: the one before, how far behind. */
YONOS_MOTION_INLINE int yonos_motion_block_before(int i, int block, int blocks, float *part) {
    float last = (float)(blocks - 1), at = ((float)i + 0.5f) / (float)block - 0.5f;
    at = at < 0.0f ? 0.0f : at > last ? last : at;
    int first = blocks < 2 ? 0 : (int)at < blocks - 2 ? (int)at : blocks - 2;
    *part = at - (float)first;
    return first;
}

/* WARP: Keys' cubic convolution at the 4 taps around a place t behind tap 1. */
YONOS_MOTION_INLINE void yonos_motion_cubic(float t, float to[4]) {
    to[0] = ((-0.5f * t + 1.0f) * t - 0.5f) * t;
    to[1] = (1.5f * t - 2.5f) * t * t + 1.0f;
    to[2] = ((-1.5f * t + 2.0f) * t + 0.5f) * t;
    to[3] = (0.5f * t - 0.5f) * t * t;
}

YONOS_MOTION_INLINE int64_t yonos_motion_round(int64_t a, int64_t b) { /* a / b, b > 0, to the nearest, halves up */
    int64_t n = 2 * a + b, d = 2 * b, q = n / d;
    return n % d < 0 ? q - 1 : q;
}

YONOS_MOTION_INLINE int64_t yonos_motion_limit(int64_t v, int64_t low, int64_t high) {
    return v < low ? low : v > high ? high : v;
}

/* What a sum of products is without the means of both. */
YONOS_MOTION_INLINE int64_t yonos_motion_vary(int64_t products, int64_t a, int64_t b) {
    return products - yonos_motion_round(a * b, YONOS_MOTION_WINDOW * YONOS_MOTION_WINDOW);
}

/* The step, added to v (x, y). */
YONOS_MOTION_INLINE void yonos_motion_step(YonosMotionSums s, int v[2]) {
    const int damping = 36 * YONOS_MOTION_WINDOW * YONOS_MOTION_WINDOW;
    int64_t xx = yonos_motion_vary(s.xx, s.x, s.x) + damping, yy = yonos_motion_vary(s.yy, s.y, s.y) + damping;
    int64_t xy = yonos_motion_vary(s.xy, s.x, s.y), det = xx * yy - xy * xy;
    int64_t dx = yonos_motion_vary(s.dx, s.d, s.x), dy = yonos_motion_vary(s.dy, s.d, s.y);
    int64_t x = yonos_motion_round(-2 * YONOS_MOTION_UNIT * (yy * dx - xy * dy), det);
    int64_t y = yonos_motion_round(-2 * YONOS_MOTION_UNIT * (xx * dy - xy * dx), det);
    v[0] += (int)yonos_motion_limit(x, -YONOS_MOTION_UNIT, YONOS_MOTION_UNIT);
    v[1] += (int)yonos_motion_limit(y, -YONOS_MOTION_UNIT, YONOS_MOTION_UNIT);
}

/* v by the sums of absolute differences without motion and with it. */
YONOS_MOTION_INLINE void yonos_motion_gate(int still, int moved, int v[2]) {
    const int unit = YONOS_MOTION_WINDOW * YONOS_MOTION_WINDOW * 6 / 10;
    int share = (int)yonos_motion_limit((256 * (still - moved) - 128 * unit) / unit, 0, 256);
    v[0] = (v[0] * share + 128) >> 8;
    v[1] = (v[1] * share + 128) >> 8;
}

#endif
