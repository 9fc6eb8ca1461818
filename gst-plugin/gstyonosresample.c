/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A polyphase filter in fixed point, see gstyonosresample.h: each input row is enlarged once, then output rows are
 * weighted sums of TAPS enlarged rows. The taps are GStreamer's own, of its Lanczos filter with two lobes; beyond the
 * border the outermost sample repeats.
 *
 * All sums stay in 16 bits, which makes them fast: a product keeps its upper half, which is one instruction for eight
 * samples (pmulhw) where 32 bits take six. What the lower halves lose is made up for on average; before it is rounded
 * the result is within 1/1024 of the whole range of the exact one. Bits for the range of a sample on the way:
 *
 *   15 --times a weight of 14, upper half--> 13 --doubled--> 14 (rows) --times a weight, upper half--> 12 --> 8 or 10
 *
 * Sums of the filter overshoot the range by less than a half, which 16 bits with a sign have room for.
 */
#include "gstyonosresample.h"

#include "gstyonosformat.h"

#include <string.h>

enum {
    TAPS = 4,
    WEIGHT_BITS = 14,     /* weights sum to 1 << WEIGHT_BITS */
    SAMPLE_BITS = 15,     /* for the range of the samples of padded rows */
    SUM_BITS = 12,        /* of blended rows */
    MEAN_LOSS = TAPS / 2, /* of the sum of TAPS upper halves */
    PADDING = TAPS,       /* pixels on both sides of a padded row */
    BAND_ROWS = 64,       /* output rows that are worth a thread */
    MAX_CHANNELS = 4,
};

/* Of one phase: output samples `scale` apart are the same sums of input samples 1 apart. */
typedef struct {
    gint first; /* input sample of the first tap of output sample `phase`, -PADDING to 0 */
    gint16 weight[TAPS];
} Phase;

/* How one plane is enlarged. Lengths in samples of one channel. */
typedef struct {
    gint channels;     /* samples side by side that belong to one pixel */
    gint depth, shift; /* bits of a sample, and where in its byte or (little-endian) 16-bit word they begin */
    gint in_width, in_height, out_width, out_height;
    Phase *across, *down; /* `scale` of each */
} Plane;

/* A part of the output's rows, and what the thread that takes it works with. */
typedef struct {
    guint index;
    gint16 *padded;     /* an input row with its borders */
    gint16 *phases;     /* `scale` rows, one per phase, before they are put together */
    gint16 *rows[TAPS]; /* enlarged input rows */
    gint rows_of[TAPS]; /* which one is there, -1: none */
    gint16 *sums;       /* an output row */
} Band;

typedef void (*EnlargeBand)(const GstYonosResample *resample, Band *band, guint plane);

struct _GstYonosResample {
    gint scale;
    EnlargeBand enlarge_band; /* for this processor */
    guint n_planes, n_bands;
    Plane plane[GST_VIDEO_MAX_PLANES];
    Band *bands;
    const GstVideoFrame *in; /* the frame in work */
    GstVideoFrame *out;
    gint next;         /* the first band that no thread has taken; atomic */
    GThreadPool *pool; /* the threads besides the caller's; NULL with one band */
    GMutex lock;
    GCond done;
    guint pending; /* bands that are not done; under the lock */
};

/* ---- taps ------------------------------------------------------------------------------------------- */

static void quantise(const gdouble *taps, gint16 *weight) {
    gint sum = 0, largest = 0;
    for (gint k = 0; k < TAPS; k++) {
        gdouble value = taps[k] * (1 << WEIGHT_BITS);
        weight[k] = (gint16)(value < 0 ? value - 0.5 : value + 0.5);
        sum += weight[k];
        largest = weight[k] > weight[largest] ? k : largest;
    }
    weight[largest] = (gint16)(weight[largest] + (1 << WEIGHT_BITS) - sum);
}

/*
 * Phases of one axis. `site` is where the first sample lies, from 0 to 1 of the way through the pixels it stands for:
 * 0.5 in the middle, which is where luma lies, 0.25 on the first of two pixels. It stays there when the frame grows.
 */
static Phase *phases_new(gint scale, gdouble site) {
    enum { LENGTH = 4 * TAPS, MIDDLE = LENGTH / 2 }; /* a row so long that the middle knows no border */
    GstVideoResampler resampler;
    Phase *phases = g_new0(Phase, (gsize)scale);
    gst_video_resampler_init(&resampler, GST_VIDEO_RESAMPLER_METHOD_LANCZOS, GST_VIDEO_RESAMPLER_FLAG_NONE,
                             (guint)(LENGTH * scale), TAPS, (0.5 - site) * (1 - scale), LENGTH, (guint)(LENGTH * scale),
                             NULL);
    for (gint p = 0; p < scale; p++) {
        gint at = MIDDLE * scale + p;
        phases[p].first = (gint)resampler.offset[at] - MIDDLE;
        quantise(resampler.taps + resampler.phase[at] * resampler.max_taps, phases[p].weight);
    }
    gst_video_resampler_clear(&resampler);
    return phases;
}

/* ---- samples ------------------------------------------------------------------------------------------ */

static void read_row(const Plane *plane, const guint8 *row, gint16 *restrict samples) {
    const gint count = plane->in_width * plane->channels, up = SAMPLE_BITS - plane->depth, shift = plane->shift;
    const guint16 *words = (const guint16 *)(const void *)row;
    if (plane->depth == 8)
        for (gint x = 0; x < count; x++)
            samples[x] = (gint16)(row[x] << up);
    else
        for (gint x = 0; x < count; x++)
            samples[x] = (gint16)(((GUINT16_FROM_LE(words[x]) >> shift) << up) & G_MAXINT16);
}

static inline gint16 code_of(gint16 sum, gint down, gint16 max) {
    gint16 code = (gint16)((gint16)(sum + (1 << (down - 1))) >> down);
    code = code > 0 ? code : 0;
    return code < max ? code : max;
}

static void write_row(const Plane *plane, const gint16 *restrict sums, guint8 *restrict row) {
    const gint count = plane->out_width * plane->channels, shift = plane->shift;
    guint16 *words = (guint16 *)(void *)row;
    if (plane->depth == 8)
        for (gint x = 0; x < count; x++)
            row[x] = (guint8)code_of(sums[x], SUM_BITS - 8, 255);
    else
        for (gint x = 0; x < count; x++)
            words[x] = GUINT16_TO_LE((guint16)(code_of(sums[x], SUM_BITS - 10, 1023) << shift));
}

/* The upper half of a product. */
static inline gint16 high(gint16 a, gint16 b) {
    return (gint16)((a * b) >> 16);
}

/* The weighted sum of TAPS rows, shifted up by `up` bits. */
static void weigh(const gint16 *const in[TAPS], const Phase *phase, gint up, gint count, gint16 *restrict out) {
    const gint16 w0 = phase->weight[0], w1 = phase->weight[1], w2 = phase->weight[2], w3 = phase->weight[3];
    const gint16 *a = in[0], *b = in[1], *c = in[2], *d = in[3], factor = (gint16)(1 << up);
    for (gint x = 0; x < count; x++)
        out[x] = (gint16)((high(a[x], w0) + high(b[x], w1) + high(c[x], w2) + high(d[x], w3) + MEAN_LOSS) * factor);
}

/* ---- across -------------------------------------------------------------------------------------------- */

/* Repeats the outermost pixels of `width` of them. */
static void pad_row(gint width, gint channels, gint16 *pixels) {
    for (gint i = 1; i <= PADDING; i++)
        for (gint c = 0; c < channels; c++) {
            pixels[c - i * channels] = pixels[c];
            pixels[(width - 1 + i) * channels + c] = pixels[(width - 1) * channels + c];
        }
}

/* Two rows put together pixel by pixel; with a constant `channels` a loop that vectorises. */
static inline void interleave_two(const gint16 *a, const gint16 *b, gint width, gint channels, gint16 *restrict out) {
    for (gint x = 0; x < width; x++)
        for (gint c = 0; c < channels; c++) {
            out[2 * x * channels + c] = a[x * channels + c];
            out[(2 * x + 1) * channels + c] = b[x * channels + c];
        }
}

/*
 * Puts `scale` rows of `width` pixels, `length` samples apart, together pixel by pixel. Copies MAX_CHANNELS samples
 * each time, which is one move; the next ones overwrite what is too much, behind the last there is room.
 */
static void interleave(const gint16 *phases, gsize length, gint scale, gint width, gint channels, gint16 *out) {
    const gint16 *second = phases + length;
    if (scale == 2 && channels == 1)
        interleave_two(phases, second, width, 1, out);
    else if (scale == 2 && channels == 2)
        interleave_two(phases, second, width, 2, out);
    else if (scale == 2 && channels == 4)
        interleave_two(phases, second, width, 4, out);
    else
        for (gint x = 0; x < width; x++)
            for (gint p = 0; p < scale; p++, out += channels)
                memcpy(out, phases + (gsize)p * length + x * channels, MAX_CHANNELS * sizeof *out);
}

static void enlarge_row(const GstYonosResample *resample, const Plane *plane, Band *band, const guint8 *row,
                        gint16 *out) {
    gint channels = plane->channels, count = plane->in_width * channels;
    gint16 *pixels = band->padded + PADDING * channels;
    gsize length = (gsize)count + MAX_CHANNELS;
    read_row(plane, row, pixels);
    pad_row(plane->in_width, channels, pixels);
    for (gint p = 0; p < resample->scale; p++) {
        const gint16 *first = pixels + plane->across[p].first * channels;
        const gint16 *const in[TAPS] = {first, first + channels, first + 2 * channels, first + 3 * channels};
        weigh(in, &plane->across[p], 1, count, band->phases + (gsize)p * length);
    }
    interleave(band->phases, length, resample->scale, plane->in_width, channels, out);
}

/* ---- down ------------------------------------------------------------------------------------------------ */

/* Input row `y`, enlarged; at most TAPS neighbouring ones are asked for between the first and the last use of one. */
static const gint16 *enlarged_row(const GstYonosResample *resample, guint p, Band *band, gint y) {
    const Plane *plane = &resample->plane[p];
    gint clamped = CLAMP(y, 0, plane->in_height - 1), slot = clamped % TAPS;
    if (band->rows_of[slot] != clamped) {
        const guint8 *row = (const guint8 *)GST_VIDEO_FRAME_PLANE_DATA(resample->in, p) +
                            (gssize)clamped * GST_VIDEO_FRAME_PLANE_STRIDE(resample->in, p);
        enlarge_row(resample, plane, band, row, band->rows[slot]);
        band->rows_of[slot] = clamped;
    }
    return band->rows[slot];
}

static void enlarge_band(const GstYonosResample *resample, Band *band, guint p) {
    const Plane *plane = &resample->plane[p];
    gint begin = (gint)((gint64)plane->out_height * band->index / resample->n_bands);
    gint end = (gint)((gint64)plane->out_height * (band->index + 1) / resample->n_bands);
    memset(band->rows_of, -1, sizeof band->rows_of);
    for (gint y = begin; y < end; y++) {
        const Phase *phase = &plane->down[y % resample->scale];
        const gint16 *rows[TAPS];
        for (gint k = 0; k < TAPS; k++)
            rows[k] = enlarged_row(resample, p, band, y / resample->scale + phase->first + k);
        weigh(rows, phase, 0, plane->out_width * plane->channels, band->sums);
        write_row(plane, band->sums,
                  (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(resample->out, p) +
                      (gssize)y * GST_VIDEO_FRAME_PLANE_STRIDE(resample->out, p));
    }
}

/* The same in registers twice as wide, to the same samples: `flatten` compiles everything below it anew, too. */
#ifdef __x86_64__
__attribute__((target("avx2"), flatten)) static void enlarge_band_avx2(const GstYonosResample *resample, Band *band,
                                                                       guint p) {
    enlarge_band(resample, band, p);
}
#endif

static EnlargeBand choose_enlarge_band(void) {
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2"))
        return enlarge_band_avx2;
#endif
    return enlarge_band;
}

/* ---- threads ------------------------------------------------------------------------------------------------ */

/* Takes bands until there is none left. All threads do, so a frame gets done however few threads there are. */
static void run_bands(GstYonosResample *resample) {
    guint index;
    while ((index = (guint)g_atomic_int_add(&resample->next, 1)) < resample->n_bands) {
        for (guint p = 0; p < resample->n_planes; p++)
            resample->enlarge_band(resample, &resample->bands[index], p);
        g_mutex_lock(&resample->lock);
        if (--resample->pending == 0)
            g_cond_signal(&resample->done);
        g_mutex_unlock(&resample->lock);
    }
}

static void work(gpointer data, gpointer resample) {
    (void)data;
    run_bands(resample);
}

void gst_yonos_resample_frame(GstYonosResample *resample, const GstVideoFrame *in, GstVideoFrame *out) {
    resample->in = in;
    resample->out = out;
    resample->pending = resample->n_bands;
    g_atomic_int_set(&resample->next, 0);
    for (guint i = 1; i < resample->n_bands; i++)
        g_thread_pool_push(resample->pool, resample, NULL);
    run_bands(resample);
    g_mutex_lock(&resample->lock);
    while (resample->pending > 0)
        g_cond_wait(&resample->done, &resample->lock);
    g_mutex_unlock(&resample->lock);
}

/* ---- making and freeing ---------------------------------------------------------------------------------------- */

static gint bytes_of(const GstVideoFormatInfo *info, gint component) {
    return GST_VIDEO_FORMAT_INFO_DEPTH(info, component) > 8 ? 2 : 1;
}

/* A component that has bytes or little-endian words to itself, as the other one has. */
static gboolean is_like(const GstVideoFormatInfo *info, gint component, gint other) {
    guint depth = GST_VIDEO_FORMAT_INFO_DEPTH(info, component);
    return (depth == 8 || (depth == 10 && GST_VIDEO_FORMAT_INFO_IS_LE(info))) &&
           depth == GST_VIDEO_FORMAT_INFO_DEPTH(info, other) &&
           GST_VIDEO_FORMAT_INFO_PSTRIDE(info, component) == GST_VIDEO_FORMAT_INFO_PSTRIDE(info, other) &&
           GST_VIDEO_FORMAT_INFO_W_SUB(info, component) == GST_VIDEO_FORMAT_INFO_W_SUB(info, other);
}

/* Whether the components of a plane can be taken as channels of one kind, `first` being the first of them. */
static gboolean is_uniform(const GstVideoFormatInfo *info, guint plane, gint first) {
    gint count = 0;
    for (gint c = first; c < (gint)GST_VIDEO_FORMAT_INFO_N_COMPONENTS(info); c++) {
        if (GST_VIDEO_FORMAT_INFO_PLANE(info, c) != plane)
            continue;
        count++;
        if (!is_like(info, c, first))
            return FALSE;
    }
    return count * bytes_of(info, first) <= GST_VIDEO_FORMAT_INFO_PSTRIDE(info, first);
}

/* A chroma sample stands for two pixels where it is subsampled. */
static gdouble site_of(gint component, guint sub, gboolean cosited) {
    return component > 0 && sub == 1 && cosited ? 0.25 : 0.5;
}

static gboolean plane_init(Plane *plane, const GstVideoInfo *in, gint scale, guint p) {
    const GstVideoFormatInfo *info = in->finfo;
    YonosColour colour = gst_yonos_colour(in);
    gint c = gst_yonos_format_component(info, p), width = GST_VIDEO_INFO_WIDTH(in), height = GST_VIDEO_INFO_HEIGHT(in);
    if (!is_uniform(info, p, c))
        return FALSE;
    plane->channels = GST_VIDEO_FORMAT_INFO_PSTRIDE(info, c) / bytes_of(info, c);
    plane->depth = (gint)GST_VIDEO_FORMAT_INFO_DEPTH(info, c);
    plane->shift = (gint)GST_VIDEO_FORMAT_INFO_SHIFT(info, c);
    plane->in_width = GST_VIDEO_FORMAT_INFO_SCALE_WIDTH(info, c, width);
    plane->in_height = GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT(info, c, height);
    plane->out_width = GST_VIDEO_FORMAT_INFO_SCALE_WIDTH(info, c, scale * width);
    plane->out_height = GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT(info, c, scale * height);
    plane->across = phases_new(scale, site_of(c, GST_VIDEO_FORMAT_INFO_W_SUB(info, c), colour.chroma_cosited_h));
    plane->down = phases_new(scale, site_of(c, GST_VIDEO_FORMAT_INFO_H_SUB(info, c), colour.chroma_cosited_v));
    return TRUE;
}

static void band_init(Band *band, guint index, gint width, gint scale) {
    gsize samples = ((gsize)width + 2 * PADDING) * MAX_CHANNELS, enlarged = samples * (gsize)scale;
    band->index = index;
    band->padded = g_new(gint16, samples);
    band->phases = g_new(gint16, enlarged);
    for (guint k = 0; k < TAPS; k++)
        band->rows[k] = g_new(gint16, enlarged);
    band->sums = g_new(gint16, enlarged);
}

static void band_clear(Band *band) {
    g_free(band->padded);
    g_free(band->phases);
    for (guint k = 0; k < TAPS; k++)
        g_free(band->rows[k]);
    g_free(band->sums);
}

GstYonosResample *gst_yonos_resample_new(const GstVideoInfo *in, gint scale, guint threads) {
    g_autoptr(GstYonosResample) resample = g_new0(GstYonosResample, 1);
    g_mutex_init(&resample->lock);
    g_cond_init(&resample->done);
    resample->scale = scale;
    resample->enlarge_band = choose_enlarge_band();
    resample->n_planes = GST_VIDEO_INFO_N_PLANES(in);
    for (guint p = 0; p < resample->n_planes; p++)
        if (!plane_init(&resample->plane[p], in, scale, p))
            return NULL;
    resample->n_bands = (guint)CLAMP(scale * GST_VIDEO_INFO_HEIGHT(in) / BAND_ROWS, 1, (gint)threads);
    resample->bands = g_new0(Band, resample->n_bands);
    for (guint i = 0; i < resample->n_bands; i++)
        band_init(&resample->bands[i], i, GST_VIDEO_INFO_WIDTH(in), scale);
    if (resample->n_bands > 1)
        resample->pool = g_thread_pool_new(work, resample, (gint)resample->n_bands - 1, FALSE, NULL);
    return g_steal_pointer(&resample);
}

void gst_yonos_resample_free(GstYonosResample *resample) {
    if (!resample)
        return;
    if (resample->pool)
        g_thread_pool_free(resample->pool, TRUE, TRUE);
    for (guint i = 0; i < resample->n_bands; i++)
        band_clear(&resample->bands[i]);
    g_free(resample->bands);
    for (guint p = 0; p < resample->n_planes; p++) {
        g_free(resample->plane[p].across);
        g_free(resample->plane[p].down);
    }
    g_cond_clear(&resample->done);
    g_mutex_clear(&resample->lock);
    g_free(resample);
}
