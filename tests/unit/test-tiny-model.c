/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tiny model's pictures show which frame they are of: those of neighbouring frames differ by whole codes in most
 * samples, and so do those of one frame with other noise; hardly a sample lies at an end of the range. Tests that
 * compare pictures rely on it.
 */
#include <math.h>

#include "backend/format.h"
#include "picture.h"
#include "tiny-model.h"

enum { SCALE = 2 };

static char *folder;

static YonosUpscaler *open_upscaler(YonosPrecision precision) {
    g_autoptr(GError) error = NULL;
    g_autoptr(YonosModel) model = yonos_model_open(folder, &error);
    g_assert_no_error(error);
    YonosOptions options = YONOS_OPTIONS_INIT;
    options.backend = "cpu";
    options.precision = precision;
    options.threads = 1;
    options.noise_mode = YONOS_NOISE_PER_FRAME;
    YonosUpscaler *upscaler = yonos_upscaler_new(model, &options, &error);
    g_assert_no_error(error);
    return upscaler;
}

typedef struct {
    const char *name;
    void (*fill)(Picture *picture, guint32 seed);
    guint32 seed, other_seed;
    guint64 frame, other_frame; /* whose noise is added */
} Case;

static const Case cases[] = {
    {"neighbours", picture_fill_ramp, 0, 1, 0, 0},
    {"far-frames", picture_fill_ramp, 0, 10, 0, 0},
    {"random-frames", picture_fill_noise, 1, 2, 0, 0},
    {"noise", picture_fill_ramp, 0, 0, 0, 1},
};

static Picture *upscale(YonosUpscaler *upscaler, const Case *c, YonosFormat format, const int size[2], gboolean other) {
    g_autoptr(GError) error = NULL;
    g_autoptr(Picture) in = picture_new(format, size[0], size[1], PICTURE_TIGHT);
    Picture *out = picture_new(format, SCALE * size[0], SCALE * size[1], PICTURE_TIGHT);
    c->fill(in, other ? c->other_seed : c->seed);
    g_assert_true(
        yonos_upscaler_process(upscaler, &in->frame, &out->frame, other ? c->other_frame : c->frame, &error));
    g_assert_no_error(error);
    return out;
}

/* ---- samples ---------------------------------------------------------------------------------------- */

/* In codes of 8 bits. */
static float sample_at(const YonosFormatInfo *info, const guint8 *at) {
    float value;
    guint16 code;
    switch (picture_sample_bytes(info)) {
    case (int)sizeof value:
        memcpy(&value, at, sizeof value);
        return 255.0f * value;
    case (int)sizeof code:
        memcpy(&code, at, sizeof code);
        return (float)(GUINT16_FROM_LE(code) >> info->shift) / (float)(1 << (info->depth - 8));
    default:
        return *at;
    }
}

/* Neither alpha nor what fills a pixel. */
static gboolean is_colour(const YonosFormatInfo *info, int byte) {
    if (info->layout != YONOS_LAYOUT_PACKED_8)
        return TRUE;
    int in_pixel = byte % info->pixel_bytes;
    return in_pixel == info->r || in_pixel == info->g || in_pixel == info->b;
}

typedef struct {
    int samples, differ, extreme;
} Counts;

static Counts counts_of(const Picture *a, const Picture *b, int plane) {
    const YonosFormatInfo *info = yonos_format_get_info(a->frame.format);
    Counts counts = {0, 0, 0};
    int bytes = (int)yonos_format_row_bytes(info, plane, a->frame.width);
    for (int y = 0; y < yonos_format_rows(info, plane, a->frame.height); y++)
        for (int i = 0; i < bytes; i += picture_sample_bytes(info)) {
            gssize at = y * a->frame.stride[plane] + i;
            float v = sample_at(info, (const guint8 *)a->frame.plane[plane] + at);
            if (!is_colour(info, i))
                continue;
            counts.samples++;
            counts.differ += fabsf(v - sample_at(info, (const guint8 *)b->frame.plane[plane] + at)) >= 1.0f;
            counts.extreme += v <= 0.0f || v >= 255.0f;
        }
    return counts;
}

/* ---- tests ------------------------------------------------------------------------------------------------ */

static void check(YonosUpscaler *upscaler, const Case *c, YonosFormat format, const int size[2]) {
    const YonosFormatInfo *info = yonos_format_get_info(format);
    g_autoptr(Picture) a = upscale(upscaler, c, format, size, FALSE), b = upscale(upscaler, c, format, size, TRUE);
    for (int plane = 0; plane < info->planes; plane++) {
        Counts counts = counts_of(a, b, plane);
        g_test_message("%s, %d x %d, plane %d: of %d samples %d differ, %d are at an end", info->name, size[0], size[1],
                       plane, counts.samples, counts.differ, counts.extreme);
        g_assert_cmpint(2 * counts.differ, >, counts.samples);
        g_assert_cmpint(100 * counts.extreme, <=, counts.samples);
    }
}

static void test_pictures(gconstpointer data) {
    static const int sizes[][2] = {{8, 6}, {10, 8}, {32, 24}, {48, 32}};
    for (YonosPrecision precision = YONOS_PRECISION_AUTO; precision <= YONOS_PRECISION_F32; precision++) {
        g_autoptr(YonosUpscaler) upscaler = open_upscaler(precision);
        for (YonosFormat format = YONOS_FORMAT_UNKNOWN + 1; format < YONOS_FORMAT_COUNT; format++)
            for (guint s = 0; s < G_N_ELEMENTS(sizes); s++)
                check(upscaler, data, format, sizes[s]);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    folder = tiny_model_new();
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strconcat("/tiny-model/", cases[i].name, NULL);
        g_test_add_data_func(path, &cases[i], test_pictures);
    }
    int result = g_test_run();
    tiny_model_remove(folder);
    return result;
}
