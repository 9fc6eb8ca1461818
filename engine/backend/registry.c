/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Backends by name, and kernels from their op tables; see backend.h.
 */
#include "backend/backend.h"

enum { MAX_THREADS = 256 };

static YonosBackend *open_auto(YonosPrecision precision, int threads, GError **error) {
    YonosBackend *backend = yonos_backend_cpu_new(precision, threads, error);
    if (backend)
        g_info("backend auto: cpu, because this build has no CUDA module");
    return backend;
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
        yonos_fail(error, YONOS_ERROR_DEVICE, "backend cuda: this build has no CUDA module; use cpu or auto");
    else
        yonos_fail(error, YONOS_ERROR_ARGUMENT, "option backend is \"%s\", but must be auto, cpu, cuda or ref", name);
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
