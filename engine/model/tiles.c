/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tile grid: where the tiles lie and how they are blended.
 *
 * Both axes are planned alike and apart, in latent pixels (`factor` output pixels each), so
 * that every tile starts on a whole latent. Starts are evenly spaced, the last tile ends at
 * the frame's edge. Ramps are trapezoids over the overlaps, divided by their sum in double
 * precision. Models without global statistics need no blend: their ramps are 0 and 1, with
 * the cut in the middle of an overlap of at least two halos.
 */
#include "model/model.h"

enum {
    WHOLE_FRAME_SIDE = 2048, /* without attention: frames up to the square of it are one tile; output pixels */
    ATTENTION_SIDE = 96,     /* with attention, which is quadratic in a tile's pixels; latent pixels */
    MAX_TILE = 8192,         /* output pixels */
    BLEND_OVERLAP = 16,      /* latent pixels */
};

/* One axis. Lengths and starts in latent pixels, the ramps in output pixels. */
typedef struct {
    int length, count, size, overlap;
    int *start;
    float **ramp;
} Axis;

static int div_up(int a, int b) {
    return (a + b - 1) / b;
}

/* The largest tile side in latent pixels; *fixed when the caller chose it. */
static int largest_side(int width, int height, int tile_size, const YonosModelInfo *info, gboolean *fixed) {
    int factor = info->latent_factor;
    *fixed = tile_size > 0;
    if (tile_size > 0)
        return MAX(tile_size / factor, 1);
    if (info->has_attention)
        return ATTENTION_SIDE;
    if ((gint64)width * height <= (gint64)WHOLE_FRAME_SIDE * WHOLE_FRAME_SIDE)
        return MAX(width, height) / factor;
    return MAX(WHOLE_FRAME_SIDE / factor, 1);
}

static void place_tiles(Axis *axis, int side, gboolean fixed) {
    int slack = axis->overlap;
    if (axis->length <= side) {
        axis->count = 1;
        axis->size = axis->length;
    } else {
        axis->count = div_up(axis->length - slack, side - slack);
        axis->size = fixed ? side : div_up(axis->length + (axis->count - 1) * slack, axis->count);
    }
    axis->start = g_new0(int, axis->count);
    for (int i = 1; i < axis->count; i++)
        axis->start[i] = (int)((gint64)i * (axis->length - axis->size) / (axis->count - 1));
}

/* Weight of tile i at output pixel `x` of the frame before division by the sum; 0 outside of the tile. */
static double blend_weight(const Axis *axis, int factor, int i, int x) {
    double begin = (double)axis->start[i] * factor, end = begin + (double)axis->size * factor;
    double centre = x + 0.5, weight = 1.0;
    if (centre < begin || centre > end)
        return 0.0;
    if (i > 0) {
        double overlap = ((double)axis->start[i - 1] + axis->size) * factor - begin;
        weight = MIN(weight, (centre - begin) / overlap);
    }
    if (i + 1 < axis->count) {
        double overlap = end - (double)axis->start[i + 1] * factor;
        weight = MIN(weight, (end - centre) / overlap);
    }
    return weight;
}

/* 1 between the middles of the overlaps with both neighbours. */
static double cut_weight(const Axis *axis, int factor, int i, int x) {
    int begin = 0, end = axis->length;
    if (i > 0)
        begin = axis->start[i] + (axis->start[i - 1] + axis->size - axis->start[i]) / 2;
    if (i + 1 < axis->count)
        end = axis->start[i + 1] + (axis->start[i] + axis->size - axis->start[i + 1]) / 2;
    return x >= begin * factor && x < end * factor ? 1.0 : 0.0;
}

static void make_ramps(Axis *axis, int factor, gboolean blend) {
    double (*weight)(const Axis *, int, int, int) = blend ? blend_weight : cut_weight;
    int pixels = axis->size * factor;
    g_autofree double *sum = g_new0(double, (gsize)axis->length *factor);
    for (int i = 0; i < axis->count; i++)
        for (int x = 0; x < pixels; x++)
            sum[axis->start[i] * factor + x] += weight(axis, factor, i, axis->start[i] * factor + x);
    axis->ramp = g_new0(float *, axis->count);
    for (int i = 0; i < axis->count; i++) {
        axis->ramp[i] = g_new0(float, pixels);
        for (int x = 0; x < pixels; x++) {
            int at = axis->start[i] * factor + x;
            axis->ramp[i][x] = (float)(weight(axis, factor, i, at) / sum[at]);
        }
    }
}

/* The overlap in latent pixels, checked against the largest tile. Negative with `error` set. */
static int choose_overlap(int tile_overlap, int side, gboolean tiled, const YonosModelInfo *info, GError **error) {
    int factor = info->latent_factor;
    if (!tiled)
        return 0;
    int needed = info->global_statistics ? 0 : 2 * info->halo;
    int overlap = tile_overlap < 0 ? MIN(BLEND_OVERLAP, side / 4) : div_up(tile_overlap, factor);
    if (!info->global_statistics && needed >= side) {
        yonos_fail(error, YONOS_ERROR_ARGUMENT,
                   "tile-size must be at least %d for %s, whose networks see %d pixels around each pixel; or 0",
                   (needed + 1) * factor, info->name, info->halo * factor);
        return -1;
    }
    if (tile_overlap >= 0 && overlap * 2 > side && side > 1) {
        yonos_fail(error, YONOS_ERROR_ARGUMENT, "tile-overlap is %d, but must be at most %d, half of the tile",
                   tile_overlap, side / 2 * factor);
        return -1;
    }
    return MIN(MAX(overlap, needed), side - 1);
}

gboolean yonos_tile_options_check(int tile_size, int tile_overlap, GError **error) {
    if (tile_size != 0 && (tile_size < YONOS_MIN_TILE || tile_size > MAX_TILE))
        return yonos_fail(error, YONOS_ERROR_ARGUMENT,
                          "option tile-size is %d, but must be 0 (chosen from the frame size) or %d to %d pixels",
                          tile_size, YONOS_MIN_TILE, MAX_TILE);
    int limit = (tile_size != 0 ? tile_size : MAX_TILE) / 2;
    if (tile_overlap < -1 || tile_overlap > limit)
        return yonos_fail(error, YONOS_ERROR_ARGUMENT,
                          "option tile-overlap is %d, but must be -1 (chosen from the model) or 0 to %d pixels, half "
                          "of the tile",
                          tile_overlap, limit);
    return TRUE;
}

YonosTileGrid *yonos_tile_grid_new(int width, int height, int tile_size, int tile_overlap, const YonosModelInfo *info,
                                   GError **error) {
    int factor = info->latent_factor;
    g_return_val_if_fail(factor > 0 && width > 0 && height > 0, NULL);
    g_return_val_if_fail(width % factor == 0 && height % factor == 0, NULL);
    if (!yonos_tile_options_check(tile_size, tile_overlap, error))
        return NULL;
    gboolean fixed;
    int side = largest_side(width, height, tile_size, info, &fixed);
    Axis x = {.length = width / factor}, y = {.length = height / factor};
    gboolean tiled = x.length > side || y.length > side;
    x.overlap = y.overlap = choose_overlap(tile_overlap, side, tiled, info, error);
    if (x.overlap < 0)
        return NULL;

    place_tiles(&x, side, fixed);
    place_tiles(&y, side, fixed);
    make_ramps(&x, factor, info->global_statistics);
    make_ramps(&y, factor, info->global_statistics);
    for (int i = 0; i < x.count; i++)
        x.start[i] *= factor;
    for (int j = 0; j < y.count; j++)
        y.start[j] *= factor;
    YonosTileGrid *grid = g_new0(YonosTileGrid, 1);
    *grid = (YonosTileGrid){.columns = x.count,
                            .rows = y.count,
                            .batch = 1,
                            .tile_w = x.size * factor,
                            .tile_h = y.size * factor,
                            .x0 = x.start,
                            .y0 = y.start,
                            .ramp_x = x.ramp,
                            .ramp_y = y.ramp};
    return grid;
}
