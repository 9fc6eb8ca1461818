/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A node between canaries; see run.h.
 */
#include "run.h"

#include <math.h>

#include "backend/format.h"
#include "fault.h"

/* ---- inputs ---------------------------------------------------------------------------------- */

static gboolean is_read(const YonosNode *node, int id) {
    for (guint i = 0; i < G_N_ELEMENTS(node->in); i++)
        if (node->in[i] && node->in[i]->id == id)
            return TRUE;
    return FALSE;
}

static void fill_rows(Picture *picture, int byte) {
    const YonosFormatInfo *info = yonos_format_get_info(picture->frame.format);
    for (int plane = 0; plane < info->planes; plane++)
        for (int y = 0; y < yonos_format_rows(info, plane, picture->frame.height); y++)
            memset((guint8 *)picture->frame.plane[plane] + y * picture->frame.stride[plane], byte,
                   yonos_format_row_bytes(info, plane, picture->frame.width));
}

/* Each pattern has a memory layout of its own, so that all are seen. */
static Picture *new_picture(const Instance *instance, Pattern pattern) {
    return picture_new(instance->node.attr.frame.format, instance->of->width, instance->of->height,
                       (PictureLayout)(pattern % PICTURE_LAYOUTS));
}

Inputs *inputs_new(const Instance *instance, Pattern pattern, guint32 seed) {
    Inputs *inputs = g_new0(Inputs, 1);
    inputs->pattern = pattern;
    for (int id = 0; id < instance->of->n_tensors; id++) {
        const YonosTensor *t = &instance->tensor[id];
        if (is_read(&instance->node, id))
            inputs->values[id] = numbers_pattern(yonos_shape_count(t->shape), pattern, t->dtype, seed + (guint32)id);
    }
    if (instance->node.op == YONOS_OP_UNPACK && pattern == PATTERN_OUTLIER)
        inputs->values[0][0] = NAN;
    if (instance->node.op == YONOS_OP_PACK) {
        inputs->picture = new_picture(instance, pattern);
        picture_fill_noise(inputs->picture, seed);
        if (pattern == PATTERN_ZERO || pattern == PATTERN_OFFSET)
            fill_rows(inputs->picture, pattern == PATTERN_ZERO ? 0 : 0xff);
    }
    return inputs;
}

void inputs_free(Inputs *inputs) {
    for (int id = 0; id < MAX_TENSORS; id++)
        g_free(inputs->values[id]);
    if (inputs->picture)
        picture_free(inputs->picture);
    g_free(inputs);
}

/* ---- placing --------------------------------------------------------------------------------- */

static gsize tensor_bytes(const YonosTensor *t) { return yonos_shape_count(t->shape) * yonos_dtype_size(t->dtype); }

gsize placed_bytes(const Placed *placed, int id) { return tensor_bytes(&placed->instance->tensor[id]); }

static char *allocate(YonosBackend *backend, gsize bytes, GError **error) {
    return backend->allocate(backend, bytes + 2 * PLACED_GUARD, error);
}

Placed *placed_new(YonosBackend *backend, const Instance *instance, GError **error) {
    g_autoptr(Placed) placed = g_new0(Placed, 1);
    placed->backend = backend;
    placed->instance = instance;
    if (!yonos_kernel_prepare(&placed->kernel, backend, &instance->node, error))
        return NULL;
    for (int id = 0; id < instance->of->n_tensors; id++) {
        placed->memory[id] = allocate(backend, placed_bytes(placed, id), error);
        if (!placed->memory[id])
            return NULL;
        placed->data[id] = placed->memory[id] + PLACED_GUARD;
    }
    placed->workspace = allocate(backend, placed->kernel.workspace, error);
    return placed->workspace ? g_steal_pointer(&placed) : NULL;
}

void placed_free(Placed *placed) {
    yonos_kernel_release(&placed->kernel);
    for (int id = 0; id < MAX_TENSORS; id++)
        if (placed->memory[id])
            placed->backend->release(placed->backend, placed->memory[id]);
    if (placed->workspace)
        placed->backend->release(placed->backend, placed->workspace);
    if (placed->picture)
        picture_free(placed->picture);
    g_free(placed);
}

/* ---- running --------------------------------------------------------------------------------- */

/* A tensor as it stands in memory before the run: poison, or values between poison. */
static guint8 *image_of(const Placed *placed, const Inputs *inputs, int id, guint8 poison) {
    const YonosTensor *t = &placed->instance->tensor[id];
    gsize bytes = tensor_bytes(t);
    guint8 *image = g_malloc(bytes + 2 * PLACED_GUARD);
    memset(image, poison, bytes + 2 * PLACED_GUARD);
    if (inputs->values[id])
        numbers_store(inputs->values[id], image + PLACED_GUARD, t->dtype, yonos_shape_count(t->shape));
    return image;
}

/* Uploads `bytes` with the guards around them, or the guards alone. */
static gboolean put(YonosBackend *backend, char *memory, const guint8 *image, gsize bytes, gboolean guards_alone,
                    GError **error) {
    if (!guards_alone)
        return backend->upload(backend, memory, image, bytes + 2 * PLACED_GUARD, error);
    gsize behind = PLACED_GUARD + bytes;
    return backend->upload(backend, memory, image, PLACED_GUARD, error) &&
           backend->upload(backend, memory + behind, image + behind, PLACED_GUARD, error);
}

/* The reverse of put(). */
static gboolean take(YonosBackend *backend, guint8 *image, const char *memory, gsize bytes, gboolean guards_alone,
                     GError **error) {
    if (!guards_alone)
        return backend->download(backend, image, memory, bytes + 2 * PLACED_GUARD, error);
    gsize behind = PLACED_GUARD + bytes;
    return backend->download(backend, image, memory, PLACED_GUARD, error) &&
           backend->download(backend, image + behind, memory + behind, PLACED_GUARD, error);
}

static gboolean upload(Placed *placed, const Inputs *inputs, guint8 poison, GError **error) {
    for (int id = 0; id < placed->instance->of->n_tensors; id++) {
        g_autofree guint8 *image = image_of(placed, inputs, id, poison);
        gboolean guards_alone = placed->unpoisoned && !inputs->values[id];
        if (!put(placed->backend, placed->memory[id], image, placed_bytes(placed, id), guards_alone, error))
            return FALSE;
    }
    gsize bytes = placed->kernel.workspace;
    g_autofree guint8 *image = g_malloc(bytes + 2 * PLACED_GUARD);
    memset(image, poison, bytes + 2 * PLACED_GUARD);
    return put(placed->backend, placed->workspace, image, bytes, placed->unpoisoned, error);
}

static gboolean run_kernel(Placed *placed, const Inputs *inputs, GError **error) {
    const Case *c = placed->instance->of;
    YonosRun run = {.data = placed->data, .workspace = placed->workspace + PLACED_GUARD, .grid = c->grid,
                    .column = c->column, .row = c->row, .seed = 0x123456789abcdef0u, .frame = 0x100000007u,
                    .steadiness = (float)CASE_STEADINESS};
    run.in = inputs->picture ? &inputs->picture->frame : NULL;
    run.out = placed->picture ? &placed->picture->frame : NULL;
    YonosBackend *backend = placed->backend;
    return placed->kernel.op->run(&placed->kernel, &run, error) && backend->finish(backend, error) &&
           (!placed->picture || !backend->collect || backend->collect(&placed->kernel, run.slot, error));
}

gboolean placed_run_again(Placed *placed, const Inputs *inputs, GError **error) {
    return run_kernel(placed, inputs, error);
}

/* What differs between memory and its image where it must not; data counts where the tensor is only read. */
static const char *find_damage(const guint8 *memory, const guint8 *image, gsize bytes, gboolean written) {
    if (memcmp(memory, image, PLACED_GUARD) != 0)
        return "bytes before a tensor were overwritten";
    if (memcmp(memory + PLACED_GUARD + bytes, image + PLACED_GUARD + bytes, PLACED_GUARD) != 0)
        return "bytes behind a tensor were overwritten";
    if (!written && memcmp(memory + PLACED_GUARD, image + PLACED_GUARD, bytes) != 0)
        return "an input was changed";
    return NULL;
}

static void keep_tensor(const Placed *placed, int id, const guint8 *data, Result *result) {
    const YonosTensor *t = &placed->instance->tensor[id];
    result->count = yonos_shape_count(t->shape);
    result->values = g_new(float, result->count);
    numbers_load(data, t->dtype, result->values, result->count);
    g_byte_array_append(result->bytes, data, (guint)tensor_bytes(t));
}

/* Codes of the picture as numbers; a 10-bit code that stands in the high bits keeps what is below it as a fraction. */
static void keep_picture(const Picture *picture, Result *result) {
    const YonosFormatInfo *info = yonos_format_get_info(picture->frame.format);
    gsize size = info->depth > 16 ? 4 : info->depth > 8 ? 2 : 1;
    for (int plane = 0; plane < info->planes; plane++)
        for (int y = 0; y < yonos_format_rows(info, plane, picture->frame.height); y++)
            g_byte_array_append(result->bytes,
                                (const guint8 *)picture->frame.plane[plane] + y * picture->frame.stride[plane],
                                (guint)yonos_format_row_bytes(info, plane, picture->frame.width));
    result->count = result->bytes->len / size;
    result->values = g_new(float, result->count);
    for (gsize i = 0; i < result->count; i++) {
        const guint8 *at = result->bytes->data + i * size;
        if (size == 4)
            memcpy(&result->values[i], at, sizeof(float));
        else
            result->values[i] = (float)(size == 1 ? at[0] : at[0] | at[1] << 8) / (float)(1 << info->shift);
    }
    if (!picture_is_intact(picture))
        result->damage = "bytes outside of the frame's rows were overwritten";
}

static gboolean download(Placed *placed, const Inputs *inputs, guint8 poison, Result *result, GError **error) {
    YonosBackend *backend = placed->backend;
    const YonosTensor *out = placed->instance->node.out;
    for (int id = 0; id < placed->instance->of->n_tensors; id++) {
        gsize bytes = placed_bytes(placed, id);
        gboolean written = out && out->id == id;
        g_autofree guint8 *image = image_of(placed, inputs, id, poison);
        g_autofree guint8 *memory = g_malloc(bytes + 2 * PLACED_GUARD);
        gboolean guards_alone = placed->unpoisoned && !inputs->values[id] && !written;
        if (!take(backend, memory, placed->memory[id], bytes, guards_alone, error))
            return FALSE;
        const char *damage = find_damage(memory, image, bytes, written);
        if (damage)
            result->damage = damage;
        if (written)
            keep_tensor(placed, id, memory + PLACED_GUARD, result);
    }
    gsize size = placed->kernel.workspace;
    g_autofree guint8 *memory = g_malloc(size + 2 * PLACED_GUARD), *image = g_malloc(size + 2 * PLACED_GUARD);
    memset(image, poison, size + 2 * PLACED_GUARD);
    if (!take(backend, memory, placed->workspace, size, TRUE, error))
        return FALSE;
    if (find_damage(memory, image, size, TRUE))
        result->damage = "bytes around the workspace were overwritten";
    return TRUE;
}

gboolean placed_run(Placed *placed, const Inputs *inputs, guint8 poison, Result *result, GError **error) {
    *result = (Result){.bytes = g_byte_array_new()};
    if (placed->picture)
        g_clear_pointer(&placed->picture, picture_free);
    if (placed->instance->node.op == YONOS_OP_UNPACK)
        placed->picture = new_picture(placed->instance, inputs->pattern);
    if (!upload(placed, inputs, poison, error) || !run_kernel(placed, inputs, error))
        return FALSE;
    fault_strike(placed, inputs->pattern, poison);
    if (!download(placed, inputs, poison, result, error))
        return FALSE;
    if (placed->picture)
        keep_picture(placed->picture, result);
    return TRUE;
}

void result_clear(Result *result) {
    g_clear_pointer(&result->bytes, g_byte_array_unref);
    g_clear_pointer(&result->values, g_free);
}
