/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A graph placed on a backend: every tensor has its place in one arena, every node is
 * prepared, and running allocates nothing.
 *
 * Lifetimes follow the order of execution: from the first writer to the last reader;
 * a tensor written in HEAD and read in TILE lives to the end of the tile loop. Offsets
 * are given greedily, largest tensor first, and reach the peak of the live bytes in
 * practice (docs/bench/cpu.md).
 */
#ifndef YONOS_PLAN_H
#define YONOS_PLAN_H

#include "backend/backend.h"

typedef struct _YonosPlan YonosPlan;

typedef struct {
    gsize arena_bytes;     /* of the one allocation */
    gsize peak_live_bytes; /* lower bound: the most bytes alive at one node */
    gsize workspace_bytes;
    double flops;
    guint tiles_run, tiles_reused; /* of the latest frame */
} YonosPlanInfo;

/* Called after each node, in the thread of yonos_plan_submit(); for yonos-bench --per-op and yonos-run --dump.
 * `node` is the index in the graph; yonos_plan_get_run() tells the tile. The device may still be working on it. */
typedef void (*YonosPlanHook)(YonosPlan *plan, guint node, gpointer user_data);

/*
 * Takes ownership of `graph`, also on failure; `backend` must outlive the plan. With `keep` every tensor
 * has memory of its own, so that all can be read after a run. Errors: MEMORY, DEVICE, MODEL.
 */
YonosPlan *yonos_plan_new(YonosBackend *backend, YonosGraph *graph, gboolean keep, GError **error);
void yonos_plan_free(YonosPlan *plan);

/*
 * Begins a frame: gives all sections to the backend. in and out may be NULL where the graph has no PACK/UNPACK; `in` of
 * the host's memory has been read on return, all else must stay until the frame is collected or discarded. At most
 * YONOS_IN_FLIGHT frames may be in flight. `cancel` may be NULL: an atomic int that is read before every node. Errors:
 * CANCELLED, DEVICE; the frame then is not in flight.
 */
gboolean yonos_plan_submit(YonosPlan *plan, const YonosFrame *in, YonosFrame *out, guint64 seed, guint64 frame,
                           const int *cancel, GError **error);
/* Waits for the oldest frame in flight, of which there must be one, and completes it. Errors: DEVICE. */
gboolean yonos_plan_collect(YonosPlan *plan, GError **error);
/* Forgets all frames in flight; waits for them where one is in a device's memory. */
void yonos_plan_discard(YonosPlan *plan);

/* Submits and collects one frame; none may be in flight. */
gboolean yonos_plan_run(YonosPlan *plan, const YonosFrame *in, YonosFrame *out, guint64 seed, guint64 frame,
                        const int *cancel, GError **error);

/* With reuse, tiles whose input and noise are those of the run before take its output instead of running the networks:
 * the same pixels, sooner (plan/reuse.h). Without it, the kept outputs are freed. Errors: MEMORY. */
gboolean yonos_plan_set_reuse(YonosPlan *plan, gboolean reuse, GError **error);

/* How much of the frame before stays where the input is still: 0, at first, to less than 1; from the next frame on. */
void yonos_plan_set_steadiness(YonosPlan *plan, float steadiness);
/* The next frame is as if it were the first. */
void yonos_plan_forget_frames(YonosPlan *plan);

/* Contents as floats, yonos_shape_count() of them, whatever the storage type. */
gboolean yonos_plan_write_tensor(YonosPlan *plan, const YonosTensor *tensor, const float *values, GError **error);
gboolean yonos_plan_read_tensor(YonosPlan *plan, const YonosTensor *tensor, float *values, GError **error);

const YonosGraph *yonos_plan_get_graph(const YonosPlan *plan);
const YonosKernel *yonos_plan_get_kernel(const YonosPlan *plan, guint node);
/* What the kernels of a run in progress see: the current tile above all. */
const YonosRun *yonos_plan_get_run(const YonosPlan *plan);
void yonos_plan_get_info(const YonosPlan *plan, YonosPlanInfo *info);
void yonos_plan_set_hook(YonosPlan *plan, YonosPlanHook hook, gpointer user_data);

/* Arena placement by itself, for the property test: intervals [first, last] of node positions, sizes in
 * bytes (any), alignment 64. Writes offsets and returns the arena's size. `peak` may be NULL. */
typedef struct {
    gsize bytes;
    int first, last;
    gsize offset;
} YonosLifetime;
gsize yonos_arena_place(YonosLifetime *lifetimes, guint count, gsize *peak);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(YonosPlan, yonos_plan_free)

#endif
