/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stand-in for cuda/dnn.c: convolutions in f32, in the order of cuDNN's graph, put into the backend's stream.
 */
#include "../../cuda/dnn.h"

#include "../../cuda/cuda.h"
#include "dnn.h"
#include "host.h"
#include "stored.h"

struct _CudaDnn {
    cudaStream_t stream;
    YonosCuda cuda; /* for errors: its label alone */
};

struct _CudaDnnGraph {
    CudaDnn *dnn;
    CudaConvShape shape;
};

struct _CudaDnnChoice {
    CudaDnnGraph *graph;
    int engine, engines;
    char *name;
};

static int engines = 2, built;
static gboolean bare;

void cuda_host_set_engines(int count) { engines = count; }
void cuda_host_set_bare(int only) { bare = only != 0; }
int cuda_host_engines_built(void) { return built; }

static gboolean call(const CudaDnn *dnn, const char *name, GError **error) {
    return cuda_check(&dnn->cuda, (cudaError_t)cuda_host_call(name), name, error);
}

CudaDnn *cuda_dnn_new(cudaStream_t stream, GError **error) {
    CudaDnn *dnn = g_new0(CudaDnn, 1);
    dnn->stream = stream;
    dnn->cuda.label = "stand-in for cuDNN";
    if (call(dnn, "cudnnCreate", error))
        return dnn;
    cuda_dnn_free(dnn);
    return NULL;
}

void cuda_dnn_free(CudaDnn *dnn) { g_free(dnn); }

/* ---- graphs and choices -------------------------------------------------------------------------------- */

CudaDnnGraph *cuda_dnn_conv(CudaDnn *dnn, const CudaConvShape *shape, GError **error) {
    if (engines == 0 || (bare && (shape->residual || shape->bias || shape->relu))) {
        yonos_fail(error, YONOS_ERROR_DEVICE, "backend cuda: cuDNN: refused by a test; use cpu");
        return NULL;
    }
    CudaDnnGraph *graph = g_new0(CudaDnnGraph, 1);
    *graph = (CudaDnnGraph){dnn, *shape};
    return graph;
}

void cuda_dnn_graph_free(CudaDnnGraph *graph) { g_free(graph); }

static CudaDnnChoice *choice_new(CudaDnnGraph *graph, int engine) {
    CudaDnnChoice *choice = g_new0(CudaDnnChoice, 1);
    *choice = (CudaDnnChoice){graph, engine, engines, g_strdup_printf("engine %d", engine)};
    return choice;
}

void cuda_dnn_choice_free(CudaDnnChoice *choice) {
    if (!choice)
        return;
    g_free(choice->name);
    g_free(choice);
}

GPtrArray *cuda_dnn_choices(CudaDnnGraph *graph, guint max, GError **error) {
    if (!call(graph->dnn, "cudnnBackendGetAttribute", error))
        return NULL;
    GPtrArray *choices = g_ptr_array_new_with_free_func((GDestroyNotify)cuda_dnn_choice_free);
    for (int i = 0; i < engines && i < (int)max; i++)
        g_ptr_array_add(choices, choice_new(graph, i));
    return choices;
}

CudaDnnChoice *cuda_dnn_choice_by_name(CudaDnnGraph *graph, const char *name, GError **error) {
    for (int i = 0; i < engines; i++) {
        g_autoptr(CudaDnnChoice) choice = choice_new(graph, i);
        if (strcmp(choice->name, name) == 0)
            return g_steal_pointer(&choice);
    }
    yonos_fail(error, YONOS_ERROR_DEVICE, "backend cuda: no engine \"%s\"", name);
    return NULL;
}

const char *cuda_dnn_choice_name(const CudaDnnChoice *choice) { return choice->name; }

gboolean cuda_dnn_choice_build(CudaDnnChoice *choice, GError **error) {
    built++;
    return call(choice->graph->dnn, "cudnnBackendFinalize", error);
}

/* What each of them must get. */
gsize cuda_dnn_choice_workspace(const CudaDnnChoice *choice) { return (gsize)choice->engine * 1000; }

/* ---- running ------------------------------------------------------------------------------------------- */

static float *to_floats(const void *data, YonosDType dtype, gsize count) {
    float *to = g_new(float, count);
    for (gsize i = 0; i < count; i++)
        to[i] = stored_get(data, dtype, i);
    return to;
}

/* Everything is taken at the time of the call, as a device does; the data later. */
typedef struct {
    CudaConvShape shape;
    CudaConvData data;
    char *workspace;
    gsize workspace_bytes;
} Execution;

/* sum (oc) += the products of one output pixel; weight (kh,kw,ic,oc). */
static void add_products(const CudaConvShape *s, const float *x, const float *weight, int y, int x0,
                         float *restrict sum) {
    for (int ky = 0; ky < s->kh; ky++)
        for (int kx = 0; kx < s->kw; kx++) {
            int iy = y * s->stride + ky - s->pad_top, ix = x0 * s->stride + kx - s->pad_left;
            if (iy < 0 || iy >= s->ih || ix < 0 || ix >= s->iw)
                continue;
            const float *from = x + ((gsize)iy * (gsize)s->iw + (gsize)ix) * (gsize)s->ic;
            const float *w = weight + (gsize)(ky * s->kw + kx) * (gsize)(s->ic * s->oc);
            for (int c = 0; c < s->ic; c++, w += s->oc)
                for (int o = 0; o < s->oc; o++)
                    sum[o] += from[c] * w[o];
        }
}

/* (oc, the rest) -> (the rest, oc) */
static float *turned(const CudaConvShape *s, const void *weight) {
    int rest = s->kh * s->kw * s->ic;
    float *to = g_new(float, rest * s->oc);
    for (int o = 0; o < s->oc; o++)
        for (int i = 0; i < rest; i++)
            to[i * s->oc + o] = stored_get(weight, s->dtype, (gsize)(o * rest + i));
    return to;
}

static void execute(void *data) {
    const Execution *e = data;
    const CudaConvShape *s = &e->shape;
    gsize image = (gsize)s->ih * (gsize)s->iw * (gsize)s->ic, at = 0;
    g_autofree float *x = to_floats(e->data.x, s->dtype, (gsize)s->n * image);
    g_autofree float *weight = turned(s, e->data.weight), *sum = g_new(float, s->oc);
    for (int n = 0; n < s->n; n++)
        for (int y = 0; y < s->oh; y++)
            for (int x0 = 0; x0 < s->ow; x0++) {
                memset(sum, 0, sizeof *sum * (gsize)s->oc);
                add_products(s, x + (gsize)n * image, weight, y, x0, sum);
                for (int c = 0; c < s->oc; c++, at++) {
                    float v = sum[c];
                    if (e->data.residual)
                        v += stored_get(e->data.residual, s->dtype, at);
                    if (e->data.bias)
                        v += stored_get(e->data.bias, s->dtype, (gsize)c);
                    stored_set(e->data.y, s->dtype, at, s->relu ? MAX(v, 0.0f) : v);
                }
            }
    memset(e->workspace, 0x7f, e->workspace_bytes);
}

gboolean cuda_dnn_run_conv(CudaDnnChoice *choice, const CudaConvData *data, void *workspace, GError **error) {
    const CudaDnnGraph *graph = choice->graph;
    gboolean last_of_odd = choice->engine == choice->engines - 1 && graph->shape.oh % 2;
    if (!call(graph->dnn, "cudnnBackendExecute", error))
        return FALSE;
    Execution *execution = g_new0(Execution, 1);
    *execution = (Execution){graph->shape, *data, workspace, cuda_dnn_choice_workspace(choice)};
    cuda_host_enqueue(graph->dnn->stream, execute, execution, g_free,
                      last_of_odd ? 0.5f : 2.0f + (float)choice->engine);
    return TRUE;
}
