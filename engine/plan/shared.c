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

/* The name with the device's number, which is 0 where none is given. To be freed. */
static char *canonical(const char *name) {
    gboolean bare = strcmp(name, "cuda") == 0 || strcmp(name, "auto") == 0;
    return g_strconcat(name, bare ? ":0" : NULL, NULL);
}

/* With a canonical name; "auto" that found a device is that device. */
static YonosShared *open_shared(gconstpointer model, const char *name, YonosPrecision precision, int threads,
                                int max_vram, GError **error) {
    const char *number = g_str_has_prefix(name, "auto:") ? name + strlen("auto:") : NULL;
    g_autofree char *device = number ? g_strconcat("cuda:", number, NULL) : NULL;
    YonosShared *shared = find(model, name, precision, threads, max_vram);
    if (!shared && device)
        shared = find(model, device, precision, 0, max_vram);
    if (shared)
        return shared;
    YonosBackend *backend = yonos_backend_open(name, precision, threads, error);
    if (!backend)
        return NULL;
    if (device && strcmp(backend->name, "cuda") == 0) {
        name = device;
        threads = 0;
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
    g_autofree char *full = canonical(name);
    if (g_str_has_prefix(full, "cuda:")) /* has nothing of the CPU's threads */
        threads = 0;
    g_mutex_lock(&list_lock);
    YonosShared *shared = open_shared(model, full, precision, threads, max_vram, error);
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
