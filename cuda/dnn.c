/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See dnn.h. The API is a set of descriptors with attributes: a Builder makes them, remembers the first call that
 * failed, and owns them, because a graph's descriptors must outlive the plans made from it.
 */
#include "dnn.h"

#include <cudnn.h>
#include <stdbool.h>

#if CUDNN_VERSION < 91300
#error "cuDNN 9.13 or later is needed: its attention operation is used"
#endif

typedef cudnnBackendDescriptor_t Descriptor;

typedef struct {
    GPtrArray *owned; /* Descriptor */
    GString *failure; /* NULL: everything worked */
} Builder;

struct _CudaDnn {
    cudnnHandle_t handle; /* NULL for a described device */
    Builder device;
    Descriptor properties; /* of a described device, else NULL */
    char version[16];
};

struct _CudaDnnGraph {
    CudaDnn *dnn;
    Builder builder;
    Descriptor graph;
    gboolean exact; /* f32: no engine may compute in less */
};

struct _CudaDnnChoice {
    CudaDnnGraph *graph;
    Builder builder;
    Descriptor config, plan;
    char *name;
    gboolean compiled, tensor_cores, allowed;
    gsize workspace;
};

/* Unique numbers of the tensors of a graph. */
enum { UID_X = 1, UID_WEIGHT, UID_RESIDUAL, UID_BIAS, UID_Y, UID_SUM, UID_ADDED, UID_BIASED, UID_Q, UID_K, UID_V, UID_SCALE, UID_OUT };

/* ---- descriptors ------------------------------------------------------------------------------ */

static void builder_init(Builder *b) { *b = (Builder){g_ptr_array_new(), NULL}; }

static void builder_clear(Builder *b) {
    for (guint i = b->owned ? b->owned->len : 0; i > 0; i--) /* users before what they use */
        cudnnBackendDestroyDescriptor(g_ptr_array_index(b->owned, i - 1));
    g_clear_pointer(&b->owned, g_ptr_array_unref);
    if (b->failure)
        g_string_free(b->failure, TRUE);
}

static gboolean check(Builder *b, cudnnStatus_t status, const char *call) {
    char reason[512] = "";
    if (status == CUDNN_STATUS_SUCCESS || b->failure)
        return !b->failure;
    cudnnGetLastErrorString(reason, sizeof reason);
    b->failure = g_string_new(NULL);
    g_string_printf(b->failure, "%s: %s%s%s", call, cudnnGetErrorString(status), *reason ? ": " : "", reason);
    return FALSE;
}

static gboolean builder_finish(const Builder *b, const char *what, GError **error) {
    return !b->failure || yonos_fail(error, YONOS_ERROR_DEVICE, "backend cuda: cuDNN: %s: %s", what, b->failure->str);
}

static Descriptor make(Builder *b, cudnnBackendDescriptorType_t type) {
    Descriptor d = NULL;
    if (b->failure || !check(b, cudnnBackendCreateDescriptor(type, &d), "cudnnBackendCreateDescriptor"))
        return NULL;
    g_ptr_array_add(b->owned, d);
    return d;
}

static void set(Builder *b, Descriptor d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                gint64 count, const void *values) {
    if (!b->failure)
        check(b, cudnnBackendSetAttribute(d, name, type, count, values), "cudnnBackendSetAttribute");
}

static void set_int(Builder *b, Descriptor d, cudnnBackendAttributeName_t name, gint64 value) {
    set(b, d, name, CUDNN_TYPE_INT64, 1, &value);
}

static void set_bool(Builder *b, Descriptor d, cudnnBackendAttributeName_t name, bool value) {
    set(b, d, name, CUDNN_TYPE_BOOLEAN, 1, &value);
}

static void set_type(Builder *b, Descriptor d, cudnnBackendAttributeName_t name, cudnnDataType_t value) {
    set(b, d, name, CUDNN_TYPE_DATA_TYPE, 1, &value);
}

static void set_descriptor(Builder *b, Descriptor d, cudnnBackendAttributeName_t name, Descriptor value) {
    set(b, d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}

static void finalize(Builder *b, Descriptor d) {
    if (!b->failure)
        check(b, cudnnBackendFinalize(d), "cudnnBackendFinalize");
}

/* Number of values, or 0. */
static gint64 get(Descriptor d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, gint64 room,
                  void *values) {
    int64_t count = 0;
    return cudnnBackendGetAttribute(d, name, type, room, &count, values) == CUDNN_STATUS_SUCCESS ? MIN(count, room) : 0;
}

static cudnnDataType_t data_type(YonosDType dtype) {
    return dtype == YONOS_DTYPE_F32 ? CUDNN_DATA_FLOAT : dtype == YONOS_DTYPE_F16 ? CUDNN_DATA_HALF : CUDNN_DATA_BFLOAT16;
}

/* ---- devices ---------------------------------------------------------------------------------- */

static CudaDnn *dnn_new(void) {
    CudaDnn *dnn = g_new0(CudaDnn, 1);
    gsize version = cudnnGetVersion();
    builder_init(&dnn->device);
    g_snprintf(dnn->version, sizeof dnn->version, "%d.%d.%d", (int)(version / 10000), (int)(version / 100 % 100),
               (int)(version % 100));
    return dnn;
}

static CudaDnn *dnn_checked(CudaDnn *dnn, const char *what, GError **error) {
    if (builder_finish(&dnn->device, what, error))
        return dnn;
    cuda_dnn_free(dnn);
    return NULL;
}

CudaDnn *cuda_dnn_new(cudaStream_t stream, GError **error) {
    CudaDnn *dnn = dnn_new();
    if (check(&dnn->device, cudnnCreate(&dnn->handle), "cudnnCreate"))
        check(&dnn->device, cudnnSetStream(dnn->handle, stream), "cudnnSetStream");
    return dnn_checked(dnn, "it cannot be started", error);
}

CudaDnn *cuda_dnn_new_described(const char *json, GError **error) {
    CudaDnn *dnn = dnn_new();
    dnn->properties = make(&dnn->device, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
    set(&dnn->device, dnn->properties, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
        (gint64)strlen(json) + 1, json);
    finalize(&dnn->device, dnn->properties);
    return dnn_checked(dnn, "the description of the device", error);
}

void cuda_dnn_free(CudaDnn *dnn) {
    if (!dnn)
        return;
    builder_clear(&dnn->device);
    if (dnn->handle)
        cudnnDestroy(dnn->handle);
    g_free(dnn);
}

const char *cuda_dnn_version(const CudaDnn *dnn) { return dnn->version; }

char *cuda_dnn_describe(CudaDnn *dnn, GError **error) {
    enum { ROOM = 1 << 16 };
    Builder b;
    builder_init(&b);
    g_autofree char *json = g_malloc0(ROOM + 1);
    int64_t count = 0;
    Descriptor d = make(&b, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
    set(&b, d, CUDNN_ATTR_DEVICEPROP_HANDLE, CUDNN_TYPE_HANDLE, 1, &dnn->handle);
    finalize(&b, d);
    if (!b.failure)
        check(&b, cudnnBackendGetAttribute(d, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, ROOM, &count, json),
              "cudnnBackendGetAttribute");
    gboolean ok = builder_finish(&b, "the device's description", error);
    builder_clear(&b);
    return ok ? g_steal_pointer(&json) : NULL;
}

/* ---- tensors and operations ------------------------------------------------------------------------ */

typedef struct {
    gint64 size[4], stride[4];
} Layout;

/* NHWC in memory; cuDNN names the axes in the order n, c, h, w. */
static Layout nhwc(gint64 n, gint64 h, gint64 w, gint64 c) {
    return (Layout){{n, c, h, w}, {h * w * c, 1, w * c, c}};
}

static Descriptor tensor(Builder *b, gint64 uid, cudnnDataType_t type, Layout layout, bool is_virtual) {
    Descriptor d = make(b, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    set_int(b, d, CUDNN_ATTR_TENSOR_UNIQUE_ID, uid);
    set_type(b, d, CUDNN_ATTR_TENSOR_DATA_TYPE, type);
    set(b, d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, layout.size);
    set(b, d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, layout.stride);
    set_int(b, d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 16);
    set_bool(b, d, CUDNN_ATTR_TENSOR_IS_VIRTUAL, is_virtual);
    finalize(b, d);
    return d;
}

static Descriptor convolution(Builder *b, const CudaConvShape *s) {
    gint64 before[2] = {s->pad_top, s->pad_left}, after[2] = {s->pad_bottom, s->pad_right};
    gint64 stride[2] = {s->stride, s->stride}, dilation[2] = {1, 1};
    cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    Descriptor d = make(b, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    set_int(b, d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, 2);
    set_type(b, d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT);
    set(b, d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
    set(b, d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, before);
    set(b, d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, after);
    set(b, d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, stride);
    set(b, d, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, dilation);
    finalize(b, d);
    return d;
}

static Descriptor convolve(Builder *b, Descriptor conv, Descriptor x, Descriptor weight, Descriptor y) {
    float one = 1.0f, zero = 0.0f;
    Descriptor d = make(b, CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
    set_descriptor(b, d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, conv);
    set_descriptor(b, d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x);
    set_descriptor(b, d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, weight);
    set_descriptor(b, d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, y);
    set(b, d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, 1, &one);
    set(b, d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, 1, &zero);
    finalize(b, d);
    return d;
}

/* y = x `mode` other; `other` is NULL for an activation. */
static Descriptor pointwise(Builder *b, cudnnPointwiseMode_t mode, Descriptor x, Descriptor other, Descriptor y) {
    Descriptor how = make(b, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    set(b, how, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
    set_type(b, how, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT);
    finalize(b, how);
    Descriptor d = make(b, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    set_descriptor(b, d, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how);
    set_descriptor(b, d, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
    if (other)
        set_descriptor(b, d, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, other);
    set_descriptor(b, d, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
    finalize(b, d);
    return d;
}

/* ---- graphs ---------------------------------------------------------------------------------------- */

static CudaDnnGraph *graph_new(CudaDnn *dnn) {
    CudaDnnGraph *graph = g_new0(CudaDnnGraph, 1);
    graph->dnn = dnn;
    builder_init(&graph->builder);
    return graph;
}

static CudaDnnGraph *graph_close(CudaDnnGraph *graph, const Descriptor *operations, gint64 count, const char *what,
                                 GError **error) {
    Builder *b = &graph->builder;
    graph->graph = make(b, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    set(b, graph->graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, operations);
    if (graph->dnn->handle)
        set(b, graph->graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &graph->dnn->handle);
    finalize(b, graph->graph);
    if (builder_finish(b, what, error))
        return graph;
    cuda_dnn_graph_free(graph);
    return NULL;
}

void cuda_dnn_graph_free(CudaDnnGraph *graph) {
    if (!graph)
        return;
    builder_clear(&graph->builder);
    g_free(graph);
}

/* What an operation writes with `left` more to follow: y, or something virtual in f32 under the number `uid`. */
static Descriptor result(Builder *b, int left, gint64 uid, cudnnDataType_t type, Layout layout) {
    if (left == 0)
        return tensor(b, UID_Y, type, layout, false);
    return tensor(b, uid, CUDNN_DATA_FLOAT, layout, true);
}

CudaDnnGraph *cuda_dnn_conv(CudaDnn *dnn, const CudaConvShape *s, GError **error) {
    CudaDnnGraph *graph = graph_new(dnn);
    Builder *b = &graph->builder;
    cudnnDataType_t type = data_type(s->dtype);
    Layout out = nhwc(s->n, s->oh, s->ow, s->oc);
    Descriptor operation[4];
    int count = 0, left = s->residual + s->bias + s->relu; /* operations still to come */
    graph->exact = s->dtype == YONOS_DTYPE_F32;

    Descriptor x = tensor(b, UID_X, type, nhwc(s->n, s->ih, s->iw, s->ic), false);
    Descriptor weight = tensor(b, UID_WEIGHT, type, nhwc(s->oc, s->kh, s->kw, s->ic), false);
    Descriptor last = result(b, left, UID_SUM, type, out), y;
    operation[count++] = convolve(b, convolution(b, s), x, weight, last);
    if (s->residual) {
        Descriptor residual = tensor(b, UID_RESIDUAL, type, out, false);
        y = result(b, --left, UID_ADDED, type, out);
        operation[count++] = pointwise(b, CUDNN_POINTWISE_ADD, last, residual, y);
        last = y;
    }
    if (s->bias) {
        Descriptor bias = tensor(b, UID_BIAS, type, nhwc(1, 1, 1, s->oc), false);
        y = result(b, --left, UID_BIASED, type, out);
        operation[count++] = pointwise(b, CUDNN_POINTWISE_ADD, last, bias, y);
        last = y;
    }
    if (s->relu)
        operation[count++] = pointwise(b, CUDNN_POINTWISE_RELU_FWD, last, NULL, result(b, 0, UID_Y, type, out));
    return graph_close(graph, operation, count, "convolution", error);
}

/* (images, heads, tokens, head_dim) */
static Layout head_layout(const YonosCudaAttention *a, int tokens, gsize image, gsize token) {
    return (Layout){{a->images, a->heads, tokens, a->head_dim}, {(gint64)image, a->head_dim, (gint64)token, 1}};
}

CudaDnnGraph *cuda_dnn_attention(CudaDnn *dnn, const YonosCudaAttention *a, GError **error) {
    CudaDnnGraph *graph = graph_new(dnn);
    Builder *b = &graph->builder;
    cudnnDataType_t type = data_type(a->dtype);
    Descriptor q = tensor(b, UID_Q, type, head_layout(a, a->q_tokens, a->q_image, a->q_token), false);
    Descriptor k = tensor(b, UID_K, type, head_layout(a, a->kv_tokens, a->k_image, a->k_token), false);
    Descriptor v = tensor(b, UID_V, type, head_layout(a, a->kv_tokens, a->v_image, a->v_token), false);
    Descriptor out = tensor(b, UID_OUT, type, head_layout(a, a->q_tokens, a->out_image, a->out_token), false);
    gint64 one[4] = {1, 1, 1, 1};
    Descriptor scale = make(b, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    set_int(b, scale, CUDNN_ATTR_TENSOR_UNIQUE_ID, UID_SCALE);
    set_type(b, scale, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_DATA_FLOAT);
    set(b, scale, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, one);
    set(b, scale, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, one);
    set_int(b, scale, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 4);
    set_bool(b, scale, CUDNN_ATTR_TENSOR_IS_BY_VALUE, true);
    finalize(b, scale);
    Descriptor operation = make(b, CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR);
    set_descriptor(b, operation, CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC, q);
    set_descriptor(b, operation, CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC, k);
    set_descriptor(b, operation, CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC, v);
    set_descriptor(b, operation, CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC, out);
    set_descriptor(b, operation, CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC, scale);
    finalize(b, operation);
    return graph_close(graph, &operation, 1, "attention", error);
}

/* ---- choices ---------------------------------------------------------------------------------------- */

static CudaDnnChoice *choice_new(CudaDnnGraph *graph) {
    CudaDnnChoice *choice = g_new0(CudaDnnChoice, 1);
    choice->graph = graph;
    builder_init(&choice->builder);
    return choice;
}

void cuda_dnn_choice_free(CudaDnnChoice *choice) {
    if (!choice)
        return;
    builder_clear(&choice->builder);
    g_free(choice->name);
    g_free(choice);
}

/* Appends " type=value" for each knob of a configuration. */
static void append_knobs(CudaDnnChoice *choice, GString *name) {
    enum { ROOM = CUDNN_KNOB_TYPE_COUNTS };
    Descriptor knobs[ROOM];
    for (int i = 0; i < ROOM; i++)
        knobs[i] = make(&choice->builder, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
    gint64 count =
        get(choice->config, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR, ROOM, knobs);
    for (gint64 i = 0; i < count; i++) {
        cudnnBackendKnobType_t type = CUDNN_KNOB_TYPE_COUNTS;
        gint64 value = 0;
        get(knobs[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1, &type);
        get(knobs[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, 1, &value);
        g_string_append_printf(name, " %d=%" G_GINT64_FORMAT, (int)type, value);
    }
}

/* Whether an f32 result has fewer right bits than one summed term by term: transforms spread an outlier's error. */
static gboolean is_inexact(cudnnBackendNumericalNote_t note) {
    switch (note) {
    case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:
    case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:
    case CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION:
    case CUDNN_NUMERICAL_NOTE_FFT:
    case CUDNN_NUMERICAL_NOTE_WINOGRAD:
    case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4:
    case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6:
    case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13:
        return TRUE;
    default:
        return FALSE;
    }
}

/* Name and properties of choice->config; FALSE where the engine does not answer. */
static gboolean inspect(CudaDnnChoice *choice) {
    cudnnBackendNumericalNote_t numeric[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
    cudnnBackendBehaviorNote_t behaviour[CUDNN_BEHAVIOR_NOTE_TYPE_COUNT];
    Descriptor engine = make(&choice->builder, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    gint64 index = -1;
    if (!get(choice->config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &engine) ||
        !get(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &index))
        return FALSE;
    gint64 numerics = get(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, G_N_ELEMENTS(numeric),
                          numeric);
    gint64 behaviours = get(engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE, G_N_ELEMENTS(behaviour),
                            behaviour);
    choice->allowed = TRUE;
    for (gint64 i = 0; i < numerics; i++) {
        choice->tensor_cores |= numeric[i] == CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
        if (numeric[i] == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC || (choice->graph->exact && is_inexact(numeric[i])))
            choice->allowed = FALSE;
    }
    for (gint64 i = 0; i < behaviours; i++)
        choice->compiled |= behaviour[i] == CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION;
    g_autoptr(GString) name = g_string_new(NULL);
    g_string_printf(name, "engine %" G_GINT64_FORMAT, index);
    append_knobs(choice, name);
    choice->name = g_strdup(name->str);
    return !choice->builder.failure;
}

/* The first reason that cuDNN gives for leaving out an engine; its text is "..; Reason: X at: Y" lines. */
static void last_reason(GString *reason) {
    char text[1024] = "";
    cudnnGetLastErrorString(text, sizeof text);
    char *first = strstr(text, "Reason: ");
    if (first)
        g_string_assign(reason, g_strdelimit(first, "\n", '\0'));
}

/* Appends what one mode of the heuristics proposes. A mode that refuses the graph proposes nothing. */
static void propose(CudaDnnGraph *graph, cudnnBackendHeurMode_t mode, GPtrArray *choices, GString *reason) {
    enum { ROOM = 64 };
    Builder b;
    builder_init(&b);
    CudaDnnChoice *found[ROOM];
    Descriptor configs[ROOM];
    for (int i = 0; i < ROOM; i++) {
        found[i] = choice_new(graph);
        configs[i] = found[i]->config = make(&found[i]->builder, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    }
    Descriptor heuristics = make(&b, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    set_descriptor(&b, heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph->graph);
    set(&b, heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    if (graph->dnn->properties)
        set_descriptor(&b, heuristics, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, graph->dnn->properties);
    finalize(&b, heuristics);
    gint64 count = b.failure ? 0
                             : get(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, ROOM,
                                   configs);
    for (gint64 i = 0; i < ROOM; i++) {
        if (i < count && inspect(found[i]) && found[i]->allowed)
            g_ptr_array_add(choices, found[i]);
        else
            cuda_dnn_choice_free(found[i]);
    }
    if (b.failure)
        g_string_assign(reason, b.failure->str);
    else if (count == 0)
        last_reason(reason);
    builder_clear(&b);
}

/* Keeps precompiled choices alone where there are some, each once, and at most `max`. */
static void select_choices(GPtrArray *choices, guint max) {
    gboolean precompiled = FALSE;
    for (guint i = 0; i < choices->len; i++)
        precompiled |= !cuda_dnn_choice_is_compiled(g_ptr_array_index(choices, i));
    for (guint i = 0; i < choices->len;) {
        const CudaDnnChoice *choice = g_ptr_array_index(choices, i);
        gboolean again = FALSE;
        for (guint j = 0; j < i && !again; j++)
            again = strcmp(choice->name, cuda_dnn_choice_name(g_ptr_array_index(choices, j))) == 0;
        if (again || (precompiled && choice->compiled))
            g_ptr_array_remove_index(choices, i);
        else
            i++;
    }
    if (choices->len > max)
        g_ptr_array_set_size(choices, (gint)max);
}

GPtrArray *cuda_dnn_choices(CudaDnnGraph *graph, guint max, GError **error) {
    g_autoptr(GPtrArray) choices = g_ptr_array_new_with_free_func((GDestroyNotify)cuda_dnn_choice_free);
    g_autoptr(GString) reason = g_string_new("no engine takes it");
    propose(graph, CUDNN_HEUR_MODE_B, choices, reason);
    propose(graph, CUDNN_HEUR_MODE_FALLBACK, choices, reason);
    select_choices(choices, max);
    if (choices->len > 0)
        return g_steal_pointer(&choices);
    yonos_fail(error, YONOS_ERROR_DEVICE, "backend cuda: cuDNN: %s", reason->str);
    return NULL;
}

/* Sets the knobs that follow in a name: " type=value" each. FALSE where it is no such text. */
static gboolean set_knobs(CudaDnnChoice *choice, const char *text) {
    enum { ROOM = CUDNN_KNOB_TYPE_COUNTS };
    Builder *b = &choice->builder;
    Descriptor knobs[ROOM];
    gint64 count = 0;
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    for (char **word = words; *word; word++) {
        char *end = NULL;
        cudnnBackendKnobType_t type = (cudnnBackendKnobType_t)g_ascii_strtoull(*word, &end, 10);
        if (**word == '\0')
            continue;
        if (*end != '=' || count == ROOM)
            return FALSE;
        knobs[count] = make(b, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
        set(b, knobs[count], CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1, &type);
        set_int(b, knobs[count], CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, g_ascii_strtoll(end + 1, NULL, 10));
        finalize(b, knobs[count]);
        count++;
    }
    if (count > 0)
        set(b, choice->config, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, knobs);
    return TRUE;
}

CudaDnnChoice *cuda_dnn_choice_by_name(CudaDnnGraph *graph, const char *name, GError **error) {
    CudaDnnChoice *choice = choice_new(graph);
    Builder *b = &choice->builder;
    char *rest = NULL;
    gboolean legal = g_str_has_prefix(name, "engine ");
    gint64 index = legal ? g_ascii_strtoll(name + strlen("engine "), &rest, 10) : -1;
    Descriptor engine = make(b, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    set_descriptor(b, engine, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, graph->graph);
    set_int(b, engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, index);
    if (graph->dnn->properties)
        set_descriptor(b, engine, CUDNN_ATTR_ENGINE_DEVICEPROP, graph->dnn->properties);
    finalize(b, engine);
    choice->config = make(b, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    set_descriptor(b, choice->config, CUDNN_ATTR_ENGINECFG_ENGINE, engine);
    legal = legal && set_knobs(choice, rest);
    finalize(b, choice->config);
    if (builder_finish(b, name, error) && legal && inspect(choice) && choice->allowed)
        return choice;
    if (!b->failure)
        yonos_fail(error, YONOS_ERROR_DEVICE, "backend cuda: \"%s\" is not the name of an engine for this shape", name);
    cuda_dnn_choice_free(choice);
    return NULL;
}

const char *cuda_dnn_choice_name(const CudaDnnChoice *choice) { return choice->name; }

gboolean cuda_dnn_choice_is_compiled(const CudaDnnChoice *choice) { return choice->compiled; }

gboolean cuda_dnn_choice_uses_tensor_cores(const CudaDnnChoice *choice) { return choice->tensor_cores; }

gboolean cuda_dnn_choice_build(CudaDnnChoice *choice, GError **error) {
    Builder *b = &choice->builder;
    const CudaDnn *dnn = choice->graph->dnn;
    if (choice->plan)
        return TRUE;
    choice->plan = make(b, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    set_descriptor(b, choice->plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, choice->config);
    if (dnn->properties)
        set_descriptor(b, choice->plan, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, dnn->properties);
    else
        set(b, choice->plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &dnn->handle);
    finalize(b, choice->plan);
    gint64 bytes = 0;
    if (!b->failure)
        get(choice->plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &bytes);
    choice->workspace = (gsize)bytes;
    return builder_finish(b, choice->name, error);
}

gsize cuda_dnn_choice_workspace(const CudaDnnChoice *choice) { return choice->workspace; }

/* ---- running ------------------------------------------------------------------------------------------- */

static gboolean execute(CudaDnnChoice *choice, const gint64 *uids, void *const *pointers, gint64 count, void *workspace,
                        GError **error) {
    Builder b;
    builder_init(&b);
    Descriptor pack = make(&b, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    set(&b, pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, count, uids);
    set(&b, pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, count, pointers);
    set(&b, pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
    finalize(&b, pack);
    if (!b.failure)
        check(&b, cudnnBackendExecute(choice->graph->dnn->handle, choice->plan, pack), "cudnnBackendExecute");
    gboolean ok = builder_finish(&b, choice->name, error);
    builder_clear(&b);
    return ok;
}

gboolean cuda_dnn_run_conv(CudaDnnChoice *choice, const CudaConvData *data, void *workspace, GError **error) {
    gint64 uids[5] = {UID_X, UID_WEIGHT, UID_Y};
    void *pointers[5] = {(void *)data->x, (void *)data->weight, data->y};
    gint64 count = 3;
    if (data->residual) {
        uids[count] = UID_RESIDUAL;
        pointers[count++] = (void *)data->residual;
    }
    if (data->bias) {
        uids[count] = UID_BIAS;
        pointers[count++] = (void *)data->bias;
    }
    return execute(choice, uids, pointers, count, workspace, error);
}

gboolean cuda_dnn_run_attention(CudaDnnChoice *choice, const YonosCudaAttention *a, void *workspace, GError **error) {
    float scale = a->scale;
    const gint64 uids[] = {UID_Q, UID_K, UID_V, UID_OUT, UID_SCALE};
    void *const pointers[] = {(void *)a->q, (void *)a->k, (void *)a->v, a->out, &scale};
    return execute(choice, uids, pointers, G_N_ELEMENTS(uids), workspace, error);
}
