/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The safetensors reader: what it takes, each rule that it refuses by, every truncation and
 * every single damaged byte of a small file; the writer; and the strict JSON checker below both.
 */
#include "model/json-scan.h"
#include "tiny-model.h"

#include <glib/gstdio.h>

static YonosSafetensors *parse(GBytes *bytes, GError **error) { return yonos_safetensors_parse(bytes, "file", error); }

/* ---- what is read --------------------------------------------------------------------------- */

static void test_types(void) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = tiny_safetensors(
        "{\"__metadata__\": {\"format\": \"pt\"}, \"half\": {\"dtype\": \"F16\", \"shape\": [2], \"data_offsets\": [4, 8]},"
        " \"scalar\": {\"dtype\": \"F32\", \"shape\": [], \"data_offsets\": [0, 4]},"
        " \"brain\": {\"dtype\": \"BF16\", \"shape\": [1, 1, 3], \"data_offsets\": [8, 14]},"
        " \"none\": {\"dtype\": \"F32\", \"shape\": [0, 3], \"data_offsets\": [14, 14]}}   ", 14);
    g_autoptr(YonosSafetensors) file = parse(bytes, &error);
    g_assert_no_error(error);
    static const char *const order[] = {"scalar", "half", "brain", "none"};
    g_assert_cmpuint(yonos_safetensors_get_count(file), ==, 4);
    for (guint i = 0; i < 4; i++) {
        g_assert_cmpstr(yonos_safetensors_get(file, i)->name, ==, order[i]);
        g_assert_true(yonos_safetensors_find(file, order[i]) == yonos_safetensors_get(file, i));
    }
    const YonosConst *brain = yonos_safetensors_find(file, "brain");
    g_assert_cmpint(brain->dtype, ==, YONOS_DTYPE_BF16);
    g_assert_cmpint(brain->rank, ==, 3);
    g_assert_cmpint(brain->dim[2], ==, 3);
    g_assert_cmpuint(*(const guint8 *)brain->data, ==, 8);
    g_assert_cmpuint(yonos_const_count(yonos_safetensors_find(file, "scalar")), ==, 1);
    g_assert_cmpuint(yonos_const_count(yonos_safetensors_find(file, "none")), ==, 0);
    g_assert_null(yonos_safetensors_find(file, "__metadata__"));
}

static void test_empty(void) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = tiny_safetensors("{}", 0);
    g_autoptr(YonosSafetensors) file = parse(bytes, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(yonos_safetensors_get_count(file), ==, 0);
}

/* Data at addresses that are no multiples of the element: the header's length decides where they lie. */
static void test_unaligned(void) {
    for (int pad = 0; pad < 8; pad++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *header = g_strdup_printf(
            "{\"b\": {\"dtype\": \"BF16\", \"shape\": [1], \"data_offsets\": [0, 2]},"
            "\"f\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [2, 10]}}%*s", pad, "");
        g_autoptr(GBytes) bytes = tiny_safetensors(header, 10);
        g_autoptr(YonosSafetensors) file = parse(bytes, &error);
        g_assert_no_error(error);
        const YonosConst *f = yonos_safetensors_find(file, "f");
        g_assert_cmpuint((guintptr)f->data % 4, ==, 0);
        g_assert_cmpmem(f->data, 8, ((const guint8[]){2, 3, 4, 5, 6, 7, 8, 9}), 8);
        const YonosConst *b = yonos_safetensors_find(file, "b");
        g_assert_cmpuint((guintptr)b->data % 2, ==, 0);
        g_assert_cmpmem(b->data, 2, ((const guint8[]){0, 1}), 2);
    }
}

/* ---- what is refused ------------------------------------------------------------------------- */

#define ONE(dtype, shape, offsets)                                                                                     \
    "{\"w\": {\"dtype\": \"" dtype "\", \"shape\": " shape ", \"data_offsets\": " offsets "}}"
#define F32(shape, offsets) ONE("F32", shape, offsets)
#define TWO(first, second)                                                                                             \
    "{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": " first "},"                                       \
    "\"w\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": " second "}}"

static void test_refused_headers(void) {
    static const struct {
        const char *header;
        gsize data;
        const char *says[2];
    } cases[] = {
        {"", 0, {"not a safetensors file"}},
        {"[]", 0, {"not a safetensors file"}},
        {" {}", 0, {"not a safetensors file"}},
        {"{", 0, {"no valid JSON"}},
        {"{} {}", 0, {"no valid JSON", "byte 3"}},
        {"{/* \" */}", 0, {"no valid JSON"}},
        {"{\"w\": null}", 0, {"tensor w", "no object"}},
        {"{\"w\": {}}", 0, {"tensor w", "dtype"}},
        {"{\"w\": [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}", 0, {"nested deeper"}},
        {"{\"__metadata__\": {\"n\": 1}}", 0, {"__metadata__"}},
        {"{\"__metadata__\": \"pt\"}", 0, {"__metadata__"}},
        {"{\"w\": {\"shape\": [1], \"data_offsets\": [0, 4]}}", 4, {"tensor w", "dtype"}},
        {"{\"w\": {\"dtype\": 32, \"shape\": [1], \"data_offsets\": [0, 4]}}", 4, {"tensor w", "dtype"}},
        {ONE("I64", "[1]", "[0, 8]"), 8, {"tensor w", "I64"}},
        {ONE("f32", "[1]", "[0, 4]"), 4, {"tensor w", "f32"}},
        {"{\"w\": {\"dtype\": \"F32\", \"data_offsets\": [0, 4]}}", 4, {"tensor w", "shape"}},
        {F32("1", "[0, 4]"), 4, {"tensor w", "shape"}},
        {F32("[-1]", "[0, 4]"), 4, {"tensor w", "shape"}},
        {F32("[1.0]", "[0, 4]"), 4, {"tensor w", "shape"}},
        {F32("[true]", "[0, 4]"), 4, {"tensor w", "shape"}},
        {F32("[\"1\"]", "[0, 4]"), 4, {"tensor w", "shape"}},
        {F32("[1, 1, 1, 1, 1, 1, 1, 1, 1]", "[0, 4]"), 4, {"tensor w", "at most 8"}},
        {F32("[4294967296, 4294967296]", "[0, 0]"), 0, {"tensor w", "overflows"}},
        {F32("[4611686018427387904]", "[0, 4]"), 4, {"too large"}},
        {F32("[18446744073709551617]", "[0, 4]"), 4, {"too large"}},
        {F32("[010]", "[0, 32]"), 32, {"no valid JSON"}},
        {"{\"w\": {\"dtype\": \"F32\", \"shape\": [1]}}", 4, {"tensor w", "data_offsets"}},
        {F32("[1]", "[0]"), 4, {"tensor w", "data_offsets"}},
        {F32("[1]", "[0, 4, 8]"), 4, {"tensor w", "data_offsets"}},
        {F32("[1]", "[-4, 0]"), 4, {"tensor w", "data_offsets"}},
        {F32("[1]", "[4, 0]"), 4, {"tensor w", "data_offsets"}},
        {F32("[1]", "[0, 4.0]"), 4, {"tensor w", "data_offsets"}},
        {F32("[1]", "[0, 8]"), 8, {"tensor w", "needs 4 bytes"}},
        {F32("[2]", "[0, 4]"), 4, {"tensor w", "needs 8 bytes"}},
        {F32("[1]", "[4, 8]"), 8, {"tensor w", "gap"}},
        {F32("[1]", "[0, 4]"), 3, {"tensor w", "truncated"}},
        {F32("[1]", "[0, 4]"), 5, {"1 bytes behind"}},
        {F32("[225000000000000000]", "[0, 900000000000000000]"), 4, {"tensor w", "truncated"}},
        {TWO("[0, 4]", "[0, 4]"), 4, {"tensor", "overlaps"}},
        {TWO("[0, 4]", "[2, 6]"), 6, {"tensor w", "overlaps"}},
        {TWO("[0, 4]", "[5, 9]"), 9, {"tensor w", "gap"}},
        {TWO("[4, 8]", "[8, 12]"), 12, {"tensor a", "gap"}},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) bytes = tiny_safetensors(cases[i].header, cases[i].data);
        g_test_message("%s", cases[i].header);
        g_assert_null(parse(bytes, &error));
        g_assert_error(error, YONOS_ERROR, YONOS_ERROR_FORMAT);
        g_assert_true(g_str_has_prefix(error->message, "file: "));
        for (guint j = 0; j < 2 && cases[i].says[j]; j++)
            if (!strstr(error->message, cases[i].says[j]))
                g_error("%s: says \"%s\", not \"%s\"", cases[i].header, error->message, cases[i].says[j]);
    }
}

static void test_duplicates(void) {
    static const char *const headers[] = {
        "{\"w\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]},"
        "\"w\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]}}",
        "{\"w\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]},"
        "\"\\u0077\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]}}",
        "{\"w\": {\"dtype\": \"F32\", \"shape\": [2], \"shape\": [1], \"data_offsets\": [0, 4]}}",
        "{\"__metadata__\": {}, \"w\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]},"
        "\"__metadata__\": {}}",
    };
    for (guint i = 0; i < G_N_ELEMENTS(headers); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) bytes = tiny_safetensors(headers[i], 4);
        g_assert_null(parse(bytes, &error));
        g_assert_error(error, YONOS_ERROR, YONOS_ERROR_FORMAT);
        g_assert_nonnull(strstr(error->message, "twice"));
    }
}

static void test_long_name(void) {
    for (int length = 255; length <= 256; length++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *name = g_strnfill((gsize)length, 'n');
        g_autofree char *header = g_strdup_printf(
            "{\"%s\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]}}", name);
        g_autoptr(GBytes) bytes = tiny_safetensors(header, 4);
        g_autoptr(YonosSafetensors) file = parse(bytes, &error);
        g_assert_true((file != NULL) == (length <= 255));
        if (!file)
            g_assert_nonnull(strstr(error->message, "longer than 255"));
    }
}

static void expect_format_error(const void *data, gsize length, const char *says) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = g_bytes_new(data, length);
    g_assert_null(parse(bytes, &error));
    g_assert_error(error, YONOS_ERROR, YONOS_ERROR_FORMAT);
    g_assert_nonnull(strstr(error->message, says));
}

static void test_header_length(void) {
    guint8 bytes[16] = {0};
    expect_format_error(bytes, 7, "only 7 bytes");
    memset(bytes, 0xff, 8);
    expect_format_error(bytes, sizeof bytes, "more than");
    const guint8 one_too_many[16] = {1, 0, 0, 1};
    expect_format_error(one_too_many, sizeof one_too_many, "more than 16777216");
    const guint8 most[16] = {0, 0, 0, 1};
    expect_format_error(most, sizeof most, "cut off");
    const guint8 beyond[10] = {3, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    expect_format_error(beyond, sizeof beyond, "cut off");
    expect_format_error(beyond, 8, "cut off");
}

/* ---- damage ------------------------------------------------------------------------------------ */

static GBytes *small_file(void) {
    return tiny_safetensors("{\"__metadata__\": {\"a\": \"\\u00e9\"}, "
                            "\"x\": {\"dtype\": \"F32\", \"shape\": [1, 2], \"data_offsets\": [0, 8]}, "
                            "\"y\": {\"dtype\": \"F16\", \"shape\": [3], \"data_offsets\": [8, 14]}}", 14);
}

static void test_every_truncation(void) {
    g_autoptr(GBytes) whole = small_file();
    gsize length = g_bytes_get_size(whole);
    for (gsize n = 0; n < length; n++) {
        g_autoptr(GError) error = NULL;
        /* A copy of exactly n bytes, so that a sanitizer sees one read too many. */
        g_autoptr(GBytes) part = g_bytes_new(g_bytes_get_data(whole, NULL), n);
        g_assert_null(parse(part, &error));
        g_assert_error(error, YONOS_ERROR, YONOS_ERROR_FORMAT);
    }
}

static guint8 sum_of(const YonosSafetensors *file) {
    guint8 sum = 0;
    for (guint i = 0; i < yonos_safetensors_get_count(file); i++) {
        const YonosConst *c = yonos_safetensors_get(file, i);
        for (gsize j = 0; j < yonos_const_count(c) * yonos_dtype_size(c->dtype); j++)
            sum = (guint8)(sum + ((const guint8 *)c->data)[j]);
    }
    return sum;
}

/* Whatever a damaged byte makes of the file: an error, or tensors that can be read to their ends. */
static void test_every_byte(void) {
    g_autoptr(GBytes) whole = small_file();
    gsize length;
    const guint8 *data = g_bytes_get_data(whole, &length);
    guint refused = 0, total = 0;
    for (gsize at = 0; at < length - 14; at++) {
        for (int value = 0; value < 256; value += 5) {
            g_autoptr(GError) error = NULL;
            guint8 *copy = g_memdup2(data, length);
            copy[at] = (guint8)value;
            g_autoptr(GBytes) bytes = g_bytes_new_take(copy, length);
            g_autoptr(YonosSafetensors) file = parse(bytes, &error);
            g_assert_true((file == NULL) == (error != NULL));
            if (file)
                g_test_message("byte %" G_GSIZE_FORMAT " = %d: readable, sum %u", at, value, sum_of(file));
            refused += !file;
            total++;
        }
    }
    g_assert_cmpuint(refused, >, total / 2);
}

/* ---- the writer --------------------------------------------------------------------------------- */

static void test_write(void) {
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = g_dir_make_tmp("yonos-XXXXXX", &error);
    g_autofree char *path = g_build_filename(folder, "w.safetensors", NULL);
    const float x[6] = {1, -2, 3.5f, 0, 1e-40f, 65504};
    const uint16_t y[1] = {0x3c00};
    const YonosConst a = {.name = "a \"quoted\" \xc3\xa9", .rank = 2, .dim = {2, 3}, .data = x};
    const YonosConst b = {.name = "b", .dtype = YONOS_DTYPE_F16, .rank = 0, .data = y};
    for (int round = 0; round < 2; round++) { /* the second time over the first file */
        yonos_safetensors_write(path, (const YonosConst *const[]){&b, &a}, 2, &error);
        g_assert_no_error(error);
        g_autoptr(YonosSafetensors) file = yonos_safetensors_open(path, &error);
        g_assert_no_error(error);
        const YonosConst *read = yonos_safetensors_find(file, a.name);
        g_assert_nonnull(read);
        g_assert_cmpint(read->rank, ==, 2);
        g_assert_cmpmem(read->data, sizeof x, x, sizeof x);
        read = yonos_safetensors_find(file, "b");
        g_assert_cmpint(read->dtype, ==, YONOS_DTYPE_F16);
        g_assert_cmpmem(read->data, sizeof y, y, sizeof y);
    }
    g_autofree char *nowhere = g_build_filename(folder, "no", "such", "folder", NULL);
    g_assert_false(yonos_safetensors_write(nowhere, (const YonosConst *const[]){&a}, 1, &error));
    g_assert_error(error, YONOS_ERROR, YONOS_ERROR_FILE);
    g_assert_nonnull(strstr(error->message, nowhere));
    g_remove(path);
    g_assert_cmpint(g_rmdir(folder), ==, 0); /* no temporary file is left */
}

static void test_no_file(void) {
    g_autoptr(GError) error = NULL;
    g_assert_null(yonos_safetensors_open("/nowhere/w.safetensors", &error));
    g_assert_error(error, YONOS_ERROR, YONOS_ERROR_FILE);
    g_assert_nonnull(strstr(error->message, "/nowhere/w.safetensors"));
    g_clear_error(&error);
    g_assert_null(yonos_safetensors_open(g_get_tmp_dir(), &error));
    g_assert_error(error, YONOS_ERROR, YONOS_ERROR_FILE);
    g_clear_error(&error);
    g_assert_null(yonos_safetensors_open("/dev/zero", &error));
    g_assert_error(error, YONOS_ERROR, YONOS_ERROR_FILE);
}

/* ---- the JSON checker ----------------------------------------------------------------------------- */

static void test_json(void) {
    static const char *const good[] = {
        "{}", "[]", "0", "-0.5e+10", "\"\"", "null", " { \"a\" : [ 1 , 2.5 , true , false , null ] } \n",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"", "123456789012345678", "-123456789012345678", "1e300",
        "[{\"a\": 1}, {\"a\": 1}]", "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
    };
    static const char *const bad[] = {
        "", " ", "{", "}", "[1,]", "{\"a\":1,}", "{,}", "{\"a\"}", "{\"a\":}", "{a:1}", "{'a':1}", "[1 2]", "[1]]",
        "tru", "True", "NaN", "Infinity", "-", "+1", ".5", "1.", "1e", "1e+", "01", "0x10", "1234567890123456789",
        "\"", "\"\\x41\"", "\"\\u12\"", "\"\\u0000\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\n\"",
        "// c\n1", "/* c */1", "var a = 1", "1;", "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", "{\"a\":1,\"\\u0061\":2}",
        "\xff", "\"\xc3\"", "\xef\xbb\xbf{}",
    };
    for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autoptr(GError) error = NULL;
        yonos_json_scan(good[i], strlen(good[i]), "text", &error);
        g_assert_no_error(error);
    }
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        if (yonos_json_scan(bad[i], strlen(bad[i]), "text", &error))
            g_error("took %s", bad[i]);
        g_assert_error(error, YONOS_ERROR, YONOS_ERROR_FORMAT);
        g_assert_true(g_str_has_prefix(error->message, "text: "));
    }
    g_assert_false(yonos_json_scan("1\0", 2, "text", NULL));
    g_assert_false(yonos_json_scan("\"\0\"", 3, "text", NULL));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/safetensors/types", test_types);
    g_test_add_func("/safetensors/empty", test_empty);
    g_test_add_func("/safetensors/unaligned", test_unaligned);
    g_test_add_func("/safetensors/refused-headers", test_refused_headers);
    g_test_add_func("/safetensors/duplicates", test_duplicates);
    g_test_add_func("/safetensors/long-name", test_long_name);
    g_test_add_func("/safetensors/header-length", test_header_length);
    g_test_add_func("/safetensors/every-truncation", test_every_truncation);
    g_test_add_func("/safetensors/every-byte", test_every_byte);
    g_test_add_func("/safetensors/write", test_write);
    g_test_add_func("/safetensors/no-file", test_no_file);
    g_test_add_func("/safetensors/json", test_json);
    return g_test_run();
}
