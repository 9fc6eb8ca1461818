/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The records of graph.h: tensors and the tile grid, the list of nodes, the first error.
 * The node constructors with their shape rules are in nodes.c.
 */
#include "graph/graph.h"

#include "graph/graph-private.h"

const char *yonos_dtype_name(YonosDType dtype) {
    static const char *const names[] = {"f32", "f16", "bf16"};
    return names[dtype];
}

const char *yonos_op_name(YonosOpKind op) {
    static const char *const names[YONOS_OP_COUNT] = {
        "conv2d", "linear", "group_norm", "layer_norm", "attention", "geglu",  "affine", "concat", "resize", "window",
        "fill",   "blend",  "noise",      "pack",       "unpack",    "adain", "blur",
        "motion", "warp",   "stillness",  "keep",
    };
    return names[op];
}

gsize yonos_const_count(const YonosConst *c) {
    gsize count = 1;
    for (int i = 0; i < c->rank; i++)
        count *= (gsize)c->dim[i];
    return count;
}

float yonos_const_get(const YonosConst *c, gsize i) {
    switch (c->dtype) {
    case YONOS_DTYPE_F16:
        return yonos_f16_to_f32(((const uint16_t *)c->data)[i]);
    case YONOS_DTYPE_BF16:
        return yonos_bf16_to_f32(((const uint16_t *)c->data)[i]);
    case YONOS_DTYPE_F32:
        break;
    }
    return ((const float *)c->data)[i];
}

static float *ramp_of_ones(int count) {
    float *ramp = g_new(float, count);
    for (int i = 0; i < count; i++)
        ramp[i] = 1.0f;
    return ramp;
}

/* One tile of 1 x 1; stands for "untiled" until yonos_graph_set_grid(). */
static YonosTileGrid *unit_grid(void) {
    YonosTileGrid *grid = g_new0(YonosTileGrid, 1);
    grid->columns = grid->rows = 1;
    grid->tile_w = grid->tile_h = 1;
    grid->x0 = g_new0(int, 1);
    grid->y0 = g_new0(int, 1);
    grid->ramp_x = g_new0(float *, 1);
    grid->ramp_y = g_new0(float *, 1);
    grid->ramp_x[0] = ramp_of_ones(1);
    grid->ramp_y[0] = ramp_of_ones(1);
    return grid;
}

void yonos_tile_grid_free(YonosTileGrid *grid) {
    if (!grid)
        return;
    for (int i = 0; grid->ramp_x && i < grid->columns; i++)
        g_free(grid->ramp_x[i]);
    for (int j = 0; grid->ramp_y && j < grid->rows; j++)
        g_free(grid->ramp_y[j]);
    g_free(grid->ramp_x);
    g_free(grid->ramp_y);
    g_free(grid->x0);
    g_free(grid->y0);
    g_free(grid);
}

YonosGraph *yonos_graph_new(void) {
    YonosGraph *graph = g_new0(YonosGraph, 1);
    graph->tensors = g_ptr_array_new_with_free_func(g_free);
    graph->nodes = g_ptr_array_new_with_free_func(g_free);
    graph->names = g_string_chunk_new(4096);
    graph->grid = unit_grid();
    return graph;
}

void yonos_graph_free(YonosGraph *graph) {
    if (!graph)
        return;
    g_ptr_array_unref(graph->tensors);
    g_ptr_array_unref(graph->nodes);
    g_string_chunk_free(graph->names);
    yonos_tile_grid_free(graph->grid);
    g_clear_error(&graph->error);
    g_free(graph);
}

void yonos_graph_set_grid(YonosGraph *graph, YonosTileGrid *grid) {
    yonos_tile_grid_free(graph->grid);
    graph->grid = grid;
}

/* TRUE when the extents are positive and the f32 bytes fit into a gsize. */
static gboolean shape_is_legal(YonosShape s) {
    gsize bytes = sizeof(float);
    return s.n > 0 && s.h > 0 && s.w > 0 && s.c > 0 && yonos_size_mul(bytes, (gsize)s.n, &bytes) &&
           yonos_size_mul(bytes, (gsize)s.h, &bytes) && yonos_size_mul(bytes, (gsize)s.w, &bytes) &&
           yonos_size_mul(bytes, (gsize)s.c, &bytes) && bytes <= G_MAXSSIZE;
}

YonosTensor *yonos_graph_tensor(YonosGraph *graph, YonosTensorKind kind, YonosDType dtype, YonosShape shape,
                                const char *name) {
    if (!shape_is_legal(shape)) {
        graph_fail(graph, YONOS_ERROR_ARGUMENT, "%s: a tensor of %d x %d x %d x %d is not possible",
                   name ? name : "graph", shape.n, shape.h, shape.w, shape.c);
        shape = (YonosShape){1, 1, 1, 1};
    }
    YonosTensor *tensor = g_new0(YonosTensor, 1);
    tensor->id = (int)graph->tensors->len;
    tensor->name = name ? g_string_chunk_insert(graph->names, name) : NULL;
    tensor->kind = kind;
    tensor->dtype = dtype;
    tensor->shape = shape;
    g_ptr_array_add(graph->tensors, tensor);
    return tensor;
}

void graph_fail(YonosGraph *graph, YonosError code, const char *format, ...) {
    if (graph->error)
        return;
    va_list args;
    va_start(args, format);
    graph->error = g_error_new_valist(YONOS_ERROR, (int)code, format, args);
    va_end(args);
}

gboolean yonos_graph_finish(YonosGraph *graph, GError **error) {
    if (!graph->error)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&graph->error));
    return FALSE;
}
