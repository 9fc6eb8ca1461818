/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The public API on the golden models (random weights, a few kilobytes each): what a frame's pixels may depend on.
 *
 * Every size from 1 to 40 in every format gives exactly scale x the size and touches no byte outside of the rows;
 * pixels do not depend on strides, threads, the frames in between or the tile grid's order; noise follows from seed
 * and frame number. Options and errors are in test-options.c.
 */
#include <math.h>

#include "backend/taps.h"
#include "golden-upscaler.h"
#include "picture.h"

enum { LARGEST = 40, SCALE = GOLDEN_SCALE };

/* KL without attention and with back-projection; Tiny with cross-attention; KL with start_latent: no noise. */
#define KL "text-free"
#define TINY "cross-linear"
#define NO_NOISE "cross-conv"

static YonosOptions cpu_options(YonosPrecision precision, int threads) {
    YonosOptions options = YONOS_OPTIONS_INIT;
    options.backend = "cpu";
    options.precision = precision;
    options.threads = threads;
    options.noise_mode = YONOS_NOISE_PER_FRAME;
    return options;
}

static Picture *upscale(YonosUpscaler *upscaler, const Picture *in, PictureLayout layout, guint64 frame) {
    g_autoptr(GError) error = NULL;
    Picture *out = picture_new(in->frame.format, in->frame.width * SCALE, in->frame.height * SCALE, layout);
    g_assert_true(yonos_upscaler_process(upscaler, &in->frame, &out->frame, frame, &error));
    g_assert_no_error(error);
    g_assert_true(picture_is_intact(out));
    g_assert_true(picture_is_intact(in));
    return out;
}

static Picture *input(YonosFormat format, int width, int height, PictureLayout layout) {
    Picture *picture = picture_new(format, width, height, layout);
    picture_fill_noise(picture, (guint32)(width * 64 + height));
    return picture;
}

/* ---- sizes, formats, strides ----------------------------------------------------------------------- */

static void check_size(YonosUpscaler *upscaler, YonosFormat format, int width, int height) {
    g_autoptr(Picture) tight = input(format, width, height, PICTURE_TIGHT);
    g_autoptr(Picture) expected = upscale(upscaler, tight, PICTURE_TIGHT, 7);
    for (PictureLayout layout = PICTURE_PADDED; layout < PICTURE_LAYOUTS; layout++) {
        g_autoptr(Picture) in = input(format, width, height, layout);
        g_assert_true(picture_equal(in, tight));
        g_autoptr(Picture) out = upscale(upscaler, in, layout, 7);
        g_assert_true(picture_equal(out, expected));
    }
}

/* Squares, long ones in both directions, and each size beside one that is coprime to it; the format goes round. */
static void test_sizes(gconstpointer name) {
    YonosOptions options = cpu_options(YONOS_PRECISION_F32, 1);
    g_autoptr(YonosUpscaler) upscaler = golden_upscaler(name, &options);
    for (int n = 1; n <= LARGEST; n++) {
        const int sizes[][2] = {{n, n}, {n, LARGEST + 1 - n}, {n, 1 + 7 * n % LARGEST}};
        for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
            YonosFormat format = (YonosFormat)(1 + (3 * n + (int)i) % (YONOS_FORMAT_COUNT - 1));
            check_size(upscaler, format, sizes[i][0], sizes[i][1]);
        }
    }
}

/* Every format at odd and even sizes, so that chroma and padding to the latent factor both come to bear. */
static void test_formats(gconstpointer name) {
    static const int sizes[][2] = {{1, 1}, {1, 2}, {2, 1}, {3, 7}, {8, 5}, {17, 16}};
    YonosOptions options = cpu_options(YONOS_PRECISION_F32, 1);
    g_autoptr(YonosUpscaler) upscaler = golden_upscaler(name, &options);
    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
        for (YonosFormat format = YONOS_FORMAT_UNKNOWN + 1; format < YONOS_FORMAT_COUNT; format++)
            check_size(upscaler, format, sizes[i][0], sizes[i][1]);
}

/* The order of the components in memory is no part of the picture. */
static void test_component_order(void) {
    static const struct {
        YonosFormat format;
        int bytes, r, g, b;
    } orders[] = {{YONOS_FORMAT_BGR, 3, 2, 1, 0},  {YONOS_FORMAT_RGBA, 4, 0, 1, 2}, {YONOS_FORMAT_BGRA, 4, 2, 1, 0},
                  {YONOS_FORMAT_ARGB, 4, 1, 2, 3}, {YONOS_FORMAT_ABGR, 4, 3, 2, 1}, {YONOS_FORMAT_XRGB, 4, 1, 2, 3},
                  {YONOS_FORMAT_XBGR, 4, 3, 2, 1}, {YONOS_FORMAT_RGBX, 4, 0, 1, 2}, {YONOS_FORMAT_BGRX, 4, 2, 1, 0}};
    enum { W = 9, H = 6, PIXELS = W * H };
    YonosOptions options = cpu_options(YONOS_PRECISION_F32, 1);
    g_autoptr(YonosUpscaler) upscaler = golden_upscaler(KL, &options);
    g_autoptr(Picture) rgb = input(YONOS_FORMAT_RGB, W, H, PICTURE_TIGHT);
    g_autoptr(Picture) expected = upscale(upscaler, rgb, PICTURE_TIGHT, 0);
    for (guint i = 0; i < G_N_ELEMENTS(orders); i++) {
        const int offset[3] = {orders[i].r, orders[i].g, orders[i].b};
        g_autoptr(Picture) in = input(orders[i].format, W, H, PICTURE_TIGHT);
        for (int p = 0; p < PIXELS; p++)
            for (int c = 0; c < 3; c++)
                ((guint8 *)in->frame.plane[0])[p * orders[i].bytes + offset[c]] =
                    ((const guint8 *)rgb->frame.plane[0])[p * 3 + c];
        g_autoptr(Picture) out = upscale(upscaler, in, PICTURE_TIGHT, 0);
        for (int p = 0; p < PIXELS * SCALE * SCALE; p++)
            for (int c = 0; c < 3; c++)
                g_assert_cmpint(((const guint8 *)out->frame.plane[0])[p * orders[i].bytes + offset[c]], ==,
                                ((const guint8 *)expected->frame.plane[0])[p * 3 + c]);
    }
}

/* Opaque stays opaque and transparent transparent, whatever the colours. */
static void test_alpha(void) {
    YonosOptions options = cpu_options(YONOS_PRECISION_F32, 1);
    g_autoptr(YonosUpscaler) upscaler = golden_upscaler(TINY, &options);
    for (int alpha = 0; alpha <= 255; alpha += 51) {
        g_autoptr(Picture) in = input(YONOS_FORMAT_BGRA, 11, 5, PICTURE_TIGHT);
        for (int p = 0; p < 11 * 5; p++)
            ((guint8 *)in->frame.plane[0])[4 * p + 3] = (guint8)alpha;
        g_autoptr(Picture) out = upscale(upscaler, in, PICTURE_TIGHT, 0);
        for (int p = 0; p < 11 * 5 * SCALE * SCALE; p++)
            g_assert_cmpint(((const guint8 *)out->frame.plane[0])[4 * p + 3], ==, alpha);
    }
}

/* ---- what pixels do not depend on ------------------------------------------------------------------ */

static void check_threads(const char *name, YonosPrecision precision, int tile_size) {
    YonosOptions options = cpu_options(precision, 1);
    options.tile_size = tile_size;
    g_autoptr(Picture) in = input(YONOS_FORMAT_RGB_F32, 50, 37, PICTURE_TIGHT);
    g_autoptr(YonosUpscaler) one = golden_upscaler(name, &options);
    g_autoptr(Picture) expected = upscale(one, in, PICTURE_TIGHT, 3);
    for (options.threads = 2; options.threads <= 3; options.threads++) {
        g_autoptr(YonosUpscaler) more = golden_upscaler(name, &options);
        g_autoptr(Picture) out = upscale(more, in, PICTURE_TIGHT, 3);
        g_assert_true(picture_equal(out, expected));
    }
}

static void test_threads(gconstpointer name) {
    for (int tile_size = 0; tile_size <= 64; tile_size += 64) {
        check_threads(name, YONOS_PRECISION_F32, tile_size);
        check_threads(name, YONOS_PRECISION_AUTO, tile_size); /* bf16 where the CPU computes in it */
    }
}

/* A frame's pixels are the same after other frames, other sizes (plans come and go) and other settings. */
static void test_history(gconstpointer name) {
    YonosOptions options = cpu_options(YONOS_PRECISION_AUTO, 2);
    g_autoptr(YonosUpscaler) upscaler = golden_upscaler(name, &options);
    g_autoptr(Picture) in = input(YONOS_FORMAT_RGB, 23, 18, PICTURE_TIGHT);
    g_autoptr(Picture) first = upscale(upscaler, in, PICTURE_TIGHT, 5);
    for (int i = 1; i <= 4; i++) {
        g_autoptr(Picture) other = input(i % 2 ? YONOS_FORMAT_NV12 : YONOS_FORMAT_RGB, 23 + i / 2, 18, PICTURE_TIGHT);
        yonos_upscaler_set_seed(upscaler, (guint64)i);
        yonos_upscaler_set_noise_mode(upscaler, YONOS_NOISE_STATIC);
        yonos_upscaler_set_colour_fix(upscaler, YONOS_COLOUR_FIX_ADAIN);
        picture_free(upscale(upscaler, other, PICTURE_TIGHT, 50 + (guint64)i));
        yonos_upscaler_set_seed(upscaler, 0);
        yonos_upscaler_set_noise_mode(upscaler, YONOS_NOISE_PER_FRAME);
        yonos_upscaler_set_colour_fix(upscaler, YONOS_COLOUR_FIX_DEFAULT);
        g_autoptr(Picture) again = upscale(upscaler, in, PICTURE_TIGHT, 5);
        g_assert_true(picture_equal(again, first));
    }
}

/* ---- frames in flight ------------------------------------------------------------------------------ */

/* Also run with the CUDA backend on the host's stand-in (tests/cuda-host/meson.build). */
static YonosUpscaler *open_flight_upscaler(void) {
    YonosOptions options = cpu_options(YONOS_PRECISION_F32, 1);
    options.backend = golden_backend();
    return golden_upscaler(KL, &options);
}

/* Frame `i` of a clip whose sizes, formats and colour fixes change. */
static Picture *clip_frame(YonosUpscaler *upscaler, int i) {
    static const YonosFormat formats[] = {YONOS_FORMAT_RGB, YONOS_FORMAT_RGB, YONOS_FORMAT_NV12};
    yonos_upscaler_set_colour_fix(upscaler, i % 5 == 4 ? YONOS_COLOUR_FIX_NONE : YONOS_COLOUR_FIX_DEFAULT);
    yonos_upscaler_set_seed(upscaler, (guint64)i / 3);
    Picture *picture = picture_new(formats[i % 3], 6 + i / 6, 5, PICTURE_PADDED);
    picture_fill_noise(picture, (guint32)i);
    return picture;
}

static Picture *submit(YonosUpscaler *upscaler, int i) {
    g_autoptr(GError) error = NULL;
    g_autoptr(Picture) in = clip_frame(upscaler, i);
    Picture *out = picture_new(in->frame.format, in->frame.width * SCALE, in->frame.height * SCALE, PICTURE_PADDED);
    yonos_upscaler_submit(upscaler, &in->frame, &out->frame, (guint64)i, &error);
    g_assert_no_error(error);
    picture_fill_noise(in, 99); /* has been read */
    return out;
}

static void assert_done(YonosUpscaler *upscaler, Picture *out, Picture *const *expected, int i) {
    g_autoptr(GError) error = NULL;
    yonos_upscaler_collect(upscaler, &error);
    g_assert_no_error(error);
    g_assert_true(picture_equal(out, expected[i]));
    g_assert_true(picture_is_intact(out));
    picture_free(out);
}

/* Two frames at a time give the pixels of one at a time, whatever changes between them. */
static void test_flight(void) {
    enum { FRAMES = 12 };
    g_autoptr(YonosUpscaler) upscaler = open_flight_upscaler();
    Picture *expected[FRAMES], *before = NULL;
    YonosUpscalerInfo info;
    yonos_upscaler_get_info(upscaler, &info);
    g_assert_cmpint(info.asynchronous, ==, g_str_equal(info.backend, "cuda"));
    for (int i = 0; i < FRAMES; i++) {
        g_autoptr(YonosUpscaler) alone = open_flight_upscaler(); /* a new one: no other frame was in its memory */
        g_autoptr(Picture) in = clip_frame(alone, i);
        expected[i] = upscale(alone, in, PICTURE_TIGHT, (guint64)i);
    }
    for (int i = 0; i < FRAMES; i++) {
        Picture *now = submit(upscaler, i);
        if (before)
            assert_done(upscaler, before, expected, i - 1);
        before = now;
    }
    assert_done(upscaler, before, expected, FRAMES - 1);
    for (int i = 0; i < FRAMES; i++)
        picture_free(expected[i]);
}

/* Discarded frames leave nothing behind, and their memory is not touched any more. */
static void test_discard(void) {
    g_autoptr(YonosUpscaler) upscaler = open_flight_upscaler();
    g_autoptr(Picture) in = clip_frame(upscaler, 0);
    g_autoptr(Picture) expected = upscale(upscaler, in, PICTURE_TIGHT, 0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i <= round % YONOS_IN_FLIGHT; i++)
            picture_free(submit(upscaler, 1 + i));
        yonos_upscaler_discard(upscaler);
        Picture *out = submit(upscaler, 0);
        assert_done(upscaler, out, &expected, 0);
    }
    picture_free(submit(upscaler, 1));
    yonos_upscaler_discard(upscaler); /* and the upscaler goes while the device may be at work */
}

static void assert_refused(gboolean ok, GError **error, const char *says) {
    g_assert_false(ok);
    g_assert_error(*error, YONOS_ERROR, YONOS_ERROR_ARGUMENT);
    g_assert_nonnull(strstr((*error)->message, says));
    g_clear_error(error);
}

static void test_too_many(void) {
    GError *error = NULL;
    g_autoptr(YonosUpscaler) upscaler = open_flight_upscaler();
    g_autoptr(Picture) in = clip_frame(upscaler, 0);
    g_autoptr(Picture) expected = upscale(upscaler, in, PICTURE_TIGHT, 0);
    g_autoptr(Picture) other = picture_new(in->frame.format, in->frame.width * SCALE, in->frame.height * SCALE,
                                           PICTURE_TIGHT);
    assert_refused(yonos_upscaler_collect(upscaler, &error), &error, "no frame is in flight");
    Picture *first = submit(upscaler, 0);
    assert_refused(yonos_upscaler_process(upscaler, &in->frame, &other->frame, 0, &error), &error,
                   "1 frames are in flight");
    Picture *second = submit(upscaler, 0);
    assert_refused(yonos_upscaler_submit(upscaler, &in->frame, &other->frame, 0, &error), &error,
                   "2 frames are in flight");
    assert_refused(yonos_upscaler_prepare(upscaler, 9, 9, YONOS_FORMAT_RGB, NULL, &error), &error,
                   "2 frames are in flight");
    /* A cancelled one is not in flight; those that are can be collected all the same. */
    assert_done(upscaler, first, &expected, 0);
    yonos_upscaler_cancel(upscaler);
    g_assert_false(yonos_upscaler_submit(upscaler, &in->frame, &other->frame, 0, &error));
    g_assert_error(error, YONOS_ERROR, YONOS_ERROR_CANCELLED);
    g_clear_error(&error);
    assert_done(upscaler, second, &expected, 0);
    yonos_upscaler_resume(upscaler);
    g_autoptr(Picture) again = upscale(upscaler, in, PICTURE_TIGHT, 0);
    g_assert_true(picture_equal(again, expected));
}

/* ---- noise ----------------------------------------------------------------------------------------- */

static Picture *with_noise(YonosUpscaler *upscaler, const Picture *in, YonosNoiseMode mode, guint64 seed,
                           guint64 frame) {
    yonos_upscaler_set_noise_mode(upscaler, mode);
    yonos_upscaler_set_seed(upscaler, seed);
    return upscale(upscaler, in, PICTURE_TIGHT, frame);
}

static void test_noise(void) {
    static const guint64 frames[] = {1, 2, G_GUINT64_CONSTANT(1) << 32, G_MAXUINT64};
    YonosOptions options = cpu_options(YONOS_PRECISION_F32, 1);
    g_autoptr(YonosUpscaler) upscaler = golden_upscaler(KL, &options);
    g_autoptr(Picture) in = input(YONOS_FORMAT_RGB_F32, 12, 9, PICTURE_TIGHT);
    g_autoptr(Picture) zero = with_noise(upscaler, in, YONOS_NOISE_PER_FRAME, 0, 0);
    for (guint i = 0; i < G_N_ELEMENTS(frames); i++) {
        g_autoptr(Picture) fresh = with_noise(upscaler, in, YONOS_NOISE_PER_FRAME, 0, frames[i]);
        g_autoptr(Picture) still = with_noise(upscaler, in, YONOS_NOISE_STATIC, 0, frames[i]);
        g_autoptr(Picture) seeded = with_noise(upscaler, in, YONOS_NOISE_PER_FRAME, frames[i], 0);
        g_assert_false(picture_equal(fresh, zero));
        g_assert_true(picture_equal(still, zero));
        g_assert_false(picture_equal(seeded, zero));
        g_assert_false(picture_equal(seeded, fresh));
    }
    g_autoptr(YonosUpscaler) silent = golden_upscaler(NO_NOISE, &options);
    g_autoptr(Picture) a = with_noise(silent, in, YONOS_NOISE_PER_FRAME, 1, 2);
    g_autoptr(Picture) b = with_noise(silent, in, YONOS_NOISE_PER_FRAME, 3, 4);
    g_assert_true(picture_equal(a, b));
}

/* ---- colour fixes, against the definition in double -------------------------------------------------- */

typedef struct {
    int h, w;
    double *value; /* [h][w][3] */
} Image;

static Image image_new(int h, int w) { return (Image){h, w, g_new0(double, (gsize)h *w * 3)}; }

static double *at(const Image *image, int y, int x) {
    return image->value + 3 * ((gsize)CLAMP(y, 0, image->h - 1) * image->w + CLAMP(x, 0, image->w - 1));
}

static Image image_of(const Picture *picture) {
    Image image = image_new(picture->frame.height, picture->frame.width);
    for (gsize i = 0; i < (gsize)image.h * image.w * 3; i++)
        image.value[i] = ((const float *)picture->frame.plane[0])[i];
    return image;
}

static Image resized(const Image *image, int h, int w) {
    YonosTaps *ty = yonos_taps_new(YONOS_FILTER_BICUBIC, image->h, h);
    YonosTaps *tx = yonos_taps_new(YONOS_FILTER_BICUBIC, image->w, w);
    Image out = image_new(h, w);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int j = 0; j < ty->count[y]; j++)
                for (int i = 0; i < tx->count[x]; i++)
                    for (int c = 0; c < 3; c++)
                        at(&out, y, x)[c] += (double)ty->weight[y * ty->width + j] * tx->weight[x * tx->width + i] *
                                             at(image, ty->first[y] + j, tx->first[x] + i)[c];
    yonos_taps_free(ty);
    yonos_taps_free(tx);
    return out;
}

static void combine(Image *x, double a, const Image *y, double b) {
    for (gsize i = 0; i < (gsize)x->h * x->w * 3; i++)
        x->value[i] = a * x->value[i] + b * y->value[i];
}

static void back_project(Image *image, const Image *lr) {
    Image error = resized(image, lr->h, lr->w);
    combine(&error, -1.0, lr, 1.0);
    Image up = resized(&error, image->h, image->w);
    combine(image, 1.0, &up, 1.0);
    g_free(error.value);
    g_free(up.value);
}

static void blur(Image *image, int dilation) {
    static const double tap[3] = {0.25, 0.5, 0.25};
    Image out = image_new(image->h, image->w);
    for (int y = 0; y < image->h; y++)
        for (int x = 0; x < image->w; x++)
            for (int k = 0; k < 9; k++)
                for (int c = 0; c < 3; c++)
                    at(&out, y, x)[c] += tap[k / 3] * tap[k % 3] *
                                         at(image, y + (k / 3 - 1) * dilation, x + (k % 3 - 1) * dilation)[c];
    g_free(image->value);
    *image = out;
}

static void wavelet(Image *image, const Image *lr) {
    Image low = resized(lr, image->h, image->w);
    combine(&low, 1.0, image, -1.0);
    for (int level = 0; level < 5; level++)
        blur(&low, 1 << level);
    combine(image, 1.0, &low, 1.0);
    g_free(low.value);
}

static void moments(const Image *image, int c, double *mean, double *deviation) {
    gsize count = (gsize)image->h * image->w;
    double sum = 0.0, squares = 0.0;
    for (gsize i = 0; i < count; i++)
        sum += image->value[3 * i + c];
    *mean = sum / (double)count;
    for (gsize i = 0; i < count; i++)
        squares += pow(image->value[3 * i + c] - *mean, 2.0);
    /* The engine adds 1e-5 to the variance of values in [-1,1], twice as wide as these. */
    *deviation = sqrt(squares / (double)count + 1e-5 / 4.0);
}

static void adain(Image *image, const Image *lr) {
    Image style = resized(lr, image->h, image->w);
    for (int c = 0; c < 3; c++) {
        double mean_x, std_x, mean_y, std_y;
        moments(image, c, &mean_x, &std_x);
        moments(&style, c, &mean_y, &std_y);
        for (gsize i = 0; i < (gsize)image->h * image->w; i++)
            image->value[3 * i + c] = (image->value[3 * i + c] - mean_x) / std_x * std_y + mean_y;
    }
    g_free(style.value);
}

static void test_colour_fixes(void) {
    static void (*const fix[])(Image *, const Image *) = {
        [YONOS_COLOUR_FIX_ADAIN] = adain,
        [YONOS_COLOUR_FIX_WAVELET] = wavelet,
        [YONOS_COLOUR_FIX_BACK_PROJECTION] = back_project,
    };
    YonosOptions options = cpu_options(YONOS_PRECISION_F32, 1);
    options.colour_fix = YONOS_COLOUR_FIX_NONE;
    g_autoptr(YonosUpscaler) upscaler = golden_upscaler(KL, &options);
    g_autoptr(Picture) in = input(YONOS_FORMAT_RGB_F32, 13, 21, PICTURE_TIGHT);
    g_autoptr(Picture) plain = upscale(upscaler, in, PICTURE_TIGHT, 0);
    Image lr = image_of(in);
    for (guint kind = YONOS_COLOUR_FIX_ADAIN; kind < G_N_ELEMENTS(fix); kind++) {
        yonos_upscaler_set_colour_fix(upscaler, (YonosColourFix)kind);
        g_autoptr(Picture) out = upscale(upscaler, in, PICTURE_TIGHT, 0);
        g_assert_false(picture_equal(out, plain));
        Image expected = image_of(plain), result = image_of(out);
        fix[kind](&expected, &lr);
        for (gsize i = 0; i < (gsize)result.h * result.w * 3; i++)
            g_assert_cmpfloat_with_epsilon(result.value[i], expected.value[i], 1e-5);
        g_free(expected.value);
        g_free(result.value);
    }
    g_free(lr.value);
    /* text-free asks for back-projection itself. */
    g_autoptr(Picture) fixed = upscale(upscaler, in, PICTURE_TIGHT, 0);
    yonos_upscaler_set_colour_fix(upscaler, YONOS_COLOUR_FIX_DEFAULT);
    g_autoptr(Picture) by_default = upscale(upscaler, in, PICTURE_TIGHT, 0);
    g_assert_true(picture_equal(by_default, fixed));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/upscaler/sizes/kl", KL, test_sizes);
    g_test_add_data_func("/upscaler/sizes/tiny", TINY, test_sizes);
    g_test_add_data_func("/upscaler/formats/kl", KL, test_formats);
    g_test_add_data_func("/upscaler/formats/tiny", TINY, test_formats);
    g_test_add_func("/upscaler/component-order", test_component_order);
    g_test_add_func("/upscaler/alpha", test_alpha);
    g_test_add_data_func("/upscaler/threads/kl", KL, test_threads);
    g_test_add_data_func("/upscaler/threads/tiny", TINY, test_threads);
    g_test_add_data_func("/upscaler/history/kl", KL, test_history);
    g_test_add_data_func("/upscaler/history/tiny", TINY, test_history);
    g_test_add_func("/upscaler/flight/pixels", test_flight);
    g_test_add_func("/upscaler/flight/discard", test_discard);
    g_test_add_func("/upscaler/flight/too-many", test_too_many);
    g_test_add_func("/upscaler/noise", test_noise);
    g_test_add_func("/upscaler/colour-fixes", test_colour_fixes);
    return g_test_run();
}
