/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inner loops on pictures; see loops.h: resampling, blurring, and Y'CbCr codes <-> R'G'B'.
 */
#include "backend/cpu/loops_isa.h"

/* ---- weighted rows ----------------------------------------------------------------------------- */

LOOPS_INLINE void sum_four(const float *const *rows, const float *weight, gboolean add, gsize count,
                           float *restrict out) {
    const float *restrict a = rows[0], *restrict b = rows[1], *restrict c = rows[2], *restrict d = rows[3];
    float wa = weight[0], wb = weight[1], wc = weight[2], wd = weight[3];
    for (gsize i = 0; i < count; i++)
        out[i] = (add ? out[i] : 0.0f) + (wa * a[i] + wb * b[i]) + (wc * c[i] + wd * d[i]);
}

void loops_name(sum_rows)(const float *const *rows, const float *weight, int taps, gsize count, float *restrict out) {
    int k = 0;
    if (taps >= 4) {
        sum_four(rows, weight, FALSE, count, out);
        k = 4;
    } else {
        memset(out, 0, sizeof *out * count);
    }
    for (; k + 4 <= taps; k += 4)
        sum_four(rows + k, weight + k, TRUE, count, out);
    for (; k < taps; k++) {
        const float *restrict row = rows[k];
        for (gsize i = 0; i < count; i++)
            out[i] += weight[k] * row[i];
    }
}

void loops_name(blur)(const float *restrict a, const float *restrict b, const float *restrict c, gsize count,
                      float *restrict out) {
    for (gsize i = 0; i < count; i++)
        out[i] = (a[i] + 2.0f * b[i] + c[i]) * 0.25f;
}

/* ---- resampling along a row ---------------------------------------------------------------------- */

typedef float Four __attribute__((vector_size(16)));

/* Three channels and one lane that is not used: a pixel is one load, its fourth number the next pixel's first. */
LOOPS_INLINE void resample_three(const float *row, const int *first, const float *weight, int taps, int out_w,
                                 float *out) {
    for (int x = 0; x < out_w; x++, weight += taps) {
        const float *from = row + (gsize)first[x] * 3;
        Four sum = {0};
        for (int k = 0; k < taps; k++) {
            Four pixel;
            memcpy(&pixel, from + 3 * k, sizeof pixel);
            sum += pixel * weight[k];
        }
        /* Ascending order, so that the next pixel overwrites the spare lane; the last one must not write it. */
        memcpy(out + 3 * (gsize)x, &sum, x + 1 < out_w ? sizeof sum : 3 * sizeof *out);
    }
}

LOOPS_INLINE void resample_any(const float *restrict row, int channels, const int *restrict first,
                               const float *restrict weight, int taps, int out_w, float *restrict out) {
    for (int x = 0; x < out_w; x++, out += channels, weight += taps) {
        const float *from = row + (gsize)first[x] * channels;
        for (int c = 0; c < channels; c++)
            out[c] = weight[0] * from[c];
        for (int k = 1; k < taps; k++)
            for (int c = 0; c < channels; c++)
                out[c] += weight[k] * from[k * channels + c];
    }
}

void loops_name(resample_row)(const float *row, int channels, const int *first, const float *weight, int taps,
                              int out_w, float *out) {
    if (channels != 3)
        resample_any(row, channels, first, weight, taps, out_w, out);
    else if (taps == 4) /* bicubic, enlarging */
        resample_three(row, first, weight, 4, out_w, out);
    else if (taps == 8) /* bicubic, to the half */
        resample_three(row, first, weight, 8, out_w, out);
    else
        resample_three(row, first, weight, taps, out_w, out);
}

/* ---- codes in planes ------------------------------------------------------------------------------ */

LOOPS_INLINE void load_bytes(const guint8 *restrict row, int step, int width, float *restrict out) {
    for (int x = 0; x < width; x++)
        out[x] = row[(gsize)x * step];
}

typedef uint16_t Word __attribute__((aligned(1))); /* rows may begin anywhere */

LOOPS_INLINE void load_words(const Word *restrict row, int step, int shift, uint16_t mask, int width,
                             float *restrict out) {
    for (int x = 0; x < width; x++)
        out[x] = (float)(GUINT16_FROM_LE(row[(gsize)x * step]) >> shift & mask);
}

void loops_name(load_codes)(const void *row, int depth, int shift, int step, int width, float *out) {
    uint16_t mask = (uint16_t)((1u << depth) - 1);
    if (depth > 8 && step == 1)
        load_words(row, 1, shift, mask, width, out);
    else if (depth > 8)
        load_words(row, 2, shift, mask, width, out);
    else if (step == 1)
        load_bytes(row, 1, width, out);
    else if (step == 2)
        load_bytes(row, 2, width, out);
    else
        load_bytes(row, 4, width, out);
}

LOOPS_INLINE void store_bytes(const float *restrict in, int step, int width, float scale, float offset,
                              guint8 *restrict row) {
    for (int x = 0; x < width; x++)
        row[(gsize)x * step] = (guint8)code_of(in[x] * scale + offset, 255.0f);
}

LOOPS_INLINE void store_words(const float *restrict in, int step, int shift, int width, float scale, float offset,
                              float max, Word *restrict row) {
    for (int x = 0; x < width; x++)
        row[(gsize)x * step] = GUINT16_TO_LE((uint16_t)(code_of(in[x] * scale + offset, max) << shift));
}

void loops_name(store_codes)(const float *in, float scale, float offset, int depth, int shift, int step, int width,
                             void *row) {
    float max = (float)((1 << depth) - 1);
    if (depth > 8 && step == 1)
        store_words(in, 1, shift, width, scale, offset, max, row);
    else if (depth > 8)
        store_words(in, 2, shift, width, scale, offset, max, row);
    else if (step == 1)
        store_bytes(in, 1, width, scale, offset, row);
    else if (step == 2)
        store_bytes(in, 2, width, scale, offset, row);
    else
        store_bytes(in, 4, width, scale, offset, row);
}

/* ---- chroma at half width --------------------------------------------------------------------------- */

/* (1 - w) a + w b for the two pixels of chroma sample i; weights by siting as in ref/frame.c. */
LOOPS_INLINE void spread_pairs(const float *restrict half, gboolean cosited, int begin, int end, float *restrict out) {
    for (int i = begin; i < end; i++) {
        out[2 * i] = cosited ? half[i] : 0.25f * half[i - 1] + 0.75f * half[i];
        out[2 * i + 1] = cosited ? 0.5f * half[i] + 0.5f * half[i + 1] : 0.75f * half[i] + 0.25f * half[i + 1];
    }
}

/* The same for a sample at the edge, whose missing neighbour is itself; width may cut the second pixel. */
static void spread_edge(const float *half, int i, int count, gboolean cosited, int width, float *out) {
    float left = half[MAX(i - 1, 0)], right = half[MIN(i + 1, count - 1)];
    out[2 * i] = cosited ? half[i] : 0.25f * left + 0.75f * half[i];
    if (2 * i + 1 < width)
        out[2 * i + 1] = cosited ? 0.5f * half[i] + 0.5f * right : 0.75f * half[i] + 0.25f * right;
}

void loops_name(spread_chroma)(const float *half, gboolean cosited, int width, float *out) {
    int count = (width + 1) / 2;
    spread_edge(half, 0, count, cosited, width, out);
    if (cosited)
        spread_pairs(half, TRUE, 1, count - 1, out);
    else
        spread_pairs(half, FALSE, 1, count - 1, out);
    if (count > 1)
        spread_edge(half, count - 1, count, cosited, width, out);
}

static float gather_edge(const float *full, int i, gboolean cosited, int width) {
    float left = full[MAX(2 * i - 1, 0)], right = full[MIN(2 * i + 1, width - 1)];
    return cosited ? 0.25f * left + 0.5f * full[2 * i] + 0.25f * right : 0.5f * full[2 * i] + 0.5f * right;
}

LOOPS_INLINE void gather_pairs(const float *restrict full, gboolean cosited, int begin, int end, float *restrict out) {
    for (int i = begin; i < end; i++)
        out[i] = cosited ? 0.25f * full[2 * i - 1] + 0.5f * full[2 * i] + 0.25f * full[2 * i + 1]
                         : 0.5f * full[2 * i] + 0.5f * full[2 * i + 1];
}

void loops_name(gather_chroma)(const float *full, gboolean cosited, int width, float *out) {
    int count = (width + 1) / 2;
    out[0] = gather_edge(full, 0, cosited, width);
    if (cosited)
        gather_pairs(full, TRUE, 1, count - 1, out);
    else
        gather_pairs(full, FALSE, 1, count - 1, out);
    out[count - 1] = gather_edge(full, count - 1, cosited, width);
}

/* ---- colours -------------------------------------------------------------------------------------- */

void loops_name(yuv_to_rgb)(const float *restrict luma, const float *restrict cb, const float *restrict cr,
                            const YonosYuv *yuv, int width, float *restrict out) {
    const YonosYuv k = *yuv;
    float luma_scale = 1.0f / k.luma_range, chroma_scale = 1.0f / k.chroma_range, green = 1.0f / k.kg;
    float red = 2.0f * (1.0f - k.kr) * chroma_scale, blue = 2.0f * (1.0f - k.kb) * chroma_scale;
    for (int x = 0; x < width; x++) {
        float y = (luma[x] - k.luma_offset) * luma_scale;
        float r = y + red * (cr[x] - k.chroma_offset), b = y + blue * (cb[x] - k.chroma_offset);
        float g = (y - k.kr * r - k.kb * b) * green;
        out[3 * x] = 2.0f * r - 1.0f;
        out[3 * x + 1] = 2.0f * g - 1.0f;
        out[3 * x + 2] = 2.0f * b - 1.0f;
    }
}

void loops_name(rgb_to_yuv)(const float *restrict in, const YonosYuv *yuv, int width, float *restrict luma,
                            float *restrict cb, float *restrict cr) {
    const YonosYuv k = *yuv;
    float red = 0.5f / (1.0f - k.kr), blue = 0.5f / (1.0f - k.kb);
    for (int x = 0; x < width; x++) {
        float r = 0.5f * in[3 * x] + 0.5f, g = 0.5f * in[3 * x + 1] + 0.5f, b = 0.5f * in[3 * x + 2] + 0.5f;
        float y = k.kr * r + k.kg * g + k.kb * b;
        luma[x] = y;
        cb[x] = (b - y) * blue;
        cr[x] = (r - y) * red;
    }
}
