/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file of choices: kept from start to start, apart for other circumstances, harmless where it cannot be read or
 * written.
 */
#include <glib/gstdio.h>

#include "tune.h"

static char *cache; /* the user's cache folder */

static char *only_file(void) {
    g_autofree char *folder = g_build_filename(cache, "yonossr", NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name = g_dir_read_name(dir);
    g_assert_nonnull(name);
    char *path = g_build_filename(folder, name, NULL);
    g_assert_null(g_dir_read_name(dir)); /* no temporary file is left behind */
    return path;
}

static void test_kept(void) {
    CudaTune *tune = cuda_tune_new("device, driver 1"), *other = cuda_tune_new("device, driver 1");
    g_assert_null(cuda_tune_get(tune, "conv a"));
    cuda_tune_set(tune, "conv a", "engine 1 2=3");
    cuda_tune_set(tune, "conv b", "engine 2");
    cuda_tune_set(tune, "conv b", "engine 4");
    cuda_tune_set(other, "conv c", "engine 5"); /* another process: keeps the lines that it does not know */
    cuda_tune_free(tune);
    cuda_tune_free(other);
    g_autofree char *path = only_file();
    g_assert_true(g_str_has_suffix(path, ".txt"));
    tune = cuda_tune_new("device, driver 1");
    g_assert_cmpstr(cuda_tune_get(tune, "conv a"), ==, "engine 1 2=3");
    g_assert_cmpstr(cuda_tune_get(tune, "conv b"), ==, "engine 4");
    g_assert_cmpstr(cuda_tune_get(tune, "conv c"), ==, "engine 5");
    cuda_tune_free(tune);
    tune = cuda_tune_new("device, driver 2");
    g_assert_null(cuda_tune_get(tune, "conv a"));
    cuda_tune_free(tune);
}

static void test_broken(void) {
    static const char *const texts[] = {"", "\n\n", "another device\nconv a\tengine 9\n",
                                        "device, driver 1\nconv a engine 9\n\t\n\xff\xfe\t"};
    g_autofree char *path = only_file();
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_assert_true(g_file_set_contents(path, texts[i], -1, NULL));
        CudaTune *tune = cuda_tune_new("device, driver 1");
        g_assert_null(cuda_tune_get(tune, "conv a"));
        cuda_tune_set(tune, "conv a", "engine 3");
        cuda_tune_free(tune);
        tune = cuda_tune_new("device, driver 1");
        g_assert_cmpstr(cuda_tune_get(tune, "conv a"), ==, "engine 3");
        cuda_tune_free(tune);
    }
    g_unlink(path);
}

static void test_no_folder(void) {
    g_autofree char *folder = g_build_filename(cache, "yonossr", NULL);
    g_assert_cmpint(g_rmdir(folder), ==, 0);
    g_assert_true(g_file_set_contents(folder, "a file in the folder's place", -1, NULL));
    CudaTune *tune = cuda_tune_new("device, driver 1");
    cuda_tune_set(tune, "conv a", "engine 3");
    g_assert_cmpstr(cuda_tune_get(tune, "conv a"), ==, "engine 3"); /* for this start */
    cuda_tune_free(tune);
    g_unlink(folder);
}

int main(int argc, char **argv) {
    cache = g_dir_make_tmp("yonos-tune-XXXXXX", NULL);
    g_setenv("XDG_CACHE_HOME", cache, TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tune/kept", test_kept);
    g_test_add_func("/tune/broken", test_broken);
    g_test_add_func("/tune/no-folder", test_no_folder);
    int result = g_test_run();
    g_rmdir(cache);
    g_free(cache);
    return result;
}
