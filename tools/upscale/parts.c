/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parts; see parts.h.
 */
#include "parts.h"
#include "files.h"
#include "status.h"

#include <string.h>

static const char GROUP[] = "job", NAME[] = "job.ini", JOINED[] = "joined";
/* Of the segments' format and of the cuts: parts of another version are not joined. */
enum { FORMAT = 1 };

static void set(GKeyFile *file, const char *key, const char *value) {
    g_key_file_set_string(file, GROUP, key, value ? value : "");
}

static gboolean set_fingerprint(GKeyFile *file, const char *key, const char *path, UpscaleStatus status,
                                GError **error) {
    g_autoptr(GError) cause = NULL;
    g_autofree char *print = path ? file_fingerprint(path, &cause) : NULL;
    if (!print)
        return upscale_fail(error, status, "%s", cause ? cause->message : "no model");
    set(file, key, print);
    return TRUE;
}

/* NULL on an error. */
static GKeyFile *make(const PartsOf *of, GError **error) {
    const ToolOptions *m = &of->options->model;
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) cause = NULL;
    g_autofree char *model = yonos_model_find(m->model, &cause);
    if (!model) {
        upscale_fail(error, UPSCALE_MODEL, "%s", cause->message);
        return NULL;
    }
    g_key_file_set_integer(file, GROUP, "format", FORMAT);
    set(file, "version", yonos_version());
    if (!set_fingerprint(file, "input", of->input, UPSCALE_INPUT, error) ||
        !set_fingerprint(file, "model", model, UPSCALE_MODEL, error))
        return NULL;
    g_key_file_set_integer(file, GROUP, "segments", (int)of->segments);
    set(file, "quality", of->options->quality);
    set(file, "container", of->container);
    set(file, "compare", of->options->compare);
    set(file, "noise-mode", m->noise_mode);
    g_key_file_set_double(file, GROUP, "steadiness", of->options->steadiness);
    set(file, "colour-fix", m->colour_fix);
    g_key_file_set_int64(file, GROUP, "seed", m->seed);
    g_key_file_set_integer(file, GROUP, "tile-size", m->tile_size);
    g_key_file_set_integer(file, GROUP, "tile-overlap", m->tile_overlap);
    g_key_file_set_integer(file, GROUP, "max-vram", m->max_vram); /* too little means other tiles */
    if (of->device)
        set(file, "device", of->device);
    if (of->encoder)
        set(file, "encoder", of->encoder);
    return g_steal_pointer(&file);
}

/* Everything that `wanted` says is in `found` too. */
static gboolean matches(GKeyFile *found, GKeyFile *wanted, const char *folder, GError **error) {
    g_auto(GStrv) keys = g_key_file_get_keys(wanted, GROUP, NULL, NULL);
    for (char **key = keys; *key; key++) {
        g_autofree char *a = g_key_file_get_value(found, GROUP, *key, NULL);
        g_autofree char *b = g_key_file_get_value(wanted, GROUP, *key, NULL);
        if (g_strcmp0(a, b) != 0)
            return upscale_fail(error, UPSCALE_EXISTS,
                                "%s: holds parts of another job (%s is %s there and %s now); --force drops them",
                                folder, *key, a && *a ? a : "nothing", *b ? b : "nothing");
    }
    return TRUE;
}

static gboolean save(GKeyFile *wanted, const char *folder, const char *path, GError **error) {
    g_autoptr(GError) cause = NULL;
    if (!file_make_folder(folder, error))
        return FALSE;
    if (g_key_file_save_to_file(wanted, path, &cause))
        return TRUE;
    return upscale_fail(error, UPSCALE_OUTPUT, "%s", cause->message);
}

gboolean parts_open(const char *folder, const PartsOf *of, GError **error) {
    g_autofree char *path = g_build_filename(folder, NAME, NULL);
    g_autoptr(GKeyFile) wanted = make(of, error), found = g_key_file_new();
    if (!wanted)
        return FALSE;
    file_remove_stale(folder, "");
    if (g_key_file_load_from_file(found, path, G_KEY_FILE_NONE, NULL)) {
        if (matches(found, wanted, folder, of->options->force ? NULL : error))
            return TRUE;
        if (!of->options->force)
            return FALSE;
        parts_remove(folder);
    }
    if (of->options->join)
        return upscale_fail(error, UPSCALE_INCOMPLETE, "%s: no segments of this job are there", folder);
    return save(wanted, folder, path, error);
}

gboolean parts_mark_joined(const char *folder, const char *file, GError **error) {
    g_autofree char *path = g_build_filename(folder, JOINED, NULL);
    g_autoptr(GError) cause = NULL;
    g_autofree char *print = file_fingerprint(file, &cause);
    if (print && g_file_set_contents(path, print, -1, &cause))
        return TRUE;
    return upscale_fail(error, UPSCALE_OUTPUT, "%s", cause->message);
}

/* An empty folder: the removing was interrupted at its last step. */
static gboolean is_empty(const char *folder) {
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    return dir && !g_dir_read_name(dir);
}

gboolean parts_are_joined(const char *folder, const char *file) {
    g_autofree char *path = g_build_filename(folder, JOINED, NULL);
    g_autofree char *noted = NULL, *print = file_fingerprint(file, NULL);
    if (!g_file_get_contents(path, &noted, NULL, NULL))
        return is_empty(folder);
    return g_strcmp0(noted, print) == 0;
}

void parts_remove(const char *folder) {
    file_remove_folder(folder, JOINED);
}
