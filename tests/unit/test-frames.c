/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames in and out again: every code of every component of every format comes back as it went in, whatever the colour
 * matrix, range and chroma siting, and bytes that mean nothing come back as 255.
 */
#include "backend/format.h"
#include "picture.h"
#include "plan/plan.h"

#include <math.h>

static const char *const backends[] = {"ref", "cpu"};

/* PACK and UNPACK of one format and size, nothing in between. */
typedef struct {
    YonosBackend *backend;
    YonosPlan *plan;
    const YonosTensor *rgb;
} Loop;

static Loop loop_new(const char *backend, const Picture *picture, const YonosColour *colour) {
    g_autoptr(GError) error = NULL;
    const YonosFrame *frame = &picture->frame;
    Loop loop = {.backend = yonos_backend_open(backend, YONOS_PRECISION_F32, 2, NULL, &error)};
    g_assert_no_error(error);
    YonosGraph *g = yonos_graph_new();
    loop.rgb = yonos_pack(g, frame->height, frame->width, frame->format, colour, FALSE, "rgb");
    const YonosTensor *alpha = NULL;
    if (yonos_format_get_info(frame->format)->alpha >= 0)
        alpha = yonos_pack(g, frame->height, frame->width, frame->format, colour, TRUE, "alpha");
    yonos_unpack(g, loop.rgb, alpha, frame->format, colour);
    loop.plan = yonos_plan_new(loop.backend, g, TRUE, &error);
    g_assert_no_error(error);
    return loop;
}

static void loop_run(const Loop *loop, const Picture *in, Picture *out) {
    g_autoptr(GError) error = NULL;
    g_assert_true(yonos_plan_run(loop->plan, &in->frame, &out->frame, 0, 0, NULL, &error));
    g_assert_true(picture_is_intact(out));
}

static void loop_clear(Loop *loop) {
    yonos_plan_free(loop->plan);
    yonos_backend_close(loop->backend);
}

static guint8 *row_of(const Picture *p, int plane, int y) {
    return (guint8 *)p->frame.plane[plane] + y * p->frame.stride[plane];
}

/* ---- packed formats ------------------------------------------------------------------------------- */

static gboolean is_packed_8(YonosFormat format) {
    return yonos_format_get_info(format)->layout == YONOS_LAYOUT_PACKED_8;
}

/* Byte k of pixel x in row y: all 256 values of each component, in another order for each. */
static guint8 packed_code(int y, int x, int k) { return (guint8)(x * (2 * k + 1) + 71 * k + 5 * y); }

static void check_packed(const char *backend, YonosFormat format) {
    enum { WIDTH = 256, HEIGHT = 3 };
    const YonosFormatInfo *info = yonos_format_get_info(format);
    g_autoptr(Picture) in = picture_new(format, WIDTH, HEIGHT, PICTURE_PADDED);
    g_autoptr(Picture) out = picture_new(format, WIDTH, HEIGHT, PICTURE_UPSIDE);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            for (int k = 0; k < info->pixel_bytes; k++)
                row_of(in, 0, y)[x * info->pixel_bytes + k] = packed_code(y, x, k);
    Loop loop = loop_new(backend, in, NULL);
    loop_run(&loop, in, out);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            for (int k = 0; k < info->pixel_bytes; k++)
                g_assert_cmpint(row_of(out, 0, y)[x * info->pixel_bytes + k], ==,
                                k == info->filler ? 255 : packed_code(y, x, k));
    loop_clear(&loop);
}

static void test_packed(gconstpointer backend) {
    for (YonosFormat format = YONOS_FORMAT_UNKNOWN + 1; format < YONOS_FORMAT_COUNT; format++)
        if (is_packed_8(format))
            check_packed(backend, format);
}

/* Floats pass through 2 v - 1 and back: exact where v is a multiple of 2^-24 between 0 and 1, and near elsewhere. */
static void test_floats(gconstpointer backend) {
    enum { WIDTH = 401, HEIGHT = 2 };
    g_autoptr(Picture) in = picture_new(YONOS_FORMAT_RGB_F32, WIDTH, HEIGHT, PICTURE_TIGHT);
    g_autoptr(Picture) out = picture_new(YONOS_FORMAT_RGB_F32, WIDTH, HEIGHT, PICTURE_UPSIDE);
    for (int y = 0; y < HEIGHT; y++)
        for (int i = 0; i < 3 * WIDTH; i++) {
            float v = y == 0 ? (float)(i * 13931) * 0x1p-24f : (float)(i - 600) * 0.37f;
            memcpy(row_of(in, 0, y) + i * 4, &v, 4);
        }
    Loop loop = loop_new(backend, in, NULL);
    loop_run(&loop, in, out);
    for (int y = 0; y < HEIGHT; y++)
        for (int i = 0; i < 3 * WIDTH; i++) {
            float a, b;
            memcpy(&a, row_of(in, 0, y) + i * 4, 4);
            memcpy(&b, row_of(out, 0, y) + i * 4, 4);
            if (y == 0)
                g_assert_cmpfloat(a, ==, b);
            else
                g_assert_cmpfloat_with_epsilon(a, b, 2e-7f * (1.0f + fabsf(a)));
        }
    loop_clear(&loop);
}

/* ---- Y'CbCr ------------------------------------------------------------------------------------------ */

static void put_code(const YonosFormatInfo *info, guint8 *row, int i, int code) {
    if (info->depth == 8) {
        row[i] = (guint8)code;
    } else {
        uint16_t v = GUINT16_TO_LE((uint16_t)(code << info->shift));
        memcpy(row + 2 * i, &v, sizeof v);
    }
}

/* Luma: every code once, as far as the picture reaches. Chroma: the same everywhere, so that siting changes nothing. */
static void fill_yuv(Picture *p, int cb, int cr) {
    const YonosFormatInfo *info = yonos_format_get_info(p->frame.format);
    int w = p->frame.width, h = p->frame.height;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            put_code(info, row_of(p, 0, y), x, (y * w + x) % (1 << info->depth));
    for (int y = 0; y < (h + 1) / 2; y++)
        for (int x = 0; x < (w + 1) / 2; x++) {
            if (info->semi_planar) {
                put_code(info, row_of(p, 1, y), 2 * x, cb);
                put_code(info, row_of(p, 1, y), 2 * x + 1, cr);
            } else {
                put_code(info, row_of(p, 1, y), x, cb);
                put_code(info, row_of(p, 2, y), x, cr);
            }
        }
}

/* Every code of luma with each `step`th code of Cb, and with Cr in another order. Codes outside of the nominal range
 * (below black, above white) are no colours of [0, 1], but nothing clips before the codes do. */
static void check_yuv(const char *backend, YonosFormat format, const YonosColour *colour, int width, int height,
                      int step) {
    int codes = 1 << yonos_format_get_info(format)->depth;
    g_autoptr(Picture) in = picture_new(format, width, height, PICTURE_TIGHT);
    g_autoptr(Picture) out = picture_new(format, width, height, PICTURE_PADDED);
    Loop loop = loop_new(backend, in, colour);
    for (int cb = 0; cb < codes; cb += step) {
        fill_yuv(in, cb, (cb * 37 + 11) % codes);
        loop_run(&loop, in, out);
        if (!picture_equal(in, out))
            g_error("%s %s: codes changed at Cb %d", backend, yonos_format_get_info(format)->name, cb);
    }
    loop_clear(&loop);
}

static void test_yuv(gconstpointer backend) {
    static const double matrices[][2] = {{0.299, 0.114}, {0.2126, 0.0722}, {0.2627, 0.0593}};
    for (YonosFormat format = YONOS_FORMAT_UNKNOWN + 1; format < YONOS_FORMAT_COUNT; format++) {
        const YonosFormatInfo *info = yonos_format_get_info(format);
        if (info->layout != YONOS_LAYOUT_YUV420)
            continue;
        for (guint i = 0; i < 2 * G_N_ELEMENTS(matrices); i++) {
            YonosColour colour = {matrices[i / 2][0], matrices[i / 2][1], i % 2 == 1, i & 1, i & 2};
            check_yuv(backend, format, &colour, 32, info->depth > 8 ? 32 : 8, i == 0 ? 1 : 7);
        }
        YonosColour colour = {0.2126, 0.0722, FALSE, TRUE, FALSE};
        check_yuv(backend, format, &colour, 1, 1, 7);
        check_yuv(backend, format, &colour, 17, 5, 7);
    }
}

/* White, black and the primaries of the nominal ranges, by hand from ITU-R BT.709's matrix. */
static void test_known_colours(gconstpointer backend) {
    static const struct {
        int y, cb, cr;
        float rgb[3];
    } cases[] = {
        {16, 128, 128, {-1, -1, -1}}, {235, 128, 128, {1, 1, 1}},     {63, 102, 240, {1, -1, -1}},
        {173, 42, 26, {-1, 1, -1}},   {32, 240, 118, {-1, -1, 1}},
    };
    YonosColour colour = {0.2126, 0.0722, FALSE, FALSE, FALSE};
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Picture) in = picture_new(YONOS_FORMAT_I420, 2, 2, PICTURE_TIGHT);
        g_autoptr(Picture) out = picture_new(YONOS_FORMAT_I420, 2, 2, PICTURE_TIGHT);
        float rgb[12];
        fill_yuv(in, cases[i].cb, cases[i].cr);
        for (int y = 0; y < 2; y++)
            memset(row_of(in, 0, y), cases[i].y, 2);
        Loop loop = loop_new(backend, in, &colour);
        loop_run(&loop, in, out);
        g_assert_true(yonos_plan_read_tensor(loop.plan, loop.rgb, rgb, NULL));
        for (int k = 0; k < 12; k++) /* the codes are rounded, so the colours are within one and a half of them */
            g_assert_cmpfloat_with_epsilon(rgb[k], cases[i].rgb[k % 3], 0.02f);
        loop_clear(&loop);
    }
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        GTestDataFunc test;
    } tests[] = {
        {"packed", test_packed}, {"floats", test_floats}, {"yuv", test_yuv}, {"known-colours", test_known_colours},
    };
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        for (guint b = 0; b < G_N_ELEMENTS(backends); b++) {
            g_autofree char *path = g_strdup_printf("/frames/%s/%s", tests[i].name, backends[b]);
            g_test_add_data_func(path, backends[b], tests[i].test);
        }
    return g_test_run();
}
