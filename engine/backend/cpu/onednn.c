/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * oneDNN's convolutions; see onednn.h.
 *
 * Activations stay NHWC; weights take whatever layout the primitive wants (`any`) and are reordered once.
 * The scratchpad is the caller's (user mode): primitives are made in one thread and run in another.
 */
#include "backend/cpu/onednn.h"

#include <omp.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "backend/cpu/onednn_version.h"

/* A packed weight or bias; the same constant may be packed in several layouts. */
typedef struct {
    const YonosConst *constant;
    Layout layout;
    void *data;
} Packed;

struct _YonosDnnl {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    GPtrArray *packed; /* Packed */
    gsize bytes;
};

/* A reorder and its two memories. */
typedef struct {
    dnnl_primitive_t primitive;
    dnnl_memory_t from, to;
} Reorder;

struct _YonosDnnlConv {
    YonosDnnl *dnnl;
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive;
    dnnl_memory_t src, dst, weight, bias, scratchpad;
    gsize scratch_bytes;
    int threads;
    char *name;
};

enum { ALIGN = 64 };

/* ---- engine and packed weights ------------------------------------------------------------ */

static void packed_free(gpointer data) {
    Packed *packed = data;
    free(packed->data);
    layout_free(packed->layout);
    g_free(packed);
}

YonosDnnl *yonos_dnnl_new(GError **error) {
    YonosDnnl *dnnl = g_new0(YonosDnnl, 1);
    dnnl->packed = g_ptr_array_new_with_free_func(packed_free);
    if (dnnl_engine_create(&dnnl->engine, dnnl_cpu, 0) == dnnl_success &&
        dnnl_stream_create(&dnnl->stream, dnnl->engine, dnnl_stream_default_flags) == dnnl_success)
        return dnnl;
    yonos_fail(error, YONOS_ERROR_DEVICE, "backend cpu: oneDNN cannot be started");
    yonos_dnnl_free(dnnl);
    return NULL;
}

void yonos_dnnl_free(YonosDnnl *dnnl) {
    if (!dnnl)
        return;
    if (dnnl->stream)
        dnnl_stream_destroy(dnnl->stream);
    if (dnnl->engine)
        dnnl_engine_destroy(dnnl->engine);
    g_ptr_array_unref(dnnl->packed);
    g_free(dnnl);
}

gsize yonos_dnnl_weight_bytes(const YonosDnnl *dnnl) { return dnnl->bytes; }

gboolean yonos_dnnl_has_room(void) {
    const gsize bytes = 64 << 20;
    void *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return room != MAP_FAILED && munmap(room, bytes) == 0;
}

static gboolean create_primitive(dnnl_primitive_t *primitive, const_dnnl_primitive_desc_t desc) {
    return yonos_dnnl_has_room() && dnnl_primitive_create(primitive, desc) == dnnl_success;
}

static void reorder_clear(Reorder *r) {
    if (r->primitive)
        dnnl_primitive_destroy(r->primitive);
    if (r->from)
        dnnl_memory_destroy(r->from);
    if (r->to)
        dnnl_memory_destroy(r->to);
    *r = (Reorder){0};
}

static gboolean reorder_init(YonosDnnl *dnnl, Reorder *r, LayoutView from, LayoutView to) {
    dnnl_primitive_desc_t desc = NULL;
    gboolean ok =
        dnnl_reorder_primitive_desc_create(&desc, from, dnnl->engine, to, dnnl->engine, NULL) == dnnl_success &&
        create_primitive(&r->primitive, desc) &&
        dnnl_memory_create(&r->from, from, dnnl->engine, DNNL_MEMORY_NONE) == dnnl_success &&
        dnnl_memory_create(&r->to, to, dnnl->engine, DNNL_MEMORY_NONE) == dnnl_success;
    if (desc)
        dnnl_primitive_desc_destroy(desc);
    return ok;
}

static gboolean reorder_run(YonosDnnl *dnnl, const Reorder *r, const void *from, void *to) {
    dnnl_memory_set_data_handle(r->from, (void *)from);
    dnnl_memory_set_data_handle(r->to, to);
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, r->from}, {DNNL_ARG_TO, r->to}};
    return dnnl_primitive_execute(r->primitive, dnnl->stream, 2, args) == dnnl_success &&
           dnnl_stream_wait(dnnl->stream) == dnnl_success;
}

static void *aligned(gsize bytes) {
    void *memory = NULL;
    return posix_memalign(&memory, ALIGN, MAX(bytes, ALIGN)) == 0 ? memory : NULL;
}

/* Reorders `plain` (f32, in `from`'s layout) into new memory of layout `to`. */
static void *pack(YonosDnnl *dnnl, const float *plain, LayoutView from, LayoutView to) {
    Reorder r = {0};
    void *data = aligned(dnnl_memory_desc_get_size(to));
    if (data && !(reorder_init(dnnl, &r, from, to) && reorder_run(dnnl, &r, plain, data)))
        g_clear_pointer(&data, free);
    reorder_clear(&r);
    return data;
}

/* The constant in layout `to`, packed at first use; NULL when memory runs out. */
static void *packed_constant(YonosDnnl *dnnl, const YonosConst *constant, LayoutView from, LayoutView to) {
    for (guint i = 0; i < dnnl->packed->len; i++) {
        Packed *p = g_ptr_array_index(dnnl->packed, i);
        if (p->constant == constant && dnnl_memory_desc_equal(p->layout, to))
            return p->data;
    }
    gsize count = yonos_const_count(constant);
    float *plain = aligned(count * sizeof *plain);
    if (!plain)
        return NULL;
    for (gsize i = 0; i < count; i++)
        plain[i] = yonos_const_get(constant, i);
    g_auto(Layout) layout = layout_copy(to);
    void *data = layout ? pack(dnnl, plain, from, to) : NULL;
    free(plain);
    if (!data)
        return NULL;
    Packed *p = g_new0(Packed, 1);
    *p = (Packed){constant, g_steal_pointer(&layout), data};
    g_ptr_array_add(dnnl->packed, p);
    dnnl->bytes += dnnl_memory_desc_get_size(to);
    return data;
}

/* ---- a convolution ---------------------------------------------------------------------------- */

static dnnl_primitive_attr_t make_attributes(const YonosDnnlShape *s) {
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t ops = NULL;
    if (dnnl_primitive_attr_create(&attr) != dnnl_success || dnnl_post_ops_create(&ops) != dnnl_success)
        return attr;
    dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (s->residual)
        append_sum(ops);
    if (s->relu)
        append_relu(ops);
    dnnl_primitive_attr_set_post_ops(attr, ops);
    dnnl_post_ops_destroy(ops);
    return attr;
}

/* im2col + GEMM and the plain reference are no fast implementations. */
static gboolean is_fast(const char *name) { return !strstr(name, "gemm") && !strstr(name, "ref"); }

static dnnl_data_type_t storage_type(const YonosDnnlShape *s) {
    return s->dtype == YONOS_DTYPE_BF16 ? dnnl_bf16 : dnnl_f32;
}

static gboolean make_desc(YonosDnnlConv *conv, const YonosDnnlShape *s, gboolean bias) {
    const dnnl_dims_t src_dims = {s->n, s->ic, s->ih, s->iw}, dst_dims = {s->n, s->oc, s->oh, s->ow};
    const dnnl_dims_t weight_dims = {s->oc, s->ic, s->kh, s->kw}, bias_dims = {s->oc};
    dnnl_data_type_t type = storage_type(s);
    g_auto(Layout) src = layout_new(4, src_dims, type, dnnl_nhwc), dst = layout_new(4, dst_dims, type, dnnl_nhwc);
    g_auto(Layout) weight = layout_new(4, weight_dims, type, dnnl_format_tag_any);
    g_auto(Layout) vector = layout_new(1, bias_dims, dnnl_f32, dnnl_x);
    if (!src || !dst || !weight || !vector)
        return FALSE;
    const ConvDesc desc = {.src = src, .weight = weight, .bias = bias ? vector : NULL, .dst = dst,
                           .stride = {s->stride_h, s->stride_w}, .before = {s->pad_top, s->pad_left},
                           .after = {s->pad_bottom, s->pad_right}};
    dnnl_primitive_attr_t attr = make_attributes(s);
    const char *name = "";
    gboolean ok = attr && conv_create(&conv->desc, conv->dnnl->engine, &desc, attr) &&
                  dnnl_primitive_desc_query(conv->desc, dnnl_query_impl_info_str, 0, &name) == dnnl_success &&
                  is_fast(name);
    if (ok)
        conv->name = g_strdup(name);
    else if (conv->desc)
        dnnl_primitive_desc_destroy(g_steal_pointer(&conv->desc));
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return ok;
}

static LayoutView query(const YonosDnnlConv *conv, dnnl_query_t what, int index) {
    return dnnl_primitive_desc_query_md(conv->desc, what, index);
}

/* A convolution that is described only, for this number of threads. */
static YonosDnnlConv *describe(YonosDnnl *dnnl, const YonosDnnlShape *s, gboolean bias, int threads) {
    YonosDnnlConv *conv = g_new0(YonosDnnlConv, 1);
    conv->dnnl = dnnl;
    conv->threads = threads;
    omp_set_num_threads(threads);
    make_desc(conv, s, bias);
    return conv;
}

/*
 * oneDNN chooses how it cuts a convolution by the number of threads among other things, and sums the input channels in
 * other groups in one way than in another, unless they are few. A group is as many channels as fit into the cache for one
 * block of output channels, and the size of that block shows in the weight's layout.
 */
static gboolean sums_alike(const YonosDnnlConv *a, const YonosDnnlConv *b) {
    if (!a->desc || !b->desc)
        return a->desc == b->desc;
    return dnnl_memory_desc_equal(query(a, dnnl_query_weights_md, 0), query(b, dnnl_query_weights_md, 0));
}

/* Whether all input channels are in one group, however the convolution is cut. */
static gboolean is_one_group(const YonosDnnlShape *s) {
    enum { LARGEST_BLOCK = 64, CACHE = 256 << 10 };
    return (gsize)s->ic * s->kh * s->kw * LARGEST_BLOCK * yonos_dtype_size(s->dtype) <= CACHE;
}

/* Padded to more than it was, as no network here has it: seen to give other bits with some numbers of threads. */
static gboolean is_enlarged(const YonosDnnlShape *s) { return s->oh > s->ih || s->ow > s->iw; }

/* The description for the most threads, up to `threads`, that give the bits that one thread gives. */
static YonosDnnlConv *describe_alike(YonosDnnl *dnnl, const YonosDnnlShape *s, gboolean bias, int threads) {
    if (is_enlarged(s))
        threads = 1;
    YonosDnnlConv *conv = describe(dnnl, s, bias, threads);
    if (threads == 1 || is_one_group(s))
        return conv;
    YonosDnnlConv *one = describe(dnnl, s, bias, 1);
    while (conv->threads > 1 && !sums_alike(conv, one)) {
        int fewer = conv->threads - 1;
        yonos_dnnl_conv_free(conv);
        conv = describe(dnnl, s, bias, fewer);
    }
    yonos_dnnl_conv_free(one);
    omp_set_num_threads(conv->threads);
    return conv;
}

static gboolean make_memories(YonosDnnlConv *conv, void *weight, void *bias) {
    dnnl_engine_t engine = conv->dnnl->engine;
    conv->scratch_bytes = dnnl_memory_desc_get_size(query(conv, dnnl_query_scratchpad_md, 0));
    return dnnl_memory_create(&conv->src, query(conv, dnnl_query_src_md, 0), engine, DNNL_MEMORY_NONE) ==
               dnnl_success &&
           dnnl_memory_create(&conv->dst, query(conv, dnnl_query_dst_md, 0), engine, DNNL_MEMORY_NONE) ==
               dnnl_success &&
           dnnl_memory_create(&conv->scratchpad, query(conv, dnnl_query_scratchpad_md, 0), engine,
                              DNNL_MEMORY_NONE) == dnnl_success &&
           dnnl_memory_create(&conv->weight, query(conv, dnnl_query_weights_md, 0), engine, weight) == dnnl_success &&
           (!bias ||
            dnnl_memory_create(&conv->bias, query(conv, dnnl_query_weights_md, 1), engine, bias) == dnnl_success);
}

YonosDnnlConv *yonos_dnnl_conv_new(YonosDnnl *dnnl, const YonosDnnlShape *s, const YonosConst *weight,
                                   const YonosConst *bias, int threads, GError **error) {
    YonosDnnlConv *conv = describe_alike(dnnl, s, bias != NULL, threads);
    if (!conv->desc || !create_primitive(&conv->primitive, conv->desc)) {
        if (!yonos_dnnl_has_room())
            yonos_fail(error, YONOS_ERROR_MEMORY, "out of memory for the code of a convolution with %s", weight->name);
        yonos_dnnl_conv_free(conv);
        return NULL;
    }
    const dnnl_dims_t weight_dims = {s->oc, s->ic, s->kh, s->kw};
    g_auto(Layout) plain = layout_new(4, weight_dims, dnnl_f32, dnnl_oihw);
    void *weight_data = plain ? packed_constant(dnnl, weight, plain, query(conv, dnnl_query_weights_md, 0)) : NULL;
    void *bias_data = NULL;
    if (bias) {
        LayoutView vector = query(conv, dnnl_query_weights_md, 1);
        bias_data = packed_constant(dnnl, bias, vector, vector);
    }
    if (weight_data && (!bias || bias_data) && make_memories(conv, weight_data, bias_data))
        return conv;
    yonos_fail(error, YONOS_ERROR_MEMORY, "out of memory for the packed copy of %s", weight->name);
    yonos_dnnl_conv_free(conv);
    return NULL;
}

void yonos_dnnl_conv_free(YonosDnnlConv *conv) {
    if (!conv)
        return;
    dnnl_memory_t memories[] = {conv->src, conv->dst, conv->weight, conv->bias, conv->scratchpad};
    for (guint i = 0; i < G_N_ELEMENTS(memories); i++)
        if (memories[i])
            dnnl_memory_destroy(memories[i]);
    if (conv->primitive)
        dnnl_primitive_destroy(conv->primitive);
    if (conv->desc)
        dnnl_primitive_desc_destroy(conv->desc);
    g_free(conv->name);
    g_free(conv);
}

gsize yonos_dnnl_conv_workspace(const YonosDnnlConv *conv) { return yonos_size_align(conv->scratch_bytes, ALIGN); }

const char *yonos_dnnl_conv_name(const YonosDnnlConv *conv) { return conv->name; }

gboolean yonos_dnnl_conv_run(YonosDnnlConv *conv, const void *src, void *dst, void *workspace, GError **error) {
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, conv->src},
                                    {DNNL_ARG_DST, conv->dst},
                                    {DNNL_ARG_WEIGHTS, conv->weight},
                                    {DNNL_ARG_SCRATCHPAD, conv->scratchpad},
                                    {DNNL_ARG_BIAS, conv->bias}};
    omp_set_num_threads(conv->threads);
    dnnl_memory_set_data_handle(conv->src, (void *)src);
    dnnl_memory_set_data_handle(conv->dst, dst);
    dnnl_memory_set_data_handle(conv->scratchpad, workspace);
    if (dnnl_primitive_execute(conv->primitive, conv->dnnl->stream, conv->bias ? 5 : 4, args) == dnnl_success &&
        dnnl_stream_wait(conv->dnnl->stream) == dnnl_success)
        return TRUE;
    return yonos_fail(error, YONOS_ERROR_DEVICE, "backend cpu: oneDNN's %s failed", conv->name);
}
