/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A part's JSON configuration with strict types: every getter names the file and the key
 * when the value is not what it must be, and getters remember which keys were asked for,
 * so that a key nobody knows can be refused at the end.
 *
 * The first failure stays in the config; later getters return the default. A reader asks
 * for all its keys and checks once with yonos_config_finish(). Not thread-safe.
 */
#ifndef YONOS_CONFIG_H
#define YONOS_CONFIG_H

#include "util/util.h"

typedef struct _YonosConfig YonosConfig;

/* Reads a JSON object from a file. Errors: FILE, FORMAT. Free with yonos_config_free(). */
YonosConfig *yonos_config_read(const char *path, GError **error);
/* The same from text; `name` stands for the path in messages. */
YonosConfig *yonos_config_parse(const char *text, gsize length, const char *name, GError **error);
void yonos_config_free(YonosConfig *config);

/* TRUE when the key is there and not null. Does not count as asked for. */
gboolean yonos_config_has(const YonosConfig *config, const char *key);

/* TRUE when the key is there, null or not. */
gboolean yonos_config_mentions(const YonosConfig *config, const char *key);

/* The value, or `fallback` where the key is missing or null. Integers must lie in min..max. */
int yonos_config_int(YonosConfig *config, const char *key, int fallback, int min, int max);
double yonos_config_float(YonosConfig *config, const char *key, double fallback);
/* An array of one or more numbers, to g_free(), and its length; NULL where missing. */
double *yonos_config_floats(YonosConfig *config, const char *key, guint *count);
gboolean yonos_config_bool(YonosConfig *config, const char *key, gboolean fallback);
/* Owned by the config. */
const char *yonos_config_string(YonosConfig *config, const char *key, const char *fallback);
/* One of `choices` (NULL-terminated): its index; `fallback` where the key is missing. */
int yonos_config_choice(YonosConfig *config, const char *key, const char *const *choices, int fallback);
/* Exactly `count` integers in min..max; a single integer stands for all of them, a missing key for `fallback`. */
void yonos_config_ints(YonosConfig *config, const char *key, int *out, guint count, int fallback, int min, int max);
/* The length of an array, 1 to max; `fallback` where the key is missing or no array. */
guint yonos_config_length(YonosConfig *config, const char *key, guint fallback, guint max);
/* An array of 1 to `max_count` strings (owned by the config); the length. A missing key is a failure. */
guint yonos_config_strings(YonosConfig *config, const char *key, const char **out, guint max_count);
/* An array of `count` booleans, a single boolean for all, or `fallback`. */
void yonos_config_bools(YonosConfig *config, const char *key, gboolean *out, guint count, gboolean fallback);
/* An object inside; NULL where missing. Owned by `config`; its failures become the parent's. */
YonosConfig *yonos_config_object(YonosConfig *config, const char *key);

/* Keys that need not be understood: they change nothing about the computation. NULL-terminated. */
void yonos_config_ignore(YonosConfig *config, const char *const *keys);
/* Fails unless the key is missing, null or false: `what` says in words what is not supported. */
void yonos_config_refuse(YonosConfig *config, const char *key, const char *what);
/* Remembers a failure of the caller's own (MODEL): "FILE: message". */
void yonos_config_fail(YonosConfig *config, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* TRUE when nothing failed and every key of the object was asked for, ignored, refused, null, or begins with
 * "_"; otherwise *error is set (FORMAT for wrong types, MODEL for the rest). */
gboolean yonos_config_finish(YonosConfig *config, GError **error);
/* The same without the look for unknown keys. */
gboolean yonos_config_ok(YonosConfig *config, GError **error);
const char *yonos_config_get_name(const YonosConfig *config);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(YonosConfig, yonos_config_free)

#endif
