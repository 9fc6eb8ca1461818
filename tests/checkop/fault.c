/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Deliberate faults; see fault.h. They go through upload() and download(), so that they work on any device's memory.
 */
#include "fault.h"

#include "backend/format.h"

static struct {
    Fault fault;
    YonosOpKind op;
    const char *backend;
    guint runs; /* since fault_set() */
} active;

const char *fault_name(Fault fault) {
    static const char *const names[FAULT_COUNT] = {
        "none",         "wrong element",   "bias",    "unwritten element", "wrong on an outlier", "write behind",
        "write before", "changed input",   "unrepeatable", "thread-dependent",
    };
    return names[fault];
}

void fault_set(Fault fault, YonosOpKind op, const char *backend) {
    active.fault = fault;
    active.op = op;
    active.backend = backend;
    active.runs = 0;
}

gboolean fault_fits(Fault fault, const Case *c, const char *backend) {
    switch (fault) {
    case FAULT_INPUT:
        return c->node.in[0] != NULL && c->node.in[0] != c->node.out;
    case FAULT_HOSTILE:
        return c->node.in[0] != NULL;
    case FAULT_THREADS:
        return strcmp(backend, "cpu") == 0;
    default:
        return TRUE;
    }
}

/* ---- one place in memory ------------------------------------------------------------------------ */

typedef void (*Edit)(guint8 *bytes, gsize size, guint8 poison);

/* Edits `size` bytes at offset `at` of a tensor. */
static void change(Placed *placed, int id, gssize at, gsize size, Edit edit, guint8 poison) {
    guint8 bytes[8];
    char *place = (char *)placed->data[id] + at;
    g_assert_cmpuint(size, <=, sizeof bytes);
    g_assert_true(placed->backend->download(placed->backend, bytes, place, size, NULL));
    edit(bytes, size, poison);
    g_assert_true(placed->backend->upload(placed->backend, place, bytes, size, NULL));
}

static void flip_low_bit(guint8 *bytes, gsize size, guint8 poison) {
    (void)size;
    (void)poison;
    bytes[0] ^= 1;
}

/* The second highest bit: of a float's exponent, or half of a code's range. */
static void flip_high_bit(guint8 *bytes, gsize size, guint8 poison) {
    (void)poison;
    bytes[size - 1] ^= 0x40;
}

static void put_poison(guint8 *bytes, gsize size, guint8 poison) { memset(bytes, poison, size); }

/* ---- whole results -------------------------------------------------------------------------------- */

static void bias_tensor(Placed *placed, const YonosTensor *t) {
    gsize count = yonos_shape_count(t->shape), bytes = placed_bytes(placed, t->id);
    g_autofree guint8 *memory = g_malloc(bytes);
    g_autofree float *values = g_new(float, count);
    g_assert_true(placed->backend->download(placed->backend, memory, placed->data[t->id], bytes, NULL));
    numbers_load(memory, t->dtype, values, count);
    for (gsize i = 0; i < count; i++)
        values[i] = values[i] * 1.02f + 1e-3f;
    numbers_store(values, memory, t->dtype, count);
    g_assert_true(placed->backend->upload(placed->backend, placed->data[t->id], memory, bytes, NULL));
}

/* Every code of a frame one too high or too low. */
static void bias_picture(Picture *picture) {
    const YonosFormatInfo *info = yonos_format_get_info(picture->frame.format);
    gsize size = info->depth > 16 ? 4 : info->depth > 8 ? 2 : 1;
    for (int plane = 0; plane < info->planes; plane++)
        for (int y = 0; y < yonos_format_rows(info, plane, picture->frame.height); y++) {
            guint8 *row = (guint8 *)picture->frame.plane[plane] + y * picture->frame.stride[plane];
            gsize bytes = yonos_format_row_bytes(info, plane, picture->frame.width);
            for (gsize i = 0; i < bytes; i += size)
                row[i + (size == 4 ? 2 : 0)] ^= (guint8)(1 << (size == 2 ? info->shift : 0));
        }
}

/* ---- strikes ---------------------------------------------------------------------------------------- */

static void strike_picture(Picture *picture, guint8 poison) {
    const YonosFormatInfo *info = yonos_format_get_info(picture->frame.format);
    int plane = info->planes - 1, rows = yonos_format_rows(info, plane, picture->frame.height);
    guint8 *row = (guint8 *)picture->frame.plane[plane] + (rows - 1) * picture->frame.stride[plane];
    guint8 *last = row + yonos_format_row_bytes(info, plane, picture->frame.width) - 1;
    switch (active.fault) {
    case FAULT_BIAS:
        bias_picture(picture);
        break;
    case FAULT_BEHIND:
        last[1] ^= 1;
        break;
    case FAULT_BEFORE:
        *(picture->memory) ^= 1;
        break;
    case FAULT_REPEAT:
    case FAULT_THREADS:
        *last ^= 1;
        break;
    default:
        flip_high_bit(last, 1, poison);
    }
}

static void strike_tensor(Placed *placed, const YonosTensor *out, guint8 poison) {
    gsize size = yonos_dtype_size(out->dtype);
    gssize end = (gssize)placed_bytes(placed, out->id);
    switch (active.fault) {
    case FAULT_BIAS:
        bias_tensor(placed, out);
        break;
    case FAULT_UNWRITTEN:
        change(placed, out->id, end - (gssize)size, size, put_poison, poison);
        break;
    case FAULT_BEHIND:
        change(placed, out->id, end, 1, flip_low_bit, poison);
        break;
    case FAULT_BEFORE:
        change(placed, out->id, -1, 1, flip_low_bit, poison);
        break;
    case FAULT_REPEAT:
    case FAULT_THREADS:
        change(placed, out->id, end - (gssize)size, size, flip_low_bit, poison);
        break;
    default:
        change(placed, out->id, end - (gssize)size, size, flip_high_bit, poison);
    }
}

void fault_strike(Placed *placed, Pattern pattern, guint8 poison) {
    const YonosNode *node = &placed->instance->node;
    if (active.fault == FAULT_NONE || node->op != active.op || strcmp(placed->backend->name, active.backend) != 0)
        return;
    active.runs++;
    if ((active.fault == FAULT_HOSTILE && pattern != PATTERN_OUTLIER) ||
        (active.fault == FAULT_REPEAT && active.runs % 2 == 1) ||
        (active.fault == FAULT_THREADS && placed->backend->threads == 1))
        return;
    if (active.fault == FAULT_INPUT)
        change(placed, node->in[0]->id, 0, 1, flip_low_bit, poison);
    else if (placed->picture)
        strike_picture(placed->picture, poison);
    else
        strike_tensor(placed, node->out, poison);
}
