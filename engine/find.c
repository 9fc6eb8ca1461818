/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where models lie: a folder as given, else by name in $YONOS_MODELS_PATH, else among the
 * installed ones. A folder is a model when it holds a model_index.json.
 */
#include "util/util.h"

#define DEFAULT_MODEL "yonos-lite-x2"

static gboolean is_model(const char *folder) {
    g_autofree char *index = g_build_filename(folder, "model_index.json", NULL);
    return g_file_test(index, G_FILE_TEST_IS_REGULAR);
}

/* The folders that hold models, in the order of the search. Free with g_strfreev(). */
static char **search_path(void) {
    const char *variable = g_getenv("YONOS_MODELS_PATH");
    g_autofree char *joined = variable && *variable
                                  ? g_strjoin(G_SEARCHPATH_SEPARATOR_S, variable, YONOS_MODELS_DIR, NULL)
                                  : g_strdup(YONOS_MODELS_DIR);
    return g_strsplit(joined, G_SEARCHPATH_SEPARATOR_S, -1);
}

static int by_name(gconstpointer a, gconstpointer b) {
    return strcmp(a, b);
}

/* Adds the names of the models in `place` that are not in the sorted `list`. */
static GList *list_models(const char *place, GList *list) {
    g_autoptr(GDir) dir = g_dir_open(place, 0, NULL);
    const char *entry;
    while (dir && (entry = g_dir_read_name(dir))) {
        g_autofree char *folder = g_build_filename(place, entry, NULL);
        if (is_model(folder) && !g_list_find_custom(list, entry, by_name))
            list = g_list_insert_sorted(list, g_strdup(entry), by_name);
    }
    return list;
}

static char *join_names(GList *list) {
    GString *text = g_string_new(list ? "" : "none");
    for (GList *at = list; at; at = at->next)
        g_string_append_printf(text, "%s%s", at == list ? "" : ", ", (char *)at->data);
    return g_string_free(text, FALSE);
}

static void fail_not_found(const char *wanted, char **places, GError **error) {
    GList *models = NULL;
    for (char **place = places; *place; place++)
        models = list_models(*place, models);
    g_autofree char *where = g_strjoinv(", ", places), *names = join_names(models);
    yonos_fail(error, YONOS_ERROR_FILE,
               "model %s: there is no such folder and no model of that name in %s (models there: %s); give the path of "
               "a model folder, or set YONOS_MODELS_PATH",
               wanted, where, names);
    g_list_free_full(models, g_free);
}

char *yonos_model_find(const char *name, GError **error) {
    const char *wanted = name && *name ? name : DEFAULT_MODEL;
    if (is_model(wanted))
        return g_strdup(wanted);
    /* A folder without an index is still "the folder": opening it says what is missing. */
    if (strchr(wanted, G_DIR_SEPARATOR) && g_file_test(wanted, G_FILE_TEST_IS_DIR))
        return g_strdup(wanted);
    g_auto(GStrv) places = search_path();
    for (char **place = places; *place; place++) {
        if (**place == '\0')
            continue;
        g_autofree char *folder = g_build_filename(*place, wanted, NULL);
        if (is_model(folder))
            return g_steal_pointer(&folder);
    }
    fail_not_found(wanted, places, error);
    return NULL;
}
