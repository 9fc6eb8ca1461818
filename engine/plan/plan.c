/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A graph placed on a backend; see plan.h.
 *
 *   order      nodes sorted by section (stable): HEAD, TILE, TAIL
 *   lifetimes  per tensor the first and last position in that order that touches it
 *   arena      one allocation, a place in it for every tensor (arena.c)
 *   kernels    one prepared kernel per node; they share one workspace
 *
 * The run loop does nothing but call kernels: all that can be decided is decided in
 * yonos_plan_new(). Where the backend can record, the second run records stretches of nodes
 * between those that touch the caller's memory, and later runs replay them.
 */
#include "plan/plan.h"

#include "plan/reuse.h"

enum { SECTIONS = YONOS_SECTION_TAIL + 1 };

/* Nodes from..to as the backend's recording; `from` is the index in plan->recordings. */
typedef struct {
    gpointer recording; /* NULL: none yet */
    guint to;
} Recording;

struct _YonosPlan {
    YonosBackend *backend;
    YonosGraph *graph;
    guint n_nodes, n_tensors;
    guint *order;                      /* position -> node index */
    guint section_start[SECTIONS + 1]; /* positions */
    YonosKernel *kernels;              /* per node index */
    guint n_prepared;                  /* kernels[0 .. n_prepared) are to be released */
    void *arena, *workspace;
    void **data; /* per tensor id */
    YonosRun run;
    guint submitted, collected;      /* frames so far; the difference is in flight */
    gboolean device_frames;          /* one of them has been in a device's memory */
    const YonosKernel *unpack;       /* NULL where there is none */
    YonosPlanInfo info;
    YonosReuse *reuse;               /* NULL: every tile runs */
    guint reuse_from, reuse_to;      /* positions of the nodes that a reused tile leaves out */
    Recording *recordings;           /* per position */
    gboolean warm;                   /* every kernel has run once */
    float steadiness;                /* of frames that have one before them */
    gboolean has_state;              /* the latest run has left one behind */
    gboolean eager;                  /* the backend cannot record, or failed to */
    YonosPlanHook hook;
    gpointer hook_data;
};

static const YonosNode *node_at(const YonosPlan *plan, guint position) {
    return g_ptr_array_index(plan->graph->nodes, plan->order[position]);
}

static const YonosTensor *tensor_at(const YonosPlan *plan, guint id) {
    return g_ptr_array_index(plan->graph->tensors, id);
}

static const char *tensor_label(const YonosTensor *tensor) {
    return tensor->name ? tensor->name : "(unnamed)";
}

static gsize tensor_bytes(const YonosTensor *tensor) {
    return yonos_shape_count(tensor->shape) * yonos_dtype_size(tensor->dtype);
}

static void sort_by_section(YonosPlan *plan) {
    guint position = 0;
    for (guint section = 0; section < SECTIONS; section++) {
        plan->section_start[section] = position;
        for (guint i = 0; i < plan->n_nodes; i++) {
            const YonosNode *node = g_ptr_array_index(plan->graph->nodes, i);
            if ((guint)node->section == section)
                plan->order[position++] = i;
        }
    }
    plan->section_start[SECTIONS] = position;
}

/* ---- lifetimes --------------------------------------------------------------------------- */

/* The reader at `position` keeps `tensor` alive: to the end of the tile loop when it was made before the loop. */
static gboolean note_read(const YonosPlan *plan, YonosLifetime *life, const YonosTensor *tensor, guint position,
                          GError **error) {
    YonosLifetime *l = &life[tensor->id];
    if (l->first < 0)
        return yonos_fail(error, YONOS_ERROR_MODEL, "graph: %s reads %s before anything has written it",
                          yonos_op_name(node_at(plan, position)->op), tensor_label(tensor));
    int tile_start = (int)plan->section_start[YONOS_SECTION_TILE],
        tile_end = (int)plan->section_start[YONOS_SECTION_TAIL];
    int last = (int)position;
    if (last >= tile_start && last < tile_end && l->first < tile_start)
        last = tile_end - 1;
    l->last = MAX(l->last, last);
    return TRUE;
}

/* Fills first and last for every tensor; first is -1 for tensors that nothing touches. */
static gboolean find_lifetimes(const YonosPlan *plan, YonosLifetime *life, gboolean keep, GError **error) {
    int end = (int)plan->n_nodes;
    for (guint id = 0; id < plan->n_tensors; id++) {
        const YonosTensor *tensor = tensor_at(plan, id);
        life[id] = (YonosLifetime){tensor_bytes(tensor), -1, -1, 0};
        if (tensor->kind == YONOS_TENSOR_INPUT || tensor->kind == YONOS_TENSOR_STATE) {
            life[id].first = 0;
            life[id].last = end; /* a second run must find it untouched */
        }
    }
    for (guint position = 0; position < plan->n_nodes; position++) {
        const YonosNode *node = node_at(plan, position);
        for (guint i = 0; i < G_N_ELEMENTS(node->in); i++)
            if (node->in[i] && !note_read(plan, life, node->in[i], position, error))
                return FALSE;
        if (!node->out)
            continue;
        YonosLifetime *l = &life[node->out->id];
        if (l->first < 0)
            l->first = (int)position;
        l->last = MAX(l->last, node->out->kind == YONOS_TENSOR_OUTPUT ? end : (int)position);
    }
    for (guint id = 0; keep && id < plan->n_tensors; id++) {
        if (life[id].first >= 0) {
            life[id].first = 0;
            life[id].last = end;
        }
    }
    return TRUE;
}

/* ---- making ready ------------------------------------------------------------------------- */

static gboolean place_tensors(YonosPlan *plan, gboolean keep, GError **error) {
    g_autofree YonosLifetime *life = g_new0(YonosLifetime, plan->n_tensors);
    g_autofree YonosLifetime *used = g_new0(YonosLifetime, plan->n_tensors);
    g_autofree guint *id_of = g_new0(guint, plan->n_tensors);
    if (!find_lifetimes(plan, life, keep, error))
        return FALSE;
    guint n_used = 0;
    gsize total = 0;
    for (guint id = 0; id < plan->n_tensors; id++) {
        if (life[id].first < 0)
            continue;
        if (!yonos_size_add(total, life[id].bytes + 64, &total))
            return yonos_fail(error, YONOS_ERROR_MEMORY,
                              "the frame needs more memory than can be addressed: "
                              "use a smaller frame or smaller tiles");
        id_of[n_used] = id;
        used[n_used++] = life[id];
    }
    plan->info.arena_bytes = yonos_arena_place(used, n_used, &plan->info.peak_live_bytes);
    if (plan->info.arena_bytes == 0)
        return TRUE;
    plan->arena = plan->backend->allocate(plan->backend, plan->info.arena_bytes, error);
    if (!plan->arena)
        return FALSE;
    for (guint i = 0; i < n_used; i++)
        plan->data[id_of[i]] = (char *)plan->arena + used[i].offset;
    return TRUE;
}

static gboolean prepare_kernels(YonosPlan *plan, GError **error) {
    for (; plan->n_prepared < plan->n_nodes; plan->n_prepared++) {
        YonosKernel *kernel = &plan->kernels[plan->n_prepared];
        const YonosNode *node = g_ptr_array_index(plan->graph->nodes, plan->n_prepared);
        if (!yonos_kernel_prepare(kernel, plan->backend, node, error)) {
            g_prefix_error(error, "%s: ", node->out ? tensor_label(node->out) : yonos_op_name(node->op));
            return FALSE;
        }
        plan->info.workspace_bytes = MAX(plan->info.workspace_bytes, kernel->workspace);
        if (node->op == YONOS_OP_UNPACK)
            plan->unpack = kernel;
    }
    if (plan->info.workspace_bytes == 0)
        return TRUE;
    plan->workspace = plan->backend->allocate(plan->backend, plan->info.workspace_bytes, error);
    return plan->workspace != NULL;
}

YonosPlan *yonos_plan_new(YonosBackend *backend, YonosGraph *graph, gboolean keep, GError **error) {
    YonosPlan *plan = g_new0(YonosPlan, 1);
    plan->backend = backend;
    plan->graph = graph;
    plan->n_nodes = graph->nodes->len;
    plan->n_tensors = graph->tensors->len;
    plan->order = g_new0(guint, plan->n_nodes);
    plan->kernels = g_new0(YonosKernel, plan->n_nodes);
    plan->data = g_new0(void *, plan->n_tensors);
    plan->recordings = g_new0(Recording, plan->n_nodes + 1);
    plan->eager = backend->record == NULL;
    plan->info.flops = graph->flops;
    sort_by_section(plan);
    /* Kernels first: packed weights are shared and stay, so a frame that does not fit fails late but cheaply. */
    if (!yonos_graph_finish(graph, error) || !prepare_kernels(plan, error) || !place_tensors(plan, keep, error)) {
        yonos_plan_free(plan);
        return NULL;
    }
    plan->run = (YonosRun){.data = plan->data, .workspace = plan->workspace, .grid = graph->grid};
    g_debug("plan: %u nodes, arena %" G_GSIZE_FORMAT " bytes (peak of live tensors %" G_GSIZE_FORMAT
            "), workspace %" G_GSIZE_FORMAT " bytes, %d x %d tiles, %.3f GFLOP",
            plan->n_nodes, plan->info.arena_bytes, plan->info.peak_live_bytes, plan->info.workspace_bytes,
            graph->grid->columns, graph->grid->rows, plan->info.flops * 1e-9);
    return plan;
}

static void forget(YonosPlan *plan, Recording *r) {
    if (r->recording)
        plan->backend->forget(plan->backend, r->recording);
    r->recording = NULL;
}

void yonos_plan_free(YonosPlan *plan) {
    if (!plan)
        return;
    if (plan->backend->asynchronous)
        plan->backend->finish(plan->backend, NULL); /* discarded frames may still be worked on */
    for (guint i = 0; i < plan->n_nodes; i++)
        forget(plan, &plan->recordings[i]);
    for (guint i = 0; i < plan->n_prepared; i++)
        yonos_kernel_release(&plan->kernels[i]);
    yonos_reuse_free(plan->reuse);
    if (plan->arena)
        plan->backend->release(plan->backend, plan->arena);
    if (plan->workspace)
        plan->backend->release(plan->backend, plan->workspace);
    yonos_graph_free(plan->graph);
    g_free(plan->order);
    g_free(plan->kernels);
    g_free(plan->recordings);
    g_free(plan->data);
    g_free(plan);
}

/* ---- running ------------------------------------------------------------------------------- */

static gboolean is_cancelled(const int *cancel, GError **error) {
    if (!cancel || !g_atomic_int_get(cancel))
        return FALSE;
    yonos_fail(error, YONOS_ERROR_CANCELLED, "cancelled");
    return TRUE;
}

static gboolean run_eagerly(YonosPlan *plan, guint from, guint to, const int *cancel, GError **error) {
    for (guint position = from; position < to; position++) {
        guint index = plan->order[position];
        const YonosKernel *kernel = &plan->kernels[index];
        if (is_cancelled(cancel, error) || !kernel->op->run(kernel, &plan->run, error))
            return FALSE;
        if (plan->hook)
            plan->hook(plan, index, plan->hook_data);
    }
    return TRUE;
}

/* ---- recordings -------------------------------------------------------------------------------- */

static gboolean can_be_recorded(const YonosPlan *plan, guint position) {
    YonosOpKind op = node_at(plan, position)->op;
    return op != YONOS_OP_PACK && op != YONOS_OP_UNPACK;
}

/* Records from..to. A backend that fails to is asked no more: the caller then runs the nodes themselves. */
static void record(YonosPlan *plan, guint from, guint to) {
    YonosBackend *backend = plan->backend;
    Recording *r = &plan->recordings[from];
    g_autoptr(GError) error = NULL;
    forget(plan, r);
    if (backend->record(backend, &plan->run, &error)) {
        gboolean ok = run_eagerly(plan, from, to, NULL, &error);
        r->recording = backend->record_end(backend, ok, ok ? &error : NULL);
        r->to = to;
    }
    plan->eager = r->recording == NULL;
    if (plan->eager)
        g_info("plan: runs without recordings: %s", error->message);
}

static gboolean run_stretch(YonosPlan *plan, guint from, guint to, const int *cancel, GError **error) {
    Recording *r = &plan->recordings[from];
    if (!r->recording || r->to != to)
        record(plan, from, to);
    if (plan->eager)
        return run_eagerly(plan, from, to, cancel, error);
    return !is_cancelled(cancel, error) && plan->backend->replay(plan->backend, r->recording, &plan->run, error);
}

static gboolean run_nodes(YonosPlan *plan, guint from, guint to, const int *cancel, GError **error) {
    if (plan->eager || !plan->warm || plan->hook)
        return run_eagerly(plan, from, to, cancel, error);
    while (from < to) {
        guint end = from;
        while (end < to && can_be_recorded(plan, end))
            end++;
        if (end > from ? !run_stretch(plan, from, end, cancel, error)
                       : !run_eagerly(plan, from, ++end, cancel, error))
            return FALSE;
        from = end;
    }
    return TRUE;
}

static gboolean run_section(YonosPlan *plan, YonosSection section, const int *cancel, GError **error) {
    return run_nodes(plan, plan->section_start[section], plan->section_start[section + 1], cancel, error);
}

/* The current tile, or batch of tiles: its input, then the networks or what they made of the same input before, then the rest. */
static gboolean run_tile(YonosPlan *plan, const int *cancel, GError **error) {
    guint start = plan->section_start[YONOS_SECTION_TILE], end = plan->section_start[YONOS_SECTION_TAIL];
    gboolean same = FALSE;
    if (!plan->reuse) {
        plan->info.tiles_run += (guint)yonos_tile_grid_batch(plan->graph->grid);
        return run_nodes(plan, start, end, cancel, error);
    }
    const YonosGraph *graph = plan->graph;
    guint batch = (guint)yonos_tile_grid_batch(graph->grid);
    guint index = (guint)(plan->run.row * graph->grid->columns + plan->run.column) / batch;
    void *in = plan->data[graph->tile_in->id], *out = plan->data[graph->tile_out->id];
    if (!run_nodes(plan, start, plan->reuse_from, cancel, error) ||
        !yonos_reuse_compare(plan->reuse, index, in, &same, error))
        return FALSE;
    if (same ? !yonos_reuse_load(plan->reuse, index, out, error)
             : !run_nodes(plan, plan->reuse_from, plan->reuse_to, cancel, error) ||
                   !yonos_reuse_store(plan->reuse, index, out, error))
        return FALSE;
    plan->info.tiles_reused += same ? batch : 0;
    plan->info.tiles_run += same ? 0 : batch;
    return run_nodes(plan, plan->reuse_to, end, cancel, error);
}

static gboolean run_tiles(YonosPlan *plan, const int *cancel, GError **error) {
    const YonosTileGrid *grid = plan->graph->grid;
    if (plan->reuse)
        yonos_reuse_begin(plan->reuse, plan->run.seed, plan->run.frame);
    for (int tile = 0; tile < grid->columns * grid->rows; tile += yonos_tile_grid_batch(grid)) {
        plan->run.row = tile / grid->columns;
        plan->run.column = tile % grid->columns;
        if (!run_tile(plan, cancel, error))
            return FALSE;
    }
    plan->run.row = plan->run.column = 0;
    return TRUE;
}

gboolean yonos_plan_submit(YonosPlan *plan, const YonosFrame *in, YonosFrame *out, guint64 seed, guint64 frame,
                           const int *cancel, GError **error) {
    g_return_val_if_fail(plan->submitted - plan->collected < YONOS_IN_FLIGHT, FALSE);
    plan->info.tiles_run = plan->info.tiles_reused = 0;
    plan->run.in = in;
    plan->run.out = out;
    plan->run.seed = seed;
    plan->run.frame = frame;
    plan->run.steadiness = plan->has_state ? plan->steadiness : 0.0f;
    plan->run.row = plan->run.column = 0;
    plan->device_frames = plan->device_frames || (in && in->cuda_context) || (out && out->cuda_context);
    plan->run.slot = (int)(plan->submitted % YONOS_IN_FLIGHT);
    gboolean ok = run_section(plan, YONOS_SECTION_HEAD, cancel, error) && run_tiles(plan, cancel, error) &&
                  run_section(plan, YONOS_SECTION_TAIL, cancel, error);
    plan->run.in = NULL;
    plan->run.out = NULL;
    plan->warm = plan->warm || ok;
    plan->has_state = ok; /* where a run has stopped halfway, the states do not belong together */
    plan->submitted += ok;
    if (!ok && plan->device_frames)
        plan->backend->finish(plan->backend, NULL); /* the caller gets its memory back */
    return ok;
}

gboolean yonos_plan_collect(YonosPlan *plan, GError **error) {
    g_return_val_if_fail(plan->submitted != plan->collected, FALSE);
    YonosBackend *backend = plan->backend;
    int slot = (int)(plan->collected++ % YONOS_IN_FLIGHT);
    return plan->unpack && backend->collect ? backend->collect(plan->unpack, slot, error)
                                            : backend->finish(backend, error);
}

void yonos_plan_discard(YonosPlan *plan) {
    if (plan->device_frames && plan->submitted != plan->collected)
        plan->backend->finish(plan->backend, NULL);
    plan->collected = plan->submitted;
}

gboolean yonos_plan_run(YonosPlan *plan, const YonosFrame *in, YonosFrame *out, guint64 seed, guint64 frame,
                        const int *cancel, GError **error) {
    return yonos_plan_submit(plan, in, out, seed, frame, cancel, error) && yonos_plan_collect(plan, error);
}

/* The position behind the node that writes `tensor`, but not before the tile loop. */
static guint position_behind(const YonosPlan *plan, const YonosTensor *tensor) {
    guint behind = plan->section_start[YONOS_SECTION_TILE];
    for (guint position = behind; position < plan->section_start[YONOS_SECTION_TAIL]; position++)
        if (node_at(plan, position)->out == tensor)
            behind = position + 1;
    return behind;
}

gboolean yonos_plan_set_reuse(YonosPlan *plan, gboolean reuse, GError **error) {
    if (!reuse)
        g_clear_pointer(&plan->reuse, yonos_reuse_free);
    if (!reuse || plan->reuse || !plan->graph->tile_in || !plan->graph->tile_out)
        return TRUE;
    plan->reuse_from = position_behind(plan, plan->graph->tile_in);
    plan->reuse_to = position_behind(plan, plan->graph->tile_out);
    plan->reuse = yonos_reuse_new(plan->backend, plan->graph, error);
    return plan->reuse != NULL;
}

void yonos_plan_set_steadiness(YonosPlan *plan, float steadiness) {
    plan->steadiness = steadiness;
}

void yonos_plan_forget_frames(YonosPlan *plan) {
    plan->has_state = FALSE;
}

/* ---- tensors from and to the host ----------------------------------------------------------- */

static void floats_to_storage(void *to, const float *from, gsize count, YonosDType dtype) {
    uint16_t *half = to;
    if (dtype == YONOS_DTYPE_F32)
        memcpy(to, from, count * sizeof *from);
    else if (dtype == YONOS_DTYPE_BF16)
        for (gsize i = 0; i < count; i++)
            half[i] = yonos_f32_to_bf16(from[i]);
    else
        for (gsize i = 0; i < count; i++)
            half[i] = yonos_f32_to_f16(from[i]);
}

static void storage_to_floats(float *to, const void *from, gsize count, YonosDType dtype) {
    const uint16_t *half = from;
    if (dtype == YONOS_DTYPE_F32)
        memcpy(to, from, count * sizeof *to);
    else if (dtype == YONOS_DTYPE_BF16)
        for (gsize i = 0; i < count; i++)
            to[i] = yonos_bf16_to_f32(half[i]);
    else
        for (gsize i = 0; i < count; i++)
            to[i] = yonos_f16_to_f32(half[i]);
}

/* The tensor's place, and host memory of its size for the conversion. */
static gpointer staging_for(YonosPlan *plan, const YonosTensor *tensor, GError **error) {
    if (!plan->data[tensor->id]) {
        yonos_fail(error, YONOS_ERROR_ARGUMENT, "graph: no node uses %s, so it has no contents", tensor_label(tensor));
        return NULL;
    }
    gpointer staging = g_try_malloc(tensor_bytes(tensor));
    if (!staging)
        yonos_fail(error, YONOS_ERROR_MEMORY, "out of memory for a copy of %s", tensor_label(tensor));
    return staging;
}

gboolean yonos_plan_write_tensor(YonosPlan *plan, const YonosTensor *tensor, const float *values, GError **error) {
    g_autofree gpointer staging = staging_for(plan, tensor, error);
    if (!staging)
        return FALSE;
    floats_to_storage(staging, values, yonos_shape_count(tensor->shape), tensor->dtype);
    return plan->backend->upload(plan->backend, plan->data[tensor->id], staging, tensor_bytes(tensor), error);
}

gboolean yonos_plan_read_tensor(YonosPlan *plan, const YonosTensor *tensor, float *values, GError **error) {
    g_autofree gpointer staging = staging_for(plan, tensor, error);
    if (!staging || !plan->backend->finish(plan->backend, error) ||
        !plan->backend->download(plan->backend, staging, plan->data[tensor->id], tensor_bytes(tensor), error))
        return FALSE;
    storage_to_floats(values, staging, yonos_shape_count(tensor->shape), tensor->dtype);
    return TRUE;
}

const YonosGraph *yonos_plan_get_graph(const YonosPlan *plan) {
    return plan->graph;
}

const YonosKernel *yonos_plan_get_kernel(const YonosPlan *plan, guint node) {
    g_return_val_if_fail(node < plan->n_nodes, NULL);
    return &plan->kernels[node];
}

const YonosRun *yonos_plan_get_run(const YonosPlan *plan) {
    return &plan->run;
}

void yonos_plan_get_info(const YonosPlan *plan, YonosPlanInfo *info) {
    *info = plan->info;
}

void yonos_plan_set_hook(YonosPlan *plan, YonosPlanHook hook, gpointer user_data) {
    plan->hook = hook;
    plan->hook_data = user_data;
}
