/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Current tiles, seed, frame number and steadiness in device memory; see cuda.h.
 *
 * The table of all tiles, with the last one repeated for batches beyond the end, goes up once per frame; from tile to
 * tile a copy inside the device moves the current batch to its fixed place, in the order of the stream, so the host
 * never waits.
 */
#include "cuda.h"

enum { MAX_BATCH = 64 };

/* At the fixed address. */
typedef struct {
    YonosCudaPerFrame frame;
    YonosCudaTile tiles[MAX_BATCH];
} Block;

struct _CudaCurrent {
    Block *block;          /* device */
    YonosCudaTile *table;  /* device; all tiles of the grid, row by row, and MAX_BATCH - 1 more */
    gsize room;            /* tiles of a grid that the table has room for */
    gboolean valid;        /* the device has what follows */
    YonosCudaPerFrame frame;
    gsize count, first;    /* of the table; of the current batch */
    /* Pinned; what uploads read until `uploaded` has passed. */
    YonosCudaPerFrame *host_frame;
    YonosCudaTile *host_table;
    cudaEvent_t uploaded;
};

CudaCurrent *cuda_current_new(YonosCuda *cuda, GError **error) {
    CudaCurrent *c = g_new0(CudaCurrent, 1);
    cuda->current = c;
    c->block = cuda_allocate(cuda, sizeof *c->block, error);
    if (c->block && cuda_call(cuda, error, cudaMallocHost, (void **)&c->host_frame, sizeof *c->host_frame) &&
        cuda_call(cuda, error, cudaEventCreateWithFlags, &c->uploaded, cudaEventDisableTiming))
        return c;
    cuda_current_free(cuda);
    return NULL;
}

static void free_table(YonosCuda *cuda) {
    CudaCurrent *c = cuda->current;
    cuda_free(cuda, c->table);
    if (c->host_table)
        cudaFreeHost(c->host_table);
    c->table = c->host_table = NULL;
    c->room = 0;
}

void cuda_current_free(YonosCuda *cuda) {
    CudaCurrent *c = cuda->current;
    if (!c)
        return;
    free_table(cuda);
    cuda_free(cuda, c->block);
    if (c->host_frame)
        cudaFreeHost(c->host_frame);
    if (c->uploaded)
        cudaEventDestroy(c->uploaded);
    g_clear_pointer(&cuda->current, g_free);
}

static gboolean make_room(YonosCuda *cuda, gsize count, GError **error) {
    CudaCurrent *c = cuda->current;
    if (count <= c->room)
        return TRUE;
    c->valid = FALSE;
    if (!cuda_call(cuda, error, cudaStreamSynchronize, cuda->stream)) /* copies may still read the old table */
        return FALSE;
    free_table(cuda);
    gsize bytes = (count + MAX_BATCH - 1) * sizeof *c->table;
    c->table = cuda_allocate(cuda, bytes, error);
    if (!c->table || !cuda_call(cuda, error, cudaMallocHost, (void **)&c->host_table, bytes))
        return FALSE;
    c->room = count;
    return TRUE;
}

static YonosCudaTile tile_at(const YonosTileGrid *grid, gsize i) {
    int row = (int)i / grid->columns, column = (int)i % grid->columns;
    return (YonosCudaTile){grid->y0[row], grid->x0[column], row, column};
}

static gboolean same_frame(YonosCudaPerFrame a, YonosCudaPerFrame b) {
    return a.seed == b.seed && a.frame == b.frame && a.steadiness == b.steadiness;
}

static gboolean knows(const CudaCurrent *c, const YonosTileGrid *grid, gsize count, YonosCudaPerFrame frame) {
    if (!c->valid || c->count != count || !same_frame(c->frame, frame))
        return FALSE;
    for (gsize i = 0; i < count; i++) {
        YonosCudaTile tile = tile_at(grid, i);
        if (memcmp(&tile, &c->host_table[i], sizeof tile) != 0)
            return FALSE;
    }
    return TRUE;
}

static gboolean send(YonosCuda *cuda, const YonosTileGrid *grid, gsize count, YonosCudaPerFrame frame, GError **error) {
    CudaCurrent *c = cuda->current;
    if (!make_room(cuda, count, error) || !cuda_call(cuda, error, cudaEventSynchronize, c->uploaded))
        return FALSE;
    c->valid = FALSE;
    *c->host_frame = c->frame = frame;
    for (gsize i = 0; i < count + MAX_BATCH - 1; i++)
        c->host_table[i] = tile_at(grid, MIN(i, count - 1));
    c->count = count;
    c->first = G_MAXSIZE;
    c->valid = cuda_call(cuda, error, cudaMemcpyAsync, &c->block->frame, c->host_frame, sizeof frame,
                         cudaMemcpyHostToDevice, cuda->stream) &&
               cuda_call(cuda, error, cudaMemcpyAsync, c->table, c->host_table,
                         (count + MAX_BATCH - 1) * sizeof *c->table, cudaMemcpyHostToDevice, cuda->stream) &&
               cuda_call(cuda, error, cudaEventRecord, c->uploaded, cuda->stream);
    return c->valid;
}

gboolean cuda_follow(YonosCuda *cuda, const YonosRun *run, GError **error) {
    static int zero = 0;
    static const YonosTileGrid whole = {.columns = 1, .rows = 1, .x0 = &zero, .y0 = &zero};
    const YonosTileGrid *grid = run->grid ? run->grid : &whole;
    CudaCurrent *c = cuda->current;
    gsize count = (gsize)grid->columns * (gsize)grid->rows, first = (gsize)(run->row * grid->columns + run->column);
    YonosCudaPerFrame frame = {run->seed, run->frame, run->steadiness};
    if (!knows(c, grid, count, frame) && !send(cuda, grid, count, frame, error))
        return FALSE;
    if (c->first == first)
        return TRUE;
    c->first = first;
    return cuda_call(cuda, error, cudaMemcpyAsync, c->block->tiles, c->table + first,
                     MAX_BATCH * sizeof *c->table, cudaMemcpyDeviceToDevice, cuda->stream);
}

const YonosCudaTile *cuda_current_tiles(const YonosCuda *cuda) { return cuda->current->block->tiles; }

const YonosCudaPerFrame *cuda_current_frame(const YonosCuda *cuda) { return &cuda->current->block->frame; }
