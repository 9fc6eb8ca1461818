/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See shared.h. There are as many shared backends as different settings in use: a list serves.
 */
#include "plan/shared.h"

/* What a shared backend was opened for. */
typedef struct {
    gconstpointer model;
    const char *name; /* with the device's number */
    YonosPrecision precision;
    int threads, max_vram;
    void *cuda_context;
} Key;

struct _YonosShared {
    Key key;
    char *name; /* the key's */
    guint users;
    YonosBackend *backend;
    GMutex lock;
};

static GMutex list_lock;
static GSList *list; /* YonosShared, under list_lock */

static gboolean same(const Key *a, const Key *b) {
    return a->model == b->model && strcmp(a->name, b->name) == 0 && a->precision == b->precision &&
           a->threads == b->threads && a->max_vram == b->max_vram && a->cuda_context == b->cuda_context;
}

static YonosShared *find(const Key *key) {
    for (GSList *item = list; item; item = item->next)
        if (same(&((YonosShared *)item->data)->key, key))
            return item->data;
    return NULL;
}

/* The name with the device's number, which is 0 where none is given. To be freed. */
static char *canonical(const char *name) {
    gboolean bare = strcmp(name, "cuda") == 0 || strcmp(name, "auto") == 0;
    return g_strconcat(name, bare ? ":0" : NULL, NULL);
}

/* "auto" that found a device is that device. */
static YonosShared *open_shared(Key key, GError **error) {
    const char *number = g_str_has_prefix(key.name, "auto:") ? key.name + strlen("auto:") : NULL;
    g_autofree char *device = number ? g_strconcat("cuda:", number, NULL) : NULL;
    Key on_device = key;
    on_device.name = device;
    on_device.threads = 0;
    YonosShared *shared = find(&key);
    if (!shared && device)
        shared = find(&on_device);
    if (shared)
        return shared;
    YonosBackend *backend = yonos_backend_open(key.name, key.precision, key.threads, key.cuda_context, error);
    if (!backend)
        return NULL;
    backend->memory_limit = (gsize)key.max_vram << 20;
    shared = g_new0(YonosShared, 1);
    shared->key = device && strcmp(backend->name, "cuda") == 0 ? on_device : key;
    shared->key.name = shared->name = g_strdup(shared->key.name);
    shared->backend = backend;
    g_mutex_init(&shared->lock);
    list = g_slist_prepend(list, shared);
    return shared;
}

YonosShared *yonos_shared_open(gconstpointer model, const YonosOptions *o, GError **error) {
    g_autofree char *name = canonical(o->backend ? o->backend : "auto");
    gboolean device = g_str_has_prefix(name, "cuda:"), host = !device && !g_str_has_prefix(name, "auto:");
    Key key = {.model = model,
               .name = name,
               .precision = o->precision,
               .threads = device ? 0 : o->threads, /* nothing to a device, as the rest is nothing to the host */
               .max_vram = host ? 0 : o->max_vram,
               .cuda_context = host ? NULL : o->cuda_context};
    g_mutex_lock(&list_lock);
    YonosShared *shared = open_shared(key, error);
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
