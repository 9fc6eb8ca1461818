/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Typed access to a JSON object; see config.h.
 */
#include "model/config.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <math.h>

#include "model/json-scan.h"

enum { MAX_BYTES = 1 << 20 };

struct _YonosConfig {
    char *name;
    JsonParser *parser; /* NULL in a child */
    JsonObject *object;
    GHashTable *known;   /* keys that were asked for */
    GPtrArray *children; /* YonosConfig */
    YonosConfig *parent;
    GError *error;
};

void yonos_config_free(YonosConfig *config) {
    if (!config)
        return;
    g_ptr_array_unref(config->children);
    g_hash_table_unref(config->known);
    g_clear_object(&config->parser);
    g_clear_error(&config->error);
    g_free(config->name);
    g_free(config);
}

static YonosConfig *config_new(const char *name, JsonObject *object) {
    YonosConfig *config = g_new0(YonosConfig, 1);
    config->name = g_strdup(name);
    config->object = object;
    config->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    config->children = g_ptr_array_new_with_free_func((GDestroyNotify)yonos_config_free);
    return config;
}

YonosConfig *yonos_config_parse(const char *text, gsize length, const char *name, GError **error) {
    g_autoptr(JsonParser) parser = json_parser_new_immutable();
    g_autoptr(GError) cause = NULL;
    if (length > MAX_BYTES) {
        yonos_fail(error, YONOS_ERROR_FORMAT, "%s: more than the %d bytes that a config may have", name, MAX_BYTES);
        return NULL;
    }
    if (!yonos_json_scan(text, length, name, error))
        return NULL;
    if (!json_parser_load_from_data(parser, text, (gssize)length, &cause)) {
        yonos_fail(error, YONOS_ERROR_FORMAT, "%s: no valid JSON: %s", name, cause->message);
        return NULL;
    }
    JsonNode *root = json_parser_get_root(parser);
    if (!root || !JSON_NODE_HOLDS_OBJECT(root)) {
        yonos_fail(error, YONOS_ERROR_FORMAT, "%s: must hold one JSON object", name);
        return NULL;
    }
    YonosConfig *config = config_new(name, json_node_get_object(root));
    config->parser = g_steal_pointer(&parser);
    return config;
}

/* Before a byte is read: a pipe would block, a huge file would fill the memory. */
static gboolean check_file(const char *path, GError **error) {
    GStatBuf status;
    if (g_stat(path, &status) != 0)
        return yonos_fail(error, YONOS_ERROR_FILE, "%s: cannot be read: %s", path, g_strerror(errno));
    if (!S_ISREG(status.st_mode))
        return yonos_fail(error, YONOS_ERROR_FILE, "%s: is no file", path);
    if (status.st_size > MAX_BYTES)
        return yonos_fail(error, YONOS_ERROR_FORMAT, "%s: more than the %d bytes that a config may have", path, MAX_BYTES);
    return TRUE;
}

YonosConfig *yonos_config_read(const char *path, GError **error) {
    g_autofree char *text = NULL;
    g_autoptr(GError) cause = NULL;
    gsize length;
    if (!check_file(path, error))
        return NULL;
    if (!g_file_get_contents(path, &text, &length, &cause)) {
        yonos_fail(error, YONOS_ERROR_FILE, "%s: cannot be read: %s", path, cause->message);
        return NULL;
    }
    return yonos_config_parse(text, length, path, error);
}

const char *yonos_config_get_name(const YonosConfig *config) { return config->name; }

static void fail_with(YonosConfig *config, YonosError code, const char *message) {
    while (config->parent)
        config = config->parent;
    if (!config->error)
        config->error = g_error_new(YONOS_ERROR, (int)code, "%s: %s", config->name, message);
}

void yonos_config_fail(YonosConfig *config, const char *format, ...) {
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    fail_with(config, YONOS_ERROR_MODEL, message);
}

static void wrong_type(YonosConfig *config, const char *key, const char *wanted) {
    g_autofree char *message = g_strdup_printf("\"%s\" must be %s", key, wanted);
    fail_with(config, YONOS_ERROR_FORMAT, message);
}

gboolean yonos_config_has(const YonosConfig *config, const char *key) {
    JsonNode *node = json_object_get_member(config->object, key);
    return node && !JSON_NODE_HOLDS_NULL(node);
}

gboolean yonos_config_mentions(const YonosConfig *config, const char *key) {
    return json_object_has_member(config->object, key);
}

/* The node, or NULL where the key is missing or null; the key counts as asked for. */
static JsonNode *look_up(YonosConfig *config, const char *key) {
    g_hash_table_add(config->known, g_strdup(key));
    return yonos_config_has(config, key) ? json_object_get_member(config->object, key) : NULL;
}

static gboolean holds(JsonNode *node, GType type) {
    return JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == type;
}

static gboolean read_int(JsonNode *node, int min, int max, int *out) {
    if (!holds(node, G_TYPE_INT64))
        return FALSE;
    gint64 value = json_node_get_int(node);
    if (value < min || value > max)
        return FALSE;
    *out = (int)value;
    return TRUE;
}

static void wrong_int(YonosConfig *config, const char *key, guint count, int min, int max) {
    g_autofree char *wanted = count > 0 ? g_strdup_printf("an integer or %u integers from %d to %d", count, min, max)
                                        : g_strdup_printf("an integer from %d to %d", min, max);
    wrong_type(config, key, wanted);
}

int yonos_config_int(YonosConfig *config, const char *key, int fallback, int min, int max) {
    JsonNode *node = look_up(config, key);
    int value = fallback;
    if (node && !read_int(node, min, max, &value))
        wrong_int(config, key, 0, min, max);
    return value;
}

static double read_float(JsonNode *node) {
    return holds(node, G_TYPE_DOUBLE) || holds(node, G_TYPE_INT64) ? json_node_get_double(node) : NAN;
}

double yonos_config_float(YonosConfig *config, const char *key, double fallback) {
    JsonNode *node = look_up(config, key);
    if (!node)
        return fallback;
    double value = read_float(node);
    if (isfinite(value))
        return value;
    wrong_type(config, key, "a number");
    return fallback;
}

double *yonos_config_floats(YonosConfig *config, const char *key, guint *count) {
    JsonNode *node = look_up(config, key);
    if (!node)
        return NULL;
    JsonArray *array = JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
    *count = array ? json_array_get_length(array) : 0;
    g_autofree double *values = g_new(double, *count + 1);
    gboolean ok = *count > 0;
    for (guint i = 0; ok && i < *count; i++) {
        values[i] = read_float(json_array_get_element(array, i));
        ok = isfinite(values[i]);
    }
    if (ok)
        return g_steal_pointer(&values);
    wrong_type(config, key, "an array of numbers");
    return NULL;
}

gboolean yonos_config_bool(YonosConfig *config, const char *key, gboolean fallback) {
    JsonNode *node = look_up(config, key);
    if (!node)
        return fallback;
    if (holds(node, G_TYPE_BOOLEAN))
        return json_node_get_boolean(node);
    wrong_type(config, key, "true or false");
    return fallback;
}

const char *yonos_config_string(YonosConfig *config, const char *key, const char *fallback) {
    JsonNode *node = look_up(config, key);
    if (!node)
        return fallback;
    if (holds(node, G_TYPE_STRING))
        return json_node_get_string(node);
    wrong_type(config, key, "a string");
    return fallback;
}

int yonos_config_choice(YonosConfig *config, const char *key, const char *const *choices, int fallback) {
    const char *text = yonos_config_string(config, key, NULL);
    if (!text)
        return fallback;
    for (int i = 0; choices[i]; i++)
        if (strcmp(text, choices[i]) == 0)
            return i;
    g_autofree char *list = g_strjoinv(", ", (char **)choices);
    yonos_config_fail(config, "\"%s\" is \"%.60s\", which is not supported; it must be one of: %s", key, text, list);
    return fallback;
}

void yonos_config_ints(YonosConfig *config, const char *key, int *out, guint count, int fallback, int min, int max) {
    JsonNode *node = look_up(config, key);
    JsonArray *array = node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
    gboolean ok = !array || json_array_get_length(array) == count;
    for (guint i = 0; i < count; i++) {
        out[i] = fallback;
        if (node && ok)
            ok = read_int(array ? json_array_get_element(array, i) : node, min, max, &out[i]);
    }
    if (!ok)
        wrong_int(config, key, count, min, max);
}

void yonos_config_bools(YonosConfig *config, const char *key, gboolean *out, guint count, gboolean fallback) {
    JsonNode *node = look_up(config, key);
    JsonArray *array = node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
    gboolean ok = !array || json_array_get_length(array) == count;
    for (guint i = 0; i < count; i++) {
        out[i] = fallback;
        JsonNode *item = !ok || !node ? NULL : array ? json_array_get_element(array, i) : node;
        if (item && holds(item, G_TYPE_BOOLEAN))
            out[i] = json_node_get_boolean(item);
        else if (node)
            ok = FALSE;
    }
    if (!ok)
        wrong_type(config, key, "true, false, or one of them per block");
}

guint yonos_config_length(YonosConfig *config, const char *key, guint fallback, guint max) {
    JsonNode *node = look_up(config, key);
    if (!node || !JSON_NODE_HOLDS_ARRAY(node))
        return fallback;
    guint length = json_array_get_length(json_node_get_array(node));
    if (length >= 1 && length <= max)
        return length;
    g_autofree char *wanted = g_strdup_printf("an array of 1 to %u entries", max);
    wrong_type(config, key, wanted);
    return fallback;
}

guint yonos_config_strings(YonosConfig *config, const char *key, const char **out, guint max_count) {
    JsonNode *node = look_up(config, key);
    JsonArray *array = node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
    guint count = array ? json_array_get_length(array) : 0;
    gboolean ok = count >= 1 && count <= max_count;
    for (guint i = 0; ok && i < count; i++) {
        JsonNode *item = json_array_get_element(array, i);
        ok = holds(item, G_TYPE_STRING);
        if (ok)
            out[i] = json_node_get_string(item);
    }
    if (ok)
        return count;
    g_autofree char *wanted = g_strdup_printf("an array of 1 to %u strings", max_count);
    wrong_type(config, key, wanted);
    return 0;
}

YonosConfig *yonos_config_object(YonosConfig *config, const char *key) {
    JsonNode *node = look_up(config, key);
    if (!node)
        return NULL;
    if (!JSON_NODE_HOLDS_OBJECT(node)) {
        wrong_type(config, key, "an object");
        return NULL;
    }
    g_autofree char *name = g_strdup_printf("%s: %s", config->name, key);
    YonosConfig *child = config_new(name, json_node_get_object(node));
    child->parent = config;
    g_ptr_array_add(config->children, child);
    return child;
}

void yonos_config_ignore(YonosConfig *config, const char *const *keys) {
    for (; *keys; keys++)
        g_hash_table_add(config->known, g_strdup(*keys));
}

void yonos_config_refuse(YonosConfig *config, const char *key, const char *what) {
    JsonNode *node = look_up(config, key);
    if (node && !(holds(node, G_TYPE_BOOLEAN) && !json_node_get_boolean(node)))
        yonos_config_fail(config, "\"%s\" is set: %s not supported", key, what);
}

static void check_unknown(YonosConfig *config) {
    g_autoptr(GList) keys = json_object_get_members(config->object);
    for (GList *l = keys; l; l = l->next) {
        const char *key = l->data;
        if (key[0] != '_' && yonos_config_has(config, key) && !g_hash_table_contains(config->known, key))
            yonos_config_fail(config, "the key \"%.60s\" is unknown and may change the architecture; remove it if it "
                                      "does not", key);
    }
    for (guint i = 0; i < config->children->len; i++)
        check_unknown(g_ptr_array_index(config->children, i));
}

gboolean yonos_config_finish(YonosConfig *config, GError **error) {
    check_unknown(config);
    return yonos_config_ok(config, error);
}

gboolean yonos_config_ok(YonosConfig *config, GError **error) {
    if (!config->error)
        return TRUE;
    g_propagate_error(error, g_error_copy(config->error));
    return FALSE;
}
