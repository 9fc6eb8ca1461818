/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Winograd's steps over vectors of channels, one lane a channel; see winograd_kernels.h. A file that includes this has
 * defined
 *
 *   Vector, Element, LANES          f32 lanes; what activations are stored as; lanes of a vector
 *   load(), store(), load_f32(), store_f32()
 *                                   LANES elements, or floats, to and from a Vector
 *   positive()                      max(x, 0)
 *   SIDE                            coefficients each way of a picture that is not doubled
 *   plain_input_axis(), plain_output_axis()
 *                                   B^T d and A^T m along one axis for that side, in place, elements `step` apart
 *   VECTORS                         of a panel, 2 or 4
 *   PAIR, Spread, spread()          input channels multiplied at once; those of one tile, for all lanes
 *   Weights, load_weights()         theirs of LANES output channels
 *   add_product()                   sum + x w
 */
#ifndef YONOS_CPU_WINOGRAD_TILES_H
#define YONOS_CPU_WINOGRAD_TILES_H

/* Functions that take `side` as a constant, so that loops over it unroll and arrays stay in registers. */
#define ONE_SIDE static inline __attribute__((always_inline))

enum { DOUBLED_SIDE = WINOGRAD_DOUBLED_SIDE };

/* Doubled: (a - b, b, b - c). */
ONE_SIDE void input_axis(Vector *d, int step, int side) {
    if (side != DOUBLED_SIDE) {
        plain_input_axis(d, step);
        return;
    }
    d[0] -= d[step];
    d[2 * step] = d[step] - d[2 * step];
}

typedef struct {
    Vector v[SIDE];
} Column;

/* The pixels of column x that a tile sees, transformed along it. */
ONE_SIDE Column load_column(const WinogradInput *in, int x, int c, int side) {
    Column column;
    for (int i = 0; i < SIDE; i++)
        column.v[i] = (Vector){0};
    if (x < 0 || x >= in->width)
        return column;
    for (int i = 0; i < side; i++)
        column.v[i] = load((const Element *)in->row[i] + (size_t)x * in->step[i] + c);
    input_axis(column.v, 1, side);
    return column;
}

/* LANES channels of some tiles, each of which shares two columns with the one before. */
ONE_SIDE void transform_lanes(const WinogradInput *in, int side, int first, int tiles, int c, Element *coefficient,
                              size_t plane) {
    int fresh = side - 2, x = in->x + fresh * first;
    Column column[SIDE] = {load_column(in, x, c, side), load_column(in, x + 1, c, side)};
    for (int tile = 0; tile < tiles; tile++, x += fresh) {
        for (int i = 2; i < side; i++)
            column[i] = load_column(in, x + i, c, side);
        Element *to = coefficient + (size_t)(first + tile) * (size_t)in->channels + c;
        for (int i = 0; i < side; i++, to += (size_t)side * plane) {
            Vector m[SIDE];
            for (int j = 0; j < side; j++)
                m[j] = column[j].v[i];
            input_axis(m, 1, side);
            for (int j = 0; j < side; j++)
                store(to + (size_t)j * plane, m[j]);
        }
        column[0] = column[side - 2];
        column[1] = column[side - 1];
    }
}

ONE_SIDE void transform_tiles(const WinogradInput *in, int side, int tiles, Element *coefficient, size_t plane) {
    enum { TOGETHER = 8 }; /* tiles whose coefficients stay in the first-level cache until their lines are full */
    for (int first = 0; first < tiles; first += TOGETHER)
        for (int c = 0; c < in->channels; c += LANES)
            transform_lanes(in, side, first, tiles - first < TOGETHER ? tiles - first : TOGETHER, c, coefficient, plane);
}

static void transform_input(const WinogradInput *in, int side, int tiles, void *coefficient, size_t plane) {
    if (side == DOUBLED_SIDE)
        transform_tiles(in, DOUBLED_SIDE, tiles, coefficient, plane);
    else
        transform_tiles(in, SIDE, tiles, coefficient, plane);
}

/*
 * Doubled: (m0 + m1, m1 - m2). Where the picture is cut behind the first, b's copy is outside: what it gave, m2 as c is 0,
 * is taken from the first.
 */
ONE_SIDE void output_axis(Vector *m, int step, int side, int cut) {
    if (side != DOUBLED_SIDE) {
        plain_output_axis(m, step);
        return;
    }
    Vector second = m[step] - m[2 * step];
    m[0] += cut ? second : m[step];
    m[step] = second;
}

ONE_SIDE void finish_pixel(const WinogradOutput *out, int row, int pixel, int c, Vector y, int relu) {
    if (!out->row[row] || pixel >= out->pixels)
        return;
    size_t at = (size_t)pixel * out->step + (size_t)c;
    if (out->residual[row])
        y += load((const Element *)out->residual[row] + at);
    if (relu)
        y = positive(y);
    store((Element *)out->row[row] + at, y);
}

ONE_SIDE void finish_tiles(const float *product, size_t plane, int side, int tiles, int lanes, const float *bias, int relu,
                           const WinogradOutput *out) {
    int outputs = winograd_outputs(side), row_cut = !out->row[1];
    for (int tile = 0; tile < tiles; tile++)
        for (int c = 0; c < lanes; c += LANES) {
            const float *from = product + (size_t)tile * (size_t)lanes + c;
            Vector m[SIDE * SIDE], b = load_f32(bias + c);
            for (int i = 0; i < side * side; i++)
                m[i] = load_f32(from + (size_t)i * plane);
            for (int i = 0; i < side; i++)
                output_axis(m + i, side, side, row_cut);
            for (int row = 0; row < outputs; row++) {
                output_axis(m + side * row, 1, side, outputs * tile + 1 >= out->pixels);
                for (int i = 0; i < outputs; i++)
                    finish_pixel(out, row, outputs * tile + i, c, m[side * row + i] + b, relu);
            }
        }
}

static void transform_output(const float *product, size_t plane, int side, int tiles, int lanes, const float *bias, int relu,
                             const WinogradOutput *out) {
    if (side == DOUBLED_SIDE)
        finish_tiles(product, plane, DOUBLED_SIDE, tiles, lanes, bias, relu, out);
    else
        finish_tiles(product, plane, SIDE, tiles, lanes, bias, relu, out);
}

/* WINOGRAD_ROWS tiles x `vectors` vectors of output channels, kept in registers over all input channels. */
ONE_SIDE void multiply_block(const Element *coefficient, const Element *weight, int channels, int vectors, float *product) {
    enum { ROWS = WINOGRAD_ROWS };
    Vector sum[ROWS][VECTORS];
    for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < vectors; v++)
            sum[r][v] = (Vector){0};
    for (int c = 0; c < channels; c += PAIR) {
        Weights w[VECTORS];
        for (int v = 0; v < vectors; v++)
            w[v] = load_weights(weight + ((size_t)c * (size_t)vectors + (size_t)(PAIR * v)) * LANES);
        for (int r = 0; r < ROWS; r++) {
            Spread x = spread(coefficient + (size_t)r * (size_t)channels + (size_t)c);
            for (int v = 0; v < vectors; v++)
                sum[r][v] = add_product(sum[r][v], x, w[v]);
        }
    }
    for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < vectors; v++)
            store_f32(product + ((size_t)r * (size_t)vectors + (size_t)v) * LANES, sum[r][v]);
}

static void multiply(const void *coefficient, const void *weight, int tiles, int channels, int lanes, float *product) {
    for (int tile = 0; tile < tiles; tile += WINOGRAD_ROWS) {
        const Element *x = (const Element *)coefficient + (size_t)tile * (size_t)channels;
        float *out = product + (size_t)tile * (size_t)lanes;
        switch (lanes / LANES) { /* constants, so that the sums stay in registers */
        case 1: multiply_block(x, weight, channels, 1, out); break;
        case 2: multiply_block(x, weight, channels, 2, out); break;
        case 3: multiply_block(x, weight, channels, VECTORS < 3 ? VECTORS : 3, out); break;
        default: multiply_block(x, weight, channels, VECTORS, out); break;
        }
    }
}

#endif
