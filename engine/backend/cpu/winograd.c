/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A 3x3 convolution cut into jobs; see winograd_bf16.h for what a job computes.
 *
 * A job is up to BATCH consecutive tiles (row by row, image by image) times a run of output channel panels. Each thread
 * has its own coefficients and products in the workspace, so a job touches nothing of another's.
 */
#include "backend/cpu/winograd.h"

#include <omp.h>

#include "backend/cpu/loops.h"
#include "backend/cpu/winograd_bf16.h"

enum {
    BATCH = 48,         /* tiles of a job: as many as keep the packed weights busy and the coefficients in the cache */
    JOBS = 16,          /* output channels are shared out only where there are fewer batches than these */
    MAX_CHANNELS = 4096,
    LANES = WINOGRAD_LANES,
    PANEL = WINOGRAD_PANEL,
    LINE = 64,
};

G_STATIC_ASSERT(BATCH % WINOGRAD_ROWS == 0);

typedef struct {
    int side, coefficients; /* WINOGRAD_SIDE or WINOGRAD_DOUBLED_SIDE, and its square */
    const uint32_t *weight; /* per panel: (coefficients, ic / 2, lanes) pairs */
    float *bias;            /* (oc); zeros where the node has none */
    int tile_rows, tile_columns, tiles; /* tiles: of all images */
    int panels, panels_per_job;
    gsize coefficient_plane, product_plane; /* elements from one coefficient's to the next one's */
    gsize coefficient_bytes, thread_bytes;  /* of the workspace */
} Winograd;

static const uint16_t zero_pixel[MAX_CHANNELS];

static gboolean is_doubled(const YonosNode *node) { return node->attr.conv2d.up_h > 0; }

/* The picture as it is, or doubled both ways, without a last row or column where the node wants it so. */
static gboolean takes_size(const YonosNode *node) {
    YonosShape in = node->in[0]->shape;
    int h = node->attr.conv2d.up_h, w = node->attr.conv2d.up_w;
    return !is_doubled(node) ||
           ((h + 1) / 2 == in.h && (w + 1) / 2 == in.w && node->attr.conv2d.pad_top == 1 && node->attr.conv2d.pad_left == 1 &&
            node->attr.conv2d.pad_bottom == 1 && node->attr.conv2d.pad_right == 1);
}

gboolean cpu_winograd_fits(const YonosNode *node) {
    const YonosConst *w = node->constant[0];
    YonosShape in = node->in[0]->shape, out = node->out->shape;
    return cpu_has_bf16_pairs() && node->out->dtype == YONOS_DTYPE_BF16 && w->dim[2] == 3 && w->dim[3] == 3 &&
           node->attr.conv2d.stride == 1 && takes_size(node) && node->attr.conv2d.activation <= YONOS_ACTIVATION_RELU &&
           in.c % LANES == 0 && out.c % LANES == 0 && MAX(in.c, out.c) <= MAX_CHANNELS;
}

/* ---- weights --------------------------------------------------------------------------------------- */

/*
 * G g along one axis, from three values `from_step` apart to `side` ones `step` apart: (g0, (g0 + g1 + g2) / 2,
 * (g0 - g1 + g2) / 2, g2); doubled (g0, g0 + g1 + g2, g2).
 */
static void filter_axis(const float *g, int from_step, int side, float *u, int step) {
    float g0 = g[0], g1 = g[from_step], g2 = g[2 * from_step];
    gboolean doubled = side == WINOGRAD_DOUBLED_SIDE;
    u[0] = g0;
    u[step] = (doubled ? 1.0f : 0.5f) * (g0 + g1 + g2);
    if (!doubled)
        u[2 * step] = 0.5f * (g0 - g1 + g2);
    u[(side - 1) * step] = g2;
}

/* G g G^T of one filter. */
static void transform_filter(const float g[9], int side, float *u) {
    float rows[3 * WINOGRAD_SIDE];
    for (int x = 0; x < 3; x++)
        filter_axis(g + x, 3, side, rows + x, 3);
    for (int y = 0; y < side; y++)
        filter_axis(rows + 3 * y, 1, side, u + side * y, 1);
}

static int panel_lanes(int oc, int panel) { return MIN(PANEL, oc - panel * PANEL); }

/* Words before a panel. */
static gsize panel_offset(int coefficients, int ic, int panel) {
    return (gsize)panel * PANEL * (gsize)coefficients * (gsize)(ic / 2);
}

static void pack_output_channel(const YonosConst *w, int side, int o, uint32_t *packed) {
    int oc = (int)w->dim[0], ic = (int)w->dim[1], panel = o / PANEL, lanes = panel_lanes(oc, panel);
    uint16_t *to = (uint16_t *)(packed + panel_offset(side * side, ic, panel));
    for (int c = 0; c < ic; c++) {
        float g[9], u[WINOGRAD_SIDE * WINOGRAD_SIDE];
        for (int i = 0; i < 9; i++)
            g[i] = yonos_const_get(w, ((gsize)o * ic + c) * 9 + i);
        transform_filter(g, side, u);
        for (int e = 0; e < side * side; e++)
            to[(((gsize)e * (ic / 2) + c / 2) * lanes + o % PANEL) * 2 + c % 2] = yonos_f32_to_bf16(u[e]);
    }
}

static void pack_for(const YonosConst *w, int side, uint32_t *packed) {
#pragma omp parallel for schedule(static)
    for (int o = 0; o < (int)w->dim[0]; o++)
        pack_output_channel(w, side, o, packed);
}

static void pack_weight(const YonosConst *w, void *packed) { pack_for(w, WINOGRAD_SIDE, packed); }

static void pack_doubled(const YonosConst *w, void *packed) { pack_for(w, WINOGRAD_DOUBLED_SIDE, packed); }

static float *bias_values(const YonosConst *bias, int count) {
    float *values = g_new0(float, count);
    for (int i = 0; bias && i < count; i++)
        values[i] = yonos_const_get(bias, i);
    return values;
}

/* ---- preparing ------------------------------------------------------------------------------------ */

static void release(YonosKernel *kernel) {
    Winograd *winograd = kernel->data;
    if (winograd)
        g_free(winograd->bias);
    g_free(winograd);
}

static gboolean prepare(YonosKernel *kernel, GError **error) {
    const YonosNode *node = kernel->node;
    YonosShape in = node->in[0]->shape, out = node->out->shape;
    cpu_use_threads(kernel);
    int side = is_doubled(node) ? WINOGRAD_DOUBLED_SIDE : WINOGRAD_SIDE, coefficients = side * side;
    gsize words = (gsize)coefficients * (in.c / 2) * out.c;
    const uint32_t *weight = cpu_packed(kernel, node->constant[0], words * sizeof *weight,
                                        is_doubled(node) ? pack_doubled : pack_weight, error);
    if (!weight)
        return FALSE;
    Winograd *winograd = g_new0(Winograd, 1);
    winograd->side = side;
    winograd->coefficients = coefficients;
    winograd->weight = weight;
    winograd->bias = bias_values(node->constant[1], out.c);
    winograd->tile_rows = (out.h + 1) / 2;
    winograd->tile_columns = (out.w + 1) / 2;
    winograd->tiles = out.n * winograd->tile_rows * winograd->tile_columns;
    winograd->panels = (out.c + PANEL - 1) / PANEL;
    int batches = (winograd->tiles + BATCH - 1) / BATCH, shares = CLAMP(JOBS / batches, 1, winograd->panels);
    winograd->panels_per_job = (winograd->panels + shares - 1) / shares;
    /* A cache line more than the tiles take: the planes would share a few sets of the first-level cache. */
    winograd->coefficient_plane = (gsize)BATCH * in.c + LINE / sizeof(uint16_t);
    winograd->product_plane = (gsize)BATCH * PANEL + LINE / sizeof(float);
    winograd->coefficient_bytes = coefficients * winograd->coefficient_plane * sizeof(uint16_t);
    winograd->thread_bytes =
        winograd->coefficient_bytes + coefficients * winograd->product_plane * sizeof(float);
    kernel->workspace = winograd->thread_bytes * kernel->backend->threads;
    kernel->data = winograd;
    kernel->implementation = is_doubled(node) ? "winograd bf16 2x up" : "winograd bf16";
    return TRUE;
}

/* ---- running -------------------------------------------------------------------------------------- */

/* Tiles side by side. */
typedef struct {
    int first, count; /* of the job's tiles */
    int n, y, x;      /* image, and the output pixel at the first tile's upper left */
} Run;

/* The next run of the job whose tiles are [first, first + count), behind `before` of them. */
static Run next_run(const Winograd *winograd, int first, int count, int before) {
    int index = first + before, column = index % winograd->tile_columns, row = index / winograd->tile_columns;
    return (Run){.first = before,
                 .count = MIN(count - before, winograd->tile_columns - column),
                 .n = row / winograd->tile_rows,
                 .y = 2 * (row % winograd->tile_rows),
                 .x = 2 * column};
}

static uint16_t *row_of(const YonosTensor *tensor, const YonosRun *run, int n, int y) {
    YonosShape s = tensor->shape;
    return (uint16_t *)run->data[tensor->id] + ((gsize)n * s.h + y) * s.w * s.c;
}

static void transform_input(const YonosNode *node, const YonosRun *run, const Winograd *winograd, int first, int count,
                            uint16_t *coefficient) {
    YonosShape shape = node->in[0]->shape;
    int shrink = is_doubled(node) ? 2 : 1;
    for (Run r = next_run(winograd, first, count, 0); r.count > 0;
         r = next_run(winograd, first, count, r.first + r.count)) {
        WinogradInput in = {.x = r.x / shrink - node->attr.conv2d.pad_left, .width = shape.w, .channels = shape.c};
        for (int i = 0; i < winograd->side; i++) {
            int y = r.y / shrink - node->attr.conv2d.pad_top + i;
            gboolean inside = y >= 0 && y < shape.h;
            in.row[i] = inside ? row_of(node->in[0], run, r.n, y) : zero_pixel;
            in.step[i] = inside ? (gsize)shape.c : 0;
        }
        cpu_winograd_input(&in, winograd->side, r.count, coefficient + (gsize)r.first * shape.c, winograd->coefficient_plane);
    }
}

static void transform_output(const YonosNode *node, const YonosRun *run, const Winograd *winograd, int first, int count,
                             int panel, const float *product) {
    YonosShape shape = node->out->shape;
    int lanes = panel_lanes(shape.c, panel), from = panel * PANEL;
    int relu = node->attr.conv2d.activation == YONOS_ACTIVATION_RELU;
    for (Run r = next_run(winograd, first, count, 0); r.count > 0;
         r = next_run(winograd, first, count, r.first + r.count)) {
        WinogradOutput out = {.pixels = MIN(2 * r.count, shape.w - r.x), .step = (gsize)shape.c};
        for (int i = 0; i < 2 && r.y + i < shape.h; i++) {
            gsize at = (gsize)r.x * shape.c + from;
            out.row[i] = row_of(node->out, run, r.n, r.y + i) + at;
            if (node->in[1])
                out.residual[i] = row_of(node->in[1], run, r.n, r.y + i) + at;
        }
        cpu_winograd_output(product + (gsize)r.first * lanes, winograd->product_plane, winograd->side, r.count, lanes,
                            winograd->bias + from, relu, &out);
    }
}

static void run_job(const YonosNode *node, const YonosRun *run, const Winograd *winograd, int batch, int share) {
    char *own = (char *)run->workspace + winograd->thread_bytes * omp_get_thread_num();
    uint16_t *coefficient = (uint16_t *)own;
    float *product = (float *)(own + winograd->coefficient_bytes);
    int ic = node->in[0]->shape.c, oc = node->out->shape.c, first = batch * BATCH;
    int count = MIN(BATCH, winograd->tiles - first);
    int rows = (count + WINOGRAD_ROWS - 1) / WINOGRAD_ROWS * WINOGRAD_ROWS;
    int begin = share * winograd->panels_per_job, end = MIN(begin + winograd->panels_per_job, winograd->panels);
    transform_input(node, run, winograd, first, count, coefficient);
    for (int panel = begin; panel < end; panel++) {
        int lanes = panel_lanes(oc, panel);
        const uint32_t *weight = winograd->weight + panel_offset(winograd->coefficients, ic, panel);
        for (int e = 0; e < winograd->coefficients; e++)
            cpu_winograd_multiply(coefficient + e * winograd->coefficient_plane, weight + (gsize)e * (ic / 2) * lanes,
                                  rows, ic, lanes, product + e * winograd->product_plane);
        transform_output(node, run, winograd, first, count, panel, product);
    }
}

static gboolean run_winograd(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const Winograd *winograd = kernel->data;
    int batches = (winograd->tiles + BATCH - 1) / BATCH;
    int shares = (winograd->panels + winograd->panels_per_job - 1) / winograd->panels_per_job;
    cpu_use_threads(kernel);
#pragma omp parallel for schedule(dynamic)
    for (int job = 0; job < batches * shares; job++)
        run_job(kernel->node, run, winograd, job / shares, job % shares);
    return TRUE;
}

const YonosOp cpu_winograd = {prepare, run_winograd, release};
