/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 64-byte aligned host memory; see host.h.
 */
#include "backend/host.h"

#include <stdlib.h>

static void *allocate(YonosBackend *backend, gsize bytes, GError **error) {
    (void)backend;
    void *memory = NULL;
    if (posix_memalign(&memory, 64, MAX(bytes, 64)) == 0)
        return memory;
    yonos_fail(error, YONOS_ERROR_MEMORY,
               "out of memory: %.1f MiB could not be had; use a smaller frame or a smaller tile-size",
               (double)bytes / (1 << 20));
    return NULL;
}

static void release(YonosBackend *backend, void *memory) {
    (void)backend;
    free(memory);
}

static gboolean copy(YonosBackend *backend, void *to, const void *from, gsize bytes, GError **error) {
    (void)backend;
    (void)error;
    memcpy(to, from, bytes);
    return TRUE;
}

static gboolean finish(YonosBackend *backend, GError **error) {
    (void)backend;
    (void)error;
    return TRUE;
}

void yonos_host_fill_memory(YonosBackend *backend) {
    backend->allocate = allocate;
    backend->release = release;
    backend->upload = copy;
    backend->download = copy;
    backend->finish = finish;
}
