/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Folders; see folder.h.
 */
#include "folder.h"
#include "encoder.h"
#include "job.h"
#include "progress.h"

#include <string.h>

typedef struct {
    const UpscaleOptions *options;
    GPtrArray *names; /* relative paths, sorted */
    UpscaleStatus status;
    guint done, there, left_out, failed;
} Folder;

static void list(GPtrArray *names, const char *root, const char *below) {
    g_autofree char *path = g_build_filename(root, below, NULL);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *relative = *below ? g_build_filename(below, name, NULL) : g_strdup(name);
        g_autofree char *full = g_build_filename(root, relative, NULL);
        if (g_file_test(full, G_FILE_TEST_IS_DIR))
            list(names, root, relative);
        else
            g_ptr_array_add(names, g_steal_pointer(&relative));
    }
}

static int by_name(gconstpointer a, gconstpointer b) {
    const char *const *first = a, *const *second = b;
    return strcmp(*first, *second);
}

/* "a.mp4" stays, "a.avi" becomes "a.avi.mkv": "a.mkv" may be there as well. */
static char *output_path(const Folder *f, const char *name) {
    g_autofree char *file = container_of(name) ? g_strdup(name) : g_strconcat(name, ".mkv", NULL);
    return g_build_filename(f->options->output, file, NULL);
}

/* A damaged video is told from a text file by its name. */
static gboolean is_named_as_video(const char *name) {
    static const char *const ends[] = {".mp4",  ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts",  ".m2ts", ".mpg",
                                       ".mpeg", ".wmv", ".flv", ".ogv", ".3gp",  ".vob", ".asf", ".mxf"};
    g_autofree char *lower = g_ascii_strdown(name, -1);
    for (guint i = 0; i < G_N_ELEMENTS(ends); i++)
        if (g_str_has_suffix(lower, ends[i]))
            return TRUE;
    return FALSE;
}

static void note_failure(Folder *f, const char *name, const GError *error) {
    if (error->code == UPSCALE_NOT_VIDEO && !is_named_as_video(name)) {
        f->left_out++;
        progress_say(NULL, "%s; left out", error->message);
        return;
    }
    f->failed++;
    progress_say(NULL, "yonos-upscale: %s", error->message);
    if (f->status == UPSCALE_OK)
        f->status = error->code == UPSCALE_NOT_VIDEO ? UPSCALE_INPUT : (UpscaleStatus)error->code;
}

static gboolean stops_all(const GError *error) {
    return error->code == UPSCALE_OUTPUT || error->code == UPSCALE_MODEL || error->code == UPSCALE_USAGE ||
           error->code == UPSCALE_INTERRUPTED;
}

/* FALSE where going on makes no sense. */
static gboolean run_one(Folder *f, const char *name) {
    g_autofree char *input = g_build_filename(f->options->input, name, NULL);
    g_autofree char *output = output_path(f, name);
    g_autoptr(GError) error = NULL;
    if (job_run(f->options, input, output, &error)) {
        f->done++;
        return TRUE;
    }
    /* Parts of another job are a failure, an output that is there is not. */
    if (error->code == UPSCALE_EXISTS && g_file_test(output, G_FILE_TEST_EXISTS)) {
        f->there++;
        return TRUE;
    }
    note_failure(f, name, error);
    return !stops_all(error);
}

UpscaleStatus folder_run(const UpscaleOptions *options) {
    Folder f = {.options = options, .names = g_ptr_array_new_with_free_func(g_free)};
    list(f.names, options->input, "");
    g_ptr_array_sort(f.names, by_name);
    for (guint i = 0; i < f.names->len && run_one(&f, f.names->pdata[i]); i++)
        ;
    progress_say(NULL, "%s: %u done, %u there already, %u no videos, %u failed", options->input, f.done, f.there,
                 f.left_out, f.failed);
    g_ptr_array_unref(f.names);
    return f.status;
}
