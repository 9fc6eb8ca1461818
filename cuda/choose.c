/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See choose.h. The scratch memory: the trial's own bytes, the parts of a comparison, the workspace.
 */
#include "choose.h"

#include <math.h>

#include "tune.h"

enum { CANDIDATES = 8 };
static const gsize max_workspace = (gsize)256 << 20; /* bytes; more only where nothing else works */
static const char own_name[] = "own kernel";

typedef struct {
    const CudaTrial *trial;
    CudaDnnChoice *choice; /* NULL: the own kernel */
    char *memory;
    gsize differences, workspace; /* where they begin */
} Attempt;

static gboolean try_choice(gpointer data, GError **error) {
    const Attempt *a = data;
    return a->trial->try(a->choice, a->memory, a->memory + a->workspace, a->trial->data, error);
}

/* Builds all; drops those that fail or want too much workspace while others do not. Returns the largest workspace. */
static gsize build_all(GPtrArray *choices) {
    gsize largest = 0;
    for (guint i = 0; i < choices->len;) {
        g_autoptr(GError) error = NULL;
        CudaDnnChoice *choice = g_ptr_array_index(choices, i);
        gboolean built = cuda_dnn_choice_build(choice, &error);
        if (!built)
            g_debug("%s", error->message);
        if (built && (cuda_dnn_choice_workspace(choice) <= max_workspace || choices->len == 1)) {
            largest = MAX(largest, cuda_dnn_choice_workspace(choice));
            i++;
        } else {
            g_ptr_array_remove_index(choices, i);
        }
    }
    return largest;
}

/* ---- the own kernel's result --------------------------------------------------------------------------- */

/* Runs attempt->choice, its result, at `result`, undefined before. */
static gboolean run_anew(const YonosCuda *cuda, Attempt *attempt, gsize result, GError **error) {
    gsize bytes = attempt->trial->count * yonos_dtype_size(attempt->trial->dtype);
    return cuda_call(cuda, error, cudaMemsetAsync, attempt->memory + result, 0xff, bytes, cuda->stream) && /* NaN */
           try_choice(attempt, error);
}

/* Both results are there. Their sums have other orders, which shows in the last bit of some, and in more bits of those
 * whose terms cancel: a sixteenth of that bit of the largest. */
static gboolean compare(YonosCuda *cuda, const Attempt *a, GError **error) {
    const CudaTrial *t = a->trial;
    float last_bit = t->dtype == YONOS_DTYPE_F16 ? 0x1p-10f : 0x1p-7f, excess = 0.0f, largest = 0.0f;
    g_autofree YonosCudaDifference *parts = g_new0(YonosCudaDifference, YONOS_CUDA_DIFFERENCES);
    char *to = a->memory + a->differences;
    if (!cuda_launch(cuda, error, yonos_cuda_difference, (YonosCudaDifference *)to, a->memory + t->own_result,
                     a->memory + t->result, t->dtype, t->count, last_bit, cuda->stream) ||
        !cuda->base.download(&cuda->base, parts, to, YONOS_CUDA_DIFFERENCES * sizeof *parts, error))
        return FALSE;
    for (int i = 0; i < YONOS_CUDA_DIFFERENCES; i++) {
        excess = MAX(excess, parts[i].excess);
        largest = MAX(largest, parts[i].largest);
    }
    if (!(largest > 0.0f && isfinite(largest)))
        return yonos_fail(error, YONOS_ERROR_DEVICE, "cuDNN's result, up to %g, proves nothing", largest);
    return excess <= largest * last_bit / 16 ||
           yonos_fail(error, YONOS_ERROR_DEVICE, "its result differs from cuDNN's by %g more than the last bit; values "
                      "are up to %g", excess, largest);
}

/* Whether the own kernel computes what the first of cuDNN's engines does that runs. */
static gboolean own_is_right(YonosCuda *cuda, GPtrArray *choices, Attempt *attempt) {
    g_autoptr(GError) error = NULL;
    const CudaTrial *t = attempt->trial;
    gboolean ran = FALSE;
    for (guint i = 0; i < choices->len && !ran; i++) {
        g_clear_error(&error);
        attempt->choice = g_ptr_array_index(choices, i);
        ran = run_anew(cuda, attempt, t->result, &error);
    }
    attempt->choice = NULL;
    if (ran && run_anew(cuda, attempt, t->own_result, &error) && compare(cuda, attempt, &error))
        return TRUE;
    g_message("backend cuda: %s: the own kernel is not used: %s", t->shape, error->message);
    return FALSE;
}

/* ---- timing -------------------------------------------------------------------------------------------- */

/* Milliseconds of attempt->choice; G_MAXFLOAT where it does not run. */
static float time_attempt(const YonosCuda *cuda, Attempt *attempt, const char *name) {
    g_autoptr(GError) error = NULL;
    float milliseconds;
    if (!cuda_time(cuda, try_choice, attempt, &milliseconds, &error)) {
        g_debug("%s", error->message);
        return G_MAXFLOAT;
    }
    g_debug("tune: %s: %s: %.4f ms", attempt->trial->shape, name, milliseconds);
    return milliseconds;
}

/* Index of the fastest; choices->len for the own kernel. */
static guint fastest(YonosCuda *cuda, GPtrArray *choices, Attempt *attempt) {
    float least = G_MAXFLOAT;
    guint best = 0;
    for (guint i = 0; i < choices->len; i++) {
        attempt->choice = g_ptr_array_index(choices, i);
        float milliseconds = time_attempt(cuda, attempt, cuda_dnn_choice_name(attempt->choice));
        if (milliseconds < least) {
            least = milliseconds;
            best = i;
        }
    }
    if (!attempt->trial->own || !own_is_right(cuda, choices, attempt))
        return best;
    float own = time_attempt(cuda, attempt, own_name);
    g_info("tune: %s: %s, %.4f ms; the own kernel %.4f ms, cuDNN %.4f ms", attempt->trial->shape,
           own < least ? own_name : "cuDNN", MIN(own, least), own, least);
    return own < least ? choices->len : best;
}

static gboolean prepare_memory(const YonosCuda *cuda, const Attempt *a, gsize bytes, GError **error) {
    gsize count = a->trial->bytes / yonos_dtype_size(a->trial->dtype);
    return cuda_call(cuda, error, cudaMemsetAsync, a->memory, 0, bytes, cuda->stream) &&
           cuda_launch(cuda, error, yonos_cuda_numbers, a->memory, a->trial->dtype, count, cuda->stream);
}

static CudaDnnChoice *take(GPtrArray *choices, guint i) { return g_ptr_array_steal_index(choices, i); }

/* `choices` is not empty, and all of it is built. */
static CudaDnnChoice *time_choices(YonosCuda *cuda, GPtrArray *choices, const CudaTrial *trial, gsize workspace) {
    Attempt attempt = {.trial = trial, .differences = yonos_size_align(trial->bytes, 256)};
    g_autoptr(GError) error = NULL;
    gsize bytes;
    attempt.workspace = attempt.differences + YONOS_CUDA_DIFFERENCES * sizeof(YonosCudaDifference);
    if ((choices->len == 1 && !trial->own) || !yonos_size_add(attempt.workspace, workspace, &bytes))
        return take(choices, 0);
    attempt.memory = cuda_allocate(cuda, bytes, &error);
    if (!attempt.memory || !prepare_memory(cuda, &attempt, bytes, &error)) {
        g_info("tune: %s: not timed: %s", trial->shape, error->message);
        cuda_free(cuda, attempt.memory);
        return take(choices, 0);
    }
    guint best = fastest(cuda, choices, &attempt);
    CudaDnnChoice *choice = best < choices->len ? take(choices, best) : NULL;
    cuda_free(cuda, attempt.memory);
    cuda_tune_set(cuda->tune, trial->shape, choice ? cuda_dnn_choice_name(choice) : own_name);
    return choice;
}

/* ---- choosing ------------------------------------------------------------------------------------------ */

static gboolean take_kept(const YonosCuda *cuda, CudaDnnGraph *graph, const CudaTrial *trial, CudaDnnChoice **choice) {
    g_autoptr(GError) error = NULL;
    const char *name = cuda_tune_get(cuda->tune, trial->shape);
    *choice = NULL;
    if (!name)
        return FALSE;
    if (trial->own && strcmp(name, own_name) == 0)
        return TRUE;
    *choice = cuda_dnn_choice_by_name(graph, name, &error);
    if (*choice && cuda_dnn_choice_build(*choice, &error))
        return TRUE;
    g_clear_pointer(choice, cuda_dnn_choice_free);
    if (error)
        g_debug("%s", error->message);
    return FALSE;
}

gboolean cuda_choose(YonosCuda *cuda, CudaDnnGraph *graph, const CudaTrial *trial, CudaDnnChoice **choice,
                     GError **error) {
    if (take_kept(cuda, graph, trial, choice))
        return TRUE;
    g_autoptr(GPtrArray) choices = cuda_dnn_choices(graph, CANDIDATES, error);
    if (!choices)
        return FALSE;
    gsize workspace = build_all(choices);
    if (choices->len == 0)
        return yonos_fail(error, YONOS_ERROR_DEVICE, "backend cuda: %s: no engine of cuDNN for %s can be built",
                          cuda->label, trial->shape);
    *choice = time_choices(cuda, choices, trial, workspace);
    return TRUE;
}
