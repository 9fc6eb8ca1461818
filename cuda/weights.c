/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The model's constants in device memory; see cuda.h. The same constant may be there in several layouts.
 */
#include "cuda.h"

/* What one packed constant is. The key of the table, and at its beginning. */
typedef struct {
    const YonosConst *constant; /* NULL: zeros */
    YonosDType dtype;
    gint64 rows, columns;
    gboolean own; /* in the order of the own convolution */
    void *memory;
} Packed;

static guint packed_hash(gconstpointer data) {
    const Packed *p = data;
    return g_direct_hash(p->constant) ^ (guint)p->dtype ^ (guint)(p->rows * 31 + p->columns) * 2654435761u;
}

static gboolean packed_equal(gconstpointer a, gconstpointer b) {
    const Packed *p = a, *q = b;
    return p->constant == q->constant && p->dtype == q->dtype && p->rows == q->rows && p->columns == q->columns &&
           p->own == q->own;
}

GHashTable *cuda_weights_new(void) { return g_hash_table_new_full(packed_hash, packed_equal, g_free, NULL); }

void cuda_weights_free(YonosCuda *cuda) {
    GHashTableIter iter;
    gpointer packed;
    if (!cuda->weights)
        return;
    g_hash_table_iter_init(&iter, cuda->weights);
    while (g_hash_table_iter_next(&iter, &packed, NULL))
        cuda_free(cuda, ((Packed *)packed)->memory);
    g_clear_pointer(&cuda->weights, g_hash_table_unref);
}

static void store(void *to, YonosDType dtype, gsize i, float v) {
    if (dtype == YONOS_DTYPE_F32)
        ((float *)to)[i] = v;
    else
        ((uint16_t *)to)[i] = dtype == YONOS_DTYPE_BF16 ? yonos_f32_to_bf16(v) : yonos_f32_to_f16(v);
}

/* (rows, columns, taps) -> (rows', taps, columns'); `to` is zeroed. */
static void pack(const YonosConst *c, gint64 rows, gint64 columns, gint64 taps, gint64 padded_columns, YonosDType dtype,
                 void *to) {
    gsize i = 0;
    for (gint64 row = 0; row < rows; row++)
        for (gint64 column = 0; column < columns; column++)
            for (gint64 tap = 0; tap < taps; tap++)
                store(to, dtype, (gsize)((row * taps + tap) * padded_columns + column), yonos_const_get(c, i++));
}

/* Host memory with the packed constant. */
static void *pack_new(const Packed *p, gsize *bytes, GError **error) {
    gint64 rows = p->constant->dim[0], columns = p->constant->rank > 1 ? p->constant->dim[1] : 1;
    gint64 taps = (gint64)yonos_const_count(p->constant) / MAX(rows * columns, 1);
    gint64 padded_rows = MAX(rows, p->rows), padded_columns = MAX(columns, p->columns);
    *bytes = (gsize)(padded_rows * taps * padded_columns) * yonos_dtype_size(p->dtype);
    void *to = g_try_malloc0(MAX(*bytes, 1));
    if (to)
        pack(p->constant, rows, columns, taps, padded_columns, p->dtype, to);
    else
        yonos_fail(error, YONOS_ERROR_MEMORY, "out of memory for a packed copy of %s", p->constant->name);
    return to;
}

static const void *look_up(YonosCuda *cuda, const Packed *key) {
    const Packed *there = g_hash_table_lookup(cuda->weights, key);
    return there ? there->memory : NULL;
}

static const void *keep(YonosCuda *cuda, const Packed *key, const void *host, gsize bytes, GError **error) {
    Packed packed = *key;
    packed.memory = cuda_upload_new(cuda, host, bytes, error);
    if (!packed.memory)
        return NULL;
    g_hash_table_add(cuda->weights, g_memdup2(&packed, sizeof packed));
    cuda->weight_bytes += bytes;
    return packed.memory;
}

const void *cuda_weight(YonosCuda *cuda, const YonosConst *constant, YonosDType dtype, gint64 rows, gint64 columns,
                        GError **error) {
    Packed key = {.constant = constant, .dtype = dtype, .rows = rows, .columns = columns};
    const void *there = look_up(cuda, &key);
    if (there)
        return there;
    gsize bytes;
    g_autofree void *host = pack_new(&key, &bytes, error);
    return host ? keep(cuda, &key, host, bytes, error) : NULL;
}

const void *cuda_weight_own_conv(YonosCuda *cuda, const YonosConst *constant, YonosDType dtype, int rows, int columns,
                                 GError **error) {
    Packed key = {.constant = constant, .dtype = dtype, .rows = rows, .columns = columns, .own = TRUE};
    const void *there = look_up(cuda, &key);
    if (there)
        return there;
    gsize bytes;
    g_autofree void *host = pack_new(&key, &bytes, error);
    if (!host)
        return NULL;
    bytes = yonos_cuda_conv3x3_weight_bytes(columns, rows);
    g_autofree void *packed = g_malloc(bytes);
    yonos_cuda_conv3x3_pack(columns, rows, host, packed);
    return keep(cuda, &key, packed, bytes, error);
}

gboolean cuda_weight_f32(YonosCuda *cuda, const YonosConst *constant, const float **out, GError **error) {
    *out = constant ? cuda_weight(cuda, constant, YONOS_DTYPE_F32, 0, 0, error) : NULL;
    return *out || !constant;
}

const void *cuda_zeros(YonosCuda *cuda, gsize count, GError **error) {
    Packed key = {.dtype = YONOS_DTYPE_F32, .rows = (gint64)count};
    const void *there = look_up(cuda, &key);
    if (there)
        return there;
    g_autofree void *host = g_malloc0_n(MAX(count, 1), sizeof(float));
    return keep(cuda, &key, host, count * sizeof(float), error);
}
