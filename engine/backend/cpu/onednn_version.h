/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What differs between the C interfaces of oneDNN 2.x and 3.x, for onednn.c alone: descriptors of memory are structures
 * in 2.x and handles in 3.x, a convolution is described in one step more, post-ops have other arguments. Here all is handles, as in 3.x. Calls that read the same in both are made by onednn.c itself.
 */
#ifndef YONOS_ONEDNN_VERSION_H
#define YONOS_ONEDNN_VERSION_H

#include <dnnl.h>
#include <glib.h>

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t Layout;
typedef const_dnnl_memory_desc_t LayoutView; /* somebody else's */
#else
typedef dnnl_memory_desc_t *Layout;
typedef const dnnl_memory_desc_t *LayoutView;
#endif

/* What a convolution is made from; bias may be NULL. */
typedef struct {
    Layout src, weight, bias, dst;
    dnnl_dims_t stride, before, after; /* 2 of each: height, width */
} ConvDesc;

#if DNNL_VERSION_MAJOR >= 3

static inline Layout layout_new(int dimensions, const dnnl_dims_t dims, dnnl_data_type_t type, dnnl_format_tag_t tag) {
    Layout layout = NULL;
    return dnnl_memory_desc_create_with_tag(&layout, dimensions, dims, type, tag) == dnnl_success ? layout : NULL;
}

static inline Layout layout_copy(LayoutView from) {
    Layout layout = NULL;
    return dnnl_memory_desc_clone(&layout, from) == dnnl_success ? layout : NULL;
}

static inline void layout_free(Layout layout) { dnnl_memory_desc_destroy(layout); }

/* oneDNN's first choice of an implementation. */
static inline gboolean conv_create(dnnl_primitive_desc_t *desc, dnnl_engine_t engine, const ConvDesc *conv,
                                   const_dnnl_primitive_attr_t attr) {
    const dnnl_dims_t dilation = {0, 0};
    return dnnl_convolution_forward_primitive_desc_create(desc, engine, dnnl_forward_inference,
                                                          dnnl_convolution_direct, conv->src, conv->weight, conv->bias,
                                                          conv->dst, conv->stride, dilation, conv->before, conv->after,
                                                          attr) == dnnl_success;
}

static inline void append_sum(dnnl_post_ops_t ops) { dnnl_post_ops_append_sum(ops, 1.0f, 0, dnnl_data_type_undef); }

static inline void append_relu(dnnl_post_ops_t ops) {
    dnnl_post_ops_append_eltwise(ops, dnnl_eltwise_relu, 0.0f, 0.0f);
}

#else

static inline Layout layout_copy(LayoutView from) { return g_memdup2(from, sizeof *from); }

static inline void layout_free(Layout layout) { g_free(layout); }

static inline Layout layout_new(int dimensions, const dnnl_dims_t dims, dnnl_data_type_t type, dnnl_format_tag_t tag) {
    dnnl_memory_desc_t layout;
    gboolean ok = dnnl_memory_desc_init_by_tag(&layout, dimensions, dims, type, tag) == dnnl_success;
    return ok ? layout_copy(&layout) : NULL;
}

static inline gboolean conv_create(dnnl_primitive_desc_t *desc, dnnl_engine_t engine, const ConvDesc *conv,
                                   const_dnnl_primitive_attr_t attr) {
    dnnl_convolution_desc_t plain;
    return dnnl_convolution_forward_desc_init(&plain, dnnl_forward_inference, dnnl_convolution_direct, conv->src,
                                              conv->weight, conv->bias, conv->dst, conv->stride, conv->before,
                                              conv->after) == dnnl_success &&
           dnnl_primitive_desc_create(desc, &plain, attr, engine, NULL) == dnnl_success;
}

static inline void append_sum(dnnl_post_ops_t ops) { dnnl_post_ops_append_sum(ops, 1.0f); }

static inline void append_relu(dnnl_post_ops_t ops) {
    dnnl_post_ops_append_eltwise(ops, 1.0f, dnnl_eltwise_relu, 0.0f, 0.0f);
}

#endif

G_DEFINE_AUTO_CLEANUP_FREE_FUNC(Layout, layout_free, NULL)

#endif
