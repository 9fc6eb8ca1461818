/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stand-ins for what calls cuBLASLt, and cuDNN's attention (cuda/libraries.c, gemm.c, attention.c): ref's operations,
 * put into the backend's stream. Device memory is the host's. Convolutions are dnn.c's.
 */
#include "../../cuda/libraries.h"

#include "host.h"

CudaLibraries *cuda_libraries_new(const YonosCuda *cuda, GError **error) {
    CudaLibraries *libraries = g_new0(CudaLibraries, 1);
    libraries->dnn = cuda_dnn_new(cuda->stream, error);
    libraries->versions = g_strdup("no libraries");
    if (libraries->dnn &&
        cuda_check(cuda, (cudaError_t)cuda_host_call("cublasLtCreate"), "cublasLtCreate", error))
        return libraries;
    cuda_libraries_free(libraries);
    return NULL;
}

void cuda_libraries_free(CudaLibraries *libraries) {
    if (!libraries)
        return;
    cuda_dnn_free(libraries->dnn);
    g_free(libraries->versions);
    g_free(libraries);
}

const char *cuda_libraries_versions(const CudaLibraries *libraries) { return libraries->versions; }

/* ---- operations -------------------------------------------------------------------------------------- */

typedef struct {
    YonosOp op;
    YonosKernel kernel; /* ref's */
} Reference;

static void release(YonosKernel *kernel) {
    Reference *reference = kernel->data;
    if (!reference)
        return;
    if (reference->op.release)
        reference->op.release(&reference->kernel);
    g_free(reference);
}

static gboolean prepare(YonosKernel *kernel, GError **error) {
    YonosOp ops[YONOS_OP_COUNT];
    yonos_ref_fill_ops(ops);
    Reference *reference = g_new0(Reference, 1);
    kernel->data = reference;
    reference->op = ops[kernel->node->op];
    reference->kernel = (YonosKernel){.node = kernel->node, .backend = kernel->backend};
    if (!cuda_check(cuda_of(kernel), (cudaError_t)cuda_host_call("cublasLtMatmulDescCreate"),
                    "cublasLtMatmulDescCreate", error) ||
        (reference->op.prepare && !reference->op.prepare(&reference->kernel, error)))
        return FALSE;
    kernel->workspace = reference->kernel.workspace;
    return TRUE;
}

/* One execution: everything is taken at the time of the call, as a device does. */
typedef struct {
    const Reference *reference;
    YonosRun run;
} Execution;

static void execute(void *data) {
    const Execution *execution = data;
    execution->reference->op.run(&execution->reference->kernel, &execution->run, NULL);
}

static gboolean run_reference(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    if (!cuda_check(cuda_of(kernel), (cudaError_t)cuda_host_call("cublasLtMatmul"), "cublasLtMatmul", error))
        return FALSE;
    Execution *execution = g_new0(Execution, 1);
    *execution = (Execution){kernel->data, *run};
    cuda_host_enqueue(cuda_of(kernel)->stream, execute, execution, g_free, 1.0f);
    return TRUE;
}

const YonosOp cuda_linear = {prepare, run_reference, release};
const YonosOp cuda_attention = {prepare, run_reference, release};
