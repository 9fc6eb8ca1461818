/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cuDNN 9's graph API, as far as convolutions and attention need it.
 *
 * A graph is one convolution with what follows it, or one attention. cuDNN's heuristics name ways to run it
 * (an engine with the values of its knobs): CudaDnnChoice. A choice has a name, from which it can be made again without
 * heuristics, in the same version of cuDNN on the same kind of device. All of this also works for a described device,
 * where there is none: then nothing can be run, but everything up to it.
 *
 * Errors are DEVICE, "refused" ones included; their message has cuDNN's own reason. One thread at a time.
 */
#ifndef YONOS_CUDA_DNN_H
#define YONOS_CUDA_DNN_H

#include <cuda_runtime_api.h>

#include "kernels/kernels.h"

typedef struct _CudaDnn CudaDnn;
typedef struct _CudaDnnGraph CudaDnnGraph;
typedef struct _CudaDnnChoice CudaDnnChoice;

/* For the current device; all work goes into `stream`. */
CudaDnn *cuda_dnn_new(cudaStream_t stream, GError **error);
/* For a device described in cuDNN's JSON (tests/cuda-plan/devices). */
CudaDnn *cuda_dnn_new_described(const char *json, GError **error);
void cuda_dnn_free(CudaDnn *dnn);

/* "9.19.0" */
const char *cuda_dnn_version(const CudaDnn *dnn);
/* The current device in cuDNN's JSON; free with g_free(). */
char *cuda_dnn_describe(CudaDnn *dnn, GError **error);

/* ---- graphs ---------------------------------------------------------------------------------- */

/* y = relu?(conv(x) + residual? + bias?): in this order, and with the bias in the activations' type, precompiled
 * engines take it. x (n,ih,iw,ic), weight (oc,kh,kw,ic), residual and y (n,oh,ow,oc), bias (oc), all of `dtype`. */
typedef struct {
    YonosDType dtype;
    int n, ih, iw, ic, oh, ow, oc, kh, kw, stride, pad_top, pad_left, pad_bottom, pad_right;
    gboolean residual, bias, relu;
} CudaConvShape;

CudaDnnGraph *cuda_dnn_conv(CudaDnn *dnn, const CudaConvShape *shape, GError **error);
/* Pointers are not looked at. f16 and bf16. */
CudaDnnGraph *cuda_dnn_attention(CudaDnn *dnn, const YonosCudaAttention *attention, GError **error);
void cuda_dnn_graph_free(CudaDnnGraph *graph);

/* ---- choices --------------------------------------------------------------------------------- */

/*
 * Up to `max` choices, the most promising first, never empty: CudaDnnChoice, to be unreferenced. Engines that would give
 * other bits from run to run are left out, and for f32 those that compute in less. Where some need no compilation at run
 * time, those that do are left out.
 */
GPtrArray *cuda_dnn_choices(CudaDnnGraph *graph, guint max, GError **error);
CudaDnnChoice *cuda_dnn_choice_by_name(CudaDnnGraph *graph, const char *name, GError **error);
void cuda_dnn_choice_free(CudaDnnChoice *choice);

/* "engine 38 2=4 13=32" */
const char *cuda_dnn_choice_name(const CudaDnnChoice *choice);
gboolean cuda_dnn_choice_is_compiled(const CudaDnnChoice *choice);
gboolean cuda_dnn_choice_uses_tensor_cores(const CudaDnnChoice *choice);

/* Makes it ready to run, compiling where needed; the choice must be built before the next two. */
gboolean cuda_dnn_choice_build(CudaDnnChoice *choice, GError **error);
gsize cuda_dnn_choice_workspace(const CudaDnnChoice *choice);

/* residual and bias as in the shape. */
typedef struct {
    const void *x, *weight, *residual, *bias;
    void *y;
} CudaConvData;
gboolean cuda_dnn_run_conv(CudaDnnChoice *choice, const CudaConvData *data, void *workspace, GError **error);
gboolean cuda_dnn_run_attention(CudaDnnChoice *choice, const YonosCudaAttention *attention, void *workspace,
                                GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CudaDnnChoice, cuda_dnn_choice_free)

#endif
