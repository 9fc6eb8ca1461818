/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A polyphase filter in fixed point, see gstyonosresample.h: each input row is enlarged once, then output rows are
 * weighted sums of TAPS enlarged rows. The taps are GStreamer's own, of its Lanczos filter with two lobes; beyond the
 * border the outermost sample repeats.
 *
 * All sums stay in 16 bits, which makes them fast: a product keeps its upper half, which is one instruction for eight
 * samples (pmulhw) where 32 bits take six. What the lower halves lose is made up for on average; the result is within
 * a quarter of a code of the exact one before it is rounded. Binary places on the way:
 *
 *   sample 7 --times a weight of 14, upper half--> 5 --doubled--> 6 (rows) --times a weight, upper half--> 4 --> 0
 */
#include "gstyonosresample.h"

#include <string.h>

enum {
    TAPS = 4,
    WEIGHT_BITS = 14,   /* weights sum to 1 << WEIGHT_BITS */
    SAMPLE_BITS = 7,    /* binary places of padded rows */
    RESULT_BITS = 4,    /* of blended rows */
    MEAN_LOSS = TAPS / 2, /* of the sum of TAPS upper halves */
    PADDING = TAPS,     /* pixels on both sides of a padded row */
    BAND_ROWS = 64,     /* output rows that are worth a thread */
    MAX_CHANNELS = 4,
};

/* Of one phase: output samples `scale` apart are the same sums of input samples 1 apart. */
typedef struct {
    gint first; /* input sample of the first tap of output sample `phase`, -PADDING to 0 */
    gint16 weight[TAPS];
} Phase;

/* How one plane is enlarged. Lengths in samples of one channel. */
typedef struct {
    gint channels; /* samples side by side that belong to one pixel */
    gint in_width, in_height, out_width, out_height;
    Phase *across, *down; /* `scale` of each */
} Plane;

/* A part of the output's rows, and what the thread that takes it works with. */
typedef struct {
    guint index;
    gint16 *padded;                /* an input row with its borders */
    gint16 *phases;                /* `scale` rows, one per phase, before they are put together */
    gint16 *rows[TAPS];            /* enlarged input rows */
    gint rows_of[TAPS];            /* which one is there, -1: none */
} Band;

struct _GstYonosResample {
    gint scale;
    guint n_planes, n_bands;
    Plane plane[GST_VIDEO_MAX_PLANES];
    Band *bands;
    const GstVideoFrame *in; /* the frame in work */
    GstVideoFrame *out;
    gint next;               /* the first band that no thread has taken; atomic */
    GThreadPool *pool;       /* the threads besides the caller's; NULL with one band */
    GMutex lock;
    GCond done;
    guint pending;           /* bands that are not done; under the lock */
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
                             (guint)(LENGTH * scale), TAPS, (0.5 - site) * (1 - scale), LENGTH,
                             (guint)(LENGTH * scale), NULL);
    for (gint p = 0; p < scale; p++) {
        gint at = MIDDLE * scale + p;
        phases[p].first = (gint)resampler.offset[at] - MIDDLE;
        quantise(resampler.taps + resampler.phase[at] * resampler.max_taps, phases[p].weight);
    }
    gst_video_resampler_clear(&resampler);
    return phases;
}

/* ---- across -------------------------------------------------------------------------------------------- */

/* The upper half of a product. */
static inline gint16 high(gint16 a, gint16 b) { return (gint16)((a * b) >> 16); }

static void pad_row(const guint8 *row, gint width, gint channels, gint16 *padded) {
    gint16 *samples = padded + PADDING * channels;
    for (gint x = 0; x < width * channels; x++)
        samples[x] = (gint16)(row[x] << SAMPLE_BITS);
    for (gint i = 1; i <= PADDING; i++)
        for (gint c = 0; c < channels; c++) {
            samples[c - i * channels] = (gint16)(row[c] << SAMPLE_BITS);
            samples[(width - 1 + i) * channels + c] = (gint16)(row[(width - 1) * channels + c] << SAMPLE_BITS);
        }
}

static void filter_row(const gint16 *restrict in, gint channels, const Phase *phase, gint count, gint16 *restrict out) {
    const gint16 w0 = phase->weight[0], w1 = phase->weight[1], w2 = phase->weight[2], w3 = phase->weight[3];
    const gint16 *b = in + channels, *c = b + channels, *d = c + channels;
    for (gint x = 0; x < count; x++)
        out[x] = (gint16)((high(in[x], w0) + high(b[x], w1) + high(c[x], w2) + high(d[x], w3) + MEAN_LOSS) * 2);
}

/*
 * Puts `scale` rows of `width` pixels, `length` samples apart, together pixel by pixel. Copies MAX_CHANNELS samples
 * each time, which is one move; the next ones overwrite what is too much, behind the last there is room.
 */
static void interleave(const gint16 *phases, gsize length, gint scale, gint width, gint channels, gint16 *out) {
    if (scale == 2 && channels == 1) { /* luma of most videos: a loop that vectorises */
        const gint16 *a = phases, *b = phases + length;
        for (gint x = 0; x < width; x++) {
            out[2 * x] = a[x];
            out[2 * x + 1] = b[x];
        }
        return;
    }
    for (gint x = 0; x < width; x++)
        for (gint p = 0; p < scale; p++, out += channels)
            memcpy(out, phases + (gsize)p * length + x * channels, MAX_CHANNELS * sizeof *out);
}

static void enlarge_row(const GstYonosResample *resample, const Plane *plane, Band *band, const guint8 *row,
                        gint16 *out) {
    gint count = plane->in_width * plane->channels;
    gsize length = (gsize)count + MAX_CHANNELS;
    pad_row(row, plane->in_width, plane->channels, band->padded);
    for (gint p = 0; p < resample->scale; p++)
        filter_row(band->padded + (PADDING + plane->across[p].first) * plane->channels, plane->channels,
                   &plane->across[p], count, band->phases + (gsize)p * length);
    interleave(band->phases, length, resample->scale, plane->in_width, plane->channels, out);
}

/* ---- down ------------------------------------------------------------------------------------------------ */

static void blend_rows(gint16 *const rows[TAPS], const Phase *phase, gint count, guint8 *restrict out) {
    const gint16 w0 = phase->weight[0], w1 = phase->weight[1], w2 = phase->weight[2], w3 = phase->weight[3];
    const gint16 *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3];
    const gint16 rounding = MEAN_LOSS + (1 << (RESULT_BITS - 1));
    for (gint x = 0; x < count; x++) {
        gint16 sum = (gint16)(high(a[x], w0) + high(b[x], w1) + high(c[x], w2) + high(d[x], w3) + rounding);
        gint16 value = sum >> RESULT_BITS;
        out[x] = (guint8)CLAMP(value, 0, 255);
    }
}

/* Input row `y`, enlarged; at most TAPS neighbouring ones are asked for between the first and the last use of one. */
static gint16 *enlarged_row(const GstYonosResample *resample, guint p, Band *band, gint y) {
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
        gint16 *rows[TAPS];
        for (gint k = 0; k < TAPS; k++)
            rows[k] = enlarged_row(resample, p, band, y / resample->scale + phase->first + k);
        blend_rows(rows, phase, plane->out_width * plane->channels,
                   (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(resample->out, p) +
                       (gssize)y * GST_VIDEO_FRAME_PLANE_STRIDE(resample->out, p));
    }
}

/* ---- threads ------------------------------------------------------------------------------------------------ */

/* Takes bands until there is none left. All threads do, so a frame gets done however few threads there are. */
static void run_bands(GstYonosResample *resample) {
    guint index;
    while ((index = (guint)g_atomic_int_add(&resample->next, 1)) < resample->n_bands) {
        for (guint p = 0; p < resample->n_planes; p++)
            enlarge_band(resample, &resample->bands[index], p);
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

/* The first component of a plane; FALSE where the plane's components cannot be taken as channels of one size. */
static gboolean find_component(const GstVideoFormatInfo *info, guint plane, gint *first) {
    *first = -1;
    for (gint c = 0; c < (gint)GST_VIDEO_FORMAT_INFO_N_COMPONENTS(info); c++) {
        if (GST_VIDEO_FORMAT_INFO_PLANE(info, c) != plane)
            continue;
        if (*first < 0)
            *first = c;
        if (GST_VIDEO_FORMAT_INFO_DEPTH(info, c) != 8 ||
            GST_VIDEO_FORMAT_INFO_PSTRIDE(info, c) != GST_VIDEO_FORMAT_INFO_PSTRIDE(info, *first) ||
            GST_VIDEO_FORMAT_INFO_W_SUB(info, c) != GST_VIDEO_FORMAT_INFO_W_SUB(info, *first))
            return FALSE;
    }
    return *first >= 0 && GST_VIDEO_FORMAT_INFO_PSTRIDE(info, *first) <= MAX_CHANNELS;
}

/* A chroma sample stands for two pixels where it is subsampled. Nothing said is MPEG-2's siting, as in
 * gst_yonos_colour(). */
static gdouble site_of(const GstVideoInfo *info, gint component, guint sub, GstVideoChromaSite cosited) {
    GstVideoChromaSite site = info->chroma_site;
    if (site == GST_VIDEO_CHROMA_SITE_UNKNOWN)
        site = GST_VIDEO_CHROMA_SITE_MPEG2;
    return component > 0 && sub == 1 && (site & cosited) != 0 ? 0.25 : 0.5;
}

static gboolean plane_init(Plane *plane, const GstVideoInfo *in, gint scale, guint p) {
    const GstVideoFormatInfo *info = in->finfo;
    gint c, width = GST_VIDEO_INFO_WIDTH(in), height = GST_VIDEO_INFO_HEIGHT(in);
    if (!find_component(info, p, &c))
        return FALSE;
    plane->channels = GST_VIDEO_FORMAT_INFO_PSTRIDE(info, c);
    plane->in_width = GST_VIDEO_FORMAT_INFO_SCALE_WIDTH(info, c, width);
    plane->in_height = GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT(info, c, height);
    plane->out_width = GST_VIDEO_FORMAT_INFO_SCALE_WIDTH(info, c, scale * width);
    plane->out_height = GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT(info, c, scale * height);
    plane->across = phases_new(scale, site_of(in, c, GST_VIDEO_FORMAT_INFO_W_SUB(info, c),
                                              GST_VIDEO_CHROMA_SITE_H_COSITED));
    plane->down = phases_new(scale, site_of(in, c, GST_VIDEO_FORMAT_INFO_H_SUB(info, c),
                                            GST_VIDEO_CHROMA_SITE_V_COSITED));
    return TRUE;
}

static void band_init(Band *band, guint index, gint width, gint scale) {
    gsize pixels = (gsize)width + 2 * PADDING;
    band->index = index;
    band->padded = g_new(gint16, pixels * MAX_CHANNELS);
    band->phases = g_new(gint16, pixels * MAX_CHANNELS * (gsize)scale);
    for (guint k = 0; k < TAPS; k++)
        band->rows[k] = g_new(gint16, pixels * MAX_CHANNELS * (gsize)scale);
}

GstYonosResample *gst_yonos_resample_new(const GstVideoInfo *in, gint scale, guint threads) {
    g_autoptr(GstYonosResample) resample = g_new0(GstYonosResample, 1);
    g_mutex_init(&resample->lock);
    g_cond_init(&resample->done);
    resample->scale = scale;
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
    for (guint i = 0; i < resample->n_bands; i++) {
        g_free(resample->bands[i].padded);
        g_free(resample->bands[i].phases);
        for (guint k = 0; k < TAPS; k++)
            g_free(resample->bands[i].rows[k]);
    }
    g_free(resample->bands);
    for (guint p = 0; p < resample->n_planes; p++) {
        g_free(resample->plane[p].across);
        g_free(resample->plane[p].down);
    }
    g_cond_clear(&resample->done);
    g_mutex_clear(&resample->lock);
    g_free(resample);
}
