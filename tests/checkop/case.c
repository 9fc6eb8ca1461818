/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cases from graphs, and instances of them; see case.h.
 */
#include "case.h"

#include <math.h>

#include "model/model.h"
#include "numbers.h"

/* ---- cases ----------------------------------------------------------------------------------- */

static void case_free(gpointer data) {
    Case *c = data;
    g_free(c->label);
    g_free(c);
}

static void graph_free(gpointer graph) { yonos_graph_free(graph); }

CaseList *case_list_new(void) {
    CaseList *list = g_new0(CaseList, 1);
    list->cases = g_ptr_array_new_with_free_func(case_free);
    list->graphs = g_ptr_array_new_with_free_func(graph_free);
    return list;
}

void case_list_free(CaseList *list) {
    g_ptr_array_unref(list->cases);
    g_ptr_array_unref(list->graphs);
    g_free(list);
}

/* The case's own record of a tensor of the graph; the same one for the same tensor. */
static const YonosTensor *adopt_tensor(Case *c, int from[MAX_TENSORS], const YonosTensor *tensor) {
    if (!tensor)
        return NULL;
    for (int i = 0; i < c->n_tensors; i++)
        if (from[i] == tensor->id)
            return &c->tensor[i];
    int id = c->n_tensors++;
    from[id] = tensor->id;
    c->tensor[id] = *tensor;
    c->tensor[id].id = id;
    c->tensor[id].name = NULL;
    return &c->tensor[id];
}

static void adopt_node(Case *c, const YonosNode *node) {
    int from[MAX_TENSORS];
    c->node = *node;
    for (guint i = 0; i < G_N_ELEMENTS(node->in); i++)
        c->node.in[i] = adopt_tensor(c, from, node->in[i]);
    c->node.out = adopt_tensor(c, from, node->out);
    for (int i = 0; i < MAX_CONSTANTS; i++) {
        if (!node->constant[i])
            continue;
        c->constant[i] = *node->constant[i];
        c->constant[i].name = i ? "second constant" : "first constant";
        c->constant[i].data = NULL;
        c->node.constant[i] = &c->constant[i];
    }
    const YonosTensor *picture = node->op == YONOS_OP_PACK ? node->out : node->in[0];
    if (picture) {
        c->width = picture->shape.w;
        c->height = picture->shape.h;
    }
}

/* Multiply-adds, counted twice, of the operations that the graph counts. */
static double count_flops(const Case *c) {
    double out = c->node.out ? (double)yonos_shape_count(c->node.out->shape) : 0.0;
    switch (c->node.op) {
    case YONOS_OP_CONV2D:
    case YONOS_OP_LINEAR:
        return 2.0 * out * (double)yonos_const_count(&c->constant[0]) / c->node.out->shape.c;
    case YONOS_OP_ATTENTION:
        return 4.0 * out * (c->node.in[1] ? (double)c->node.in[1]->shape.h * c->node.in[1]->shape.w
                                          : (double)c->constant[0].dim[0]);
    default:
        return 0.0;
    }
}

static gboolean same_tensor(const YonosTensor *a, const YonosTensor *b) {
    if (!a || !b)
        return a == b;
    return a->id == b->id && a->dtype == b->dtype && yonos_shape_equal(a->shape, b->shape);
}

static gboolean same_constant(const YonosConst *a, const YonosConst *b) {
    if (!a || !b)
        return a == b;
    return a->rank == b->rank && memcmp(a->dim, b->dim, (gsize)a->rank * sizeof *a->dim) == 0;
}

static gboolean same_work(const Case *a, const Case *b) {
    gboolean same = a->node.op == b->node.op && a->width == b->width && a->height == b->height &&
                    memcmp(&a->node.attr, &b->node.attr, sizeof a->node.attr) == 0 &&
                    same_tensor(a->node.out, b->node.out);
    for (guint i = 0; i < G_N_ELEMENTS(a->node.in); i++)
        same = same && same_tensor(a->node.in[i], b->node.in[i]);
    for (int i = 0; i < MAX_CONSTANTS; i++)
        same = same && same_constant(a->node.constant[i], b->node.constant[i]);
    return same;
}

static void add_node(CaseList *list, const char *label, const YonosGraph *graph, const YonosNode *node) {
    Case *c = g_new0(Case, 1);
    adopt_node(c, node);
    c->grid = graph->grid;
    c->column = node->section == YONOS_SECTION_TILE ? graph->grid->columns - 1 : 0;
    c->row = node->section == YONOS_SECTION_TILE ? graph->grid->rows - 1 : 0;
    c->flops = count_flops(c);
    for (guint i = 0; i < list->cases->len; i++)
        if (same_work(c, g_ptr_array_index(list->cases, i))) {
            case_free(c);
            return;
        }
    const char *name = node->out && node->out->name ? node->out->name : yonos_op_name(node->op);
    c->label = g_strdup_printf("%s %s", label, name);
    g_ptr_array_add(list->cases, c);
}

void case_list_add_graph(CaseList *list, const char *label, YonosGraph *graph) {
    g_autoptr(GError) error = NULL;
    if (!yonos_graph_finish(graph, &error))
        g_error("%s: %s", label, error->message);
    for (guint i = 0; i < graph->nodes->len; i++)
        add_node(list, label, graph, g_ptr_array_index(graph->nodes, i));
    g_ptr_array_add(list->graphs, graph);
}

gboolean case_list_add_model(CaseList *list, const char *folder, int width, int height, GError **error) {
    g_autoptr(YonosModel) model = yonos_model_open(folder, error);
    if (!model)
        return FALSE;
    static const YonosColourFix fixes[] = {YONOS_COLOUR_FIX_DEFAULT, YONOS_COLOUR_FIX_ADAIN, YONOS_COLOUR_FIX_WAVELET};
    for (guint i = 0; i < G_N_ELEMENTS(fixes); i++) {
        YonosFrameSpec spec = {.width = width, .height = height, .format = YONOS_FORMAT_NV12, .tile_overlap = -1,
                               .colour = {.kr = 0.2126, .kb = 0.0722, .chroma_cosited_h = TRUE},
                               .colour_fix = fixes[i], .dtype = YONOS_DTYPE_BF16};
        YonosGraph *graph = yonos_model_build_frame(model, &spec, error);
        if (!graph)
            return FALSE;
        case_list_add_graph(list, yonos_model_get_name(model), graph);
    }
    return TRUE;
}

gboolean case_has_storage(const Case *c) {
    for (int i = 0; i < c->n_tensors; i++)
        if (c->tensor[i].dtype == YONOS_DTYPE_BF16)
            return TRUE;
    return FALSE;
}

static void append_shape(GString *text, const YonosTensor *t) {
    if (t)
        g_string_append_printf(text, "(%d,%d,%d,%d)", t->shape.n, t->shape.h, t->shape.w, t->shape.c);
}

char *case_describe(const Case *c) {
    GString *text = g_string_new(yonos_op_name(c->node.op));
    g_string_append_c(text, ' ');
    for (guint i = 0; i < G_N_ELEMENTS(c->node.in); i++)
        append_shape(text, c->node.in[i]);
    g_string_append(text, c->node.out ? " -> " : "");
    append_shape(text, c->node.out);
    if (c->node.op == YONOS_OP_CONV2D)
        g_string_append_printf(text, " %dx%d", (int)c->constant[0].dim[2], (int)c->constant[0].dim[3]);
    g_string_append_printf(text, ", %s", c->label);
    return g_string_free(text, FALSE);
}

/* ---- instances ------------------------------------------------------------------------------- */

/* Copies node and tensors; constants stay without data. */
static Instance *copy_case(const Case *c, YonosDType dtype) {
    Instance *instance = g_new0(Instance, 1);
    instance->of = c;
    instance->node = c->node;
    for (int i = 0; i < c->n_tensors; i++) {
        instance->tensor[i] = c->tensor[i];
        if (c->tensor[i].dtype == YONOS_DTYPE_BF16)
            instance->tensor[i].dtype = dtype;
    }
    for (guint i = 0; i < G_N_ELEMENTS(c->node.in); i++)
        if (c->node.in[i])
            instance->node.in[i] = &instance->tensor[c->node.in[i]->id];
    if (c->node.out)
        instance->node.out = &instance->tensor[c->node.out->id];
    return instance;
}

static void set_constant(Instance *instance, int which, YonosDType dtype, const float *values) {
    YonosConst *constant = &instance->constant[which];
    *constant = instance->of->constant[which];
    gsize count = yonos_const_count(constant);
    instance->constant_data[which] = g_malloc(count * yonos_dtype_size(dtype));
    numbers_store(values, instance->constant_data[which], dtype, count);
    constant->dtype = dtype;
    constant->data = instance->constant_data[which];
    instance->node.constant[which] = constant;
}

/* Weights of unit gain; gammas around 1; biases, betas, keys and values around 0. */
static void constant_range(const Case *c, int which, float *centre, float *spread) {
    const YonosConst *constant = &c->constant[which];
    gboolean product = c->node.op == YONOS_OP_CONV2D || c->node.op == YONOS_OP_LINEAR;
    gboolean norm = c->node.op == YONOS_OP_GROUP_NORM || c->node.op == YONOS_OP_LAYER_NORM;
    gboolean weight = product && which == 0;
    double fan_in = weight ? (double)yonos_const_count(constant) / (double)constant->dim[0] : 1.0;
    *centre = norm && which == 0 ? 1.0f : 0.0f;
    *spread = weight ? (float)(1.0 / sqrt(fan_in)) : c->node.op == YONOS_OP_ATTENTION ? 1.0f : 0.5f;
}

Instance *instance_new(const Case *c, YonosDType dtype, YonosDType constant_dtype, guint32 seed) {
    Instance *instance = copy_case(c, dtype);
    for (int i = 0; i < MAX_CONSTANTS; i++) {
        if (!c->node.constant[i])
            continue;
        float centre, spread;
        constant_range(c, i, &centre, &spread);
        gsize count = yonos_const_count(&c->constant[i]);
        g_autofree float *values = numbers_normal(count, centre, spread, seed + (guint32)i);
        set_constant(instance, i, constant_dtype, values);
    }
    return instance;
}

static void clear_activation(YonosNode *node) {
    if (node->op == YONOS_OP_CONV2D)
        node->attr.conv2d.activation = YONOS_ACTIVATION_NONE;
    else
        node->attr.linear.activation = YONOS_ACTIVATION_NONE;
}

Instance *instance_new_squared(const Instance *other) {
    Instance *instance = copy_case(other->of, YONOS_DTYPE_F32);
    clear_activation(&instance->node);
    for (int i = 0; i < MAX_CONSTANTS; i++) {
        if (!other->node.constant[i])
            continue;
        gsize count = yonos_const_count(&other->constant[i]);
        g_autofree float *values = g_new(float, count);
        for (gsize k = 0; k < count; k++) {
            float v = yonos_const_get(&other->constant[i], k);
            values[k] = v * v;
        }
        set_constant(instance, i, YONOS_DTYPE_F32, values);
    }
    return instance;
}

void instance_free(Instance *instance) {
    for (int i = 0; i < MAX_CONSTANTS; i++)
        g_free(instance->constant_data[i]);
    g_free(instance);
}
