/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A CUDA module without CUDA, for test-registry: it refuses, or opens the reference backend under the name "cuda".
 * Which of them the variable FAKE_CUDA says. Without FAKE_CUDA_ENTRY it is a module that has no entry point.
 */
#include "backend/backend.h"

#ifdef FAKE_CUDA_ENTRY
extern YONOS_API YonosBackend *yonos_cuda_open(int abi, YonosPrecision precision, int device, void *context,
                                               GError **error);

YonosBackend *yonos_cuda_open(int abi, YonosPrecision precision, int device, void *context, GError **error) {
    (void)context;
    if (abi != YONOS_BACKEND_ABI || g_strcmp0(g_getenv("FAKE_CUDA"), "works") != 0) {
        yonos_fail(error, YONOS_ERROR_DEVICE, "backend cuda: no device (fake)");
        return NULL;
    }
    YonosBackend *backend = yonos_backend_ref_new(precision, error);
    backend->name = "cuda";
    backend->threads = device;
    return backend;
}
#endif
