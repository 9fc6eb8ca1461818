/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A strict JSON checker without a tree; see json-scan.h.
 *
 * json-glib is lenient: it keeps the last of two equal keys without a word, recurses as deep as the
 * text does, reads comments, octal numbers and `var x = ...`, wraps integers that are too large and ends
 * strings at U+0000. All of that is refused here, before it sees the text. Recursion is bounded by
 * MAX_DEPTH. Keys are compared after unescaping, so "a" and "\u0061" are equal.
 */
#include "model/json-scan.h"

enum { MAX_DEPTH = 16, MAX_DIGITS = 18 };

typedef struct {
    const char *text;
    gsize at, length;
    int depth;
    const char *where;
    GError **error;
} Scan;

static gboolean fail_at(const Scan *s, const char *what) {
    return yonos_fail(s->error, YONOS_ERROR_FORMAT, "%s: no valid JSON: %s at byte %" G_GSIZE_FORMAT, s->where, what,
                      s->at);
}

/* The byte at the reading position, 0 at the end; a 0 in the text fails in every place. */
static char peek(const Scan *s) { return s->at < s->length ? s->text[s->at] : '\0'; }

static void skip_space(Scan *s) {
    while (peek(s) == ' ' || peek(s) == '\t' || peek(s) == '\n' || peek(s) == '\r')
        s->at++;
}

static gboolean accept(Scan *s, char c) {
    if (s->at >= s->length || s->text[s->at] != c)
        return FALSE;
    s->at++;
    return TRUE;
}

/* ---- strings -------------------------------------------------------------------------------- */

/* Four hexadecimal digits; -1 where there are none. */
static int read_hex(Scan *s) {
    int value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = g_ascii_xdigit_value(peek(s));
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
        s->at++;
    }
    return value;
}

/* Behind "\u": one character, from one escape or a pair of surrogates. */
static gboolean read_unicode(Scan *s, GString *out) {
    int c = read_hex(s);
    if (c >= 0xd800 && c < 0xdc00) {
        int low = accept(s, '\\') && accept(s, 'u') ? read_hex(s) : -1;
        c = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00) : -1;
    }
    if (c <= 0 || (c >= 0xdc00 && c < 0xe000))
        return fail_at(s, "a \\u escape that is no character");
    g_string_append_unichar(out, (gunichar)c);
    return TRUE;
}

static gboolean read_escape(Scan *s, GString *out) {
    static const char letters[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char c = peek(s);
    const char *found = c ? strchr(letters, c) : NULL;
    if (c != 'u' && !found)
        return fail_at(s, "an unknown escape");
    s->at++;
    if (c == 'u')
        return read_unicode(s, out);
    g_string_append_c(out, values[found - letters]);
    return TRUE;
}

/* A string with its quotes; `out` gets it unescaped. */
static gboolean read_string(Scan *s, GString *out) {
    if (!accept(s, '"'))
        return fail_at(s, "a string is missing");
    for (;;) {
        gsize begin = s->at;
        while ((guchar)peek(s) >= 0x20 && peek(s) != '"' && peek(s) != '\\')
            s->at++;
        g_string_append_len(out, s->text + begin, (gssize)(s->at - begin));
        if (accept(s, '"'))
            return TRUE;
        if (!accept(s, '\\'))
            return fail_at(s, "a string without end, or a control character in it,");
        if (!read_escape(s, out))
            return FALSE;
    }
}

/* ---- numbers and words ------------------------------------------------------------------------ */

static gsize skip_digits(Scan *s) {
    gsize begin = s->at;
    while (g_ascii_isdigit(peek(s)))
        s->at++;
    return s->at - begin;
}

static gboolean read_number(Scan *s) {
    accept(s, '-');
    gboolean zero = peek(s) == '0', integer = TRUE;
    gsize digits = skip_digits(s);
    if (digits == 0 || (zero && digits > 1))
        return fail_at(s, "not a number");
    if (accept(s, '.')) {
        integer = FALSE;
        if (skip_digits(s) == 0)
            return fail_at(s, "a number without digits behind the point");
    }
    if (accept(s, 'e') || accept(s, 'E')) {
        integer = FALSE;
        if (!accept(s, '+'))
            accept(s, '-');
        if (skip_digits(s) == 0)
            return fail_at(s, "a number without an exponent");
    }
    return !(integer && digits > MAX_DIGITS) || fail_at(s, "an integer that is too large");
}

static gboolean read_word(Scan *s) {
    static const char *const words[] = {"true", "false", "null"};
    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        gsize n = strlen(words[i]);
        if (s->length - s->at >= n && memcmp(s->text + s->at, words[i], n) == 0) {
            s->at += n;
            return TRUE;
        }
    }
    return fail_at(s, "not a value");
}

/* ---- structure ---------------------------------------------------------------------------------- */

static gboolean read_value(Scan *s);

/* `"key":`, which must not be in `keys` yet. */
static gboolean read_key(Scan *s, GHashTable *keys) {
    g_autoptr(GString) key = g_string_new(NULL);
    if (!read_string(s, key))
        return FALSE;
    if (g_hash_table_contains(keys, key->str)) {
        g_autofree char *printable = g_strescape(key->str, NULL);
        return yonos_fail(s->error, YONOS_ERROR_FORMAT, "%s: the key \"%.300s\" stands twice in one object", s->where,
                          printable);
    }
    g_hash_table_add(keys, g_strdup(key->str));
    skip_space(s);
    return accept(s, ':') || fail_at(s, "a colon is missing");
}

/* The members behind '{' or '[' up to the closing `end`; `keys` is NULL for an array. */
static gboolean read_members(Scan *s, char end, GHashTable *keys) {
    skip_space(s);
    if (accept(s, end))
        return TRUE;
    for (;;) {
        skip_space(s);
        if ((keys && !read_key(s, keys)) || !read_value(s))
            return FALSE;
        skip_space(s);
        if (accept(s, end))
            return TRUE;
        if (!accept(s, ','))
            return fail_at(s, "a comma or a closing bracket is missing");
    }
}

static gboolean read_container(Scan *s, gboolean object) {
    g_autoptr(GHashTable) keys = object ? g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL) : NULL;
    if (s->depth == MAX_DEPTH)
        return yonos_fail(s->error, YONOS_ERROR_FORMAT, "%s: nested deeper than %d levels", s->where, MAX_DEPTH);
    s->depth++;
    s->at++;
    gboolean ok = read_members(s, object ? '}' : ']', keys);
    s->depth--;
    return ok;
}

static gboolean read_value(Scan *s) {
    skip_space(s);
    char c = peek(s);
    if (c == '{' || c == '[')
        return read_container(s, c == '{');
    if (c == '"') {
        g_autoptr(GString) ignored = g_string_new(NULL);
        return read_string(s, ignored);
    }
    return c == '-' || g_ascii_isdigit(c) ? read_number(s) : read_word(s);
}

gboolean yonos_json_scan(const char *text, gsize length, const char *where, GError **error) {
    Scan s = {.text = text, .length = length, .where = where, .error = error};
    const char *bad;
    if (!g_utf8_validate_len(text, length, &bad)) {
        s.at = (gsize)(bad - text);
        return fail_at(&s, "not UTF-8");
    }
    if (!read_value(&s))
        return FALSE;
    skip_space(&s);
    return s.at == length || fail_at(&s, "something behind the value");
}
