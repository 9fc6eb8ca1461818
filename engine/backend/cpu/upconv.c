/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The four phases of a doubled convolution; see upconv.h.
 *
 * Output row 2i sees input rows i - 1, i, i with weights w0, w1, w2: a 2-tap kernel (w0, w1 + w2) from row i - 1 on.
 * Output row 2i + 1 sees rows i, i, i + 1: (w0 + w1, w2) from row i on. Columns alike. Each phase gives an image
 * (n,h,w,co) in the workspace; interleaving them gives (n,2h,2w,co).
 */
#include "backend/cpu/upconv.h"

#include "backend/cpu/conv.h"

enum { PHASES = 4 };

typedef struct {
    YonosDnnlConv *phase[PHASES]; /* 2 * (row phase) + column phase */
    gsize phase_bytes;            /* of one image in the workspace */
} UpConv;

gboolean cpu_upconv_fits(const YonosNode *node) {
    const YonosConst *w = node->constant[0];
    YonosShape in = node->in[0]->shape;
    return node->attr.conv2d.up_h == 2 * in.h && node->attr.conv2d.up_w == 2 * in.w && w->dim[2] == 3 &&
           w->dim[3] == 3 && node->attr.conv2d.stride == 1 && node->attr.conv2d.pad_top == 1 &&
           node->attr.conv2d.pad_left == 1 && node->attr.conv2d.pad_bottom == 1 && node->attr.conv2d.pad_right == 1 &&
           !node->in[1] && node->attr.conv2d.activation <= YONOS_ACTIVATION_RELU &&
           node->out->dtype != YONOS_DTYPE_F16;
}

/* Tap t of a 3-tap kernel falls on this tap of the phase's 2-tap kernel. */
static int folded_tap(int phase, int t) { return phase == 0 ? (t > 0) : (t > 1); }

static float *fold_weight(const YonosConst *w, int phase) {
    gsize filters = (gsize)w->dim[0] * (gsize)w->dim[1];
    float *out = g_new0(float, filters * 4);
    for (gsize f = 0; f < filters; f++)
        for (int ky = 0; ky < 3; ky++)
            for (int kx = 0; kx < 3; kx++)
                out[f * 4 + 2 * folded_tap(phase / 2, ky) + folded_tap(phase % 2, kx)] +=
                    yonos_const_get(w, f * 9 + 3 * ky + kx);
    return out;
}

static void release(YonosKernel *kernel) {
    UpConv *up = kernel->data;
    if (!up)
        return;
    for (int phase = 0; phase < PHASES; phase++)
        yonos_dnnl_conv_free(up->phase[phase]);
    g_free(up);
}

static YonosDnnlConv *make_phase(YonosKernel *kernel, int phase, GError **error) {
    const YonosNode *node = kernel->node;
    const YonosConst *w = node->constant[0];
    YonosShape in = node->in[0]->shape;
    int top = phase / 2 == 0, left = phase % 2 == 0;
    YonosDnnlShape s = {.n = in.n, .ih = in.h, .iw = in.w, .ic = in.c, .oh = in.h, .ow = in.w, .oc = node->out->shape.c,
                        .kh = 2, .kw = 2, .stride_h = 1, .stride_w = 1, .pad_top = top, .pad_left = left,
                        .pad_bottom = !top, .pad_right = !left, .dtype = node->out->dtype,
                        .relu = node->attr.conv2d.activation == YONOS_ACTIVATION_RELU};
    const gint64 dim[4] = {w->dim[0], w->dim[1], 2, 2};
    const YonosConst *folded = cpu_derived(kernel, w, phase, dim, fold_weight);
    return yonos_dnnl_conv_new(cpu_of(kernel)->dnnl, &s, folded, node->constant[1],
                               kernel->backend->threads, error);
}

static gboolean prepare(YonosKernel *kernel, GError **error) {
    const YonosNode *node = kernel->node;
    UpConv *up = g_new0(UpConv, 1);
    kernel->data = up;
    up->phase_bytes = yonos_size_align(
        yonos_shape_count(node->out->shape) / PHASES * yonos_dtype_size(node->out->dtype), 64);
    for (int phase = 0; phase < PHASES; phase++) {
        GError *failure = NULL;
        up->phase[phase] = make_phase(kernel, phase, &failure);
        if (!up->phase[phase]) {
            release(kernel);
            kernel->data = NULL;
            if (!failure)
                return cpu_fall_back(kernel, error);
            g_propagate_error(error, failure);
            return FALSE;
        }
        kernel->workspace = MAX(kernel->workspace, yonos_dnnl_conv_workspace(up->phase[phase]));
    }
    kernel->workspace += PHASES * up->phase_bytes;
    kernel->implementation = "folded 2x up";
    return TRUE;
}

/* Pixels of `size` bytes, every other one from `even` and `odd`. */
static void interleave_row(const char *restrict even, const char *restrict odd, char *restrict to, int w, gsize size) {
    enum { STEP = 16 };
    gsize whole = size / STEP * STEP;
    for (int x = 0; x < w; x++, even += size, odd += size, to += 2 * size) {
        for (gsize b = 0; b < whole; b += STEP) {
            memcpy(to + b, even + b, STEP);
            memcpy(to + size + b, odd + b, STEP);
        }
        memcpy(to + whole, even + whole, size - whole);
        memcpy(to + size + whole, odd + whole, size - whole);
    }
}

static gboolean run_upconv(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    const UpConv *up = kernel->data;
    YonosShape in = kernel->node->in[0]->shape;
    gsize size = (gsize)kernel->node->out->shape.c * yonos_dtype_size(kernel->node->out->dtype), row = in.w * size;
    char *phases = run->workspace, *scratch = phases + PHASES * up->phase_bytes, *out = run->data[kernel->node->out->id];
    for (int phase = 0; phase < PHASES; phase++)
        if (!yonos_dnnl_conv_run(up->phase[phase], run->data[kernel->node->in[0]->id],
                                 phases + (gsize)phase * up->phase_bytes, scratch, error))
            return FALSE;
    cpu_use_threads(kernel);
#pragma omp parallel for schedule(static)
    for (int y = 0; y < 2 * in.n * in.h; y++) {
        const char *even = phases + (gsize)(y % 2) * 2 * up->phase_bytes + (gsize)(y / 2) * row;
        interleave_row(even, even + up->phase_bytes, out + (gsize)y * 2 * row, in.w, size);
    }
    return TRUE;
}

const YonosOp cpu_upconv = {prepare, run_upconv, release};
