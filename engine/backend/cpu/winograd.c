/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A 3x3 convolution cut into jobs; see winograd_kernels.h for what a job computes.
 *
 * A job is some consecutive tiles (row by row, image by image) times a run of output channel panels. Each thread has its
 * own coefficients and products in the workspace, so a job touches nothing of another's.
 */
#include "backend/cpu/winograd.h"

#include <omp.h>

#include "backend/cpu/loops.h"

enum {
    JOBS = 16, /* output channels are shared out only where there are fewer batches of tiles than these */
    MAX_CHANNELS = 4096,
    LINE = 64,
};

typedef struct {
    const WinogradKernels *kernels;
    gboolean doubled;
    int side, coefficients, outputs; /* of a tile: coefficients each way and in all, outputs each way */
    const char *weight;              /* per panel: (coefficients, ic / pair, lanes, pair) */
    float *bias;                     /* (oc); zeros where the node has none */
    int tile_rows, tile_columns, tiles; /* tiles: of all images */
    int panels, panels_per_job;
    gsize coefficient_plane, product_plane; /* elements from one coefficient's to the next one's */
    gsize coefficient_bytes, thread_bytes;  /* of the workspace */
} Winograd;

static const float zero_pixel[MAX_CHANNELS];

/* NULL: none for this type on this CPU. */
static const WinogradKernels *kernels_for(YonosDType dtype) {
#if defined(__x86_64__)
    if (dtype == YONOS_DTYPE_BF16 && cpu_has_bf16_pairs())
        return &cpu_winograd_bf16;
#endif
    return dtype == YONOS_DTYPE_F32 ? cpu_loops()->winograd : NULL;
}

static gboolean is_doubled(const YonosNode *node) { return node->attr.conv2d.up_h > 0; }

/* The picture as it is, or doubled both ways, without a last row or column where the node wants it so. */
static gboolean takes_size(const YonosNode *node) {
    YonosShape in = node->in[0]->shape;
    int h = node->attr.conv2d.up_h, w = node->attr.conv2d.up_w;
    return !is_doubled(node) ||
           ((h + 1) / 2 == in.h && (w + 1) / 2 == in.w && node->attr.conv2d.pad_top == 1 && node->attr.conv2d.pad_left == 1 &&
            node->attr.conv2d.pad_bottom == 1 && node->attr.conv2d.pad_right == 1);
}

/* The weight in f32 grows from 9 to 36 numbers: with it a U-Net of 860 M parameters has to stay in memory. Small pictures do
 * not keep the weights busy. */
static gboolean is_worth_it(const YonosNode *node) {
    enum { PIXELS = 16 * 16 };
    static const gint64 weights = 1280 * 1280;
    YonosShape in = node->in[0]->shape, out = node->out->shape;
    return out.h * out.w >= PIXELS && (gint64)in.c * out.c <= weights;
}

gboolean cpu_winograd_fits(const YonosNode *node) {
    const YonosConst *w = node->constant[0];
    YonosShape in = node->in[0]->shape, out = node->out->shape;
    const WinogradKernels *kernels = kernels_for(node->out->dtype);
    return kernels && w->dim[2] == 3 && w->dim[3] == 3 && node->attr.conv2d.stride == 1 && takes_size(node) &&
           node->attr.conv2d.activation <= YONOS_ACTIVATION_RELU && in.c % kernels->lanes == 0 &&
           out.c % kernels->lanes == 0 && MAX(in.c, out.c) <= MAX_CHANNELS &&
           (node->out->dtype == YONOS_DTYPE_BF16 || is_worth_it(node));
}

/* ---- weights --------------------------------------------------------------------------------------- */

/* G g along one axis of a doubled picture: (g0, g0 + g1 + g2, g2). */
static void filter_doubled(const float *g, int from_step, float *u, int step) {
    u[0] = g[0];
    u[step] = g[0] + g[from_step] + g[2 * from_step];
    u[2 * step] = g[2 * from_step];
}

/* G g G^T of one filter. */
static void transform_filter(const Winograd *winograd, const float g[9], float *u) {
    float rows[3 * WINOGRAD_MOST_SIDE];
    int side = winograd->side;
    WinogradFilterAxis axis = winograd->doubled ? filter_doubled : winograd->kernels->filter_axis;
    for (int x = 0; x < 3; x++)
        axis(g + x, 3, rows + x, 3);
    for (int y = 0; y < side; y++)
        axis(rows + 3 * y, 1, u + side * y, 1);
}

static int panel_lanes(const Winograd *winograd, int oc, int panel) {
    return MIN(winograd->kernels->panel, oc - panel * winograd->kernels->panel);
}

/* Elements before a panel. */
static gsize panel_offset(const Winograd *winograd, int ic, int panel) {
    return (gsize)panel * (gsize)winograd->kernels->panel * (gsize)winograd->coefficients * (gsize)ic;
}

static void pack_output_channel(const Winograd *winograd, const YonosConst *w, int o, void *packed) {
    const WinogradKernels *kernels = winograd->kernels;
    int oc = (int)w->dim[0], ic = (int)w->dim[1], pair = kernels->pair, panel = o / kernels->panel;
    int lanes = panel_lanes(winograd, oc, panel);
    gsize offset = panel_offset(winograd, ic, panel);
    for (int c = 0; c < ic; c++) {
        float g[9], u[WINOGRAD_MOST_SIDE * WINOGRAD_MOST_SIDE];
        for (int i = 0; i < 9; i++)
            g[i] = yonos_const_get(w, ((gsize)o * ic + c) * 9 + i);
        transform_filter(winograd, g, u);
        for (int e = 0; e < winograd->coefficients; e++) {
            gsize at = offset + (((gsize)e * (ic / pair) + c / pair) * lanes + o % kernels->panel) * pair + c % pair;
            if (kernels->element == sizeof(float))
                ((float *)packed)[at] = u[e];
            else
                ((uint16_t *)packed)[at] = yonos_f32_to_bf16(u[e]);
        }
    }
}

static void pack_weight(const YonosConst *w, gconstpointer user_data, void *packed) {
#pragma omp parallel for schedule(static)
    for (int o = 0; o < (int)w->dim[0]; o++)
        pack_output_channel(user_data, w, o, packed);
}

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

static void cut_into_jobs(Winograd *winograd, YonosShape out) {
    int tiles = winograd->kernels->tiles, panel = winograd->kernels->panel;
    winograd->tile_rows = (out.h + winograd->outputs - 1) / winograd->outputs;
    winograd->tile_columns = (out.w + winograd->outputs - 1) / winograd->outputs;
    winograd->tiles = out.n * winograd->tile_rows * winograd->tile_columns;
    winograd->panels = (out.c + panel - 1) / panel;
    int batches = (winograd->tiles + tiles - 1) / tiles, shares = CLAMP(JOBS / batches, 1, winograd->panels);
    winograd->panels_per_job = (winograd->panels + shares - 1) / shares;
}

static void lay_out_workspace(Winograd *winograd, int ic) {
    gsize tiles = (gsize)winograd->kernels->tiles, element = winograd->kernels->element;
    gsize coefficients = (gsize)winograd->coefficients;
    /* A cache line more than the tiles take: the planes would share a few sets of the first-level cache. */
    winograd->coefficient_plane = tiles * (gsize)ic + LINE / element;
    winograd->product_plane = tiles * (gsize)winograd->kernels->panel + LINE / sizeof(float);
    winograd->coefficient_bytes = yonos_size_align(coefficients * winograd->coefficient_plane * element, LINE);
    winograd->thread_bytes =
        winograd->coefficient_bytes + yonos_size_align(coefficients * winograd->product_plane * sizeof(float), LINE);
}

static gboolean prepare(YonosKernel *kernel, GError **error) {
    const YonosNode *node = kernel->node;
    YonosShape in = node->in[0]->shape, out = node->out->shape;
    cpu_use_threads(kernel);
    Winograd *winograd = g_new0(Winograd, 1);
    kernel->data = winograd;
    winograd->kernels = kernels_for(node->out->dtype);
    winograd->doubled = is_doubled(node);
    winograd->side = winograd->doubled ? WINOGRAD_DOUBLED_SIDE : winograd->kernels->side;
    winograd->coefficients = winograd->side * winograd->side;
    winograd->outputs = winograd_outputs(winograd->side);
    gsize bytes = (gsize)winograd->coefficients * (gsize)in.c * (gsize)out.c * winograd->kernels->element;
    winograd->weight = cpu_packed(kernel, node->constant[0], bytes, pack_weight, winograd, error);
    if (!winograd->weight) {
        release(kernel);
        kernel->data = NULL;
        return FALSE;
    }
    winograd->bias = bias_values(node->constant[1], out.c);
    cut_into_jobs(winograd, out);
    lay_out_workspace(winograd, in.c);
    kernel->workspace = winograd->thread_bytes * (gsize)kernel->backend->threads;
    kernel->implementation = winograd->doubled ? winograd->kernels->doubled_name : winograd->kernels->name;
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
                 .y = winograd->outputs * (row % winograd->tile_rows),
                 .x = winograd->outputs * column};
}

/* `pixel` and `channel` of row y of image n. */
static char *element_at(const YonosTensor *tensor, const YonosRun *run, int n, int y, int pixel, int channel) {
    YonosShape s = tensor->shape;
    gsize index = (((gsize)n * s.h + y) * s.w + pixel) * s.c + channel;
    return (char *)run->data[tensor->id] + index * yonos_dtype_size(tensor->dtype);
}

static void transform_input(const YonosNode *node, const YonosRun *run, const Winograd *winograd, int first, int count,
                            char *coefficient) {
    YonosShape shape = node->in[0]->shape;
    int shrink = winograd->doubled ? 2 : 1;
    for (Run r = next_run(winograd, first, count, 0); r.count > 0;
         r = next_run(winograd, first, count, r.first + r.count)) {
        WinogradInput in = {.x = r.x / shrink - node->attr.conv2d.pad_left, .width = shape.w, .channels = shape.c};
        for (int i = 0; i < winograd->side; i++) {
            int y = r.y / shrink - node->attr.conv2d.pad_top + i;
            gboolean inside = y >= 0 && y < shape.h;
            in.row[i] = inside ? (const void *)element_at(node->in[0], run, r.n, y, 0, 0) : zero_pixel;
            in.step[i] = inside ? (gsize)shape.c : 0;
        }
        winograd->kernels->input(&in, winograd->side, r.count,
                                 coefficient + (gsize)r.first * shape.c * winograd->kernels->element,
                                 winograd->coefficient_plane);
    }
}

static void transform_output(const YonosNode *node, const YonosRun *run, const Winograd *winograd, int first, int count,
                             int panel, const float *product) {
    YonosShape shape = node->out->shape;
    int lanes = panel_lanes(winograd, shape.c, panel), from = panel * winograd->kernels->panel;
    int relu = node->attr.conv2d.activation == YONOS_ACTIVATION_RELU;
    for (Run r = next_run(winograd, first, count, 0); r.count > 0;
         r = next_run(winograd, first, count, r.first + r.count)) {
        WinogradOutput out = {.pixels = MIN(winograd->outputs * r.count, shape.w - r.x), .step = (gsize)shape.c};
        for (int i = 0; i < winograd->outputs && r.y + i < shape.h; i++) {
            out.row[i] = element_at(node->out, run, r.n, r.y + i, r.x, from);
            if (node->in[1])
                out.residual[i] = element_at(node->in[1], run, r.n, r.y + i, r.x, from);
        }
        winograd->kernels->output(product + (gsize)r.first * lanes, winograd->product_plane, winograd->side, r.count, lanes,
                                  winograd->bias + from, relu, &out);
    }
}

static void run_job(const YonosNode *node, const YonosRun *run, const Winograd *winograd, int batch, int share) {
    const WinogradKernels *kernels = winograd->kernels;
    char *coefficient = (char *)run->workspace + winograd->thread_bytes * (gsize)omp_get_thread_num();
    float *product = (float *)(coefficient + winograd->coefficient_bytes);
    int ic = node->in[0]->shape.c, oc = node->out->shape.c, first = batch * kernels->tiles;
    int count = MIN(kernels->tiles, winograd->tiles - first);
    int rows = (count + WINOGRAD_ROWS - 1) / WINOGRAD_ROWS * WINOGRAD_ROWS;
    int begin = share * winograd->panels_per_job, end = MIN(begin + winograd->panels_per_job, winograd->panels);
    transform_input(node, run, winograd, first, count, coefficient);
    for (int panel = begin; panel < end; panel++) {
        int lanes = panel_lanes(winograd, oc, panel);
        const char *weight = winograd->weight + panel_offset(winograd, ic, panel) * kernels->element;
        for (int e = 0; e < winograd->coefficients; e++)
            kernels->multiply(coefficient + e * winograd->coefficient_plane * kernels->element,
                              weight + (gsize)e * ic * lanes * kernels->element, rows, ic, lanes,
                              product + e * winograd->product_plane);
        transform_output(node, run, winograd, first, count, panel, product);
    }
}

static gboolean run_winograd(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const Winograd *winograd = kernel->data;
    int batches = (winograd->tiles + winograd->kernels->tiles - 1) / winograd->kernels->tiles;
    int shares = (winograd->panels + winograd->panels_per_job - 1) / winograd->panels_per_job;
    cpu_use_threads(kernel);
#pragma omp parallel for schedule(dynamic)
    for (int job = 0; job < batches * shares; job++)
        run_job(kernel->node, run, winograd, job / shares, job % shares);
    return TRUE;
}

const YonosOp cpu_winograd = {prepare, run_winograd, release};
