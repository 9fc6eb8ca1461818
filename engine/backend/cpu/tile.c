/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * WINDOW and BLEND, a row for each thread.
 */
#include "backend/cpu/cpu.h"
#include "backend/cpu/loops.h"

/* A row of the window in the source's type: what lies inside at once, the rest pixel by pixel. */
static void cut_row(const char *from, char *to, int in_w, int out_w, int x0, gsize pixel) {
    int begin = CLAMP(-x0, 0, out_w), end = CLAMP(in_w - x0, begin, out_w);
    for (int x = 0; x < begin; x++)
        memcpy(to + x * pixel, from, pixel);
    memcpy(to + begin * pixel, from + (gsize)(begin + x0) * pixel, (gsize)(end - begin) * pixel);
    for (int x = end; x < out_w; x++)
        memcpy(to + x * pixel, from + (gsize)(in_w - 1) * pixel, pixel);
}

static void convert_row(const YonosNode *node, const char *from, char *to, int x0) {
    const YonosTensor *in = node->in[0], *out = node->out;
    float pixel[CPU_CHUNK];
    gsize in_size = yonos_dtype_size(in->dtype) * in->shape.c, out_size = yonos_dtype_size(out->dtype) * in->shape.c;
    int step = CPU_CHUNK / in->shape.c;
    for (int x = 0; x < out->shape.w;) {
        int at = CLAMP(x + x0, 0, in->shape.w - 1);
        gboolean inside = x + x0 == at;
        int count = inside ? MIN(MIN(step, out->shape.w - x), in->shape.w - at) : 1;
        cpu_loops()->load(from + (gsize)at * in_size, in->dtype, pixel, (gsize)count * in->shape.c);
        cpu_loops()->store(pixel, out->dtype, to + (gsize)x * out_size, (gsize)count * in->shape.c);
        x += count;
    }
}

static gboolean prepare_window(YonosKernel *kernel, GError **error) {
    if (kernel->node->in[0]->shape.c > CPU_CHUNK)
        return cpu_fall_back(kernel, error);
    kernel->implementation = cpu_loops()->name;
    return TRUE;
}

static gboolean run_window(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    const YonosNode *node = kernel->node;
    YonosShape in = node->in[0]->shape, out = node->out->shape;
    int factor = node->attr.window.follow_tile;
    gsize in_size = yonos_dtype_size(node->in[0]->dtype) * in.c, out_size = yonos_dtype_size(node->out->dtype) * in.c;
    const char *data = run->data[node->in[0]->id];
    char *result = run->data[node->out->id];
    cpu_use_threads(kernel);
#pragma omp parallel for schedule(static)
    for (int row = 0; row < out.n * out.h; row++) {
        int y0 = node->attr.window.y0, x0 = node->attr.window.x0, tile_row, tile_column;
        if (factor > 0) {
            yonos_run_tile(run, row / out.h, &tile_row, &tile_column);
            y0 += run->grid->y0[tile_row] / factor;
            x0 += run->grid->x0[tile_column] / factor;
        }
        int n = row / out.h % in.n, y = CLAMP(row % out.h + y0, 0, in.h - 1);
        const char *from = data + ((gsize)n * in.h + y) * in.w * in_size;
        char *to = result + (gsize)row * out.w * out_size;
        if (node->in[0]->dtype == node->out->dtype)
            cut_row(from, to, in.w, out.w, x0, in_size);
        else
            convert_row(node, from, to, x0);
    }
    return TRUE;
}

static void blend_image(const YonosNode *node, const YonosRun *run, int n) {
    YonosShape tile = node->in[0]->shape, frame = node->out->shape;
    int tile_row, tile_column;
    yonos_run_tile(run, n, &tile_row, &tile_column);
    const float *ramp_y = run->grid->ramp_y[tile_row], *ramp_x = run->grid->ramp_x[tile_column];
    int y0 = run->grid->y0[tile_row], x0 = run->grid->x0[tile_column];
    int top = MAX(0, -y0), bottom = MIN(tile.h, frame.h - y0), left = MAX(0, -x0), right = MIN(tile.w, frame.w - x0);
#pragma omp parallel for schedule(static)
    for (int y = top; y < bottom; y++) {
        const float *from = (const float *)run->data[node->in[0]->id] + ((gsize)n * tile.h + y) * tile.w * tile.c;
        float *to = (float *)run->data[node->out->id] + (((gsize)(n % frame.n) * frame.h + y + y0) * frame.w + x0) * frame.c;
        for (int x = left; x < right; x++) {
            float weight = ramp_y[y] * ramp_x[x];
            for (int c = 0; c < frame.c; c++)
                to[x * frame.c + c] += weight * from[x * frame.c + c];
        }
    }
}

static gboolean run_blend(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    (void)error;
    cpu_use_threads(kernel);
    for (int n = 0; n < kernel->node->in[0]->shape.n; n++)
        blend_image(kernel->node, run, n);
    return TRUE;
}

static gboolean prepare_blend(YonosKernel *kernel, GError **error) {
    (void)error;
    kernel->implementation = "rows";
    return TRUE;
}

const YonosOp cpu_window = {prepare_window, run_window, NULL};
const YonosOp cpu_blend = {prepare_blend, run_blend, NULL};
