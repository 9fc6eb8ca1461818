/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See tune.h. The file: a first line with the circumstances, then "shape<tab>choice" lines.
 */
#include "tune.h"

struct _CudaTune {
    char *circumstances, *path;
    GHashTable *choices; /* shape -> choice */
};

static void read_lines(CudaTune *tune, gboolean keep_known) {
    g_autofree char *text = NULL;
    if (!g_file_get_contents(tune->path, &text, NULL, NULL))
        return;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    if (!lines[0] || strcmp(lines[0], tune->circumstances) != 0)
        return;
    for (char **line = lines + 1; *line; line++) {
        char *tab = strchr(*line, '\t');
        if (!tab)
            continue;
        g_autofree char *shape = g_strndup(*line, (gsize)(tab - *line));
        if (!keep_known || !g_hash_table_contains(tune->choices, shape))
            g_hash_table_replace(tune->choices, g_steal_pointer(&shape), g_strdup(tab + 1));
    }
}

CudaTune *cuda_tune_new(const char *circumstances) {
    CudaTune *tune = g_new0(CudaTune, 1);
    g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, circumstances, -1);
    g_autofree char *name = g_strdup_printf("cuda-%.16s.txt", sum);
    tune->circumstances = g_strdup(circumstances);
    tune->path = g_build_filename(g_get_user_cache_dir(), "yonossr", name, NULL);
    tune->choices = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    read_lines(tune, FALSE);
    return tune;
}

void cuda_tune_free(CudaTune *tune) {
    if (!tune)
        return;
    g_hash_table_unref(tune->choices);
    g_free(tune->circumstances);
    g_free(tune->path);
    g_free(tune);
}

const char *cuda_tune_get(const CudaTune *tune, const char *shape) {
    return g_hash_table_lookup(tune->choices, shape);
}

static void write_lines(const CudaTune *tune) {
    g_autoptr(GString) text = g_string_new(tune->circumstances);
    g_autoptr(GError) error = NULL;
    g_autoptr(GList) shapes = g_list_sort(g_hash_table_get_keys(tune->choices), (GCompareFunc)strcmp);
    g_autofree char *folder = g_path_get_dirname(tune->path);
    g_string_append_c(text, '\n');
    for (GList *shape = shapes; shape; shape = shape->next)
        g_string_append_printf(text, "%s\t%s\n", (const char *)shape->data,
                               (const char *)g_hash_table_lookup(tune->choices, shape->data));
    g_mkdir_with_parents(folder, 0755);
    if (!g_file_set_contents(tune->path, text->str, (gssize)text->len, &error)) /* a temporary file, renamed */
        g_info("backend cuda: choices are not kept: %s", error->message);
}

void cuda_tune_set(CudaTune *tune, const char *shape, const char *choice) {
    g_hash_table_replace(tune->choices, g_strdup(shape), g_strdup(choice));
    read_lines(tune, TRUE);
    write_lines(tune);
}

/* ---- timing ------------------------------------------------------------------------------------------- */

static gboolean time_once(const YonosCuda *cuda, CudaTry try, gpointer data, const cudaEvent_t event[2],
                          float *milliseconds, GError **error) {
    return cuda_call(cuda, error, cudaEventRecord, event[0], cuda->stream) && try(data, error) &&
           cuda_call(cuda, error, cudaEventRecord, event[1], cuda->stream) &&
           cuda_call(cuda, error, cudaEventSynchronize, event[1]) &&
           cuda_call(cuda, error, cudaEventElapsedTime, milliseconds, event[0], event[1]);
}

gboolean cuda_time(const YonosCuda *cuda, CudaTry try, gpointer data, float *milliseconds, GError **error) {
    enum { RUNS = 4 };
    cudaEvent_t event[2] = {NULL, NULL};
    gboolean ok = cuda_call(cuda, error, cudaEventCreate, &event[0]) && cuda_call(cuda, error, cudaEventCreate, &event[1]);
    *milliseconds = G_MAXFLOAT;
    for (int i = 0; ok && i <= RUNS; i++) {
        float once = 0.0f;
        ok = time_once(cuda, try, data, event, &once, error);
        if (i > 0)
            *milliseconds = MIN(*milliseconds, once);
    }
    for (int i = 0; i < 2; i++)
        if (event[i])
            cudaEventDestroy(event[i]);
    return ok;
}
