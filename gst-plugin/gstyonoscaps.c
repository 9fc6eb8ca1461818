/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Scaling of integers, ranges and lists in caps, and the caps of the other pad; see gstyonoscaps.h.
 */
#include "gstyonoscaps.h"

#include "gstyonoscuda.h"

static gboolean scale_int(gint value, gint scale, gboolean up, gint *out) {
    if (up ? value > GST_YONOS_MAX_SIDE / scale : value % scale != 0)
        return FALSE;
    *out = up ? value * scale : value / scale;
    return *out > 0;
}

static gboolean scale_range(const GValue *value, gint scale, gboolean up, GValue *out) {
    gint min = MAX(gst_value_get_int_range_min(value), 1), max = gst_value_get_int_range_max(value);
    gint step = MAX(gst_value_get_int_range_step(value), 1);
    if (up) {
        min = min > GST_YONOS_MAX_SIDE / scale ? GST_YONOS_MAX_SIDE + 1 : min * scale;
        max = MIN(max, GST_YONOS_MAX_SIDE / scale) * scale;
        step *= scale;
    } else {
        min = min / scale + (min % scale != 0);
        max /= scale;
        step = step % scale == 0 ? step / scale : 1;
    }
    min = (min + step - 1) / step * step;
    max = max / step * step;
    if (min > max)
        return FALSE;
    if (min == max) {
        g_value_init(out, G_TYPE_INT);
        g_value_set_int(out, min);
    } else {
        g_value_init(out, GST_TYPE_INT_RANGE);
        gst_value_set_int_range_step(out, min, max, step);
    }
    return TRUE;
}

static gboolean scale_value(const GValue *value, gint scale, gboolean up, GValue *out);

static gboolean scale_list(const GValue *value, gint scale, gboolean up, GValue *out) {
    g_value_init(out, GST_TYPE_LIST);
    for (guint i = 0; i < gst_value_list_get_size(value); i++) {
        GValue item = G_VALUE_INIT;
        if (scale_value(gst_value_list_get_value(value, i), scale, up, &item))
            gst_value_list_append_and_take_value(out, &item);
    }
    if (gst_value_list_get_size(out) > 0)
        return TRUE;
    g_value_unset(out);
    return FALSE;
}

static gboolean scale_value(const GValue *value, gint scale, gboolean up, GValue *out) {
    if (G_VALUE_HOLDS_INT(value)) {
        gint scaled;
        if (!scale_int(g_value_get_int(value), scale, up, &scaled))
            return FALSE;
        g_value_init(out, G_TYPE_INT);
        g_value_set_int(out, scaled);
        return TRUE;
    }
    if (GST_VALUE_HOLDS_INT_RANGE(value))
        return scale_range(value, scale, up, out);
    if (GST_VALUE_HOLDS_LIST(value))
        return scale_list(value, scale, up, out);
    return FALSE;
}

static gboolean scale_field(GstStructure *structure, const gchar *field, gint scale, gboolean up) {
    const GValue *value = gst_structure_get_value(structure, field);
    GValue scaled = G_VALUE_INIT;
    if (!value) {
        g_value_init(&scaled, GST_TYPE_INT_RANGE);
        gst_value_set_int_range(&scaled, 1, up ? GST_YONOS_MAX_SIDE : GST_YONOS_MAX_SIDE / scale);
    } else if (!scale_value(value, scale, up, &scaled)) {
        return FALSE;
    }
    gst_structure_take_value(structure, field, &scaled);
    return TRUE;
}

/* ---- the ways from pad to pad ------------------------------------------------------------------ */

static void free_format(GstStructure *structure) {
    gst_structure_remove_fields(structure, "format", "colorimetry", "chroma-site", NULL);
}

/* Any size, if the exact one exists at all: frames whose exact size is absurd are refused. */
static void free_size(GstStructure *structure, gint scale, gboolean up) {
    gint max = up ? GST_YONOS_MAX_SIDE : GST_YONOS_MAX_SIDE / scale;
    gst_structure_set(structure, "width", GST_TYPE_INT_RANGE, 1, max, "height", GST_TYPE_INT_RANGE, 1, max, NULL);
    if (gst_structure_has_field(structure, "pixel-aspect-ratio"))
        gst_structure_set(structure, "pixel-aspect-ratio", GST_TYPE_FRACTION_RANGE, 1, G_MAXINT, G_MAXINT, 1, NULL);
}

/* Towards the source, a size that no multiple gives is still one that a resample reaches. */
static gboolean is_possible(const GstStructure *structure, gint scale, gboolean up) {
    g_autoptr(GstStructure) scaled = gst_structure_copy(structure);
    return !up || (scale_field(scaled, "width", scale, up) && scale_field(scaled, "height", scale, up));
}

static gboolean is_cuda(const GstCapsFeatures *features) {
    return gst_caps_features_contains(features, GST_YONOS_CUDA_MEMORY);
}

/* Of frames in the other memory; NULL for a memory that is neither. Transfer full. */
static GstCapsFeatures *other_memory(const GstCapsFeatures *features) {
    if (gst_caps_features_is_equal(features, GST_CAPS_FEATURES_MEMORY_SYSTEM_MEMORY))
        return gst_caps_features_new(GST_YONOS_CUDA_MEMORY, NULL);
    return is_cuda(features) ? gst_caps_features_new(GST_CAPS_FEATURE_MEMORY_SYSTEM_MEMORY, NULL) : NULL;
}

static void append(GstCaps *caps, GstStructure *structure, const GstCapsFeatures *features) {
    GstCapsFeatures *copy = gst_caps_features_copy(features);
    if (gst_caps_is_subset_structure_full(caps, structure, copy)) {
        gst_structure_free(structure);
        gst_caps_features_free(copy);
    } else {
        gst_caps_append_structure_full(caps, structure, copy);
    }
}

GstCaps *gst_yonos_caps_transform(const GstCaps *caps, gint scale, gboolean up, gboolean cuda) {
    GstCaps *out = gst_caps_new_empty();
    for (guint pass = 0; pass < 4; pass++) {
        gboolean any_format = pass % 2 == 1, any_size = pass >= 2;
        for (guint i = 0; i < gst_caps_get_size(caps); i++) {
            const GstStructure *given = gst_caps_get_structure(caps, i);
            g_autoptr(GstStructure) s = gst_structure_copy(given);
            if (any_size ? !is_possible(given, scale, up)
                         : !(scale_field(s, "width", scale, up) && scale_field(s, "height", scale, up)))
                continue;
            if (any_format)
                free_format(s);
            if (any_size)
                free_size(s, scale, up);
            const GstCapsFeatures *features = gst_caps_get_features(caps, i);
            GstCapsFeatures *other = cuda ? other_memory(features) : NULL;
            append(out, gst_structure_copy(s), features);
            if (other) {
                append(out, g_steal_pointer(&s), other);
                gst_caps_features_free(other);
            }
        }
    }
    return out;
}

gboolean gst_yonos_caps_are_cuda(const GstCaps *caps) {
    return is_cuda(gst_caps_get_features(caps, 0));
}

GstCaps *gst_yonos_caps_without_cuda(GstCaps *caps) {
    GstCaps *out = gst_caps_new_empty();
    for (guint i = 0; i < gst_caps_get_size(caps); i++) {
        const GstCapsFeatures *features = gst_caps_get_features(caps, i);
        if (!is_cuda(features))
            gst_caps_append_structure_full(out, gst_structure_copy(gst_caps_get_structure(caps, i)),
                                           gst_caps_features_copy(features));
    }
    gst_caps_unref(caps);
    return out;
}
