/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the tools share: the options of a model on a backend, as command
 * line options with the same names as the element's properties.
 */
#ifndef YONOS_TOOLS_COMMON_H
#define YONOS_TOOLS_COMMON_H

#include "model/model.h"
#include "plan/plan.h"

typedef struct {
    char *model, *backend, *precision, *colour_fix, *noise_mode;
    int threads, tile_size, tile_overlap, max_vram;
    gint64 seed, frame;
} ToolOptions;

/* What --help says about options that not every tool takes alike. */
typedef struct {
    const char *backend, *noise_mode;
} ToolHelp;

/* Adds the shared options to a context; `options` is filled by its parsing and freed by tool_options_clear(). `help` is
 * NULL for the tools that open the engine themselves. */
void tool_options_init(ToolOptions *options, const ToolHelp *help, GOptionContext *context);
/* --frame, for programs whose frames have no times. */
void tool_options_add_frame(ToolOptions *options, GOptionContext *context);
void tool_options_clear(ToolOptions *options);
/* g_option_context_parse(), whose errors then point to --help. */
gboolean tool_options_parse(GOptionContext *context, int *argc, char ***argv, GError **error);

/* Word to value. Errors: ARGUMENT, listing the words. */
gboolean tool_parse_noise_mode(const char *word, YonosNoiseMode *noise_mode, GError **error);

/* yonos_plan_fit(); its warning and the model's are printed. */
YonosPlan *tool_plan_fit(YonosBackend *backend, YonosModel *model, const YonosFrameSpec *spec, gboolean keep,
                         GError **error);

/* The model and the backend that the options name. Errors: as yonos_model_open() and yonos_backend_open(). */
YonosModel *tool_open_model(const ToolOptions *options, GError **error);
YonosBackend *tool_open_backend(const ToolOptions *options, GError **error);

/* The frame spec of `width` x `height` input pixels. Errors: ARGUMENT. */
gboolean tool_make_spec(const ToolOptions *options, const YonosBackend *backend, int width, int height,
                        YonosFormat format, YonosFrameSpec *spec, GError **error);

/* Prints "program: message" to stderr, frees the error and returns 1, main()'s result. */
int tool_report(const char *program, GError *error);

#endif
