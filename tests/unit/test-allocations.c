/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Once warm, a frame allocates nothing; and where the large pieces (arena, workspace, packed weights) cannot be had,
 * there is one error of code MEMORY, and the upscaler works as soon as they can.
 *
 * This program's malloc() and its kin count the calls and pass them on to glibc. oneDNN builds a small table of
 * arguments for each call of a primitive, and frees it; what is allocated from inside it is counted apart, must be
 * little each time, and must be gone after the frame. All else must be nothing at all.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "picture.h"
#include "yonos.h"

/* glibc's own, under the names that it gives them for programs such as this one. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *memory);

static int counting;        /* atomic */
static int calls;           /* atomic: all but oneDNN's */
static int library_calls;   /* atomic: oneDNN's and its C++ runtime's */
static int library_bytes;   /* atomic: of these */
static const void *caller;  /* of one that was counted */
static int freed;           /* atomic: calls of free() with something in it */
static int until_failure;   /* of the engine's aligned allocations, that many succeed and one fails; 0: none fails */

static gboolean is_library(const void *address) {
    Dl_info info;
    return dladdr(address, &info) && info.dli_fname &&
           (strstr(info.dli_fname, "libdnnl") || strstr(info.dli_fname, "libstdc++"));
}

static void count(size_t size, const void *address) {
    if (!g_atomic_int_get(&counting))
        return;
    if (is_library(address)) {
        g_atomic_int_inc(&library_calls);
        g_atomic_int_add(&library_bytes, (int)size);
    } else {
        g_atomic_int_inc(&calls);
        caller = address;
    }
}

void *malloc(size_t size) {
    count(size, __builtin_return_address(0));
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    count(number * size, __builtin_return_address(0));
    return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size) {
    count(size, __builtin_return_address(0));
    return __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size) {
    count(size, __builtin_return_address(0));
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    count(size, __builtin_return_address(0));
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
    const void *from = __builtin_return_address(0);
    count(size, from);
    if (until_failure > 0 && !is_library(from) && --until_failure == 0)
        return ENOMEM;
    *memory = __libc_memalign(alignment, size);
    return *memory ? 0 : ENOMEM;
}

void free(void *memory) {
    if (memory && g_atomic_int_get(&counting))
        g_atomic_int_inc(&freed);
    __libc_free(memory);
}

/* ---- frames --------------------------------------------------------------------------------------------- */

typedef struct {
    YonosUpscaler *upscaler;
    Picture *in, *out;
} Stream;

static Stream stream_new(const char *folder, YonosPrecision precision, int tile_size, YonosFormat format) {
    g_autoptr(GError) error = NULL;
    Stream s = {0};
    YonosModel *model = yonos_model_open(folder, &error);
    g_assert_no_error(error);
    YonosOptions options = YONOS_OPTIONS_INIT;
    options.backend = "cpu";
    options.precision = precision;
    options.threads = 2;
    options.tile_size = tile_size;
    options.noise_mode = YONOS_NOISE_PER_FRAME;
    options.colour_fix = YONOS_COLOUR_FIX_BACK_PROJECTION;
    s.upscaler = yonos_upscaler_new(model, &options, &error);
    g_assert_no_error(error);
    int scale = yonos_model_get_scale(model);
    s.in = picture_new(format, 61, 47, PICTURE_PADDED);
    s.out = picture_new(format, 61 * scale, 47 * scale, PICTURE_PADDED);
    picture_fill_noise(s.in, 5);
    yonos_model_unref(model);
    return s;
}

static void stream_run(const Stream *s, guint frames) {
    GError *error = NULL;
    for (guint i = 0; i < frames; i++) {
        gboolean ok = yonos_upscaler_process(s->upscaler, &s->in->frame, &s->out->frame, i, &error);
        g_assert_true(ok);
    }
}

static void stream_clear(Stream *s) {
    yonos_upscaler_free(s->upscaler);
    picture_free(s->in);
    picture_free(s->out);
}

static const char *name_of(const void *address) {
    Dl_info info;
    return dladdr(address, &info) && info.dli_sname ? info.dli_sname : "somewhere";
}

static void check(const char *folder, YonosPrecision precision, int tile_size, YonosFormat format) {
    enum { WARM_UP = 2, FRAMES = 3, SMALL = 256 };
    Stream s = stream_new(folder, precision, tile_size, format);
    stream_run(&s, WARM_UP);
    calls = library_calls = library_bytes = freed = 0;
    g_atomic_int_set(&counting, 1);
    stream_run(&s, FRAMES);
    g_atomic_int_set(&counting, 0);
    g_test_message("%s: %d calls, in oneDNN %d of %d bytes, %d frees", folder, calls, library_calls, library_bytes,
                   freed);
    if (calls)
        g_error("%d allocations in %d frames, one of them in %s", calls, FRAMES, name_of(caller));
    g_assert_cmpint(freed, ==, library_calls);
    g_assert_cmpint(library_bytes, <=, SMALL * library_calls);
    stream_clear(&s);
}

/* The counter itself: one allocation is one. */
static void test_counter(void) {
    calls = library_calls = 0;
    g_atomic_int_set(&counting, 1);
    void *volatile memory = g_malloc(100);
    g_free(memory);
    g_atomic_int_set(&counting, 0);
    g_assert_cmpint(calls, ==, 1);
    g_assert_cmpint(library_calls, ==, 0);
}

/* ---- failures ------------------------------------------------------------------------------------------- */

/* Everything from the upscaler to the first frame with the given allocation failing; FALSE where there are fewer. */
static gboolean fail_at(YonosModel *model, const YonosOptions *options, int which, Picture *in, Picture *out) {
    GError *error = NULL;
    until_failure = which;
    YonosUpscaler *upscaler = yonos_upscaler_new(model, options, &error);
    gboolean ok = upscaler && yonos_upscaler_process(upscaler, &in->frame, &out->frame, 0, &error);
    gboolean failed = until_failure == 0;
    until_failure = 0;
    g_assert_true(ok != failed);
    if (failed) {
        g_assert_error(error, YONOS_ERROR, YONOS_ERROR_MEMORY);
        g_assert_nonnull(strstr(error->message, "out of memory"));
        g_clear_error(&error);
    }
    if (upscaler) {
        ok = yonos_upscaler_process(upscaler, &in->frame, &out->frame, 0, &error);
        g_assert_no_error(error);
        g_assert_true(ok);
    }
    yonos_upscaler_free(upscaler);
    return failed;
}

static void test_failures(gconstpointer backend) {
    g_autoptr(GError) error = NULL;
    g_autoptr(YonosModel) model = yonos_model_open(GOLDEN_MODELS "/text-free", &error);
    g_assert_no_error(error);
    int scale = yonos_model_get_scale(model), failures = 0;
    g_autoptr(Picture) in = picture_new(YONOS_FORMAT_RGB, 9, 7, PICTURE_TIGHT);
    g_autoptr(Picture) out = picture_new(YONOS_FORMAT_RGB, 9 * scale, 7 * scale, PICTURE_TIGHT);
    YonosOptions options = YONOS_OPTIONS_INIT;
    options.backend = backend;
    options.threads = 1;
    while (fail_at(model, &options, failures + 1, in, out))
        failures++;
    size_t held = mallinfo2().uordblks;
    for (int i = 1; i <= failures; i++)
        fail_at(model, &options, i, in, out);
    g_assert_cmpuint(mallinfo2().uordblks, <, held + (1 << 16)); /* the second time nothing is left behind */
    g_test_message("%s: %d allocations failed, one at a time", options.backend, failures);
    g_assert_cmpint(failures, >=, 2); /* arena and workspace at least */
}

static void test_whole_frames(void) {
    check(DEFAULT_MODEL, YONOS_PRECISION_F32, 0, YONOS_FORMAT_RGB);
    check(DEFAULT_MODEL, YONOS_PRECISION_AUTO, 0, YONOS_FORMAT_NV12);
}

static void test_tiles(void) {
    check(DEFAULT_MODEL, YONOS_PRECISION_AUTO, 64, YONOS_FORMAT_I420_10LE);
    check(GOLDEN_MODELS "/cross-linear", YONOS_PRECISION_F32, 64, YONOS_FORMAT_BGRA);
    check(GOLDEN_MODELS "/cross-linear", YONOS_PRECISION_AUTO, 64, YONOS_FORMAT_BGRA);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/allocations/counter", test_counter);
    g_test_add_func("/allocations/whole-frames", test_whole_frames);
    g_test_add_func("/allocations/tiles", test_tiles);
    g_test_add_data_func("/allocations/failures/ref", "ref", test_failures);
    g_test_add_data_func("/allocations/failures/cpu", "cpu", test_failures);
    return g_test_run();
}
