/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes docs/element.md from the element itself: class, pads, properties, presets. See element-doc.sh.
 */
#include <gst/gst.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *when(GParamFlags flags) {
    if (!(flags & (GST_PARAM_MUTABLE_READY | GST_PARAM_MUTABLE_PAUSED | GST_PARAM_MUTABLE_PLAYING)) &&
        (flags & G_PARAM_WRITABLE))
        return "any time"; /* GstBaseTransform's, which says nothing */
    if (!(flags & G_PARAM_WRITABLE))
        return "read only";
    if (flags & GST_PARAM_MUTABLE_PLAYING)
        return "any time, from the next frame on";
    return "NULL, READY";
}

static char *number(double value) {
    if (value >= (double)G_MAXUINT64)
        return g_strdup("18446744073709551615");
    return g_strdup_printf(floor(value) == value ? "%.0f" : "%g", value);
}

static char *interval(double low, double high) {
    g_autofree char *a = number(low), *b = number(high);
    return g_strdup_printf("%s to %s", a, b);
}

/* Values of an enum, as list items behind the table; its row names them. */
static char *enum_names(GParamSpec *spec) {
    GEnumClass *klass = G_PARAM_SPEC_ENUM(spec)->enum_class;
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < klass->n_values; i++)
        g_string_append_printf(text, "%s%s", i > 0 ? ", " : "", klass->values[i].value_nick);
    return g_string_free(text, FALSE);
}

static char *range(GParamSpec *spec) {
    if (G_IS_PARAM_SPEC_ENUM(spec))
        return enum_names(spec);
    if (G_IS_PARAM_SPEC_BOOLEAN(spec))
        return g_strdup("false, true");
    if (G_IS_PARAM_SPEC_INT(spec))
        return interval(G_PARAM_SPEC_INT(spec)->minimum, G_PARAM_SPEC_INT(spec)->maximum);
    if (G_IS_PARAM_SPEC_UINT(spec))
        return interval(G_PARAM_SPEC_UINT(spec)->minimum, G_PARAM_SPEC_UINT(spec)->maximum);
    if (G_IS_PARAM_SPEC_UINT64(spec))
        return interval((double)G_PARAM_SPEC_UINT64(spec)->minimum, (double)G_PARAM_SPEC_UINT64(spec)->maximum);
    if (G_IS_PARAM_SPEC_DOUBLE(spec))
        return interval(G_PARAM_SPEC_DOUBLE(spec)->minimum, G_PARAM_SPEC_DOUBLE(spec)->maximum);
    return g_strdup("");
}

static char *default_of(GParamSpec *spec) {
    const GValue *value = g_param_spec_get_default_value(spec);
    if (!(spec->flags & G_PARAM_WRITABLE))
        return g_strdup("");
    if (G_IS_PARAM_SPEC_ENUM(spec))
        return g_strdup(g_enum_get_value(G_PARAM_SPEC_ENUM(spec)->enum_class, g_value_get_enum(value))->value_nick);
    if (G_VALUE_HOLDS_STRING(value))
        return g_value_dup_string(value);
    if (G_VALUE_HOLDS_DOUBLE(value))
        return number(g_value_get_double(value));
    return gst_value_serialize(value);
}

static void print_properties(GstElement *element, gboolean own) {
    guint count;
    g_autofree GParamSpec **specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(element), &count);
    g_print("| property | type | values | default | may change | meaning |\n|---|---|---|---|---|---|\n");
    for (guint i = 0; i < count; i++) {
        GParamSpec *spec = specs[i];
        gboolean qos = strcmp(spec->name, "qos") == 0; /* GstBaseTransform's */
        if (own ? spec->owner_type != G_OBJECT_TYPE(element) : !qos)
            continue;
        g_autofree char *values = range(spec), *standard = default_of(spec);
        gboolean controllable = (spec->flags & GST_PARAM_CONTROLLABLE) != 0;
        g_print("| `%s` | %s | %s | %s | %s%s | %s |\n", spec->name, g_type_name(spec->value_type), values,
                qos ? "true" : standard, when(spec->flags), controllable ? "; controllable" : "",
                g_param_spec_get_blurb(spec));
    }
}

static void print_enums(GstElement *element) {
    guint count;
    g_autofree GParamSpec **specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(element), &count);
    for (guint i = 0; i < count; i++) {
        if (specs[i]->owner_type != G_OBJECT_TYPE(element) || !G_IS_PARAM_SPEC_ENUM(specs[i]))
            continue;
        GEnumClass *klass = G_PARAM_SPEC_ENUM(specs[i])->enum_class;
        g_print("\n`%s`:\n\n", specs[i]->name);
        for (guint k = 0; k < klass->n_values; k++)
            g_print("- `%s` (%d): %s\n", klass->values[k].value_nick, klass->values[k].value,
                    klass->values[k].value_name);
    }
}

/* Their order in the factory depends on whether they come from GStreamer's registry. */
static void print_pads(GstElementFactory *factory, GstPadDirection direction) {
    for (const GList *item = gst_element_factory_get_static_pad_templates(factory); item; item = item->next) {
        GstStaticPadTemplate *template = item->data;
        if (template->direction != direction)
            continue;
        g_autoptr(GstCaps) caps = gst_static_caps_get(&template->static_caps);
        g_print("\n`%s`, always:\n\n", template->name_template);
        const GstStructure *s = gst_caps_get_structure(caps, 0);
        g_print("- %s, system memory\n", gst_structure_get_name(s));
        for (int k = 0; k < gst_structure_n_fields(s); k++) {
            const char *field = gst_structure_nth_field_name(s, (guint)k);
            g_autofree char *text = gst_value_serialize(gst_structure_get_value(s, field));
            g_print("- %s: %s\n", field, text);
        }
    }
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void print_presets(GstElement *element) {
    g_auto(GStrv) names = gst_preset_get_preset_names(GST_PRESET(element));
    if (names)
        qsort(names, g_strv_length(names), sizeof *names, by_name);
    for (char **name = names; name && *name; name++) {
        g_autofree char *comment = NULL;
        gst_preset_get_meta(GST_PRESET(element), *name, "comment", &comment);
        g_print("- `%s`: %s\n", *name, comment ? comment : "");
    }
}

int main(int argc, char **argv) {
    gst_init(&argc, &argv);
    GstElement *element = gst_element_factory_make("yonossr", NULL);
    if (!element) {
        g_printerr("the element yonossr is not there; set GST_PLUGIN_PATH\n");
        return 1;
    }
    gst_object_ref_sink(element);
    GstElementFactory *factory = gst_element_get_factory(element);
    g_print("# The element yonossr\n\n"
            "*Made from the element by `tests/gst/element-doc.sh`, a test compares the two. Change the texts in\n"
            "`gst-plugin/gstyonosproperties.c` and run `meson compile -C build element-doc`.*\n\n");
    g_print("%s.\n\n- class: %s\n- rank: %u (never autoplugged)\n",
            gst_element_factory_get_metadata(factory, "description"),
            gst_element_factory_get_metadata(factory, "klass"),
            gst_plugin_feature_get_rank(GST_PLUGIN_FEATURE(factory)));
    g_print("\nRecipes are in [cookbook.md](cookbook.md), messages and what to do in "
            "[troubleshooting.md](troubleshooting.md).\n");
    g_print("\n## Properties\n\n");
    print_properties(element, TRUE);
    g_print("\nOf GstBaseTransform:\n\n");
    print_properties(element, FALSE);
    g_print("\n## Values\n");
    print_enums(element);
    g_print("\n## Presets\n\nWith `gst_preset_load_preset()`:\n\n");
    print_presets(element);
    g_print("\n## Pads\n");
    print_pads(factory, GST_PAD_SINK);
    print_pads(factory, GST_PAD_SRC);
    gst_object_unref(element);
    return 0;
}
