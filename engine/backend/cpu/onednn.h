/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Convolutions by oneDNN behind a small interface; onednn.c is the only file that knows dnnl.h,
 * and onednn_version.h hides from it whether that is oneDNN 2 or 3.
 *
 * Matrix products are 1x1 convolutions here. Threads are OpenMP's; making and running a convolution leaves
 * omp_set_num_threads() at its own number of them. Not thread-safe.
 */
#ifndef YONOS_ONEDNN_H
#define YONOS_ONEDNN_H

#include "graph/graph.h"

typedef struct _YonosDnnl YonosDnnl;         /* engine, stream, packed weights */
typedef struct _YonosDnnlConv YonosDnnlConv; /* one convolution made ready */

/* All NHWC and dense; bias f32; src, dst and residual of one dtype, F32 or BF16. */
typedef struct {
    int n, ih, iw, ic, oh, ow, oc, kh, kw, stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right;
    YonosDType dtype;
    gboolean residual; /* dst += conv: dst holds the residual before the call */
    gboolean relu;
} YonosDnnlShape;

/* Errors: DEVICE. */
YonosDnnl *yonos_dnnl_new(GError **error);
void yonos_dnnl_free(YonosDnnl *dnnl);
gsize yonos_dnnl_weight_bytes(const YonosDnnl *dnnl);

/*
 * oneDNN writes its code, several MiB for one primitive, into memory without looking whether it got any (2.6.3): a
 * crash unless there is enough. Only address space is asked for here, nothing is touched.
 */
gboolean yonos_dnnl_has_room(void);

/*
 * NULL without an error where oneDNN has no fast implementation for the shape. The weight is packed once per
 * YonosConst and layout and shared; `weight` must outlive `dnnl`. bias may be NULL. It runs with `threads` threads, or
 * with fewer where so many would give other bits than one does. Errors: MEMORY.
 */
YonosDnnlConv *yonos_dnnl_conv_new(YonosDnnl *dnnl, const YonosDnnlShape *shape, const YonosConst *weight,
                                   const YonosConst *bias, int threads, GError **error);
void yonos_dnnl_conv_free(YonosDnnlConv *conv);
gsize yonos_dnnl_conv_workspace(const YonosDnnlConv *conv);
/* oneDNN's own name of the implementation, "brgconv:avx512_core_bf16". */
const char *yonos_dnnl_conv_name(const YonosDnnlConv *conv);
/* Errors: DEVICE. Allocates nothing. */
gboolean yonos_dnnl_conv_run(YonosDnnlConv *conv, const void *src, void *dst, void *workspace, GError **error);

#endif
