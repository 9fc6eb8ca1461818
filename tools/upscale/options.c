/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Options; see options.h.
 */
#include "options.h"
#include "encoder.h"

#include <gst/gst.h>
#include <stdio.h>
#include <string.h>

static const char summary[] =
    "Upscales a video file, or every video of a folder, keeping sound, subtitles, chapters and tags.\n"
    "A run that was stopped goes on where it stopped when the same command is given again.";

static void add_options(UpscaleOptions *o, GOptionContext *context) {
    GOptionEntry entries[] = {
        {"quality", 'q', 0, G_OPTION_ARG_STRING, &o->quality, "draft, good (default), best or lossless", "NAME"},
        {"encoder", 'e', 0, G_OPTION_ARG_STRING, &o->encoder,
         "GStreamer's name of the video encoder (default: chosen from the file, see the manual page)", "NAME"},
        {"force", 'f', 0, G_OPTION_ARG_NONE, &o->force, "overwrite the output, drop parts of another job", NULL},
        {"dry-run", 'n', 0, G_OPTION_ARG_NONE, &o->dry_run, "say what would be done", NULL},
        {"compare", 0, 0, G_OPTION_ARG_STRING, &o->compare,
         "show the resampled original beside the result: split or side-by-side", "MODE"},
        {"segment", 0, 0, G_OPTION_ARG_STRING, &o->share_text, "do only share K of N, do not join", "K/N"},
        {"join", 0, 0, G_OPTION_ARG_NONE, &o->join, "only join finished segments, fail where one is missing", NULL},
        {"parts", 0, 0, G_OPTION_ARG_FILENAME, &o->parts, "folder of the segments (default: OUTPUT.parts)", "DIR"},
        {"keep-parts", 0, 0, G_OPTION_ARG_NONE, &o->keep_parts, "leave the segments there after joining", NULL},
        {"sheet", 0, 0, G_OPTION_ARG_NONE, &o->sheet, "write a picture (PNG) that compares instead of a video", NULL},
        {"at", 0, 0, G_OPTION_ARG_STRING, &o->times, "seconds to compare at (default: 0)", "T,T..."},
        {"around", 0, 0, G_OPTION_ARG_STRING, &o->place_text, "part of width and height to compare around (default: "
         "0.5,0.5)", "X,Y"},
        {"steadiness", 0, 0, G_OPTION_ARG_DOUBLE, &o->steadiness,
         "share of the detail that is kept where the picture stands still, 0 to 0.95 (default: 0.9)", "SHARE"},
        {"quiet", 0, 0, G_OPTION_ARG_NONE, &o->quiet, "no progress", NULL},
        G_OPTION_ENTRY_NULL};
    g_option_context_set_summary(context, summary);
    g_option_context_add_main_entries(context, entries, NULL);
    static const ToolHelp help = {"auto, cpu or cuda (default: auto); cuda:N for GPU N",
                                  "per-frame or static (default)"};
    tool_options_init(&o->model, &help, context);
}

static gboolean parse_share(UpscaleOptions *o, GError **error) {
    char rest;
    if (!o->share_text)
        return TRUE;
    if (sscanf(o->share_text, "%u/%u%c", &o->share, &o->shares, &rest) != 2 || o->share < 1 || o->share > o->shares)
        return upscale_fail(error, UPSCALE_USAGE, "--segment is %s, but must be K/N with K from 1 to N", o->share_text);
    return TRUE;
}

static gboolean parse_place(UpscaleOptions *o, GError **error) {
    g_auto(GStrv) words = g_strsplit(o->place_text ? o->place_text : "0.5,0.5", ",", -1);
    gboolean ok = g_strv_length(words) == 2;
    for (int i = 0; ok && i < 2; i++) {
        char *end;
        o->place[i] = g_ascii_strtod(words[i], &end);
        ok = end != words[i] && !*end && o->place[i] >= 0 && o->place[i] <= 1;
    }
    return ok || upscale_fail(error, UPSCALE_USAGE, "--around is %s, but must be X,Y, each from 0 to 1", o->place_text);
}

static gboolean check(UpscaleOptions *o, GError **error) {
    if (!encoder_is_quality(o->quality))
        return upscale_fail(error, UPSCALE_USAGE, "--quality is %s, but must be draft, good, best or lossless",
                            o->quality);
    if (o->compare && !g_str_equal(o->compare, "split") && !g_str_equal(o->compare, "side-by-side"))
        return upscale_fail(error, UPSCALE_USAGE, "--compare is %s, but must be split or side-by-side", o->compare);
    if (!(o->steadiness >= 0 && o->steadiness <= YONOS_MAX_STEADINESS))
        return upscale_fail(error, UPSCALE_USAGE, "--steadiness is %g, but must be 0 to %g", o->steadiness,
                            YONOS_MAX_STEADINESS);
    if (o->join && o->share_text)
        return upscale_fail(error, UPSCALE_USAGE, "--join and --segment exclude each other");
    if (o->sheet && (o->join || o->share_text || o->compare))
        return upscale_fail(error, UPSCALE_USAGE, "--sheet goes with --at, --around and the model's options only");
    if ((o->times || o->place_text) && !o->sheet)
        return upscale_fail(error, UPSCALE_USAGE, "--at and --around need --sheet");
    return parse_share(o, error) && parse_place(o, error);
}

gboolean options_parse(UpscaleOptions *o, int argc, char **argv, GError **error) {
    g_autoptr(GOptionContext) context = g_option_context_new("INPUT OUTPUT");
    g_autoptr(GError) cause = NULL;
    *o = (UpscaleOptions){.quality = g_strdup("good"), .steadiness = 0.9};
    add_options(o, context);
    g_option_context_add_group(context, gst_init_get_option_group());
    if (!g_option_context_parse(context, &argc, &argv, &cause))
        return upscale_fail(error, UPSCALE_USAGE, "%s; see --help", cause->message);
    if (argc != 3)
        return upscale_fail(error, UPSCALE_USAGE, "needs two files or two folders, INPUT and OUTPUT; see --help");
    o->input = g_strdup(argv[1]);
    o->output = g_strdup(argv[2]);
    return check(o, error);
}

void options_clear(UpscaleOptions *o) {
    tool_options_clear(&o->model);
    g_free(o->encoder);
    g_free(o->quality);
    g_free(o->compare);
    g_free(o->parts);
    g_free(o->times);
    g_free(o->place_text);
    g_free(o->share_text);
    g_free(o->input);
    g_free(o->output);
}
