/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The op table: what a device must be able to do.
 *
 * A backend is one struct of function pointers. `ref` is plain C in f32 and the
 * specification of every operation; `cpu` starts from ref's table and replaces entries
 * with oneDNN and vector loops; `cuda` is a module loaded at run time. Backend folders
 * carry the same file names: conv.c, gemm.c, attention.c, norm.c, pointwise.c, resize.c,
 * frame.c, noise.c, tile.c, colour.c, steady.c. A backend knows nodes, never networks.
 */
#ifndef YONOS_BACKEND_H
#define YONOS_BACKEND_H

#include <gmodule.h>

#include "graph/graph.h"

typedef struct _YonosBackend YonosBackend;
typedef struct _YonosOp YonosOp;

/* What changes from run to run. All pointers are the backend's own memory, but for the frames. */
typedef struct {
    void *const *data;        /* per tensor id */
    void *workspace;          /* at least the kernel's `workspace` bytes, 64-byte aligned */
    const YonosFrame *in;     /* read by PACK */
    YonosFrame *out;          /* written by UNPACK */
    guint64 seed, frame;      /* of the noise */
    float steadiness;         /* of STILLNESS, 0 to less than 1; 0 in the first run, when no state is there */
    const YonosTileGrid *grid;
    int slot;                 /* of PACK and UNPACK, below YONOS_IN_FLIGHT: two runs in flight have different ones */
    int column, row;          /* current tile, the first of a batch; its origin is (grid->x0[column], grid->y0[row]) */
} YonosRun;

/* The place of image `image` of the current batch in the grid: tiles follow row by row, up to the last one. */
static inline void yonos_run_tile(const YonosRun *run, int image, int *row, int *column) {
    int last = run->grid->columns * run->grid->rows - 1, tile = run->row * run->grid->columns + run->column + image;
    tile = tile < last ? tile : last;
    *row = tile / run->grid->columns;
    *column = tile % run->grid->columns;
}

/* A node made ready: choices taken, weights packed, workspace asked for. */
typedef struct {
    const YonosNode *node;
    const YonosOp *op;
    YonosBackend *backend;
    gsize workspace;          /* bytes; set by prepare */
    const char *implementation; /* for the log and yonos-bench --per-op: "ref", "winograd f32", ... */
    gpointer data;            /* prepare's own */
} YonosKernel;

struct _YonosOp {
    /* Fills workspace, implementation and data. May be NULL: nothing to prepare. May allocate; run may not. */
    gboolean (*prepare)(YonosKernel *kernel, GError **error);
    gboolean (*run)(const YonosKernel *kernel, const YonosRun *run, GError **error);
    void (*release)(YonosKernel *kernel); /* frees `data`; may be NULL */
};

struct _YonosBackend {
    const char *name;         /* "ref", "cpu", "cuda" */
    const char *device;       /* in words */
    int threads;
    YonosDType dtype;         /* storage type of the networks' activations */
    int tile_batch;           /* how many tiles at once pay; 0: each by itself */
    gsize memory_limit;       /* bytes that allocate() may give in all, set by the user; 0: no limit. Devices only */
    gboolean asynchronous;    /* run() returns before the work is done */
    gboolean device_frames;   /* PACK and UNPACK take frames with a cuda_context */
    gboolean parallel_runs;   /* kernels of different plans may run in several threads at once; preparing never may */
    YonosOp op[YONOS_OP_COUNT];

    /* 64-byte aligned memory that the kernels read and write; contents undefined. */
    void *(*allocate)(YonosBackend *backend, gsize bytes, GError **error);
    void (*release)(YonosBackend *backend, void *memory);
    /* Between host memory and the backend's; `bytes` from the start of each pointer. Synchronous. */
    gboolean (*upload)(YonosBackend *backend, void *to, const void *from, gsize bytes, GError **error);
    gboolean (*download)(YonosBackend *backend, void *to, const void *from, gsize bytes, GError **error);
    /* Waits until everything given to run() is done; output frames may still lack collect(). */
    gboolean (*finish)(YonosBackend *backend, GError **error);
    /*
     * Optional: waits until the frame is done that the UNPACK `unpack` made in its latest run with this slot, and
     * completes the caller's memory, which is not touched at any other time unless it is a device's. The next run with
     * the slot may come without it. In any thread, beside runs of other plans. NULL: the frame is complete when run()
     * returns. Errors: DEVICE.
     */
    gboolean (*collect)(const YonosKernel *unpack, int slot, GError **error);
    /*
     * Optional, all or none: recordings. Between record() and record_end() the run() calls are written down instead of
     * run; replay() then runs them all, with the tile, seed, frame number and steadiness of the `run` given, and the
     * tensors, workspace and kernels of the time of recording. Each kernel must have run once before, and PACK and UNPACK,
     * which touch the caller's memory, cannot be recorded. record_end() with keep = FALSE, after a failure, drops what
     * was recorded; else it gives a recording, to be forgotten with forget() before the kernels are released. Errors:
     * DEVICE, MEMORY.
     */
    gboolean (*record)(YonosBackend *backend, const YonosRun *run, GError **error);
    gpointer (*record_end)(YonosBackend *backend, gboolean keep, GError **error);
    gboolean (*replay)(YonosBackend *backend, gpointer recording, const YonosRun *run, GError **error);
    void (*forget)(YonosBackend *backend, gpointer recording);
    /* Bytes held for packed weights; shared between the kernels of all plans of this backend. */
    gsize (*weight_bytes)(YonosBackend *backend);
    void (*destroy)(YonosBackend *backend);
};

/*
 * Opens a backend by name: "ref", "cpu", "cuda" (the first device) or "cuda:N" (device N), or "auto" or "auto:N" (the
 * same where it works, else cpu, with one log line that says why). threads: 0 = one per processor. A backend and its
 * kernels belong to one thread at a time. cuda_context: as in YonosOptions; nothing to the others. Errors: ARGUMENT
 * (unknown name, threads, precision it cannot do), DEVICE.
 */
YonosBackend *yonos_backend_open(const char *name, YonosPrecision precision, int threads, void *cuda_context,
                                 GError **error);
void yonos_backend_close(YonosBackend *backend);

/* Constructors behind yonos_backend_open(). */
YonosBackend *yonos_backend_ref_new(YonosPrecision precision, GError **error);
YonosBackend *yonos_backend_cpu_new(YonosPrecision precision, int threads, GError **error);
YonosBackend *yonos_backend_cuda_new(YonosPrecision precision, int device, void *context, GError **error);

/*
 * The CUDA backend is a module that is loaded at run time, so that nothing else needs CUDA's libraries. It is the
 * file YONOS_CUDA_MODULE in a folder of the colon-separated list $YONOS_MODULES_PATH, or in the library's own
 * folder for modules where the variable is not set, and has one entry point, named YONOS_CUDA_ENTRY. The entry
 * point gets YONOS_BACKEND_ABI of the caller: a module made for another contract refuses with an error. Modules
 * stay loaded.
 */
#define YONOS_CUDA_MODULE "libyonos-cuda." G_MODULE_SUFFIX
#define YONOS_CUDA_ENTRY "yonos_cuda_open"
enum { YONOS_BACKEND_ABI = 7 }; /* to be raised when this header or graph.h changes */
typedef YonosBackend *(*YonosCudaEntry)(int abi, YonosPrecision precision, int device, void *context, GError **error);

/* ref's table, which others start from. */
void yonos_ref_fill_ops(YonosOp op[YONOS_OP_COUNT]);

gboolean yonos_kernel_prepare(YonosKernel *kernel, YonosBackend *backend, const YonosNode *node, GError **error);
void yonos_kernel_release(YonosKernel *kernel);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(YonosBackend, yonos_backend_close)

#endif
