/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * RESIZE by the CPU's tables of taps, which are uploaded once.
 */
#include "cuda.h"

#include "backend/taps.h"

typedef struct {
    YonosCudaTaps x, y;
    void *memory[2]; /* of x, of y */
} Resize;

/* One device allocation with the three arrays. */
static void *upload_taps(YonosCuda *cuda, const YonosTaps *taps, YonosCudaTaps *out, GError **error) {
    gsize n = (gsize)taps->out, weights = n * (gsize)taps->width * sizeof(float), ints = n * sizeof(int);
    g_autofree char *host = g_malloc(weights + 2 * ints);
    memcpy(host, taps->weight, weights);
    memcpy(host + weights, taps->first, ints);
    memcpy(host + weights + ints, taps->count, ints);
    char *memory = cuda_upload_new(cuda, host, weights + 2 * ints, error);
    *out = (YonosCudaTaps){.out = taps->out,
                           .width = taps->width,
                           .first = (const int *)(memory + weights),
                           .count = (const int *)(memory + weights + ints),
                           .weight = (const float *)memory};
    return memory;
}

static gboolean prepare_axis(YonosKernel *kernel, int in, int size, YonosCudaTaps *out, void **memory, GError **error) {
    YonosTaps *taps = yonos_taps_new(kernel->node->attr.resize.filter, in, size);
    *memory = upload_taps(cuda_of(kernel), taps, out, error);
    yonos_taps_free(taps);
    return *memory != NULL;
}

static gboolean prepare(YonosKernel *kernel, GError **error) {
    YonosShape in = kernel->node->in[0]->shape, out = kernel->node->out->shape;
    Resize *resize = g_new0(Resize, 1);
    kernel->data = resize;
    kernel->workspace = sizeof(float) * yonos_shape_count((YonosShape){in.n, in.h, out.w, out.c});
    return prepare_axis(kernel, in.w, out.w, &resize->x, &resize->memory[0], error) &&
           prepare_axis(kernel, in.h, out.h, &resize->y, &resize->memory[1], error);
}

static void release(YonosKernel *kernel) {
    Resize *resize = kernel->data;
    if (!resize)
        return;
    cuda_free(cuda_of(kernel), resize->memory[0]);
    cuda_free(cuda_of(kernel), resize->memory[1]);
    g_free(resize);
}

static gboolean run_resize(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    const Resize *resize = kernel->data;
    YonosCudaTensor out = cuda_tensor(run, kernel->node->out), x = cuda_tensor(run, kernel->node->in[0]);
    return cuda_launch(cuda_of(kernel), error, yonos_cuda_resize, &out, &x, &resize->y, &resize->x, run->workspace,
                       cuda_of(kernel)->stream);
}

const YonosOp cuda_resize = {prepare, run_resize, release};
