/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Claims and folded constants of one weights file; see weights.h.
 */
#include "model/weights.h"

#include "model/model.h"

struct _YonosWeights {
    char *path;
    YonosSafetensors *file;
    GMutex lock;
    GHashTable *claimed; /* names, owned by the file */
    GHashTable *derived; /* name -> YonosConst */
    char *warning;
};

static void derived_free(gpointer data) {
    YonosConst *constant = data;
    g_free((char *)constant->name);
    g_free((void *)constant->data);
    g_free(constant);
}

YonosWeights *yonos_weights_open(const char *path, GError **error) {
    YonosSafetensors *file = yonos_safetensors_open(path, error);
    if (!file)
        return NULL;
    YonosWeights *weights = g_new0(YonosWeights, 1);
    weights->path = g_strdup(path);
    weights->file = file;
    g_mutex_init(&weights->lock);
    weights->claimed = g_hash_table_new(g_str_hash, g_str_equal);
    weights->derived = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, derived_free);
    return weights;
}

void yonos_weights_free(YonosWeights *weights) {
    if (!weights)
        return;
    g_hash_table_unref(weights->claimed);
    g_hash_table_unref(weights->derived);
    yonos_safetensors_free(weights->file);
    g_mutex_clear(&weights->lock);
    g_free(weights->path);
    g_free(weights->warning);
    g_free(weights);
}

gboolean yonos_weights_has(const YonosWeights *weights, const char *name) {
    return yonos_safetensors_find(weights->file, name) != NULL;
}

int yonos_weights_rank(const YonosWeights *weights, const char *name) {
    const YonosConst *constant = yonos_safetensors_find(weights->file, name);
    return constant ? constant->rank : 0;
}

static char *shape_text(int rank, const gint64 *dim) {
    GString *text = g_string_new("[");
    for (int i = 0; i < rank; i++)
        g_string_append_printf(text, "%s%" G_GINT64_FORMAT, i > 0 ? ", " : "", dim[i]);
    g_string_append_c(text, ']');
    return g_string_free(text, FALSE);
}

static gboolean shape_fits(const YonosConst *constant, int rank, const gint64 *dim) {
    if (constant->rank != rank)
        return FALSE;
    for (int i = 0; i < rank; i++)
        if (constant->dim[i] != dim[i])
            return FALSE;
    return TRUE;
}

/* An element is not finite when all its exponent bits are set. */
static gboolean all_finite(const YonosConst *constant) {
    gsize count = yonos_const_count(constant);
    guint bad = 0;
    if (constant->dtype == YONOS_DTYPE_F32) {
        const uint32_t *bits = constant->data;
        for (gsize i = 0; i < count; i++)
            bad |= (bits[i] & 0x7f800000u) == 0x7f800000u;
    } else {
        const uint16_t *bits = constant->data;
        uint16_t exponent = constant->dtype == YONOS_DTYPE_F16 ? 0x7c00u : 0x7f80u;
        for (gsize i = 0; i < count; i++)
            bad |= (bits[i] & exponent) == exponent;
    }
    return !bad;
}

static void note_claim(YonosWeights *weights, const YonosConst *constant) {
    g_mutex_lock(&weights->lock);
    gboolean first = g_hash_table_add(weights->claimed, (gpointer)constant->name);
    gboolean look = first && !weights->warning;
    g_mutex_unlock(&weights->lock);
    if (!look || all_finite(constant))
        return;
    g_mutex_lock(&weights->lock);
    if (!weights->warning)
        weights->warning = g_strdup_printf("%s: tensor %s holds NaN or infinite values; the picture may turn black",
                                           weights->path, constant->name);
    g_mutex_unlock(&weights->lock);
}

const char *yonos_weights_get_warning(YonosWeights *weights) {
    g_mutex_lock(&weights->lock);
    const char *warning = weights->warning;
    g_mutex_unlock(&weights->lock);
    return warning;
}

const YonosConst *yonos_weights_claim(YonosWeights *weights, GError **error, const char *name, int rank,
                                      const gint64 *dim) {
    const YonosConst *constant = yonos_safetensors_find(weights->file, name);
    if (!constant) {
        yonos_fail(error, YONOS_ERROR_MODEL, "%s: tensor %s is missing; the config asks for it", weights->path, name);
        return NULL;
    }
    if (!shape_fits(constant, rank, dim)) {
        g_autofree char *has = shape_text(constant->rank, constant->dim), *needs = shape_text(rank, dim);
        yonos_fail(error, YONOS_ERROR_MODEL, "%s: tensor %s has shape %s where the config asks for %s", weights->path,
                   name, has, needs);
        return NULL;
    }
    note_claim(weights, constant);
    return constant;
}

gboolean yonos_weights_finish(YonosWeights *weights, GError **error) {
    enum { SHOWN = 3 };
    g_autoptr(GString) names = g_string_new(NULL);
    guint left = 0;
    g_mutex_lock(&weights->lock);
    for (guint i = 0; i < yonos_safetensors_get_count(weights->file); i++) {
        const char *name = yonos_safetensors_get(weights->file, i)->name;
        if (!g_hash_table_contains(weights->claimed, name) && left++ < SHOWN)
            g_string_append_printf(names, "%s%s", names->len > 0 ? ", " : "", name);
    }
    g_mutex_unlock(&weights->lock);
    if (left == 0)
        return TRUE;
    return yonos_fail(error, YONOS_ERROR_MODEL, "%s: %u tensor%s that the config does not ask for: %s%s", weights->path,
                      left, left == 1 ? "" : "s", names->str, left > SHOWN ? ", ..." : "");
}

const YonosConst *yonos_weights_derived(YonosWeights *weights, const char *name) {
    g_mutex_lock(&weights->lock);
    const YonosConst *constant = g_hash_table_lookup(weights->derived, name);
    g_mutex_unlock(&weights->lock);
    return constant;
}

const YonosConst *yonos_weights_derive(YonosWeights *weights, const char *name, int rank, const gint64 *dim,
                                       float *data) {
    YonosConst *constant = g_new0(YonosConst, 1);
    constant->name = g_strdup(name);
    constant->dtype = YONOS_DTYPE_F32;
    constant->rank = rank;
    memcpy(constant->dim, dim, (gsize)rank * sizeof *dim);
    constant->data = data;
    g_mutex_lock(&weights->lock);
    YonosConst *other = g_hash_table_lookup(weights->derived, name);
    if (other)
        derived_free(constant);
    else
        g_hash_table_insert(weights->derived, (gpointer)constant->name, constant);
    g_mutex_unlock(&weights->lock);
    return other ? other : constant;
}
