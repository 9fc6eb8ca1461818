/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The safetensors format (github.com/huggingface/safetensors): an 8-byte little-endian
 * header length, a JSON object {name: {dtype, shape, data_offsets: [begin, end]}}, the data.
 *
 * Files come from strangers, so every rule is checked before a byte of data is used:
 * the header is at most 16 MiB, an object without duplicate keys; names are at most 255
 * bytes, ranks at most 8; sizes are products with overflow checks; sorted by offset, the
 * tensors tile the data without gap or overlap. The data stay mapped and are not read here.
 */
#include "model/model.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>

#include "model/json-scan.h"

enum { MAX_HEADER = 16 << 20, MAX_NAME = 255, MAX_RANK = 8, PREFIX = 8 };

typedef struct {
    YonosConst constant;
    guint64 begin, end;
    void *aligned; /* a copy, where the file has the data at an odd address */
} Entry;

struct _YonosSafetensors {
    char *name;
    GBytes *bytes;
    GPtrArray *entries; /* Entry, by offset */
    GHashTable *by_name;
};

static void entry_free(gpointer data) {
    Entry *entry = data;
    g_free((char *)entry->constant.name);
    g_free(entry->aligned);
    g_free(entry);
}

void yonos_safetensors_free(YonosSafetensors *file) {
    if (!file)
        return;
    g_clear_pointer(&file->by_name, g_hash_table_unref);
    g_clear_pointer(&file->entries, g_ptr_array_unref);
    g_clear_pointer(&file->bytes, g_bytes_unref);
    g_free(file->name);
    g_free(file);
}

static gboolean parse_dtype(const char *text, YonosDType *dtype) {
    static const struct {
        const char *name;
        YonosDType dtype;
    } known[] = {{"F32", YONOS_DTYPE_F32}, {"F16", YONOS_DTYPE_F16}, {"BF16", YONOS_DTYPE_BF16}};
    for (guint i = 0; i < G_N_ELEMENTS(known); i++) {
        if (g_strcmp0(text, known[i].name) == 0) {
            *dtype = known[i].dtype;
            return TRUE;
        }
    }
    return FALSE;
}

/* A JSON array of non-negative integers into out[]; its length, or -1. */
static int parse_integers(JsonNode *node, guint64 *out, guint max) {
    if (!node || !JSON_NODE_HOLDS_ARRAY(node))
        return -1;
    JsonArray *array = json_node_get_array(node);
    guint count = json_array_get_length(array);
    if (count > max)
        return -1;
    for (guint i = 0; i < count; i++) {
        JsonNode *item = json_array_get_element(array, i);
        if (!JSON_NODE_HOLDS_VALUE(item) || json_node_get_value_type(item) != G_TYPE_INT64 ||
            json_node_get_int(item) < 0)
            return -1;
        out[i] = (guint64)json_node_get_int(item);
    }
    return (int)count;
}

static gboolean parse_shape(const YonosSafetensors *file, JsonObject *object, Entry *entry, gsize *bytes,
                            GError **error) {
    guint64 dim[MAX_RANK];
    YonosConst *c = &entry->constant;
    c->rank = parse_integers(json_object_get_member(object, "shape"), dim, MAX_RANK);
    if (c->rank < 0)
        return yonos_fail(error, YONOS_ERROR_FORMAT,
                          "%s: tensor %s: \"shape\" must be an array of at most %d non-negative integers", file->name,
                          c->name, MAX_RANK);
    *bytes = yonos_dtype_size(c->dtype);
    for (int i = 0; i < c->rank; i++) {
        c->dim[i] = (gint64)dim[i];
        if (!yonos_size_mul(*bytes, dim[i], bytes))
            return yonos_fail(error, YONOS_ERROR_FORMAT, "%s: tensor %s: its size overflows", file->name, c->name);
    }
    return TRUE;
}

static gboolean parse_entry(const YonosSafetensors *file, JsonNode *node, Entry *entry, GError **error) {
    YonosConst *c = &entry->constant;
    if (strlen(c->name) > MAX_NAME)
        return yonos_fail(error, YONOS_ERROR_FORMAT, "%s: a tensor's name is longer than %d bytes: %.40s...",
                          file->name, MAX_NAME, c->name);
    if (!JSON_NODE_HOLDS_OBJECT(node))
        return yonos_fail(error, YONOS_ERROR_FORMAT, "%s: tensor %s: its description is no object", file->name,
                          c->name);
    JsonObject *object = json_node_get_object(node);
    JsonNode *dtype = json_object_get_member(object, "dtype");
    const char *text =
        dtype && JSON_NODE_HOLDS_VALUE(dtype) && json_node_get_value_type(dtype) == G_TYPE_STRING
            ? json_node_get_string(dtype)
            : NULL;
    if (!parse_dtype(text, &c->dtype))
        return yonos_fail(error, YONOS_ERROR_FORMAT, "%s: tensor %s: dtype %.20s is not supported; use F32, F16 or BF16",
                          file->name, c->name, text ? text : "(missing)");
    gsize bytes = 0;
    if (!parse_shape(file, object, entry, &bytes, error))
        return FALSE;
    guint64 offset[2];
    if (parse_integers(json_object_get_member(object, "data_offsets"), offset, 2) != 2 || offset[1] < offset[0])
        return yonos_fail(error, YONOS_ERROR_FORMAT,
                          "%s: tensor %s: \"data_offsets\" must be two integers, begin <= end", file->name, c->name);
    entry->begin = offset[0];
    entry->end = offset[1];
    if (entry->end - entry->begin != bytes)
        return yonos_fail(error, YONOS_ERROR_FORMAT,
                          "%s: tensor %s: its shape needs %" G_GSIZE_FORMAT " bytes, its data_offsets give %" G_GUINT64_FORMAT,
                          file->name, c->name, bytes, entry->end - entry->begin);
    return TRUE;
}

static gint by_offset(gconstpointer a, gconstpointer b) {
    const Entry *x = *(Entry *const *)a, *y = *(Entry *const *)b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

/* Points the constants at their data, once they tile it: no gap, no overlap, nothing left over. */
static gboolean place_entries(YonosSafetensors *file, const guint8 *data, gsize length, GError **error) {
    guint64 at = 0;
    g_ptr_array_sort(file->entries, by_offset);
    for (guint i = 0; i < file->entries->len; i++) {
        Entry *entry = g_ptr_array_index(file->entries, i);
        const char *name = entry->constant.name;
        if (entry->begin != at)
            return yonos_fail(error, YONOS_ERROR_FORMAT, "%s: tensor %s: %s the tensor before it", file->name, name,
                              entry->begin < at ? "overlaps" : "leaves a gap behind");
        if (entry->end > length)
            return yonos_fail(error, YONOS_ERROR_FORMAT,
                              "%s: tensor %s: ends at byte %" G_GUINT64_FORMAT " of %" G_GSIZE_FORMAT
                              ": the file is truncated; copy it again",
                              file->name, name, entry->end, length);
        at = entry->end;
        entry->constant.data = data + entry->begin;
        if ((guintptr)entry->constant.data % yonos_dtype_size(entry->constant.dtype) != 0) {
            entry->aligned = g_try_malloc(MAX(entry->end - entry->begin, 1));
            if (!entry->aligned)
                return yonos_fail(error, YONOS_ERROR_MEMORY, "%s: tensor %s: out of memory", file->name, name);
            memcpy(entry->aligned, entry->constant.data, entry->end - entry->begin);
            entry->constant.data = entry->aligned;
        }
    }
    if (at != length)
        return yonos_fail(error, YONOS_ERROR_FORMAT, "%s: %" G_GUINT64_FORMAT " bytes behind the last tensor", file->name,
                          length - at);
    return TRUE;
}

/* Free text about the file, which nothing here reads; the format wants strings. */
static gboolean check_metadata(const YonosSafetensors *file, JsonNode *node, GError **error) {
    JsonObjectIter iter;
    JsonNode *value;
    gboolean ok = JSON_NODE_HOLDS_OBJECT(node);
    if (ok)
        json_object_iter_init(&iter, json_node_get_object(node));
    while (ok && json_object_iter_next(&iter, NULL, &value))
        ok = JSON_NODE_HOLDS_VALUE(value) && json_node_get_value_type(value) == G_TYPE_STRING;
    return ok || yonos_fail(error, YONOS_ERROR_FORMAT, "%s: __metadata__ must be an object of strings", file->name);
}

static gboolean parse_members(YonosSafetensors *file, JsonObject *root, GError **error) {
    JsonObjectIter iter;
    const char *name;
    JsonNode *node;
    json_object_iter_init(&iter, root);
    while (json_object_iter_next(&iter, &name, &node)) {
        if (g_strcmp0(name, "__metadata__") == 0) {
            if (!check_metadata(file, node, error))
                return FALSE;
            continue;
        }
        Entry *entry = g_new0(Entry, 1);
        entry->constant.name = g_strdup(name);
        g_ptr_array_add(file->entries, entry);
        if (!parse_entry(file, node, entry, error))
            return FALSE;
        g_hash_table_insert(file->by_name, (gpointer)entry->constant.name, entry);
    }
    return TRUE;
}

static gboolean parse_header(YonosSafetensors *file, const char *text, gsize length, GError **error) {
    if (length == 0 || text[0] != '{')
        return yonos_fail(error, YONOS_ERROR_FORMAT, "%s: the header is no JSON object: not a safetensors file",
                          file->name);
    if (!yonos_json_scan(text, length, file->name, error))
        return FALSE;
    g_autoptr(JsonParser) parser = json_parser_new_immutable();
    g_autoptr(GError) cause = NULL;
    if (!json_parser_load_from_data(parser, text, (gssize)length, &cause))
        return yonos_fail(error, YONOS_ERROR_FORMAT, "%s: the header is no valid JSON: %s", file->name, cause->message);
    JsonNode *root = json_parser_get_root(parser);
    if (!root || !JSON_NODE_HOLDS_OBJECT(root))
        return yonos_fail(error, YONOS_ERROR_FORMAT, "%s: the header is no JSON object", file->name);
    return parse_members(file, json_node_get_object(root), error);
}

static gboolean parse(YonosSafetensors *file, GError **error) {
    gsize size;
    const guint8 *data = g_bytes_get_data(file->bytes, &size);
    guint64 header;
    if (size < PREFIX)
        return yonos_fail(error, YONOS_ERROR_FORMAT, "%s: only %" G_GSIZE_FORMAT " bytes: not a safetensors file",
                          file->name, size);
    memcpy(&header, data, sizeof header);
    header = GUINT64_FROM_LE(header);
    if (header > MAX_HEADER)
        return yonos_fail(error, YONOS_ERROR_FORMAT, "%s: a header of %" G_GUINT64_FORMAT
                          " bytes is more than %d: not a safetensors file", file->name, header, MAX_HEADER);
    if (header > size - PREFIX)
        return yonos_fail(error, YONOS_ERROR_FORMAT, "%s: the header is cut off: the file is truncated; copy it again",
                          file->name);
    return parse_header(file, (const char *)data + PREFIX, (gsize)header, error) &&
           place_entries(file, data + PREFIX + header, size - PREFIX - (gsize)header, error);
}

YonosSafetensors *yonos_safetensors_parse(GBytes *bytes, const char *name, GError **error) {
    YonosSafetensors *file = g_new0(YonosSafetensors, 1);
    file->name = g_strdup(name);
    file->bytes = g_bytes_ref(bytes);
    file->entries = g_ptr_array_new_with_free_func(entry_free);
    file->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    if (!parse(file, error))
        g_clear_pointer(&file, yonos_safetensors_free);
    return file;
}

YonosSafetensors *yonos_safetensors_open(const char *path, GError **error) {
    g_autoptr(GError) cause = NULL;
    GStatBuf status;
    if (g_stat(path, &status) != 0) {
        yonos_fail(error, YONOS_ERROR_FILE, "%s: cannot be read: %s", path, g_strerror(errno));
        return NULL;
    }
    if (!S_ISREG(status.st_mode)) { /* opening a pipe would block */
        yonos_fail(error, YONOS_ERROR_FILE, "%s: is no file", path);
        return NULL;
    }
    GMappedFile *mapped = g_mapped_file_new(path, FALSE, &cause);
    if (!mapped) {
        yonos_fail(error, YONOS_ERROR_FILE, "%s: cannot be read: %s", path, cause->message);
        return NULL;
    }
    g_autoptr(GBytes) bytes = g_mapped_file_get_bytes(mapped);
    g_mapped_file_unref(mapped);
    return yonos_safetensors_parse(bytes, path, error);
}

guint yonos_safetensors_get_count(const YonosSafetensors *file) { return file->entries->len; }

const YonosConst *yonos_safetensors_get(const YonosSafetensors *file, guint index) {
    g_return_val_if_fail(index < file->entries->len, NULL);
    return &((const Entry *)g_ptr_array_index(file->entries, index))->constant;
}

const YonosConst *yonos_safetensors_find(const YonosSafetensors *file, const char *name) {
    const Entry *entry = g_hash_table_lookup(file->by_name, name);
    return entry ? &entry->constant : NULL;
}

/* ---- writing ------------------------------------------------------------------------------- */

static const char *dtype_label(YonosDType dtype) {
    static const char *const labels[] = {"F32", "F16", "BF16"};
    return labels[dtype];
}

static GString *make_header(const YonosConst *const *tensors, guint count) {
    g_autoptr(JsonBuilder) builder = json_builder_new();
    gint64 at = 0;
    json_builder_begin_object(builder);
    for (guint i = 0; i < count; i++) {
        gint64 bytes = (gint64)(yonos_const_count(tensors[i]) * yonos_dtype_size(tensors[i]->dtype));
        json_builder_set_member_name(builder, tensors[i]->name);
        json_builder_begin_object(builder);
        json_builder_set_member_name(builder, "dtype");
        json_builder_add_string_value(builder, dtype_label(tensors[i]->dtype));
        json_builder_set_member_name(builder, "shape");
        json_builder_begin_array(builder);
        for (int d = 0; d < tensors[i]->rank; d++)
            json_builder_add_int_value(builder, tensors[i]->dim[d]);
        json_builder_end_array(builder);
        json_builder_set_member_name(builder, "data_offsets");
        json_builder_begin_array(builder);
        json_builder_add_int_value(builder, at);
        json_builder_add_int_value(builder, at += bytes);
        json_builder_end_array(builder);
        json_builder_end_object(builder);
    }
    json_builder_end_object(builder);
    g_autoptr(JsonNode) root = json_builder_get_root(builder);
    g_autofree char *text = json_to_string(root, FALSE);
    GString *header = g_string_new(text);
    while (header->len % 8 != 0)
        g_string_append_c(header, ' ');
    return header;
}

static gboolean write_all(GOutputStream *stream, const YonosConst *const *tensors, guint count, GError **error) {
    g_autoptr(GString) header = make_header(tensors, count);
    guint64 length = GUINT64_TO_LE((guint64)header->len);
    if (!g_output_stream_write_all(stream, &length, sizeof length, NULL, NULL, error) ||
        !g_output_stream_write_all(stream, header->str, header->len, NULL, NULL, error))
        return FALSE;
    for (guint i = 0; i < count; i++)
        if (!g_output_stream_write_all(stream, tensors[i]->data,
                                       yonos_const_count(tensors[i]) * yonos_dtype_size(tensors[i]->dtype), NULL, NULL,
                                       error))
            return FALSE;
    return g_output_stream_close(stream, NULL, error);
}

gboolean yonos_safetensors_write(const char *path, const YonosConst *const *tensors, guint count, GError **error) {
    g_autoptr(GFile) file = g_file_new_for_path(path);
    g_autoptr(GError) cause = NULL;
    /* g_file_replace() writes a temporary file beside `path` and renames it when the stream closes. */
    g_autoptr(GFileOutputStream) stream =
        g_file_replace(file, NULL, FALSE, G_FILE_CREATE_REPLACE_DESTINATION, NULL, &cause);
    if (stream && write_all(G_OUTPUT_STREAM(stream), tensors, count, &cause))
        return TRUE;
    if (stream) { /* Closing renames the half-written file into place, unless it is cancelled. */
        g_autoptr(GCancellable) cancelled = g_cancellable_new();
        g_cancellable_cancel(cancelled);
        g_output_stream_close(G_OUTPUT_STREAM(stream), cancelled, NULL);
    }
    return yonos_fail(error, YONOS_ERROR_FILE, "%s: cannot be written: %s", path, cause->message);
}
