/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The CUDA backend's own code, from the module's entry point to the caller's frames, on the host: ref's picture on every
 * run of a plan (the first is eager, the second records, later ones replay), and an error with every call that fails.
 */
#include <math.h>

#include "backend/format.h"
#include "cuda_runtime_api.h"
#include "host.h"
#include "plan/plan.h"
#include "picture.h"
#include "remove-tree.h"
#include "tiny-model.h"

extern YonosBackend *yonos_cuda_open(int abi, YonosPrecision precision, int device, void *context,
                                     GError **error);

static char *model_folder;

/* What one test upscales. */
typedef struct {
    const char *model; /* NULL: the tiny model */
    YonosPrecision precision;
    YonosFormat format;
    PictureLayout layout;
    int width, height, tile_size, tile_batch;
    YonosColourFix colour_fix;
    int difference;    /* largest allowed, in codes */
} Case;

static const Case tiny = {NULL, YONOS_PRECISION_F32, YONOS_FORMAT_RGB, PICTURE_TIGHT, 24, 18, 0, 0,
                          YONOS_COLOUR_FIX_DEFAULT, 1};

static YonosModel *open_model(const Case *c) {
    g_autoptr(GError) error = NULL;
    g_autofree char *golden = c->model ? g_build_filename(GOLDEN_MODELS, c->model, NULL) : NULL;
    YonosModel *model = yonos_model_open(golden ? golden : model_folder, &error);
    g_assert_no_error(error);
    return model;
}

/* Takes NULL for `backend`, and gives NULL. */
static YonosPlan *make_plan(const Case *c, YonosModel *model, YonosBackend *backend, GError **error) {
    if (!backend)
        return NULL;
    YonosFrameSpec spec = {.width = c->width, .height = c->height, .format = c->format, .tile_size = c->tile_size,
                           .tile_batch = c->tile_batch,
                           .tile_overlap = -1, .colour_fix = c->colour_fix, .dtype = backend->dtype,
                           .colour = {.kr = 0.2126, .kb = 0.0722, .chroma_cosited_h = TRUE}};
    YonosGraph *graph = yonos_model_build_frame(model, &spec, error);
    return graph ? yonos_plan_new(backend, graph, FALSE, error) : NULL;
}

/* The frame `number` of a clip through `plan`; NULL with `error` set. */
static Picture *run_plan(const Case *c, YonosPlan *plan, int scale, guint64 number, GError **error) {
    g_autoptr(Picture) in = picture_new(c->format, c->width, c->height, c->layout);
    g_autoptr(Picture) out = picture_new(c->format, c->width * scale, c->height * scale, c->layout);
    picture_fill_noise(in, (guint32)number);
    if (!yonos_plan_run(plan, &in->frame, &out->frame, 7 + number / 2, number, NULL, error))
        return NULL;
    g_assert_true(picture_is_intact(out));
    return g_steal_pointer(&out);
}

/* Largest difference of two bytes, or of two 16-bit samples for the formats of 10 bits. */
static int difference_of(const Picture *a, const Picture *b) {
    int largest = 0;
    gboolean wide = a->frame.format == YONOS_FORMAT_I420_10LE || a->frame.format == YONOS_FORMAT_P010_10LE;
    int shift = a->frame.format == YONOS_FORMAT_P010_10LE ? 6 : 0;
    for (gsize i = 0; i + 1 < a->bytes; i += wide ? 2 : 1) {
        int x = wide ? (a->memory[i] | a->memory[i + 1] << 8) >> shift : a->memory[i];
        int y = wide ? (b->memory[i] | b->memory[i + 1] << 8) >> shift : b->memory[i];
        largest = MAX(largest, ABS(x - y));
    }
    return largest;
}

static void test_picture(gconstpointer data) {
    enum { RUNS = 3 };
    const Case *c = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(YonosModel) model = open_model(c);
    g_autoptr(YonosBackend) cuda = yonos_cuda_open(YONOS_BACKEND_ABI, c->precision, 0, NULL, &error);
    g_assert_no_error(error);
    g_autoptr(YonosBackend) ref = yonos_backend_ref_new(c->precision, &error);
    g_autoptr(YonosPlan) plan = make_plan(c, model, cuda, &error);
    g_assert_no_error(error);
    Case one_by_one = *c;
    one_by_one.tile_batch = 0;
    g_autoptr(YonosPlan) expected = make_plan(&one_by_one, model, ref, &error);
    g_assert_no_error(error);
    g_assert_cmpint(yonos_tile_grid_batch(yonos_plan_get_graph(plan)->grid), ==, MAX(c->tile_batch, 1));
    int replays = cuda_host_graph_launches();
    for (guint64 number = 0; number < RUNS; number++) {
        g_autoptr(Picture) is = run_plan(c, plan, yonos_model_get_scale(model), number, &error);
        g_assert_no_error(error);
        g_autoptr(Picture) should = run_plan(c, expected, yonos_model_get_scale(model), number, &error);
        int difference = difference_of(is, should);
        if (difference > c->difference)
            g_error("frame %d differs by %d codes from ref's", (int)number, difference);
    }
    g_assert_cmpint(cuda_host_graph_launches(), >=, replays + RUNS - 1);
    g_assert_cmpuint(cuda->weight_bytes(cuda), >, 0);
}

/* Frames one behind the other, two in flight, of one plan or of two by turns: the pictures of frames alone. */
static void test_in_flight(gconstpointer data) {
    enum { FRAMES = 5 };
    const Case *c = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(YonosModel) model = open_model(c);
    g_autoptr(YonosBackend) cuda = yonos_cuda_open(YONOS_BACKEND_ABI, c->precision, 0, NULL, &error);
    g_autoptr(YonosPlan) alone = make_plan(c, model, cuda, &error), first = make_plan(c, model, cuda, &error),
                         second = make_plan(c, model, cuda, &error);
    g_assert_no_error(error);
    int scale = yonos_model_get_scale(model);
    for (int plans = 1; plans <= 2; plans++) {
        Picture *out[FRAMES];
        for (int i = 0; i <= FRAMES; i++) {
            YonosPlan *plan[2] = {first, plans == 2 ? second : first};
            g_autoptr(Picture) in = picture_new(c->format, c->width, c->height, c->layout);
            picture_fill_noise(in, (guint32)i);
            if (i < FRAMES) {
                out[i] = picture_new(c->format, c->width * scale, c->height * scale, c->layout);
                yonos_plan_submit(plan[i % 2], &in->frame, &out[i]->frame, 7 + (guint64)i / 2, (guint64)i, NULL, &error);
                g_assert_no_error(error);
            }
            if (i > 0)
                yonos_plan_collect(plan[(i - 1) % 2], &error);
            g_assert_no_error(error);
        }
        for (int i = 0; i < FRAMES; i++) {
            g_autoptr(Picture) expected = run_plan(c, alone, scale, (guint64)i, &error);
            g_assert_no_error(error);
            g_assert_true(picture_is_intact(out[i]));
            g_assert_true(picture_equal(out[i], expected));
            picture_free(out[i]);
        }
    }
}

/* ---- contexts, and frames in their memory --------------------------------------------------------------- */

static void copy_rows(const YonosFrame *to, const YonosFrame *from) {
    const YonosFormatInfo *info = yonos_format_get_info(from->format);
    for (int i = 0; i < info->planes; i++)
        for (int y = 0; y < yonos_format_rows(info, i, from->height); y++)
            memcpy((char *)to->plane[i] + y * to->stride[i], (const char *)from->plane[i] + y * from->stride[i],
                   yonos_format_row_bytes(info, i, from->width));
}

/* The primary context is neither of them. */
static void *const context_a = CUDA_HOST_CONTEXTS, *const context_b = CUDA_HOST_CONTEXTS + 1;

/* A frame like `host`, in a block of its own for each plane; freed by device_frame_free(). */
static YonosFrame device_frame_new(const YonosFrame *host, void *context) {
    const YonosFormatInfo *info = yonos_format_get_info(host->format);
    YonosFrame frame = *host;
    frame.cuda_context = context;
    for (int i = 0; i < info->planes; i++) {
        frame.stride[i] = (gssize)yonos_format_row_bytes(info, i, host->width) + 32 * (i + 1);
        frame.plane[i] = cuda_host_context_allocate(
            context, (gsize)frame.stride[i] * (gsize)yonos_format_rows(info, i, host->height));
    }
    copy_rows(&frame, host);
    return frame;
}

static void device_frame_free(YonosFrame *frame) {
    for (int i = 0; i < yonos_format_get_info(frame->format)->planes; i++)
        cuda_host_context_free(frame->plane[i]);
}

/* Frames on their way, in the host's memory and in a context's. */
typedef struct {
    Picture *host;
    YonosFrame device; /* of no use where the frame is in the host's memory */
    YonosFrame *frame; /* one of the two */
} Anywhere;

static Anywhere *anywhere_new(Picture *host, void *context) {
    Anywhere *a = g_new0(Anywhere, 1);
    a->host = host;
    a->frame = &host->frame;
    if (context) {
        a->device = device_frame_new(&host->frame, context);
        a->frame = &a->device;
    }
    return a;
}

/* The picture, which has what is in the context's memory. Frees the rest. */
static Picture *anywhere_take(Anywhere *a) {
    Picture *host = a->host;
    if (a->frame == &a->device) {
        copy_rows(&host->frame, &a->device);
        device_frame_free(&a->device);
    }
    g_free(a);
    return host;
}

/* Two frames in flight, from each memory to each: the pictures of the host's memory. The backend works in `own`. */
static void check_contexts(const Case *c, void *own) {
    enum { MEMORIES = 3, FRAMES = MEMORIES * MEMORIES };
    void *const memories[MEMORIES] = {NULL, context_a, context_b};
    g_autoptr(GError) error = NULL;
    g_autoptr(YonosModel) model = open_model(c);
    g_autoptr(YonosBackend) cuda = yonos_cuda_open(YONOS_BACKEND_ABI, c->precision, 0, own, &error);
    g_autoptr(YonosPlan) alone = make_plan(c, model, cuda, &error), plan = make_plan(c, model, cuda, &error);
    g_assert_no_error(error);
    int scale = yonos_model_get_scale(model);
    Anywhere *in[FRAMES], *out[FRAMES];
    for (int i = 0; i <= FRAMES; i++) {
        if (i < FRAMES) {
            Picture *picture = picture_new(c->format, c->width, c->height, c->layout);
            picture_fill_noise(picture, (guint32)i);
            in[i] = anywhere_new(picture, memories[i % MEMORIES]);
            out[i] = anywhere_new(picture_new(c->format, c->width * scale, c->height * scale, c->layout),
                                  memories[i / MEMORIES]);
            yonos_plan_submit(plan, in[i]->frame, out[i]->frame, 7 + (guint64)i / 2, (guint64)i, NULL, &error);
            g_assert_no_error(error);
        }
        if (i > 0)
            yonos_plan_collect(plan, &error);
        g_assert_no_error(error);
    }
    for (int i = 0; i < FRAMES; i++) {
        g_autoptr(Picture) expected = run_plan(c, alone, scale, (guint64)i, &error), from = anywhere_take(in[i]),
                           to = anywhere_take(out[i]);
        g_assert_no_error(error);
        g_assert_nonnull(from);
        g_assert_true(picture_is_intact(to));
        g_assert_true(picture_equal(to, expected));
    }
}

static void test_contexts(gconstpointer data) {
    check_contexts(data, NULL);
    check_contexts(data, context_a);
}

/* What becomes of a discarded or a failed frame no longer touches the caller's memory. */
static void check_given_back(void *own) {
    g_autoptr(GError) error = NULL;
    g_autoptr(YonosModel) model = open_model(&tiny);
    g_autoptr(YonosBackend) cuda = yonos_cuda_open(YONOS_BACKEND_ABI, tiny.precision, 0, own, &error);
    g_autoptr(YonosPlan) plan = make_plan(&tiny, model, cuda, &error);
    g_autoptr(Picture) in = picture_new(tiny.format, tiny.width, tiny.height, tiny.layout);
    g_autoptr(Picture) out = picture_new(tiny.format, 2 * tiny.width, 2 * tiny.height, tiny.layout);
    picture_fill_noise(in, 1);
    int failures = 0;
    for (int n = 0; n < 60; n++) {
        YonosFrame from = device_frame_new(&in->frame, context_a), to = device_frame_new(&out->frame, context_a);
        cuda_host_fail_after(n, cudaErrorInvalidValue);
        gboolean ok = yonos_plan_submit(plan, &from, &to, 0, 0, NULL, &error);
        cuda_host_fail_after(-1, 0);
        failures += !ok;
        g_clear_error(&error);
        if (ok)
            yonos_plan_discard(plan);
        device_frame_free(&from);
        device_frame_free(&to);
    }
    g_assert_cmpint(failures, >, 10);
    g_autoptr(Picture) after = run_plan(&tiny, plan, 2, 3, &error);
    g_assert_no_error(error);
    g_assert_nonnull(after);
}

static void test_given_back(void) {
    check_given_back(NULL);
    check_given_back(context_a);
}

/* Two plans take turns on one backend, one of them with reuse: tiles and seeds of one are not the other's. */
static void test_two_plans(void) {
    Case tiled = tiny;
    tiled.width = 60;
    tiled.tile_size = 64;
    g_autoptr(GError) error = NULL;
    g_autoptr(YonosModel) model = open_model(&tiny);
    g_autoptr(YonosBackend) cuda = yonos_cuda_open(YONOS_BACKEND_ABI, YONOS_PRECISION_F32, 0, NULL, &error);
    g_autoptr(YonosPlan) first = make_plan(&tiny, model, cuda, &error), second = make_plan(&tiled, model, cuda, &error);
    g_assert_no_error(error);
    g_assert_true(yonos_plan_set_reuse(second, TRUE, &error));
    g_autoptr(Picture) first_alone = run_plan(&tiny, first, 2, 3, &error);
    g_autoptr(Picture) second_alone = run_plan(&tiled, second, 2, 4, &error);
    for (int i = 0; i < 4; i++) {
        g_autoptr(Picture) a = run_plan(&tiny, first, 2, 3, &error), b = run_plan(&tiled, second, 2, 4, &error);
        g_assert_no_error(error);
        g_assert_true(picture_equal(a, first_alone));
        g_assert_true(picture_equal(b, second_alone));
    }
    YonosPlanInfo info;
    yonos_plan_get_info(second, &info);
    g_assert_cmpuint(info.tiles_reused, >, 0);
}

/* ---- failures ---------------------------------------------------------------------------------------- */

static gboolean check_failure(const GError *error, const char *call, int status) {
    const char *named = call;
    if (!error)
        return FALSE;
    /* Launches are reported under the name of the operation's launch function. */
    if (strcmp(call, "cudaLaunchKernel") == 0)
        named = "yonos_cuda_";
    /* What may fail unseen then fails in the next call. */
    if (status == cudaErrorIllegalAddress)
        named = "restart it";
    g_assert_true(error->domain == YONOS_ERROR);
    g_assert_cmpint(error->code, ==, status == cudaErrorMemoryAllocation ? YONOS_ERROR_MEMORY : YONOS_ERROR_DEVICE);
    if (!strstr(error->message, named) || !strstr(error->message, "; ") || !strstr(error->message, "backend cuda: "))
        g_error("%s failed, but it is said: %s", call, error->message);
    return TRUE;
}

/* All that a program does, with everything freed at its end: a frame alone, which runs eagerly, and two in flight, which
 * record and replay. The failure, if there was one, is in *error. */
static void whole_life(const Case *c, void *own, YonosModel *model, GError **error) {
    YonosBackend *cuda = yonos_cuda_open(YONOS_BACKEND_ABI, c->precision, 0, own, error);
    YonosPlan *plan = make_plan(c, model, cuda, error);
    int scale = yonos_model_get_scale(model);
    Picture *first = plan ? run_plan(c, plan, scale, 0, error) : NULL;
    g_assert_true((first != NULL) == (*error == NULL));
    g_clear_pointer(&first, picture_free);
    g_autoptr(Picture) in = picture_new(c->format, c->width, c->height, c->layout);
    g_autoptr(Picture) out = picture_new(c->format, c->width * scale, c->height * scale, c->layout);
    YonosFrame from = device_frame_new(&in->frame, context_b), to = device_frame_new(&out->frame, context_a);
    gboolean ok = plan && !*error && yonos_plan_submit(plan, &in->frame, &out->frame, 0, 0, NULL, error) &&
                  yonos_plan_submit(plan, &from, &to, 0, 0, NULL, error) && yonos_plan_collect(plan, error) &&
                  yonos_plan_collect(plan, error) &&
                  yonos_plan_submit(plan, &in->frame, &out->frame, 0, 0, NULL, error); /* and is left in flight */
    g_assert_true(ok == (*error == NULL));
    g_clear_pointer(&plan, yonos_plan_free);
    g_clear_pointer(&cuda, yonos_backend_close);
    device_frame_free(&from);
    device_frame_free(&to);
}

/* Calls whose failure changes nothing that a caller could see: freeing, and what recordings can do without. */
static gboolean may_be_silent(const char *call) {
    static const char *const calls[] = {"cudaFree", "cudaFreeHost", "cudaEventDestroy", "cudaStreamDestroy",
                                        "cudaGraphDestroy", "cudaGraphExecDestroy", "cudaStreamBeginCapture",
                                        "cudaStreamEndCapture", "cudaGraphInstantiate", "cudaStreamSynchronize",
                                        "cudaSetDevice", "cuCtxSetCurrent", "cudaLaunchKernel", "cudnnBackendExecute",
                                        "cublasLtMatmul", "cudnnBackendFinalize", NULL}; /* the last one: another engine is
                                                                                            built */
    return g_strv_contains(calls, call);
}

/* With every call failing in turn, by `status`; nothing is timed any more. */
static void check_failures(int status, void *own) {
    Case c = tiny;
    c.format = YONOS_FORMAT_NV12;
    c.width = 60;
    c.height = 34;
    c.tile_size = 64;
    g_autoptr(YonosModel) model = open_model(&c);
    g_autoptr(GError) none = NULL;
    cuda_host_set_working(FALSE);
    whole_life(&c, own, model, &none);
    g_assert_no_error(none);
    int outstanding = cuda_host_outstanding(), start = cuda_host_calls();
    whole_life(&c, own, model, &none);
    g_assert_no_error(none);
    int calls = cuda_host_calls() - start, silent = 0;
    g_assert_cmpint(calls, >, 200);
    for (int n = 0; n < calls; n++) {
        g_autoptr(GError) error = NULL;
        cuda_host_fail_after(n, status);
        whole_life(&c, own, model, &error);
        const char *failed = cuda_host_failed_call();
        g_assert_nonnull(failed);
        if (!check_failure(error, failed, status)) {
            silent++;
            if (!may_be_silent(failed))
                g_error("call %d, %s, failed, and nothing was said", n, failed);
        }
        if (cuda_host_outstanding() != outstanding)
            g_error("call %d, %s, failed, and %d things were not freed", n, failed, cuda_host_outstanding());
    }
    cuda_host_fail_after(-1, 0);
    cuda_host_set_working(TRUE);
    g_test_message("%d calls, each failed once: %d errors, %d without consequence", calls, calls - silent, silent);
    g_assert_cmpint(silent, <, calls / 2);
}

static void test_failures_once(void) {
    check_failures(cudaErrorInvalidValue, NULL);
    check_failures(cudaErrorInvalidValue, context_a);
}

static void test_failures_memory(void) { check_failures(cudaErrorMemoryAllocation, NULL); }

static void test_failures_lost(void) { check_failures(cudaErrorIllegalAddress, NULL); }

static void assert_refused(int abi, int device, YonosError code, const char *word) {
    g_autoptr(GError) error = NULL;
    g_assert_null(yonos_cuda_open(abi, YONOS_PRECISION_AUTO, device, NULL, &error));
    g_assert_error(error, YONOS_ERROR, (int)code);
    if (!strstr(error->message, word))
        g_error("\"%s\" does not say \"%s\"", error->message, word);
    g_assert_cmpint(cuda_host_outstanding(), ==, 0);
}

static void test_machines(void) {
    assert_refused(YONOS_BACKEND_ABI + 1, 0, YONOS_ERROR_DEVICE, "built for another version");
    cuda_host_set_devices(0, 0);
    assert_refused(YONOS_BACKEND_ABI, 0, YONOS_ERROR_DEVICE, "no NVIDIA driver");
    cuda_host_set_devices(1, 12080);
    assert_refused(YONOS_BACKEND_ABI, 0, YONOS_ERROR_DEVICE, "is for CUDA 12.8, but CUDA 13.0 is needed");
    cuda_host_set_devices(0, 13000);
    assert_refused(YONOS_BACKEND_ABI, 0, YONOS_ERROR_DEVICE, "a driver but no device");
    cuda_host_set_devices(2, 13010);
    assert_refused(YONOS_BACKEND_ABI, 2, YONOS_ERROR_ARGUMENT, "there is no device 2; the last one is cuda:1");
    cuda_host_set_capability(75);
    assert_refused(YONOS_BACKEND_ABI, 0, YONOS_ERROR_DEVICE, "compute capability 7.5, but 8.0 is needed");
    cuda_host_set_capability(90);
    for (YonosPrecision precision = YONOS_PRECISION_AUTO; precision <= YONOS_PRECISION_F16; precision++) {
        static const YonosDType dtypes[] = {YONOS_DTYPE_BF16, YONOS_DTYPE_F32, YONOS_DTYPE_BF16, YONOS_DTYPE_F16};
        g_autoptr(GError) error = NULL;
        g_autoptr(YonosBackend) backend = yonos_cuda_open(YONOS_BACKEND_ABI, precision, 1, NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpint(backend->dtype, ==, dtypes[precision]);
        g_assert_cmpstr(backend->device, ==, "host stand-in (device 1)");
    }
}

/* ---- what is upscaled -------------------------------------------------------------------------------------- */

typedef struct {
    const char *name;
    Case c;
} NamedCase;

static const NamedCase in_flight[] = {
    {"rgb", {NULL, YONOS_PRECISION_F32, YONOS_FORMAT_RGB, PICTURE_TIGHT, 8, 6, 0, 0, YONOS_COLOUR_FIX_NONE, 0}},
    {"alpha", {NULL, YONOS_PRECISION_F32, YONOS_FORMAT_ARGB, PICTURE_UPSIDE, 7, 5, 0, 0, YONOS_COLOUR_FIX_NONE, 0}},
    {"tiles", {NULL, YONOS_PRECISION_F32, YONOS_FORMAT_NV12, PICTURE_PADDED, 40, 8, 64, 0, YONOS_COLOUR_FIX_ADAIN, 0}},
    {"batches", {NULL, YONOS_PRECISION_F32, YONOS_FORMAT_RGB, PICTURE_TIGHT, 50, 8, 64, 2, YONOS_COLOUR_FIX_NONE, 0}},
};

static const NamedCase cases[] = {
    {"rgb", {NULL, YONOS_PRECISION_F32, YONOS_FORMAT_RGB, PICTURE_TIGHT, 24, 18, 0, 0, YONOS_COLOUR_FIX_NONE, 1}},
    {"odd", {NULL, YONOS_PRECISION_F32, YONOS_FORMAT_BGRX, PICTURE_PADDED, 23, 17, 0, 0, YONOS_COLOUR_FIX_ADAIN, 1}},
    {"one-pixel", {NULL, YONOS_PRECISION_F32, YONOS_FORMAT_I420, PICTURE_TIGHT, 1, 1, 0, 0, YONOS_COLOUR_FIX_NONE, 1}},
    {"upside-down", {NULL, YONOS_PRECISION_F32, YONOS_FORMAT_RGB, PICTURE_UPSIDE, 20, 20, 0, 0, YONOS_COLOUR_FIX_WAVELET, 1}},
    {"alpha", {NULL, YONOS_PRECISION_F32, YONOS_FORMAT_ARGB, PICTURE_PADDED, 24, 18, 0, 0, YONOS_COLOUR_FIX_NONE, 1}},
    {"tiles", {NULL, YONOS_PRECISION_F32, YONOS_FORMAT_NV12, PICTURE_PADDED, 40, 37, 64, 0, YONOS_COLOUR_FIX_BACK_PROJECTION, 1}},
    {"batches", {NULL, YONOS_PRECISION_F32, YONOS_FORMAT_RGB, PICTURE_PADDED, 75, 37, 64, 2, YONOS_COLOUR_FIX_BACK_PROJECTION, 1}},
    {"ten-bits", {NULL, YONOS_PRECISION_F32, YONOS_FORMAT_P010_10LE, PICTURE_TIGHT, 31, 22, 0, 0, YONOS_COLOUR_FIX_NONE, 1}},
    {"ten-bits-planar", {NULL, YONOS_PRECISION_F32, YONOS_FORMAT_I420_10LE, PICTURE_PADDED, 70, 22, 64, 0, YONOS_COLOUR_FIX_NONE, 1}},
    {"text-free", {"text-free", YONOS_PRECISION_F32, YONOS_FORMAT_RGB, PICTURE_TIGHT, 12, 10, 0, 0, YONOS_COLOUR_FIX_NONE, 1}},
    {"cross-linear", {"cross-linear", YONOS_PRECISION_F32, YONOS_FORMAT_RGB, PICTURE_TIGHT, 8, 12, 0, 0, YONOS_COLOUR_FIX_NONE, 1}},
    {"cross-conv", {"cross-conv", YONOS_PRECISION_F32, YONOS_FORMAT_NV12, PICTURE_TIGHT, 8, 10, 0, 0, YONOS_COLOUR_FIX_NONE, 1}},
    {"bf16", {"text-free", YONOS_PRECISION_BF16, YONOS_FORMAT_RGB, PICTURE_TIGHT, 12, 10, 0, 0, YONOS_COLOUR_FIX_NONE, 12}},
    {"f16", {"text-free", YONOS_PRECISION_F16, YONOS_FORMAT_RGB, PICTURE_TIGHT, 12, 10, 0, 0, YONOS_COLOUR_FIX_NONE, 3}},
};

int main(int argc, char **argv) {
    g_autofree char *cache = g_dir_make_tmp("yonos-backend-XXXXXX", NULL);
    g_setenv("XDG_CACHE_HOME", cache, TRUE);
    g_test_init(&argc, &argv, NULL);
    model_folder = tiny_model_new();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strconcat("/backend/picture/", cases[i].name, NULL);
        g_test_add_data_func(path, &cases[i].c, test_picture);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(in_flight); i++) {
        g_autofree char *path = g_strconcat("/backend/in-flight/", in_flight[i].name, NULL);
        g_test_add_data_func(path, &in_flight[i].c, test_in_flight);
        g_autofree char *contexts = g_strconcat("/backend/contexts/", in_flight[i].name, NULL);
        g_test_add_data_func(contexts, &in_flight[i].c, test_contexts);
    }
    g_test_add_func("/backend/contexts/given-back", test_given_back);
    g_test_add_func("/backend/two-plans", test_two_plans);
    g_test_add_func("/backend/failures/once", test_failures_once);
    g_test_add_func("/backend/failures/memory", test_failures_memory);
    g_test_add_func("/backend/failures/lost", test_failures_lost);
    g_test_add_func("/backend/machines", test_machines);
    int result = g_test_run();
    tiny_model_remove(model_folder);
    remove_tree(cache);
    return result;
}
