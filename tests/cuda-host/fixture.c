/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One operation with ref and on the host's stand-in for a device; see fixture.h.
 */
#include "fixture.h"

#include <math.h>

#include "host.h"
#include "stored.h"

const YonosDType fixture_dtypes[3] = {YONOS_DTYPE_F32, YONOS_DTYPE_F16, YONOS_DTYPE_BF16};

static gsize bytes_of(const YonosTensor *tensor) {
    return yonos_shape_count(tensor->shape) * yonos_dtype_size(tensor->dtype);
}

float fixture_normal(void) {
    double u = g_test_rand_double_range(1e-9, 1.0), v = g_test_rand_double_range(0.0, 2.0 * G_PI);
    return (float)(sqrt(-2.0 * log(u)) * cos(v));
}

void fixture_init(Fixture *fixture) {
    *fixture = (Fixture){.graph = yonos_graph_new()};
    fixture->run.data = fixture->data;
}

void fixture_clear(Fixture *fixture) {
    for (int i = 0; i < FIXTURE_TENSORS; i++) {
        g_free(fixture->data[i]);
        g_free(fixture->block[i]);
    }
    g_free(fixture->workspace);
    yonos_graph_free(fixture->graph);
}

/* Memory of both sides for a tensor. */
static void allocate(Fixture *fixture, const YonosTensor *tensor) {
    g_assert_cmpint(tensor->id, <, FIXTURE_TENSORS);
    if (fixture->data[tensor->id])
        return;
    fixture->data[tensor->id] = g_malloc(bytes_of(tensor));
    fixture->block[tensor->id] = g_malloc(bytes_of(tensor) + fixture->skew);
    fixture->tensor[tensor->id] =
        (YonosCudaTensor){(char *)fixture->block[tensor->id] + fixture->skew, tensor->dtype, tensor->shape};
}

const YonosTensor *fixture_input(Fixture *fixture, YonosDType dtype, YonosShape shape) {
    const YonosTensor *tensor = yonos_graph_tensor(fixture->graph, YONOS_TENSOR_INPUT, dtype, shape, NULL);
    allocate(fixture, tensor);
    fixture_fill(fixture, tensor, 0.0f, 1.0f);
    return tensor;
}

void fixture_fill(Fixture *fixture, const YonosTensor *tensor, float mean, float spread) {
    gsize count = yonos_shape_count(tensor->shape);
    for (gsize i = 0; i < count; i++)
        stored_set(fixture->data[tensor->id], tensor->dtype, i, mean + spread * fixture_normal());
    memcpy(fixture->tensor[tensor->id].data, fixture->data[tensor->id], bytes_of(tensor));
}

const YonosCudaTensor *fixture_tensor(const Fixture *fixture, const YonosTensor *tensor) {
    return tensor ? &fixture->tensor[tensor->id] : NULL;
}

void fixture_workspace(Fixture *fixture, gsize bytes) {
    g_free(fixture->workspace);
    fixture->workspace = g_malloc(bytes);
    memset(fixture->workspace, 0xff, bytes);
}

void fixture_set(Fixture *fixture, const YonosTensor *tensor, gsize i, float v) {
    stored_set(fixture->data[tensor->id], tensor->dtype, i, v);
    stored_set(fixture->tensor[tensor->id].data, tensor->dtype, i, v);
}

float fixture_get(const Fixture *fixture, const YonosTensor *tensor, gsize i, YonosDType as) {
    float rounded;
    stored_set(&rounded, as, 0, stored_get(fixture->tensor[tensor->id].data, tensor->dtype, i));
    return stored_get(&rounded, as, 0);
}

void fixture_run_ref(Fixture *fixture) {
    YonosKernel kernel = {.node = NULL};
    GError *error = NULL;
    yonos_graph_finish(fixture->graph, &error);
    g_assert_no_error(error);
    fixture->node = g_ptr_array_index(fixture->graph->nodes, fixture->graph->nodes->len - 1);
    if (fixture->node->out)
        allocate(fixture, fixture->node->out);
    YonosBackend *ref = yonos_backend_ref_new(YONOS_PRECISION_F32, &error);
    g_assert_no_error(error);
    yonos_kernel_prepare(&kernel, ref, fixture->node, &error);
    g_assert_no_error(error);
    g_autofree void *workspace = g_malloc(kernel.workspace + 1);
    fixture->run.workspace = workspace;
    kernel.op->run(&kernel, &fixture->run, &error);
    g_assert_no_error(error);
    yonos_kernel_release(&kernel);
    yonos_backend_close(ref);
}

/* The kernel's output when it starts from `before`, or from poison; g_free() it. */
static void *run_kernel(Fixture *fixture, FixtureLaunch launch, const void *before, gboolean reversed) {
    const YonosTensor *out = fixture->node->out;
    void *to = fixture->tensor[out->id].data;
    if (before)
        memcpy(to, before, bytes_of(out));
    else
        memset(to, 0xff, bytes_of(out));
    cuda_host_set_reversed(reversed);
    g_assert_cmpint(launch(fixture), ==, 0);
    cuda_host_set_reversed(FALSE);
    return g_memdup2(to, bytes_of(out));
}

static void compare_values(const YonosTensor *out, const void *expected, const void *got, float absolute,
                           float relative) {
    static const float rounding[] = {
        [YONOS_DTYPE_F32] = 0x1p-23f, [YONOS_DTYPE_F16] = 0x1p-10f, [YONOS_DTYPE_BF16] = 0x1p-7f};
    gsize count = yonos_shape_count(out->shape);
    for (gsize i = 0; i < count; i++) {
        float e = stored_get(expected, out->dtype, i), v = stored_get(got, out->dtype, i);
        float bound = absolute + (relative + rounding[out->dtype]) * fabsf(e);
        if (!(fabsf(e - v) <= bound) && !(isinf(e) && e == v) && !(isnan(e) && isnan(v)))
            g_error("%s: element %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT " (%d %d %d %d): %.9g, ref %.9g, bound %.3g",
                    yonos_dtype_name(out->dtype), i, count, out->shape.n, out->shape.h, out->shape.w, out->shape.c, v,
                    e, bound);
    }
}

void fixture_compare(Fixture *fixture, FixtureLaunch launch, float absolute, float relative) {
    const YonosNode *last = g_ptr_array_index(fixture->graph->nodes, fixture->graph->nodes->len - 1);
    const YonosTensor *out = last->out;
    /* An output that is also read, as blend's, starts from its contents. */
    g_autofree void *before = fixture->data[out->id] ? g_memdup2(fixture->data[out->id], bytes_of(out)) : NULL;
    fixture_run_ref(fixture);
    g_autofree void *ascending = run_kernel(fixture, launch, before, FALSE);
    g_autofree void *descending = run_kernel(fixture, launch, before, TRUE);
    g_assert_cmpmem(ascending, bytes_of(out), descending, bytes_of(out));
    if (absolute < 0.0f)
        g_assert_cmpmem(ascending, bytes_of(out), fixture->data[out->id], bytes_of(out));
    else
        compare_values(out, fixture->data[out->id], ascending, absolute, relative);
}
