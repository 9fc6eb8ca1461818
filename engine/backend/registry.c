/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Backends by name, and kernels from their op tables; see backend.h.
 */
#include "backend/backend.h"

enum { MAX_THREADS = 256, MAX_DEVICE = 255 };

static YonosBackend *open_auto(YonosPrecision precision, int threads, int device, void *cuda_context,
                               GError **error) {
    g_autoptr(GError) why = NULL;
    YonosBackend *backend = yonos_backend_cuda_new(precision, device, cuda_context, &why);
    if (backend)
        return backend;
    backend = yonos_backend_cpu_new(precision, threads, error);
    if (backend)
        g_info("backend auto: cpu, because of this: %s", why->message);
    return backend;
}

/* TRUE where `name` is `kind` or "kind:N"; *device is N then, 0 without it, -1 where N is no number of a device. */
static gboolean is_kind(const char *name, const char *kind, int *device) {
    gsize length = strlen(kind);
    guint64 number;
    if (strncmp(name, kind, length) != 0 || (name[length] != '\0' && name[length] != ':'))
        return FALSE;
    *device = 0;
    if (name[length] == ':')
        *device = g_ascii_string_to_unsigned(name + length + 1, 10, 0, MAX_DEVICE, &number, NULL) ? (int)number : -1;
    return TRUE;
}

YonosBackend *yonos_backend_open(const char *name, YonosPrecision precision, int threads, void *cuda_context,
                                 GError **error) {
    if (threads < 0 || threads > MAX_THREADS) {
        yonos_fail(error, YONOS_ERROR_ARGUMENT, "option threads is %d, but must be 0 (one per processor) or 1 to %d",
                   threads, MAX_THREADS);
        return NULL;
    }
    int device = 0;
    gboolean automatic = is_kind(name ? name : "auto", "auto", &device);
    if (automatic || is_kind(name, "cuda", &device)) {
        if (device >= 0)
            return automatic ? open_auto(precision, threads, device, cuda_context, error)
                             : yonos_backend_cuda_new(precision, device, cuda_context, error);
        yonos_fail(error, YONOS_ERROR_ARGUMENT, "option backend is \"%s\", but a device is a number from 0 to %d", name,
                   MAX_DEVICE);
        return NULL;
    }
    if (strcmp(name, "cpu") == 0)
        return yonos_backend_cpu_new(precision, threads, error);
    if (strcmp(name, "ref") == 0)
        return yonos_backend_ref_new(precision, error);
    yonos_fail(error, YONOS_ERROR_ARGUMENT,
               "option backend is \"%s\", but must be auto, auto:N, cpu, cuda, cuda:N or ref", name);
    return NULL;
}

void yonos_backend_close(YonosBackend *backend) {
    if (backend)
        backend->destroy(backend);
}

gboolean yonos_kernel_prepare(YonosKernel *kernel, YonosBackend *backend, const YonosNode *node, GError **error) {
    *kernel = (YonosKernel){.node = node, .op = &backend->op[node->op], .backend = backend, .implementation = "ref"};
    return !kernel->op->prepare || kernel->op->prepare(kernel, error);
}

void yonos_kernel_release(YonosKernel *kernel) {
    if (kernel->op && kernel->op->release)
        kernel->op->release(kernel);
    kernel->op = NULL;
}
