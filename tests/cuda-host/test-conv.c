/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which engine convolves: cuda/conv.c and choose.c on the stand-in for cuDNN (dnn.c). The own kernel is taken where it
 * is right and fastest, or where there is nothing else; whatever is taken computes what ref does.
 *
 * The linker puts __wrap_yonos_cuda_conv3x3 before the own kernel, so that it can be wrong.
 */
#include <math.h>

#include "conv.h"
#include "cuda_runtime_api.h"
#include "dnn.h"
#include "host.h"
#include "remove-tree.h"
#include "stored.h"

extern YonosBackend *yonos_cuda_open(int abi, YonosPrecision precision, int device, void *context,
                                     GError **error);

int __real_yonos_cuda_conv3x3(const YonosCudaConv3x3 *conv, YonosCudaStream stream);
int __wrap_yonos_cuda_conv3x3(const YonosCudaConv3x3 *conv, YonosCudaStream stream);

static gboolean broken;
static int launches;     /* of the own kernel */
static gboolean doubled; /* the last one's */

/* Leaves out the last row of pixels where `broken`. */
int __wrap_yonos_cuda_conv3x3(const YonosCudaConv3x3 *conv, YonosCudaStream stream) {
    YonosCudaConv3x3 less = *conv;
    launches++;
    doubled = conv->doubled;
    less.h -= broken;
    return __real_yonos_cuda_conv3x3(&less, stream);
}

/* ---- one node ------------------------------------------------------------------------------------------ */

typedef struct {
    YonosDType dtype;
    int h, w, ic, oc;
    gboolean bias, residual;
    YonosActivation activation;
    int up; /* times; the input is that much smaller */
} Shape;

static const Shape plain = {YONOS_DTYPE_BF16, 8, 12, 16, 16, TRUE, FALSE, YONOS_ACTIVATION_NONE, 1};

typedef struct {
    YonosGraph *graph;
    const YonosNode *node;
    YonosConst weight, bias;
    gsize bytes[3]; /* by tensor id */
    void *host[3], *device[3];
} Node;

static void fill(void *to, YonosDType dtype, gsize count, float spread) {
    for (gsize i = 0; i < count; i++)
        stored_set(to, dtype, i, spread * (float)g_test_rand_double_range(-1.0, 1.0));
}

static void node_init(Node *n, const Shape *s) {
    static const int padding[4] = {1, 1, 1, 1};
    GError *error = NULL;
    gsize count = (gsize)(s->oc * s->ic * 9);
    *n = (Node){.graph = yonos_graph_new()};
    float *weight = g_new(float, count), *bias = g_new(float, s->oc);
    fill(weight, YONOS_DTYPE_F32, count, 0.2f);
    fill(bias, YONOS_DTYPE_F32, (gsize)s->oc, 1.0f);
    n->weight = (YonosConst){"weight", YONOS_DTYPE_F32, 4, {s->oc, s->ic, 3, 3}, weight};
    n->bias = (YonosConst){"bias", YONOS_DTYPE_F32, 1, {s->oc}, bias};
    YonosShape in = {1, s->h / s->up, s->w / s->up, s->ic}, out = {1, s->h, s->w, s->oc};
    const YonosTensor *x = yonos_graph_tensor(n->graph, YONOS_TENSOR_INPUT, s->dtype, in, NULL), *residual = NULL;
    if (s->residual)
        residual = yonos_graph_tensor(n->graph, YONOS_TENSOR_INPUT, s->dtype, out, NULL);
    yonos_conv2d(n->graph, x, &n->weight, s->bias ? &n->bias : NULL, residual, 1, padding, s->up > 1 ? s->h : 0,
                 s->up > 1 ? s->w : 0, s->activation, NULL);
    yonos_graph_finish(n->graph, &error);
    g_assert_no_error(error);
    n->node = g_ptr_array_index(n->graph->nodes, 0);
    const YonosTensor *tensors[] = {x, residual, n->node->out};
    for (int i = 0; i < 3; i++)
        if (tensors[i]) {
            gsize elements = yonos_shape_count(tensors[i]->shape);
            n->bytes[tensors[i]->id] = elements * yonos_dtype_size(s->dtype);
            n->host[tensors[i]->id] = g_malloc(n->bytes[tensors[i]->id]);
            fill(n->host[tensors[i]->id], s->dtype, elements, 1.0f);
        }
}

static void node_clear(Node *n) {
    for (int i = 0; i < 3; i++)
        g_free(n->host[i]);
    g_free((void *)n->weight.data);
    g_free((void *)n->bias.data);
    yonos_graph_free(n->graph);
}

/* Runs it, prepared, from device memory; the output comes to n->host. */
static gboolean run_prepared(Node *n, YonosKernel *kernel, GError **error) {
    YonosBackend *backend = kernel->backend;
    int out = n->node->out->id;
    void *workspace = backend->allocate(backend, kernel->workspace, error);
    gboolean ok = workspace != NULL;
    for (int i = 0; ok && i < 3; i++)
        if (n->host[i])
            ok = (n->device[i] = backend->allocate(backend, n->bytes[i], error)) &&
                 backend->upload(backend, n->device[i], n->host[i], n->bytes[i], error);
    YonosRun run = {.data = n->device, .workspace = workspace};
    ok = ok && kernel->op->run(kernel, &run, error) && backend->finish(backend, error) &&
         backend->download(backend, n->host[out], n->device[out], n->bytes[out], error);
    for (int i = 0; i < 3; i++) {
        backend->release(backend, n->device[i]);
        n->device[i] = NULL;
    }
    backend->release(backend, workspace);
    return ok;
}

/* With everything opened and closed. *implementation, which may be NULL, is to be freed. */
static gboolean run_node(Node *n, YonosBackend *backend, char **implementation, GError **error) {
    YonosKernel kernel = {.node = NULL};
    if (!backend)
        return FALSE;
    gboolean ok = yonos_kernel_prepare(&kernel, backend, n->node, error);
    if (ok && implementation)
        *implementation = g_strdup(kernel.implementation);
    ok = ok && run_prepared(n, &kernel, error);
    if (kernel.node)
        yonos_kernel_release(&kernel);
    yonos_backend_close(backend);
    return ok;
}

static float get(const void *data, YonosDType dtype, gsize i) {
    if (dtype == YONOS_DTYPE_F32)
        return ((const float *)data)[i];
    uint16_t v = ((const uint16_t *)data)[i];
    return dtype == YONOS_DTYPE_BF16 ? yonos_bf16_to_f32(v) : yonos_f16_to_f32(v);
}

static YonosPrecision precision_of(YonosDType dtype) {
    return dtype == YONOS_DTYPE_F32   ? YONOS_PRECISION_F32
           : dtype == YONOS_DTYPE_F16 ? YONOS_PRECISION_F16
                                      : YONOS_PRECISION_BF16;
}

/* What runs the convolution, whose result is held against ref's; g_free() it. */
static char *engine_of(const Shape *s) {
    g_autoptr(GError) error = NULL;
    Node n;
    char *implementation = NULL;
    node_init(&n, s);
    int out = n.node->out->id;
    run_node(&n, yonos_backend_ref_new(precision_of(s->dtype), &error), NULL, &error);
    g_assert_no_error(error);
    g_autofree void *expected = g_memdup2(n.host[out], n.bytes[out]);
    memset(n.host[out], 0xff, n.bytes[out]);
    launches = 0;
    run_node(&n, yonos_cuda_open(YONOS_BACKEND_ABI, precision_of(s->dtype), 0, NULL, &error), &implementation, &error);
    g_assert_no_error(error);
    /* The bias is rounded to the activations' type. */
    float rounding = s->dtype == YONOS_DTYPE_F32 ? 0x1p-17f : s->dtype == YONOS_DTYPE_F16 ? 0x1p-9f : 0x1p-6f;
    for (gsize i = 0; i < n.bytes[out] / yonos_dtype_size(s->dtype); i++) {
        float should = get(expected, s->dtype, i), is = get(n.host[out], s->dtype, i);
        if (!(fabsf(is - should) <= rounding * (1.0f + fabsf(should))))
            g_error("%s: element %d: %g, ref %g", implementation, (int)i, is, should);
    }
    node_clear(&n);
    return implementation;
}

static void assert_engine(const Shape *s, const char *name) {
    g_autofree char *engine = engine_of(s);
    g_assert_cmpstr(engine, ==, name);
}

/* ---- choices ------------------------------------------------------------------------------------------- */

static void remove_choices(void) {
    g_autofree char *folder = g_build_filename(g_get_user_cache_dir(), "yonossr", NULL);
    remove_tree(folder);
}

/* The own kernel where it is fastest, else cuDNN's fastest engine; the next start takes what was kept. */
static void test_fastest(void) {
    Shape odd = plain;
    odd.h = 7; /* the stand-in's last engine is fastest */
    for (int start = 0; start < 2; start++) {
        int built = cuda_host_engines_built();
        assert_engine(&plain, "own kernel");
        g_assert_true(start ? launches == 1 : launches > 1);
        g_assert_cmpint(cuda_host_engines_built() - built, ==, start ? 0 : 2);
        assert_engine(&odd, "engine 1");
        g_assert_cmpint(cuda_host_engines_built() - built, ==, start ? 1 : 4);
        g_assert_true(launches == 0 || start == 0);
    }
    remove_choices();
}

/* All that is around it: residual, activations, padded and doubled inputs, outputs of few channels. */
static void test_shapes(void) {
    for (YonosDType dtype = YONOS_DTYPE_F32; dtype <= YONOS_DTYPE_BF16; dtype++)
        for (int k = dtype == YONOS_DTYPE_F16; k < 8; k += 1 + (dtype != YONOS_DTYPE_F32)) {
            const char *own = dtype == YONOS_DTYPE_F32 ? "engine 0" : "own kernel"; /* never in f32 */
            Shape s = {dtype, 6, 12, 32, 24, k % 2, k / 2 % 2,
                       k % 3 == 0 ? YONOS_ACTIVATION_RELU : k % 3 == 1 ? YONOS_ACTIVATION_SILU : YONOS_ACTIVATION_NONE,
                       k / 4 + 1};
            assert_engine(&s, own);
            g_assert_true(launches == 0 || doubled == (s.up > 1));
            s.oc = 3; /* padded to 8 */
            assert_engine(&s, own);
            s.ic = 3;
            assert_engine(&s, "engine 0");
            s.ic = 80;
            assert_engine(&s, "engine 0");
        }
    remove_choices();
}

static int messages;

static GLogWriterOutput count_messages(GLogLevelFlags level, const GLogField *fields, gsize count, gpointer data) {
    g_autofree char *text = g_log_writer_format_fields(level, fields, count, FALSE);
    if (!(level & G_LOG_LEVEL_MESSAGE) || !strstr(text, "is not used"))
        return g_log_writer_default(level, fields, count, data);
    messages++;
    return G_LOG_WRITER_HANDLED;
}

/* A kernel that leaves something out is seen on the trial's data, said once, and not taken. */
static void test_wrong(void) {
    broken = TRUE;
    messages = 0;
    for (int start = 0; start < 2; start++)
        assert_engine(&plain, "engine 0");
    g_assert_cmpint(messages, ==, 1);
    broken = FALSE;
    remove_choices();
}

/* No weights, no proof. */
static void test_zeros(void) {
    g_autoptr(GError) error = NULL;
    g_autofree char *implementation = NULL;
    Shape s = plain;
    s.bias = FALSE;
    Node n;
    node_init(&n, &s);
    memset((void *)n.weight.data, 0, sizeof(float) * yonos_const_count(&n.weight));
    messages = 0;
    run_node(&n, yonos_cuda_open(YONOS_BACKEND_ABI, YONOS_PRECISION_BF16, 0, NULL, &error), &implementation, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(implementation, ==, "engine 0");
    g_assert_cmpint(messages, ==, 1);
    node_clear(&n);
    remove_choices();
}

/* Where cuDNN takes no epilogue it still convolves; where it takes nothing the own kernel does. */
static void test_refused(void) {
    cuda_host_set_bare(TRUE);
    assert_engine(&plain, "engine 0");
    cuda_host_set_bare(FALSE);
    cuda_host_set_engines(0);
    assert_engine(&plain, "own kernel");
    cuda_host_set_engines(1);
    assert_engine(&plain, "own kernel"); /* two candidates: timed */
    cuda_host_set_engines(2);
    remove_choices();
}

static void test_forced(void) {
    Shape odd = plain;
    odd.h = 7;
    g_setenv(YONOS_CUDA_CONV, "own", TRUE);
    int built = cuda_host_engines_built();
    assert_engine(&odd, "own kernel");
    odd.up = 2; /* from 3 to 7 rows: by a kernel before it */
    assert_engine(&odd, "own kernel");
    g_assert_false(doubled);
    odd.up = 1;
    g_assert_cmpint(cuda_host_engines_built(), ==, built);
    g_setenv(YONOS_CUDA_CONV, "cudnn", TRUE);
    assert_engine(&plain, "engine 0");
    g_assert_cmpint(launches, ==, 0);
    g_unsetenv(YONOS_CUDA_CONV);
    assert_engine(&plain, "own kernel"); /* what was forced is not what is kept */
    assert_engine(&odd, "engine 1");
    remove_choices();
}

/* With too little memory for a trial. */
static void test_memory(void) {
    cuda_host_set_memory(cuda_host_memory_used() + 24000);
    assert_engine(&plain, "engine 0");
    cuda_host_set_memory(SIZE_MAX);
    assert_engine(&plain, "own kernel"); /* the other choice was not kept */
    remove_choices();
}

/* Each call failing once while it is chosen and run: an error, or none. */
static void test_failures(gconstpointer data) {
    int status = GPOINTER_TO_INT(data), outstanding = cuda_host_outstanding(), errors = 0, n = 0;
    gboolean lost = status == cudaErrorIllegalAddress;
    Node node;
    node_init(&node, &plain);
    cuda_host_set_working(!lost); /* after that nothing would be computed anyway */
    messages = 0;
    for (const char *failed = ""; failed; n++) {
        g_autoptr(GError) error = NULL;
        remove_choices();
        cuda_host_fail_after(n, status);
        YonosBackend *backend = yonos_cuda_open(YONOS_BACKEND_ABI, YONOS_PRECISION_BF16, 0, NULL, &error);
        gboolean ok = run_node(&node, backend, NULL, &error);
        failed = cuda_host_failed_call();
        cuda_host_fail_after(-1, 0);
        g_assert_true(ok == (error == NULL));
        if (error && !strstr(error->message, "backend cuda: "))
            g_error("%s failed, but it is said: %s", failed, error->message);
        errors += !ok;
        g_assert_cmpint(cuda_host_outstanding(), ==, outstanding);
    }
    g_test_message("%d calls: %d errors", n - 1, errors);
    g_assert_cmpint(n, >, 80);
    g_assert_cmpint(errors, >, lost ? n * 4 / 5 : 10);
    g_assert_cmpint(messages, >, 0); /* nothing to compare */
    cuda_host_set_working(TRUE);
    node_clear(&node);
    remove_choices();
}

int main(int argc, char **argv) {
    g_autofree char *cache = g_dir_make_tmp("yonos-conv-XXXXXX", NULL);
    g_setenv("XDG_CACHE_HOME", cache, TRUE);
    g_unsetenv(YONOS_CUDA_CONV);
    g_test_init(&argc, &argv, NULL);
    g_log_set_writer_func(count_messages, NULL, NULL);
    g_test_add_func("/conv/fastest", test_fastest);
    g_test_add_func("/conv/shapes", test_shapes);
    g_test_add_func("/conv/wrong", test_wrong);
    g_test_add_func("/conv/zeros", test_zeros);
    g_test_add_func("/conv/refused", test_refused);
    g_test_add_func("/conv/forced", test_forced);
    g_test_add_func("/conv/memory", test_memory);
    g_test_add_data_func("/conv/failures/once", GINT_TO_POINTER(cudaErrorInvalidValue), test_failures);
    g_test_add_data_func("/conv/failures/lost", GINT_TO_POINTER(cudaErrorIllegalAddress), test_failures);
    int result = g_test_run();
    g_rmdir(cache);
    return result;
}
