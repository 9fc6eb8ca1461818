/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recordings: a stretch of a plan, captured from the stream as a CUDA graph and launched as one. What changes from run to
 * run the kernels read from device memory (current.c).
 */
#include "cuda.h"

static gboolean record(YonosBackend *backend, const YonosRun *run, GError **error) {
    YonosCuda *cuda = (YonosCuda *)backend;
    cuda->recording = cuda_enter(cuda, error) && cuda_follow(cuda, run, error) &&
                      cuda_call(cuda, error, cudaStreamBeginCapture, cuda->stream, cudaStreamCaptureModeThreadLocal);
    return cuda->recording;
}

static gpointer record_end(YonosBackend *backend, gboolean keep, GError **error) {
    YonosCuda *cuda = (YonosCuda *)backend;
    cudaGraph_t graph = NULL;
    cudaGraphExec_t recording = NULL;
    cuda->recording = FALSE;
    if (!keep)
        error = NULL; /* the caller knows why */
    if (cuda_call(cuda, error, cudaStreamEndCapture, cuda->stream, &graph) && keep)
        cuda_call(cuda, error, cudaGraphInstantiate, &recording, graph, 0);
    if (graph)
        cudaGraphDestroy(graph);
    return recording;
}

static gboolean replay(YonosBackend *backend, gpointer recording, const YonosRun *run, GError **error) {
    YonosCuda *cuda = (YonosCuda *)backend;
    return cuda_enter(cuda, error) && cuda_follow(cuda, run, error) &&
           cuda_call(cuda, error, cudaGraphLaunch, recording, cuda->stream);
}

static void forget(YonosBackend *backend, gpointer recording) {
    YonosCuda *cuda = (YonosCuda *)backend;
    g_autoptr(GError) error = NULL;
    cuda_enter(cuda, NULL);
    if (!cuda_call(cuda, &error, cudaGraphExecDestroy, recording))
        g_debug("%s", error->message);
}

void cuda_fill_recording(YonosBackend *backend) {
    backend->record = record;
    backend->record_end = record_end;
    backend->replay = replay;
    backend->forget = forget;
}
