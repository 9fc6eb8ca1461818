/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The choice of one format, one size and one pixel aspect ratio; see gstyonoscaps.h. Written in the terms of the way
 * from sink to src; the other way is only taken when a source asks with fixed caps downstream, and is then simple.
 */
#include "gstyonoscaps.h"
#include "gstyonosformat.h"

/* ---- format ------------------------------------------------------------------------------------ */

static void consider(const GValue *value, const GstVideoFormatInfo *from, const gchar **best, guint *best_loss) {
    const gchar *name = g_value_get_string(value);
    GstVideoFormat format = gst_video_format_from_string(name);
    if (format == GST_VIDEO_FORMAT_UNKNOWN)
        return;
    guint loss = gst_yonos_format_loss(from, gst_video_format_get_info(format));
    if (!*best || loss < *best_loss) {
        *best = name;
        *best_loss = loss;
    }
}

/* The structure of `caps` with the format that loses least, and only with that one. */
static GstStructure *choose_format(const GstCaps *caps, const GstVideoFormatInfo *from) {
    const gchar *best = NULL;
    guint best_loss = G_MAXUINT, index = 0;
    for (guint i = 0; i < gst_caps_get_size(caps); i++) {
        const GValue *value = gst_structure_get_value(gst_caps_get_structure(caps, i), "format");
        guint before = best_loss;
        if (value && G_VALUE_HOLDS_STRING(value))
            consider(value, from, &best, &best_loss);
        for (guint k = 0; value && GST_VALUE_HOLDS_LIST(value) && k < gst_value_list_get_size(value); k++)
            consider(gst_value_list_get_value(value, k), from, &best, &best_loss);
        if (best_loss < before)
            index = i;
    }
    GstStructure *chosen = gst_structure_copy(gst_caps_get_structure(caps, index));
    gst_structure_set(chosen, "format", G_TYPE_STRING, best ? best : GST_VIDEO_FORMAT_INFO_NAME(from), NULL);
    return chosen;
}

/* ---- size and aspect ratio ------------------------------------------------------------------------ */

static gboolean is_fixed(const GstStructure *structure, const gchar *field, gint *value) {
    return gst_structure_get_int(structure, field, value);
}

static gint fixate_int(GstStructure *structure, const gchar *field, gint target) {
    gint value = target;
    gst_structure_fixate_field_nearest_int(structure, field, CLAMP(target, 1, GST_YONOS_MAX_SIDE));
    gst_structure_get_int(structure, field, &value);
    return value;
}

/* a * b / c rounded, 0 where it is none. */
static gint proportion(gint a, guint64 b, guint64 c) {
    return c > 0 ? (gint)MIN(gst_util_uint64_scale_round((guint64)a, b, c), GST_YONOS_MAX_SIDE) : 0;
}

/* The ratio width : height, in pixels, of a picture of `in`'s display aspect shown with pixels of par_n : par_d. */
static void pixel_ratio(const GstVideoInfo *in, gint par_n, gint par_d, guint64 *n, guint64 *d) {
    *n = (guint64)GST_VIDEO_INFO_WIDTH(in) * GST_VIDEO_INFO_PAR_N(in) * (guint64)par_d;
    *d = (guint64)GST_VIDEO_INFO_HEIGHT(in) * GST_VIDEO_INFO_PAR_D(in) * (guint64)par_n;
}

/* The pixel aspect ratio that shows w x h pixels in `in`'s display aspect, as near as the caps allow. */
static void fixate_par(GstStructure *s, const GstVideoInfo *in, gint w, gint h) {
    guint64 n = (guint64)GST_VIDEO_INFO_WIDTH(in) * GST_VIDEO_INFO_PAR_N(in) * (guint64)h;
    guint64 d = (guint64)GST_VIDEO_INFO_HEIGHT(in) * GST_VIDEO_INFO_PAR_D(in) * (guint64)w;
    guint64 common = (guint64)gst_util_greatest_common_divisor_int64((gint64)n, (gint64)d);
    n /= MAX(common, 1);
    d /= MAX(common, 1);
    while (n > G_MAXINT || d > G_MAXINT) {
        n /= 2;
        d /= 2;
    }
    if (!gst_structure_has_field(s, "pixel-aspect-ratio"))
        gst_structure_set(s, "pixel-aspect-ratio", GST_TYPE_FRACTION_RANGE, 1, G_MAXINT, G_MAXINT, 1, NULL);
    gst_structure_fixate_field_nearest_fraction(s, "pixel-aspect-ratio", (gint)MAX(n, 1), (gint)MAX(d, 1));
}

static void fixate_size(GstStructure *s, const GstVideoInfo *in, gint scale) {
    gint w = 0, h = 0, par_n = GST_VIDEO_INFO_PAR_N(in), par_d = GST_VIDEO_INFO_PAR_D(in);
    gint exact_w = GST_VIDEO_INFO_WIDTH(in) * scale, exact_h = GST_VIDEO_INFO_HEIGHT(in) * scale;
    gboolean has_w = is_fixed(s, "width", &w), has_h = is_fixed(s, "height", &h);
    if (!(has_w && has_h)) {
        /* One side follows from the other: with square or the given pixels, or the input's. */
        guint64 n, d;
        if (gst_structure_has_field(s, "pixel-aspect-ratio")) {
            gst_structure_fixate_field_nearest_fraction(s, "pixel-aspect-ratio", par_n, par_d);
            gst_structure_get_fraction(s, "pixel-aspect-ratio", &par_n, &par_d);
        }
        pixel_ratio(in, MAX(par_n, 1), MAX(par_d, 1), &n, &d);
        if (has_h) {
            w = fixate_int(s, "width", proportion(h, n, d));
        } else {
            w = fixate_int(s, "width", has_w ? w : exact_w);
            h = fixate_int(s, "height", w == exact_w ? exact_h : proportion(w, d, n));
        }
    }
    fixate_par(s, in, w, h);
}

/* The width may still be free when the height was limited: then it follows the height. */
static void refit_width(GstStructure *s, const GstStructure *free_size, const GstVideoInfo *in, gint scale) {
    gint h = 0, par_n = GST_VIDEO_INFO_PAR_N(in), par_d = GST_VIDEO_INFO_PAR_D(in), fixed;
    guint64 n, d;
    gst_structure_get_int(s, "height", &h);
    if (is_fixed(free_size, "width", &fixed) || is_fixed(free_size, "height", &fixed) ||
        h >= GST_VIDEO_INFO_HEIGHT(in) * scale)
        return;
    pixel_ratio(in, MAX(par_n, 1), MAX(par_d, 1), &n, &d);
    gst_structure_set_value(s, "width", gst_structure_get_value(free_size, "width"));
    gint w = fixate_int(s, "width", proportion(h, n, d));
    if (gst_structure_has_field(free_size, "pixel-aspect-ratio"))
        gst_structure_set_value(s, "pixel-aspect-ratio", gst_structure_get_value(free_size, "pixel-aspect-ratio"));
    else
        gst_structure_remove_field(s, "pixel-aspect-ratio");
    fixate_par(s, in, w, h);
}

/* ---- colour ------------------------------------------------------------------------------------------ */

static void fixate_colour(GstStructure *s, const GstVideoInfo *in, gboolean said) {
    const gchar *name = gst_structure_get_string(s, "format");
    const GstVideoFormatInfo *to = gst_video_format_get_info(gst_video_format_from_string(name));
    GstVideoColorimetry colorimetry = gst_yonos_colorimetry(in, to);
    g_autofree gchar *text = gst_video_colorimetry_to_string(&colorimetry);
    gboolean both_yuv = GST_VIDEO_FORMAT_INFO_IS_YUV(to) && GST_VIDEO_INFO_IS_YUV(in);
    /* An R'G'B' picture that says nothing is sRGB at every size; no need to narrow down what follows. */
    if (text && !gst_structure_has_field(s, "colorimetry")) {
        if (said || !GST_VIDEO_FORMAT_INFO_IS_RGB(to) || !GST_VIDEO_INFO_IS_RGB(in))
            gst_structure_set(s, "colorimetry", G_TYPE_STRING, text, NULL);
    } else if (text) {
        gst_structure_fixate_field_string(s, "colorimetry", text);
    }
    if (both_yuv && in->chroma_site != GST_VIDEO_CHROMA_SITE_UNKNOWN && !gst_structure_has_field(s, "chroma-site")) {
        g_autofree gchar *site = gst_video_chroma_site_to_string(in->chroma_site);
        if (site)
            gst_structure_set(s, "chroma-site", G_TYPE_STRING, site, NULL);
    }
}

/* ---- all of it ------------------------------------------------------------------------------------------ */

static GstCaps *fixate_towards_sink(GstCaps *others, const GstStructure *from, gint scale) {
    gint w = 0, h = 0;
    gst_structure_get_int(from, "width", &w);
    gst_structure_get_int(from, "height", &h);
    others = gst_caps_truncate(gst_caps_make_writable(others));
    GstStructure *s = gst_caps_get_structure(others, 0);
    fixate_int(s, "width", w / scale);
    fixate_int(s, "height", h / scale);
    return gst_caps_fixate(others);
}

GstCaps *gst_yonos_caps_fixate(const GstCaps *caps, GstCaps *others, gint scale, gboolean up) {
    GstVideoInfo in;
    const GstStructure *from = gst_caps_get_structure(caps, 0);
    if (gst_caps_is_empty(others))
        return others;
    if (!up)
        return fixate_towards_sink(others, from, scale);
    if (!gst_yonos_info(&in, caps))
        return gst_caps_fixate(others);
    g_autoptr(GstCaps) wishes = gst_yonos_caps_transform(caps, scale, TRUE, TRUE);
    g_autoptr(GstCaps) possible = NULL;
    for (guint i = 0; i < gst_caps_get_size(wishes) && !possible; i++) {
        g_autoptr(GstCaps) wish = gst_caps_copy_nth(wishes, i);
        g_autoptr(GstCaps) both = gst_caps_intersect_full(wish, others, GST_CAPS_INTERSECT_FIRST);
        if (!gst_caps_is_empty(both))
            possible = g_steal_pointer(&both);
    }
    if (!possible)
        return gst_caps_fixate(others);
    GstStructure *s = choose_format(possible, in.finfo);
    g_autoptr(GstStructure) free_size = gst_structure_copy(s);
    fixate_size(s, &in, scale);
    refit_width(s, free_size, &in, scale);
    fixate_colour(s, &in, gst_structure_has_field(from, "colorimetry"));
    gst_caps_unref(others);
    others = gst_caps_new_empty();
    gst_caps_append_structure_full(others, s, gst_caps_features_copy(gst_caps_get_features(possible, 0)));
    return gst_caps_fixate(others);
}

/* A length in whole chroma samples, at least one of them. */
static gint whole(gint length, gint step) {
    return MAX(length / step * step, MIN(step, length));
}

GstVideoRectangle gst_yonos_caps_picture(const GstVideoInfo *in, const GstVideoInfo *out, gboolean borders) {
    GstVideoRectangle picture = {0, 0, GST_VIDEO_INFO_WIDTH(out), GST_VIDEO_INFO_HEIGHT(out)};
    guint64 n, d;
    pixel_ratio(in, MAX(GST_VIDEO_INFO_PAR_N(out), 1), MAX(GST_VIDEO_INFO_PAR_D(out), 1), &n, &d);
    if (!borders || n == 0 || d == 0)
        return picture;
    gint w = MAX(proportion(picture.h, n, d), 1), h = MAX(proportion(picture.w, d, n), 1);
    gboolean yuv = GST_VIDEO_INFO_IS_YUV(out);
    gint step_x = yuv ? 1 << GST_VIDEO_FORMAT_INFO_W_SUB(out->finfo, 1) : 1;
    gint step_y = yuv ? 1 << GST_VIDEO_FORMAT_INFO_H_SUB(out->finfo, 1) : 1;
    if (w + 1 < picture.w) {
        gint full = picture.w;
        picture.w = whole(w, step_x);
        picture.x = (full - picture.w) / 2 / step_x * step_x;
    } else if (h + 1 < picture.h) {
        gint full = picture.h;
        picture.h = whole(h, step_y);
        picture.y = (full - picture.h) / 2 / step_y * step_y;
    }
    return picture;
}
