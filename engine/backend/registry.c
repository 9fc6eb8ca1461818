/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Backends by name, and kernels from their op tables; see backend.h.
 */
#include "backend/backend.h"

enum { MAX_THREADS = 256, MAX_DEVICE = 255 };

static YonosBackend *open_auto(YonosPrecision precision, int threads, GError **error) {
    g_autoptr(GError) why = NULL;
    YonosBackend *backend = yonos_backend_cuda_new(precision, 0, &why);
    if (backend)
        return backend;
    backend = yonos_backend_cpu_new(precision, threads, error);
    if (backend)
        g_info("backend auto: cpu, because of this: %s", why->message);
    return backend;
}

/* `number` is what follows "cuda:". */
static YonosBackend *open_cuda(const char *number, YonosPrecision precision, GError **error) {
    guint64 device;
    if (g_ascii_string_to_unsigned(number, 10, 0, MAX_DEVICE, &device, NULL))
        return yonos_backend_cuda_new(precision, (int)device, error);
    yonos_fail(error, YONOS_ERROR_ARGUMENT, "option backend is \"cuda:%s\", but a device is a number from 0 to %d", number,
               MAX_DEVICE);
    return NULL;
}

YonosBackend *yonos_backend_open(const char *name, YonosPrecision precision, int threads, GError **error) {
    if (threads < 0 || threads > MAX_THREADS) {
        yonos_fail(error, YONOS_ERROR_ARGUMENT, "option threads is %d, but must be 0 (one per processor) or 1 to %d",
                   threads, MAX_THREADS);
        return NULL;
    }
    if (!name || strcmp(name, "auto") == 0)
        return open_auto(precision, threads, error);
    if (strcmp(name, "cpu") == 0)
        return yonos_backend_cpu_new(precision, threads, error);
    if (strcmp(name, "ref") == 0)
        return yonos_backend_ref_new(precision, error);
    if (strcmp(name, "cuda") == 0)
        return yonos_backend_cuda_new(precision, 0, error);
    if (g_str_has_prefix(name, "cuda:"))
        return open_cuda(name + strlen("cuda:"), precision, error);
    yonos_fail(error, YONOS_ERROR_ARGUMENT, "option backend is \"%s\", but must be auto, cpu, cuda, cuda:N or ref", name);
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
