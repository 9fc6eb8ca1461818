/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See choose.h.
 */
#include "choose.h"

#include "tune.h"

enum { CANDIDATES = 8 };
static const gsize max_workspace = (gsize)256 << 20; /* bytes; more only where nothing else works */

typedef struct {
    CudaDnnChoice *choice;
    char *memory;
    gsize bytes; /* where the workspace begins */
    CudaChoiceTry try;
    gconstpointer data;
} Trial;

static gboolean try_choice(gpointer data, GError **error) {
    const Trial *t = data;
    return t->try(t->choice, t->memory, t->memory + t->bytes, t->data, error);
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

static guint fastest(const YonosCuda *cuda, GPtrArray *choices, Trial *trial, const char *shape) {
    float least = G_MAXFLOAT;
    guint best = 0;
    for (guint i = 0; i < choices->len; i++) {
        g_autoptr(GError) error = NULL;
        float milliseconds;
        trial->choice = g_ptr_array_index(choices, i);
        if (!cuda_time(cuda, try_choice, trial, &milliseconds, &error)) {
            g_debug("%s", error->message);
            continue;
        }
        g_debug("tune: %s: %s: %.4f ms", shape, cuda_dnn_choice_name(trial->choice), milliseconds);
        if (milliseconds < least) {
            least = milliseconds;
            best = i;
        }
    }
    return best;
}

static CudaDnnChoice *take(GPtrArray *choices, guint i) { return g_ptr_array_steal_index(choices, i); }

static CudaDnnChoice *time_choices(YonosCuda *cuda, GPtrArray *choices, const char *shape, Trial *trial) {
    gsize workspace = build_all(choices), bytes;
    g_autoptr(GError) error = NULL;
    if (choices->len <= 1 || !yonos_size_add(trial->bytes, workspace, &bytes))
        return choices->len ? take(choices, 0) : NULL;
    trial->memory = cuda_allocate(cuda, bytes, &error);
    if (!trial->memory) {
        g_info("tune: %s: not timed: %s", shape, error->message);
        return take(choices, 0);
    }
    if (!cuda_call(cuda, &error, cudaMemsetAsync, trial->memory, 0, bytes, cuda->stream))
        g_debug("%s", error->message);
    CudaDnnChoice *choice = take(choices, fastest(cuda, choices, trial, shape));
    cuda_free(cuda, trial->memory);
    cuda_tune_set(cuda->tune, shape, cuda_dnn_choice_name(choice));
    return choice;
}

static CudaDnnChoice *kept_choice(const YonosCuda *cuda, CudaDnnGraph *graph, const char *shape) {
    g_autoptr(GError) error = NULL;
    const char *name = cuda_tune_get(cuda->tune, shape);
    CudaDnnChoice *choice = name ? cuda_dnn_choice_by_name(graph, name, &error) : NULL;
    if (choice && cuda_dnn_choice_build(choice, &error))
        return choice;
    cuda_dnn_choice_free(choice);
    if (error)
        g_debug("%s", error->message);
    return NULL;
}

CudaDnnChoice *cuda_choose(YonosCuda *cuda, CudaDnnGraph *graph, const char *shape, gsize bytes, CudaChoiceTry try,
                           gconstpointer data, GError **error) {
    CudaDnnChoice *choice = kept_choice(cuda, graph, shape);
    if (choice)
        return choice;
    g_autoptr(GPtrArray) choices = cuda_dnn_choices(graph, CANDIDATES, error);
    if (!choices)
        return NULL;
    Trial trial = {.bytes = yonos_size_align(bytes, 256), .try = try, .data = data};
    choice = time_choices(cuda, choices, shape, &trial);
    if (!choice)
        yonos_fail(error, YONOS_ERROR_DEVICE, "backend cuda: %s: no engine of cuDNN for %s can be built", cuda->label,
                   shape);
    return choice;
}
