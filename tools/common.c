/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shared by the tools; see common.h.
 */
#include "common.h"
#include "fit.h"
#include "yonos.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct {
    const char *word;
    int value;
} Word;

static const Word precisions[] = {{"auto", YONOS_PRECISION_AUTO},
                                  {"f32", YONOS_PRECISION_F32},
                                  {"bf16", YONOS_PRECISION_BF16},
                                  {"f16", YONOS_PRECISION_F16},
                                  {NULL, 0}};
static const Word colour_fixes[] = {{"default", YONOS_COLOUR_FIX_DEFAULT},
                                    {"none", YONOS_COLOUR_FIX_NONE},
                                    {"adain", YONOS_COLOUR_FIX_ADAIN},
                                    {"wavelet", YONOS_COLOUR_FIX_WAVELET},
                                    {"back-projection", YONOS_COLOUR_FIX_BACK_PROJECTION},
                                    {NULL, 0}};
static const Word noise_modes[] = {{"per-frame", YONOS_NOISE_PER_FRAME}, {"static", YONOS_NOISE_STATIC}, {NULL, 0}};

/* `word` NULL is the first of the list. */
static gboolean parse_word(const char *option, const Word *words, const char *word, int *value, GError **error) {
    g_autoptr(GString) known = g_string_new(NULL);
    for (const Word *w = words; w->word; w++) {
        if (!word || g_str_equal(w->word, word)) {
            *value = w->value;
            return TRUE;
        }
        g_string_append_printf(known, "%s%s", known->len > 0 ? ", " : "", w->word);
    }
    return yonos_fail(error, YONOS_ERROR_ARGUMENT, "--%s is %s, but must be one of: %s", option, word, known->str);
}

static gboolean parse_precision(const char *word, YonosPrecision *precision, GError **error) {
    int value;
    if (!parse_word("precision", precisions, word, &value, error))
        return FALSE;
    *precision = (YonosPrecision)value;
    return TRUE;
}

static gboolean parse_colour_fix(const char *word, YonosColourFix *colour_fix, GError **error) {
    int value;
    if (!parse_word("colour-fix", colour_fixes, word, &value, error))
        return FALSE;
    *colour_fix = (YonosColourFix)value;
    return TRUE;
}

gboolean tool_parse_noise_mode(const char *word, YonosNoiseMode *noise_mode, GError **error) {
    int value;
    if (!parse_word("noise-mode", noise_modes, word, &value, error))
        return FALSE;
    *noise_mode = (YonosNoiseMode)value;
    return TRUE;
}

static gboolean print_version(const char *name G_GNUC_UNUSED, const char *value G_GNUC_UNUSED,
                              gpointer data G_GNUC_UNUSED, GError **error G_GNUC_UNUSED) {
    printf("%s %s\n", g_get_prgname(), yonos_version());
    exit(0);
}

void tool_options_init(ToolOptions *o, const ToolHelp *help, GOptionContext *context) {
    static const ToolHelp engine = {"auto, cpu, cuda or ref (default: auto); auto:N or cuda:N for GPU N",
                                    "per-frame (default) or static"};
    if (!help)
        help = &engine;
    *o = (ToolOptions){.tile_overlap = -1};
    const GOptionEntry entries[] = {
        {"model", 'm', 0, G_OPTION_ARG_FILENAME, &o->model,
         "model folder, or the name of an installed model (default: yonos-lite-x2)", "DIR|NAME"},
        {"backend", 'b', 0, G_OPTION_ARG_STRING, &o->backend, help->backend, "NAME"},
        {"precision", 'p', 0, G_OPTION_ARG_STRING, &o->precision, "auto, f32, bf16 or f16 (default: auto)", "NAME"},
        {"threads", 't', 0, G_OPTION_ARG_INT, &o->threads, "1 to 256; 0: one per processor (default)", "N"},
        {"seed", 0, 0, G_OPTION_ARG_INT64, &o->seed, "of the noise (default: 0)", "N"},
        {"noise-mode", 0, 0, G_OPTION_ARG_STRING, &o->noise_mode, help->noise_mode, "MODE"},
        {"colour-fix", 0, 0, G_OPTION_ARG_STRING, &o->colour_fix,
         "default (the model's), none, adain, wavelet or back-projection", "NAME"},
        {"tile-size", 0, 0, G_OPTION_ARG_INT, &o->tile_size,
         "output pixels, 64 to 8192; 0: chosen from the frame size and the model (default)", "N"},
        {"tile-overlap", 0, 0, G_OPTION_ARG_INT, &o->tile_overlap, "output pixels; -1: chosen from the model (default)",
         "N"},
        {"max-vram", 0, 0, G_OPTION_ARG_INT, &o->max_vram,
         "MiB of the GPU's memory that may be used; 0: all there is (default)", "N"},
        {"version", 0, G_OPTION_FLAG_NO_ARG, G_OPTION_ARG_CALLBACK, (gpointer)print_version, "print the version", NULL},
        G_OPTION_ENTRY_NULL};
    g_option_context_add_main_entries(context, entries, NULL);
}

void tool_options_add_frame(ToolOptions *o, GOptionContext *context) {
    const GOptionEntry entries[] = {
        {"frame", 0, 0, G_OPTION_ARG_INT64, &o->frame, "number of the (first) frame (default: 0)", "N"},
        G_OPTION_ENTRY_NULL};
    g_option_context_add_main_entries(context, entries, NULL);
}

void tool_options_clear(ToolOptions *o) {
    g_clear_pointer(&o->model, g_free);
    g_clear_pointer(&o->backend, g_free);
    g_clear_pointer(&o->precision, g_free);
    g_clear_pointer(&o->colour_fix, g_free);
    g_clear_pointer(&o->noise_mode, g_free);
}

gboolean tool_options_parse(GOptionContext *context, int *argc, char ***argv, GError **error) {
    g_autoptr(GError) cause = NULL;
    return g_option_context_parse(context, argc, argv, &cause) ||
           yonos_fail(error, YONOS_ERROR_ARGUMENT, "%s; see --help", cause->message);
}

YonosModel *tool_open_model(const ToolOptions *o, GError **error) {
    g_autofree char *folder = yonos_model_find(o->model, error);
    return folder ? yonos_model_open(folder, error) : NULL;
}

YonosBackend *tool_open_backend(const ToolOptions *o, GError **error) {
    YonosPrecision precision;
    if (!parse_precision(o->precision, &precision, error))
        return NULL;
    if (o->max_vram < 0) {
        yonos_fail(error, YONOS_ERROR_ARGUMENT, "--max-vram is %d, but must be a number of MiB, or 0", o->max_vram);
        return NULL;
    }
    YonosBackend *backend = yonos_backend_open(o->backend ? o->backend : "auto", precision, o->threads, NULL, error);
    if (backend)
        backend->memory_limit = (gsize)o->max_vram << 20;
    return backend;
}

static void warn(const char *warning) {
    if (warning)
        g_printerr("%s: warning: %s\n", g_get_prgname(), warning);
}

YonosPlan *tool_plan_fit(YonosBackend *backend, YonosModel *model, const YonosFrameSpec *spec, gboolean keep,
                         GError **error) {
    g_autofree char *warning = NULL;
    YonosPlan *plan = yonos_plan_fit(backend, model, spec, keep, &warning, error);
    warn(yonos_model_get_warning(model));
    warn(warning);
    return plan;
}

gboolean tool_make_spec(const ToolOptions *o, const YonosBackend *backend, int width, int height, YonosFormat format,
                        YonosFrameSpec *spec, GError **error) {
    *spec = (YonosFrameSpec){.width = width,
                             .height = height,
                             .format = format,
                             .tile_size = o->tile_size,
                             .tile_overlap = o->tile_overlap,
                             .dtype = backend->dtype};
    return parse_colour_fix(o->colour_fix, &spec->colour_fix, error) &&
           yonos_tile_options_check(o->tile_size, o->tile_overlap, error);
}

int tool_report(const char *program, GError *error) {
    fprintf(stderr, "%s: %s\n", program, error ? error->message : "failed");
    g_clear_error(&error);
    return 1;
}
