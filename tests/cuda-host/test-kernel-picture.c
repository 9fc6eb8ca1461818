/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernels on pictures on the host, against ref: resampling, frames in all formats, the colour fix, steadiness.
 */
#include "fixture.h"

#include <math.h>

#include "backend/taps.h"

/* ---- resampling ------------------------------------------------------------------------------------ */

static YonosCudaTaps borrow_taps(const YonosTaps *taps) {
    return (YonosCudaTaps){taps->out, taps->width, taps->first, taps->count, taps->weight};
}

static int launch_resize(Fixture *f) {
    const YonosNode *n = f->node;
    YonosShape in = n->in[0]->shape, out = n->out->shape;
    YonosTaps *y = yonos_taps_new(n->attr.resize.filter, in.h, out.h);
    YonosTaps *x = yonos_taps_new(n->attr.resize.filter, in.w, out.w);
    YonosCudaTaps taps_y = borrow_taps(y), taps_x = borrow_taps(x);
    fixture_workspace(f, sizeof(float) * (gsize)in.n * in.h * out.w * in.c);
    int status =
        yonos_cuda_resize(fixture_tensor(f, n->out), fixture_tensor(f, n->in[0]), &taps_y, &taps_x, f->workspace, NULL);
    yonos_taps_free(y);
    yonos_taps_free(x);
    return status;
}

static void test_resize(void) {
    static const int sizes[][4] = {{1, 1, 5, 3}, {7, 9, 14, 18}, {6, 100, 24, 400}, {31, 17, 8, 5}, {5, 4, 5, 4}};
    for (int filter = YONOS_FILTER_NEAREST; filter <= YONOS_FILTER_AREA; filter++)
        for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
            for (int c = 1; c <= 3; c += 2) {
                Fixture f;
                fixture_init(&f);
                const YonosTensor *x =
                    fixture_input(&f, YONOS_DTYPE_F32, (YonosShape){c == 1 ? 2 : 1, sizes[i][0], sizes[i][1], c});
                yonos_resize(f.graph, x, sizes[i][2], sizes[i][3], (YonosFilter)filter, NULL);
                fixture_compare(&f, launch_resize, -1.0f, 0.0f);
                fixture_clear(&f);
            }
}

/* No node of its own: a pointwise convolution with the unit matrix reads through up_h, up_w. */
static int launch_upsample(Fixture *f) {
    return yonos_cuda_upsample_nearest(fixture_tensor(f, f->node->out), fixture_tensor(f, f->node->in[0]), NULL);
}

static void upsample_case(int c, YonosDType dtype, int h, int w) {
    static const int no_padding[4] = {0};
    Fixture f;
    fixture_init(&f);
    g_autofree float *unit = g_new0(float, c * c);
    for (int i = 0; i < c; i++)
        unit[i * c + i] = 1.0f;
    YonosConst weight = {"unit", YONOS_DTYPE_F32, 4, {c, c, 1, 1}, unit};
    const YonosTensor *x = fixture_input(&f, dtype, (YonosShape){2, 5, 7, c});
    yonos_conv2d(f.graph, x, &weight, NULL, NULL, 1, no_padding, h, w, YONOS_ACTIVATION_NONE, NULL);
    fixture_compare(&f, launch_upsample, 0.0f, -0x1p-23f);
    fixture_clear(&f);
}

static void test_upsample(void) {
    for (guint d = 0; d < G_N_ELEMENTS(fixture_dtypes); d++)
        for (int c = 3; c <= 24; c += 7) {
            upsample_case(c, fixture_dtypes[d], 10, 14);
            upsample_case(c + 6, fixture_dtypes[d], 9, 13);
        }
}

/* ---- frames ---------------------------------------------------------------------------------------- */

enum { FRAME_BYTES = 64 * 1024 };

/* A frame inside `memory` with strides longer than its rows by `slack` bytes; upside down with `flipped`. */
static YonosFrame frame_in(guint8 *memory, YonosFormat format, int w, int h, YonosColour colour, int slack,
                           gboolean flipped) {
    const YonosFormatInfo *info = yonos_format_get_info(format);
    YonosFrame frame = {.format = format, .width = w, .height = h, .colour = colour};
    for (int i = 0; i < info->planes; i++) {
        gssize stride = (gssize)yonos_format_row_bytes(info, i, w) + slack;
        int rows = yonos_format_rows(info, i, h);
        frame.plane[i] = flipped ? memory + (rows - 1) * stride : memory;
        frame.stride[i] = flipped ? -stride : stride;
        memory += rows * stride;
    }
    return frame;
}

static int launch_pack(Fixture *f) {
    return yonos_cuda_pack(fixture_tensor(f, f->node->out), f->extra, f->node->attr.frame.alpha, NULL);
}

static void pack_case(YonosFormat format, int w, int h, YonosColour colour, int slack, gboolean alpha) {
    g_autofree guint8 *memory = g_malloc(FRAME_BYTES);
    for (int i = 0; i < FRAME_BYTES; i++)
        memory[i] = (guint8)g_test_rand_int_range(0, format == YONOS_FORMAT_RGB_F32 ? 64 : 256);
    YonosFrame frame = frame_in(memory, format, w, h, colour, slack, slack % 2);
    Fixture f;
    fixture_init(&f);
    f.run.in = &frame;
    f.extra = &frame;
    yonos_pack(f.graph, h, w, format, &colour, alpha, NULL);
    fixture_compare(&f, launch_pack, -1.0f, 0.0f);
    fixture_clear(&f);
}

/* UNPACK has no out tensor: the frames themselves are compared, padding between the rows included. */
static void unpack_case(YonosFormat format, int w, int h, YonosColour colour, int slack) {
    const YonosFormatInfo *info = yonos_format_get_info(format);
    g_autofree guint8 *expected = g_malloc0(FRAME_BYTES), *got = g_malloc0(FRAME_BYTES);
    YonosFrame ref_frame = frame_in(expected, format, w, h, colour, slack, slack % 2);
    YonosFrame frame = frame_in(got, format, w, h, colour, slack, slack % 2);
    Fixture f;
    fixture_init(&f);
    const YonosTensor *x = fixture_input(&f, YONOS_DTYPE_F32, (YonosShape){1, h, w, 3}), *alpha = NULL;
    fixture_set(&f, x, 0, NAN);
    fixture_set(&f, x, 1, 1e30f);
    if (info->alpha >= 0) {
        alpha = fixture_input(&f, YONOS_DTYPE_F32, (YonosShape){1, h, w, 1});
        fixture_fill(&f, alpha, 0.5f, 0.5f);
    }
    yonos_unpack(f.graph, x, alpha, format, &colour);
    f.run.out = &ref_frame;
    fixture_run_ref(&f);
    g_assert_cmpint(yonos_cuda_unpack(&frame, fixture_tensor(&f, x), fixture_tensor(&f, alpha), NULL), ==, 0);
    g_assert_cmpmem(got, FRAME_BYTES, expected, FRAME_BYTES);
    fixture_clear(&f);
}

/* Every format with every combination of range and chroma siting, odd sizes, strides that break alignment. */
static void test_frames(void) {
    static const int sizes[][3] = {{1, 1, 0}, {33, 7, 3}, {16, 9, 4}, {2, 13, 1}};
    for (int format = YONOS_FORMAT_RGB; format < YONOS_FORMAT_COUNT; format++)
        for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
            for (int k = 0; k < 8; k++) {
                YonosColour colour = {k & 1 ? 0.299 : 0.2126, k & 1 ? 0.114 : 0.0722, k & 1, k >> 1 & 1, k >> 2 & 1};
                int w = sizes[i][0], h = sizes[i][1], slack = sizes[i][2];
                pack_case((YonosFormat)format, w, h, colour, slack, FALSE);
                if (yonos_format_get_info((YonosFormat)format)->alpha >= 0)
                    pack_case((YonosFormat)format, w, h, colour, slack, TRUE);
                unpack_case((YonosFormat)format, w, h, colour, slack);
            }
}

/* ---- colour fix ------------------------------------------------------------------------------------ */

static int launch_adain(Fixture *f) {
    const YonosNode *n = f->node;
    fixture_workspace(f, yonos_cuda_adain_workspace(n->out->shape));
    return yonos_cuda_adain(fixture_tensor(f, n->out), fixture_tensor(f, n->in[0]), fixture_tensor(f, n->in[1]),
                            f->workspace, NULL);
}

static void test_adain(void) {
    static const YonosShape sizes[][2] = {
        {{1, 1, 1, 3}, {1, 2, 3, 3}}, {{2, 31, 57, 3}, {2, 16, 28, 3}}, {{1, 63, 40, 4}, {1, 63, 40, 4}}};
    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        Fixture f;
        fixture_init(&f);
        const YonosTensor *x = fixture_input(&f, YONOS_DTYPE_F32, sizes[i][0]);
        const YonosTensor *y = fixture_input(&f, YONOS_DTYPE_F32, sizes[i][1]);
        fixture_fill(&f, y, 0.25f, 0.1f);
        yonos_adain(f.graph, x, y, NULL);
        fixture_compare(&f, launch_adain, 2e-6f, 4e-6f);
        fixture_clear(&f);
    }
}

static int launch_blur(Fixture *f) {
    return yonos_cuda_blur(fixture_tensor(f, f->node->out), fixture_tensor(f, f->node->in[0]),
                           f->node->attr.blur.dilation, NULL);
}

static void test_blur(void) {
    for (int dilation = 1; dilation <= 16; dilation *= 2)
        for (int h = 1; h < 40; h += 19) {
            Fixture f;
            fixture_init(&f);
            yonos_blur(f.graph, fixture_input(&f, YONOS_DTYPE_F32, (YonosShape){2, h, 37, 3}), dilation, NULL);
            fixture_compare(&f, launch_blur, -1.0f, 0.0f);
            fixture_clear(&f);
        }
}

/* ---- steadiness ------------------------------------------------------------------------------------ */

typedef struct {
    const YonosTensor *x, *before;
} TwoFrames;

/* With numbers that are none where there is room, and the run's steadiness, or none of it. */
static TwoFrames two_frames(Fixture *f, YonosShape size, int off, float mean, float mean_before, float deviation) {
    TwoFrames frames = {fixture_input(f, YONOS_DTYPE_F32, size), fixture_input(f, YONOS_DTYPE_F32, size)};
    f->run.steadiness = off ? 0.0f : 0.85f;
    fixture_fill(f, frames.x, mean, deviation);
    fixture_fill(f, frames.before, mean_before, deviation);
    if (size.w > 30) {
        fixture_set(f, frames.x, 5, NAN);
        fixture_set(f, frames.before, 90, INFINITY);
        fixture_set(f, frames.before, 10, 1e9f);
    }
    return frames;
}

static int launch_motion(Fixture *f) {
    const YonosCudaPerFrame frame = {.steadiness = f->run.steadiness};
    gsize bytes = yonos_cuda_motion_workspace(f->node->in[0]->shape);
    g_autofree char *memory = g_malloc(bytes + 16);
    char *workspace = memory + (16 - (guintptr)memory % 16) % 16;
    return yonos_cuda_motion(fixture_tensor(f, f->node->out), fixture_tensor(f, f->node->in[0]),
                             fixture_tensor(f, f->node->in[1]), workspace, &frame, NULL);
}

/* Nothing to go by, much of it, and numbers that are none; one level, two and three. */
static void test_motion(void) {
    static const YonosShape sizes[] = {{1, 1, 1, 3}, {2, 9, 35, 3}, {1, 17, 64, 1}, {1, 49, 33, 2}};
    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
        for (int off = 0; off < 2; off++) {
            Fixture f;
            fixture_init(&f);
            TwoFrames frames = two_frames(&f, sizes[i], off, 0.0f, 0.1f, i % 2 ? 0.3f : 0.003f);
            yonos_motion(f.graph, frames.x, frames.before, NULL);
            fixture_compare(&f, launch_motion, -1.0f, 0.0f);
            fixture_clear(&f);
        }
}

static int launch_warp(Fixture *f) {
    const YonosCudaPerFrame frame = {.steadiness = f->run.steadiness};
    return yonos_cuda_warp(fixture_tensor(f, f->node->out), fixture_tensor(f, f->node->in[0]),
                           fixture_tensor(f, f->node->in[1]), f->node->attr.warp.scale,
                           f->node->in[2] ? fixture_tensor(f, f->node->in[2]) : NULL, &frame, NULL);
}

static void test_warp(void) {
    for (int scale = 1; scale < 5; scale++)
        for (int kind = 0; kind < 3; kind++) { /* without weights, with them, off */
            const YonosShape shape = {2, 11 * scale, 29 * scale, 3}, blocks = {2, 2, 4, 2};
            Fixture f;
            fixture_init(&f);
            f.run.steadiness = kind == 2 ? 0.0f : 0.85f;
            const YonosTensor *x = fixture_input(&f, YONOS_DTYPE_F32, shape), *weight = NULL;
            const YonosTensor *motion = fixture_input(&f, YONOS_DTYPE_F32, blocks);
            fixture_fill(&f, motion, 0.0f, 6.0f);
            if (kind == 1) {
                weight = fixture_input(&f, YONOS_DTYPE_F32, (YonosShape){2, shape.h, shape.w, 1});
                fixture_set(&f, weight, 7, 0.0f);
                fixture_set(&f, weight, 8, 0.0f);
            }
            yonos_warp(f.graph, x, motion, scale, weight, NULL);
            fixture_compare(&f, launch_warp, 1e-5f, 1e-5f);
            fixture_clear(&f);
        }
}

static int launch_stillness(Fixture *f) {
    const YonosCudaPerFrame frame = {.steadiness = f->run.steadiness};
    return yonos_cuda_stillness(fixture_tensor(f, f->node->out), fixture_tensor(f, f->node->in[0]),
                                fixture_tensor(f, f->node->in[1]), f->node->attr.stillness.limit, &frame, NULL);
}

/* Differences from none to beyond the limit, and numbers that are none. */
static void test_stillness(void) {
    static const YonosShape sizes[] = {{1, 1, 1, 3}, {2, 9, 35, 3}, {1, 17, 64, 1}, {1, 40, 3, 2}};
    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
        for (int off = 0; off < 2; off++) {
            Fixture f;
            fixture_init(&f);
            TwoFrames frames = two_frames(&f, sizes[i], off, 0.5f, 0.5f, 0.005f);
            yonos_stillness(f.graph, frames.x, frames.before, 0.006f, NULL);
            fixture_compare(&f, launch_stillness, -1.0f, 0.0f);
            fixture_clear(&f);
        }
}

static int launch_keep(Fixture *f) {
    return yonos_cuda_keep(fixture_tensor(f, f->node->out), fixture_tensor(f, f->node->in[0]),
                           fixture_tensor(f, f->node->in[1]), fixture_tensor(f, f->node->in[2]), NULL);
}

static void test_keep(void) {
    for (int c = 1; c < 5; c++) {
        const YonosShape shape = {2, 3, 130, c};
        Fixture f;
        fixture_init(&f);
        const YonosTensor *x = fixture_input(&f, YONOS_DTYPE_F32, shape);
        const YonosTensor *state = fixture_input(&f, YONOS_DTYPE_F32, shape);
        const YonosTensor *weight = fixture_input(&f, YONOS_DTYPE_F32, (YonosShape){2, 3, 130, 1});
        fixture_set(&f, weight, 0, 0.0f);
        fixture_set(&f, state, 0, NAN); /* with a weight of 0, */
        fixture_set(&f, state, (gsize)c, NAN); /* and another one */
        fixture_set(&f, state, 2 * (gsize)c, -INFINITY);
        fixture_set(&f, x, 3 * (gsize)c, NAN);
        fixture_set(&f, state, 4 * (gsize)c, 1e4f);
        yonos_keep(f.graph, x, state, weight, (YonosTensor *)state);
        fixture_compare(&f, launch_keep, -1.0f, 0.0f);
        fixture_clear(&f);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/resize/filters", test_resize);
    g_test_add_func("/resize/nearest", test_upsample);
    g_test_add_func("/frame", test_frames);
    g_test_add_func("/colour/adain", test_adain);
    g_test_add_func("/colour/blur", test_blur);
    g_test_add_func("/steady/motion", test_motion);
    g_test_add_func("/steady/warp", test_warp);
    g_test_add_func("/steady/stillness", test_stillness);
    g_test_add_func("/steady/keep", test_keep);
    return g_test_run();
}
