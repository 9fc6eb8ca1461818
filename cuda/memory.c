/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Device memory, always from cudaMalloc, and synchronous copies; see cuda.h.
 */
#include "cuda.h"

static gboolean check_limit(const YonosCuda *cuda, gsize bytes, GError **error) {
    gsize limit = cuda->base.memory_limit, sum;
    if (limit == 0 || (yonos_size_add(cuda->allocated, bytes, &sum) && sum <= limit))
        return TRUE;
    return yonos_fail(error, YONOS_ERROR_MEMORY,
                      "backend cuda: %s: %.1f MiB are in use, and max-vram is %.1f MiB; use a larger max-vram, a smaller "
                      "frame or a smaller tile-size",
                      cuda->label, (double)cuda->allocated / (1 << 20), (double)limit / (1 << 20));
}

void *cuda_allocate(YonosCuda *cuda, gsize bytes, GError **error) {
    void *memory = NULL;
    GError *failure = NULL;
    bytes = MAX(bytes, 1);
    if (cuda_enter(cuda, &failure) && check_limit(cuda, bytes, &failure) &&
        cuda_call(cuda, &failure, cudaMalloc, &memory, bytes)) {
        g_hash_table_insert(cuda->blocks, memory, GSIZE_TO_POINTER(bytes));
        cuda->allocated += bytes;
        return memory;
    }
    g_prefix_error(&failure, "%.1f MiB of device memory: ", (double)bytes / (1 << 20));
    g_propagate_error(error, failure);
    return NULL;
}

void cuda_free(YonosCuda *cuda, void *memory) {
    g_autoptr(GError) error = NULL;
    if (!memory)
        return;
    cuda->allocated -= GPOINTER_TO_SIZE(g_hash_table_lookup(cuda->blocks, memory));
    g_hash_table_remove(cuda->blocks, memory);
    cuda_enter(cuda, NULL);
    if (!cuda_call(cuda, &error, cudaFree, memory))
        g_debug("%s", error->message); /* of a device that failed before */
}

void cuda_memory_free(YonosCuda *cuda) { g_clear_pointer(&cuda->blocks, g_hash_table_unref); }

static gboolean copy(YonosCuda *cuda, void *to, const void *from, gsize bytes, enum cudaMemcpyKind kind,
                     GError **error) {
    return cuda_enter(cuda, error) &&
           cuda_call(cuda, error, cudaMemcpyAsync, to, from, bytes, kind, cuda->stream) &&
           cuda_call(cuda, error, cudaStreamSynchronize, cuda->stream);
}

void *cuda_upload_new(YonosCuda *cuda, const void *from, gsize bytes, GError **error) {
    void *memory = cuda_allocate(cuda, bytes, error);
    if (!memory || copy(cuda, memory, from, bytes, cudaMemcpyHostToDevice, error))
        return memory;
    cuda_free(cuda, memory);
    return NULL;
}

/* ---- the backend's functions ------------------------------------------------------------------------ */

static void *allocate(YonosBackend *backend, gsize bytes, GError **error) {
    return cuda_allocate((YonosCuda *)backend, bytes, error);
}

static void release(YonosBackend *backend, void *memory) { cuda_free((YonosCuda *)backend, memory); }

static gboolean upload(YonosBackend *backend, void *to, const void *from, gsize bytes, GError **error) {
    return copy((YonosCuda *)backend, to, from, bytes, cudaMemcpyHostToDevice, error);
}

static gboolean download(YonosBackend *backend, void *to, const void *from, gsize bytes, GError **error) {
    return copy((YonosCuda *)backend, to, from, bytes, cudaMemcpyDeviceToHost, error);
}

static gboolean finish(YonosBackend *backend, GError **error) {
    YonosCuda *cuda = (YonosCuda *)backend;
    return cuda_enter(cuda, error) && cuda_call(cuda, error, cudaStreamSynchronize, cuda->to_device) &&
           cuda_call(cuda, error, cudaStreamSynchronize, cuda->stream) &&
           cuda_call(cuda, error, cudaStreamSynchronize, cuda->from_device);
}

void cuda_fill_memory(YonosBackend *backend) {
    ((YonosCuda *)backend)->blocks = g_hash_table_new(NULL, NULL);
    backend->allocate = allocate;
    backend->release = release;
    backend->upload = upload;
    backend->download = download;
    backend->finish = finish;
    backend->collect = cuda_collect;
}
