/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See shared.h. There are as many shared backends as different settings in use: a list serves.
 */
#include "plan/shared.h"

struct _YonosShared {
    gconstpointer model;
    char *name;
    YonosPrecision precision;
    int threads, max_vram;
    guint users;
    YonosBackend *backend;
    GMutex lock;
};

static GMutex list_lock;
static GSList *list; /* YonosShared, under list_lock */

static YonosShared *find(gconstpointer model, const char *name, YonosPrecision precision, int threads,
                         int max_vram) {
    for (GSList *item = list; item; item = item->next) {
        YonosShared *shared = item->data;
        if (shared->model == model && strcmp(shared->name, name) == 0 && shared->precision == precision &&
            shared->threads == threads && shared->max_vram == max_vram)
            return shared;
    }
    return NULL;
}

/* A device has nothing of the CPU's threads, and "cuda" is its first one. */
static void make_canonical(const char **name, int *threads) {
    if (g_str_has_prefix(*name, "cuda"))
        *threads = 0;
    if (strcmp(*name, "cuda") == 0)
        *name = "cuda:0";
}

/* With the names made canonical; "auto" that found a device is that device. */
static YonosShared *open_shared(gconstpointer model, const char *name, YonosPrecision precision, int threads,
                                int max_vram, GError **error) {
    YonosShared *shared = find(model, name, precision, threads, max_vram);
    if (!shared && strcmp(name, "auto") == 0)
        shared = find(model, "cuda:0", precision, 0, max_vram);
    if (shared)
        return shared;
    YonosBackend *backend = yonos_backend_open(name, precision, threads, error);
    if (!backend)
        return NULL;
    if (strcmp(backend->name, "cuda") == 0 && strcmp(name, "auto") == 0) {
        name = backend->name;
        make_canonical(&name, &threads);
    }
    backend->memory_limit = (gsize)max_vram << 20;
    shared = g_new0(YonosShared, 1);
    *shared = (YonosShared){.model = model,
                            .name = g_strdup(name),
                            .precision = precision,
                            .threads = threads,
                            .max_vram = max_vram,
                            .backend = backend};
    g_mutex_init(&shared->lock);
    list = g_slist_prepend(list, shared);
    return shared;
}

YonosShared *yonos_shared_open(gconstpointer model, const char *name, YonosPrecision precision, int threads,
                               int max_vram, GError **error) {
    make_canonical(&name, &threads);
    g_mutex_lock(&list_lock);
    YonosShared *shared = open_shared(model, name, precision, threads, max_vram, error);
    if (shared)
        shared->users++;
    g_mutex_unlock(&list_lock);
    return shared;
}

void yonos_shared_close(YonosShared *shared) {
    if (!shared)
        return;
    g_mutex_lock(&list_lock);
    gboolean last = --shared->users == 0;
    if (last)
        list = g_slist_remove(list, shared);
    g_mutex_unlock(&list_lock);
    if (!last)
        return;
    yonos_backend_close(shared->backend);
    g_mutex_clear(&shared->lock);
    g_free(shared->name);
    g_free(shared);
}

YonosBackend *yonos_shared_get_backend(const YonosShared *shared) {
    return shared->backend;
}

void yonos_shared_lock(YonosShared *shared) {
    g_mutex_lock(&shared->lock);
}

void yonos_shared_unlock(YonosShared *shared) {
    g_mutex_unlock(&shared->lock);
}

void yonos_shared_lock_run(YonosShared *shared) {
    if (!shared->backend->parallel_runs)
        g_mutex_lock(&shared->lock);
}

void yonos_shared_unlock_run(YonosShared *shared) {
    if (!shared->backend->parallel_runs)
        g_mutex_unlock(&shared->lock);
}
