/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON text checked by the letter of RFC 8259, and by what json-glib would let pass in silence.
 */
#ifndef YONOS_JSON_SCAN_H
#define YONOS_JSON_SCAN_H

#include "util/util.h"

/*
 * TRUE when `text` (`length` bytes) is one JSON value in UTF-8, with white space around it at most, that nests at
 * most 16 deep, has no object with two equal keys, no U+0000 in a string and no integer beyond 18 digits. `where`
 * begins the message, which names the byte or the key. Errors: FORMAT. Thread-safe.
 */
gboolean yonos_json_scan(const char *text, gsize length, const char *where, GError **error);

#endif
