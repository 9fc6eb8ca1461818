/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Steadiness: what stays of the frames before, where, and what makes a frame the first one again.
 *
 * The golden model's noise differs from frame to frame, so a still input flickers. Its colour fix, back-projection, is
 * linear, and floats are not clipped: what is kept can be told from the frames without steadiness, in place or moved.
 * Also run with the CUDA backend: on the host's stand-in (tests/cuda-host/meson.build), and on devices (tests/gpu).
 */
#include <math.h>

#include "golden-upscaler.h"
#include "model/model.h"
#include "picture.h"
#include "plan/plan.h"

enum { WIDTH = 40, HEIGHT = 14, SCALE = GOLDEN_SCALE, FRAMES = 3 };
static const double SHARE = 0.75;

static YonosUpscaler *open_upscaler(const char *backend, int threads, double steadiness) {
    YonosOptions options = YONOS_OPTIONS_INIT;
    options.backend = backend ? backend : golden_backend();
    options.precision = YONOS_PRECISION_F32;
    options.threads = threads;
    options.noise_mode = YONOS_NOISE_PER_FRAME;
    YonosUpscaler *upscaler = golden_upscaler("text-free", &options);
    yonos_upscaler_set_steadiness(upscaler, steadiness);
    return upscaler;
}

static Picture *floats_new(void) {
    Picture *in = picture_new(YONOS_FORMAT_RGB_F32, WIDTH, HEIGHT, PICTURE_TIGHT);
    picture_fill_smooth(in);
    return in;
}

static float *sample(const Picture *picture, int y, int x) {
    return (float *)((char *)picture->frame.plane[0] + y * picture->frame.stride[0]) + 3 * x;
}

/* Adds to all columns from `left` on. */
static void brighten(Picture *picture, int left, float by) {
    for (int y = 0; y < HEIGHT; y++)
        for (int x = left; x < WIDTH; x++)
            for (int c = 0; c < 3; c++)
                sample(picture, y, x)[c] += by;
}

/* Numbers that nothing before looks like. */
static void scramble(Picture *picture, guint32 seed) {
    GRand *rand = g_rand_new_with_seed(seed);
    for (int y = 0; y < HEIGHT; y++)
        for (int i = 0; i < 3 * WIDTH; i++)
            sample(picture, y, 0)[i] = (float)g_rand_double(rand);
    g_rand_free(rand);
}

static Picture *output_new(const Picture *in) {
    return picture_new(in->frame.format, in->frame.width * SCALE, in->frame.height * SCALE, PICTURE_PADDED);
}

static Picture *upscale(YonosUpscaler *upscaler, const Picture *in, int number) {
    g_autoptr(GError) error = NULL;
    Picture *out = output_new(in);
    yonos_upscaler_process(upscaler, &in->frame, &out->frame, (guint64)number, &error);
    g_assert_no_error(error);
    g_assert_true(picture_is_intact(out));
    return out;
}

/* The largest difference within columns [left, right) of the input, but for `rows` rows of it above and below. */
static double difference_within(const Picture *a, const Picture *b, int left, int right, int rows) {
    double most = 0.0;
    for (int y = SCALE * rows; y < a->frame.height - SCALE * rows; y++)
        for (int i = 3 * SCALE * left; i < 3 * SCALE * right; i++)
            most = MAX(most, fabs((double)sample(a, y, 0)[i] - (double)sample(b, y, 0)[i]));
    return most;
}

static double difference(const Picture *a, const Picture *b, int left, int right) {
    return difference_within(a, b, left, right, 0);
}

/* `now`, moved towards `kept` by SHARE, put into `kept`. */
static void keep(Picture *kept, const Picture *now) {
    for (int y = 0; y < now->frame.height; y++)
        for (int i = 0; i < 3 * now->frame.width; i++) {
            float *at = &sample(kept, y, 0)[i], is = sample(now, y, 0)[i];
            *at = is + (float)SHARE * (*at - is);
        }
}

/* A still input: every frame keeps its share of the one before, so that they flicker less. */
static void test_still(void) {
    g_autoptr(Picture) in = floats_new();
    g_autoptr(YonosUpscaler) plain = open_upscaler(NULL, 1, 0.0), steady = open_upscaler(NULL, 1, SHARE);
    g_autoptr(Picture) expected = upscale(plain, in, 0), first = upscale(steady, in, 0);
    g_assert_true(picture_equal(first, expected));
    for (int i = 1; i < FRAMES; i++) {
        g_autoptr(Picture) now = upscale(plain, in, i), out = upscale(steady, in, i);
        g_assert_cmpfloat(difference(now, expected, 0, WIDTH), >, 0.02); /* or there would be nothing to keep */
        keep(expected, now);
        g_assert_cmpfloat(difference(out, expected, 0, WIDTH), <, 1e-5);
    }
}

/* What changes everywhere by more than noise does is the plain picture, to the last bit. */
static void test_brighter(void) {
    g_autoptr(Picture) in = floats_new();
    g_autoptr(YonosUpscaler) plain = open_upscaler(NULL, 1, 0.0), steady = open_upscaler(NULL, 1, SHARE);
    for (int i = 0; i < FRAMES; i++) {
        g_autoptr(Picture) now = upscale(plain, in, i), out = upscale(steady, in, i);
        g_assert_true(picture_equal(out, now));
        brighten(in, 0, i % 2 ? -3.1f / 255.0f : 3.1f / 255.0f);
    }
}

/* What nothing in the frame before looks like is the plain picture, to the last bit. */
static void test_new(void) {
    g_autoptr(YonosUpscaler) plain = open_upscaler(NULL, 1, 0.0), steady = open_upscaler(NULL, 1, SHARE);
    for (int i = 0; i < FRAMES; i++) {
        g_autoptr(Picture) in = floats_new();
        scramble(in, (guint32)i);
        g_autoptr(Picture) now = upscale(plain, in, i), out = upscale(steady, in, i);
        g_assert_true(picture_equal(out, now));
    }
}

/* `kept` comes along by so many columns and rows, and is moved towards `now`. */
static void follow(Picture *kept, const Picture *now, int across, int along) {
    g_autoptr(Picture) before = picture_new(kept->frame.format, kept->frame.width, kept->frame.height, PICTURE_TIGHT);
    for (int y = 0; y < kept->frame.height; y++)
        memcpy(sample(before, y, 0), sample(kept, y, 0), (gsize)kept->frame.width * 3 * sizeof(float));
    for (int y = 0; y < kept->frame.height; y++)
        for (int x = 0; x < kept->frame.width; x++)
            memcpy(sample(kept, y, x), sample(before, CLAMP(y + along, 0, kept->frame.height - 1),
                                              CLAMP(x + across, 0, kept->frame.width - 1)), 3 * sizeof(float));
    keep(kept, now);
}

typedef struct {
    int across, along; /* where a frame's pixels lay in the frame before */
} Step;

/* What moves takes its share along. The golden model makes noise of smooth waves. */
static void test_moving(gconstpointer data) {
    enum { TALL = WIDTH, MARGIN = 17 };
    const Step *step = data;
    g_autoptr(YonosUpscaler) plain = open_upscaler(NULL, 1, 0.0), steady = open_upscaler(NULL, 1, SHARE);
    g_autoptr(Picture) in = picture_new(YONOS_FORMAT_RGB_F32, WIDTH, TALL, PICTURE_TIGHT), expected = NULL;
    for (int i = 0; i < FRAMES; i++) {
        for (int y = 0; y < TALL; y++)
            for (int j = 0; j < 3 * WIDTH; j++) {
                double px = j / 3 + step->across * i, py = y + step->along * i;
                double waves = sin(0.8 * px + 0.5 * py) + sin(0.6 * px - 0.7 * py + j % 3);
                sample(in, y, 0)[j] = (float)(0.5 + 0.2 * waves);
            }
        g_autoptr(Picture) now = upscale(plain, in, i), out = upscale(steady, in, i);
        if (i == 0) {
            expected = g_steal_pointer(&now);
            continue;
        }
        g_assert_cmpfloat(difference_within(now, expected, MARGIN, WIDTH - MARGIN, MARGIN), >, 0.02);
        follow(expected, now, SCALE * step->across, SCALE * step->along);
        g_assert_cmpfloat(difference_within(out, expected, MARGIN, WIDTH - MARGIN, MARGIN), <, 5e-3);
    }
}

/* Half of the picture changes: that half is new, the other one is kept, but for a block at the seam. */
static void test_half(void) {
    enum { SEAM = WIDTH / 2, MARGIN = 12 };
    g_autoptr(Picture) in = floats_new();
    g_autoptr(YonosUpscaler) plain = open_upscaler(NULL, 1, 0.0), steady = open_upscaler(NULL, 1, SHARE);
    g_autoptr(Picture) expected = upscale(plain, in, 0);
    picture_free(upscale(steady, in, 0));
    brighten(in, SEAM, 0.2f);
    g_autoptr(Picture) now = upscale(plain, in, 1), out = upscale(steady, in, 1);
    keep(expected, now);
    g_assert_cmpfloat(difference(out, expected, 0, SEAM - MARGIN), <, 1e-5);
    g_assert_cmpfloat(difference(out, now, SEAM + MARGIN, WIDTH), ==, 0.0);
    g_assert_cmpfloat(difference(out, now, 0, SEAM - MARGIN), >, 0.01);
}

/* Small steps add up until they count: what is kept does not fall behind. */
static void test_slow(void) {
    g_autoptr(Picture) in = floats_new();
    g_autoptr(YonosUpscaler) plain = open_upscaler(NULL, 1, 0.0), steady = open_upscaler(NULL, 1, 0.95);
    yonos_upscaler_set_colour_fix(plain, YONOS_COLOUR_FIX_NONE); /* else the input's colours come through at once */
    yonos_upscaler_set_colour_fix(steady, YONOS_COLOUR_FIX_NONE);
    yonos_upscaler_set_noise_mode(plain, YONOS_NOISE_STATIC);
    yonos_upscaler_set_noise_mode(steady, YONOS_NOISE_STATIC);
    for (int i = 0; i < 12; i++) {
        g_autoptr(Picture) now = upscale(plain, in, i), out = upscale(steady, in, i);
        g_assert_cmpfloat(difference(out, now, 0, WIDTH), <, 1.0 / 255.0);
        brighten(in, 0, 1.0f / 255.0f);
    }
}

/* ---- first frames ------------------------------------------------------------------------------------ */

typedef void (*Between)(YonosUpscaler *steady, Picture *in);

static void forget(YonosUpscaler *steady, Picture *in) {
    (void)in;
    yonos_upscaler_forget_frames(steady);
}

static void other_size(YonosUpscaler *steady, Picture *in) {
    g_autoptr(Picture) small = picture_new(in->frame.format, WIDTH / 2, HEIGHT / 2, PICTURE_TIGHT);
    picture_fill_smooth(small);
    picture_free(upscale(steady, small, 0));
}

static void off_and_on(YonosUpscaler *steady, Picture *in) {
    yonos_upscaler_set_steadiness(steady, 0.0);
    picture_free(upscale(steady, in, 7));
    yonos_upscaler_set_steadiness(steady, SHARE);
}

/* A picture with what is no number in it, which group norm takes everywhere. */
static void not_a_number(YonosUpscaler *steady, Picture *in) {
    static const float values[] = {NAN, INFINITY};
    for (guint i = 0; i < G_N_ELEMENTS(values); i++) {
        g_autoptr(Picture) bad = floats_new();
        sample(bad, HEIGHT / 2, WIDTH / 2)[1] = values[i];
        picture_free(upscale(steady, bad, 1));
    }
    (void)in;
}

static void test_first(gconstpointer data) {
    Between between = (Between)data;
    g_autoptr(Picture) in = floats_new();
    g_autoptr(YonosUpscaler) plain = open_upscaler(NULL, 1, 0.0), steady = open_upscaler(NULL, 1, SHARE);
    for (int i = 0; i < FRAMES; i++) {
        picture_free(upscale(steady, in, 50 + i));
        between(steady, in);
        g_autoptr(Picture) now = upscale(plain, in, i), out = upscale(steady, in, i);
        g_assert_true(picture_equal(out, now));
    }
}

/* A frame that was cancelled before it began is as if it had not been. */
static void test_cancelled(void) {
    g_autoptr(Picture) in = floats_new(), nowhere = output_new(in);
    g_autoptr(YonosUpscaler) one = open_upscaler(NULL, 1, SHARE), other = open_upscaler(NULL, 1, SHARE);
    picture_free(upscale(one, in, 0));
    picture_free(upscale(other, in, 0));
    yonos_upscaler_cancel(other);
    g_assert_false(yonos_upscaler_process(other, &in->frame, &nowhere->frame, 1, NULL));
    yonos_upscaler_resume(other);
    g_autoptr(Picture) expected = upscale(one, in, 2), out = upscale(other, in, 2);
    g_assert_true(picture_equal(out, expected));
}

/* Cancels a run behind the node that writes a tensor of this name. */
typedef struct {
    const char *behind;
    int cancel;
} Stop;

static void stop_behind(YonosPlan *plan, guint index, gpointer data) {
    Stop *stop = data;
    const YonosNode *node = g_ptr_array_index(yonos_plan_get_graph(plan)->nodes, index);
    stop->cancel |= node->out && g_strcmp0(node->out->name, stop->behind) == 0;
}

/* A frame that stops halfway leaves states behind that do not belong together: the next one is the first. */
static void test_stopped(void) {
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = golden_folder("text-free");
    g_autoptr(YonosModel) model = yonos_model_open(folder, &error);
    g_assert_no_error(error);
    g_autoptr(YonosBackend) backend = yonos_backend_open(golden_backend(), YONOS_PRECISION_F32, 1, NULL, &error);
    g_assert_no_error(error);
    const YonosFrameSpec spec = {.width = WIDTH, .height = HEIGHT, .format = YONOS_FORMAT_RGB_F32, .tile_overlap = -1,
                                 .dtype = YONOS_DTYPE_F32, .steady = TRUE};
    g_autoptr(YonosPlan) plan = yonos_plan_new(backend, yonos_model_build_frame(model, &spec, &error), FALSE, &error);
    g_assert_no_error(error);
    g_autoptr(Picture) in = floats_new(), first = output_new(in), second = output_new(in), out = output_new(in);
    yonos_plan_set_steadiness(plan, (float)SHARE);
    g_assert_true(yonos_plan_run(plan, &in->frame, &first->frame, 0, 2, NULL, NULL));
    g_assert_true(yonos_plan_run(plan, &in->frame, &second->frame, 0, 2, NULL, NULL));
    g_assert_true(yonos_plan_run(plan, &in->frame, &out->frame, 0, 1, NULL, NULL));
    g_assert_cmpfloat(difference(out, second, 0, WIDTH), >, 0.0);
    Stop stop = {.behind = "lr_before"};
    yonos_plan_set_hook(plan, stop_behind, &stop);
    g_assert_false(yonos_plan_run(plan, &in->frame, &out->frame, 0, 1, &stop.cancel, &error));
    g_assert_error(error, YONOS_ERROR, YONOS_ERROR_CANCELLED);
    yonos_plan_set_hook(plan, NULL, NULL);
    g_assert_true(yonos_plan_run(plan, &in->frame, &out->frame, 0, 2, NULL, NULL));
    g_assert_true(picture_equal(out, first));
}

/* ---- what it does not depend on ---------------------------------------------------------------------- */

/* Frame `i` of a clip in which part of the picture moves and part of it stands. */
static Picture *clip_frame(int i) {
    Picture *in = floats_new();
    brighten(in, WIDTH - 4 * i, 0.05f * (float)i);
    return in;
}

static void assert_same_clip(YonosUpscaler *a, YonosUpscaler *b, double within) {
    for (int i = 0; i < FRAMES; i++) {
        g_autoptr(Picture) in = clip_frame(i), expected = upscale(a, in, i), out = upscale(b, in, i);
        g_assert_cmpfloat(difference(out, expected, 0, WIDTH), <=, within);
    }
}

static void test_threads(void) {
    g_autoptr(YonosUpscaler) one = open_upscaler(NULL, 1, SHARE), three = open_upscaler(NULL, 3, SHARE);
    assert_same_clip(one, three, 0.0);
}

static void test_specification(void) {
    g_autoptr(YonosUpscaler) ref = open_upscaler("ref", 1, SHARE), fast = open_upscaler(NULL, 2, SHARE);
    assert_same_clip(ref, fast, 2e-4);
}

/* Two frames in flight see each other in their order. */
static void test_flight(void) {
    g_autoptr(GError) error = NULL;
    g_autoptr(YonosUpscaler) one = open_upscaler(NULL, 1, SHARE), two = open_upscaler(NULL, 1, SHARE);
    Picture *out[FRAMES];
    for (int i = 0; i <= FRAMES; i++) {
        if (i < FRAMES) {
            g_autoptr(Picture) in = clip_frame(i);
            out[i] = output_new(in);
            yonos_upscaler_submit(two, &in->frame, &out[i]->frame, (guint64)i, &error);
            g_assert_no_error(error);
        }
        if (i > 0)
            yonos_upscaler_collect(two, &error);
        g_assert_no_error(error);
    }
    for (int i = 0; i < FRAMES; i++) {
        g_autoptr(Picture) in = clip_frame(i), expected = upscale(one, in, i);
        g_assert_true(picture_equal(out[i], expected));
        picture_free(out[i]);
    }
}

int main(int argc, char **argv) {
    static const Step steps[] = {{1, 0}, {-1, 0}, {0, 1}, {1, -1}};
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/steady/still", test_still);
    g_test_add_func("/steady/brighter", test_brighter);
    g_test_add_func("/steady/new", test_new);
    for (guint i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_autofree char *path = g_strdup_printf("/steady/moving/%d,%d", steps[i].across, steps[i].along);
        g_test_add_data_func(path, &steps[i], test_moving);
    }
    g_test_add_func("/steady/half", test_half);
    g_test_add_func("/steady/slow", test_slow);
    g_test_add_data_func("/steady/first/forgotten", forget, test_first);
    g_test_add_data_func("/steady/first/other-size", other_size, test_first);
    g_test_add_data_func("/steady/first/off-and-on", off_and_on, test_first);
    g_test_add_data_func("/steady/first/not-a-number", not_a_number, test_first);
    g_test_add_func("/steady/cancelled", test_cancelled);
    g_test_add_func("/steady/stopped", test_stopped);
    g_test_add_func("/steady/threads", test_threads);
    g_test_add_func("/steady/specification", test_specification);
    g_test_add_func("/steady/flight", test_flight);
    return g_test_run();
}
