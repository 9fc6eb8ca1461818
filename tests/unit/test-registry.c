/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opening backends by name: what each name gives, and what is said when CUDA is not there. The modules are fakes
 * (fake-cuda.c); only the last test loads the real one, where it was built.
 */
#include <gio/gio.h>
#include <glib/gstdio.h>

#include "backend/backend.h"

typedef struct {
    char *folder;
} Fixture;

/* An empty folder, searched before the installed modules. */
static void set_up(Fixture *f, gconstpointer module) {
    f->folder = g_dir_make_tmp("yonos-registry-XXXXXX", NULL);
    g_assert_nonnull(f->folder);
    g_setenv("YONOS_MODULES_PATH", f->folder, TRUE);
    g_unsetenv("FAKE_CUDA");
    if (!module)
        return;
    g_autofree char *path = g_build_filename(f->folder, YONOS_CUDA_MODULE, NULL);
    g_autoptr(GFile) link = g_file_new_for_path(path);
    g_assert_true(g_file_make_symbolic_link(link, module, NULL, NULL));
}

static void tear_down(Fixture *f, gconstpointer module G_GNUC_UNUSED) {
    g_autofree char *path = g_build_filename(f->folder, YONOS_CUDA_MODULE, NULL);
    g_unlink(path);
    g_assert_cmpint(g_rmdir(f->folder), ==, 0);
    g_free(f->folder);
}

static void assert_refused(const char *name, YonosError code, const char *word) {
    g_autoptr(GError) error = NULL;
    g_autoptr(YonosBackend) backend = yonos_backend_open(name, YONOS_PRECISION_F32, 1, NULL, &error);
    g_assert_null(backend);
    g_assert_error(error, YONOS_ERROR, (int)code);
    if (!strstr(error->message, word))
        g_error("\"%s\" does not say \"%s\"", error->message, word);
}

static GString *logged; /* messages of level INFO, a line each */

static GLogWriterOutput keep_info(GLogLevelFlags level, const GLogField *fields, gsize count,
                                  gpointer data G_GNUC_UNUSED) {
    if (!(level & G_LOG_LEVEL_INFO))
        return g_log_writer_default(level, fields, count, NULL);
    for (gsize i = 0; i < count; i++)
        if (strcmp(fields[i].key, "MESSAGE") == 0)
            g_string_append_printf(logged, "%s\n", (const char *)fields[i].value);
    return G_LOG_WRITER_HANDLED;
}

/* "auto" takes the CPU and logs one line, which says why. */
static void assert_auto_is_cpu(const char *name, const char *word) {
    g_autoptr(GError) error = NULL;
    g_string_truncate(logged, 0);
    g_autoptr(YonosBackend) backend = yonos_backend_open(name, YONOS_PRECISION_F32, 1, NULL, &error);
    g_assert_true(g_str_has_prefix(logged->str, "backend auto: cpu"));
    g_assert_nonnull(strstr(logged->str, word));
    g_assert_true(strchr(logged->str, '\n') == logged->str + logged->len - 1);
    g_assert_no_error(error);
    g_assert_cmpstr(backend->name, ==, "cpu");
}

static void test_not_built(Fixture *f, gconstpointer data G_GNUC_UNUSED) {
    g_setenv("YONOS_MODULES_PATH", f->folder, TRUE);
    assert_refused("cuda", YONOS_ERROR_DEVICE, "the CUDA module is not installed");
    assert_refused("cuda", YONOS_ERROR_DEVICE, f->folder);
    assert_auto_is_cpu("auto", "is not installed");
}

static void test_broken(Fixture *f, gconstpointer data G_GNUC_UNUSED) {
    g_autofree char *path = g_build_filename(f->folder, YONOS_CUDA_MODULE, NULL);
    g_assert_true(g_file_set_contents(path, "no module", -1, NULL));
    assert_refused("cuda", YONOS_ERROR_DEVICE, "cannot be loaded");
    assert_refused("cuda", YONOS_ERROR_DEVICE, path);
    assert_auto_is_cpu("auto", "cannot be loaded");
}

static void test_other(Fixture *f G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED) {
    assert_refused("cuda", YONOS_ERROR_DEVICE, "is not a CUDA module of this library");
}

static void test_refuses(Fixture *f G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED) {
    assert_refused("cuda", YONOS_ERROR_DEVICE, "no device (fake)");
    assert_auto_is_cpu("auto", "no device (fake)");
    assert_auto_is_cpu("auto:1", "no device (fake)");
}

static void test_works(Fixture *f G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED) {
    static const struct {
        const char *name;
        int device;
    } names[] = {{"cuda", 0}, {"cuda:0", 0}, {"cuda:3", 3}, {"auto", 0}, {"auto:2", 2}, {NULL, 0}};
    g_setenv("FAKE_CUDA", "works", TRUE);
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(YonosBackend) backend = yonos_backend_open(names[i].name, YONOS_PRECISION_BF16, 1, NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(backend->name, ==, "cuda");
        g_assert_cmpint(backend->threads, ==, names[i].device);
        g_assert_cmpint(backend->dtype, ==, YONOS_DTYPE_BF16);
    }
}

static void test_names(Fixture *f G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED) {
    assert_refused("gpu", YONOS_ERROR_ARGUMENT, "must be auto, auto:N, cpu, cuda, cuda:N or ref");
    for (const char *const *name = (const char *const[]){"", "cpu:1", "cudax", "autos:1", NULL}; *name; name++)
        assert_refused(*name, YONOS_ERROR_ARGUMENT, "must be auto");
    for (const char *const *name = (const char *const[]){"cuda:", "cuda:-1", "cuda:256", "cuda:x", "cuda:1x", "auto:",
                                                         "auto:x", NULL};
         *name; name++)
        assert_refused(*name, YONOS_ERROR_ARGUMENT, "a device is a number");
    g_autoptr(GError) error = NULL;
    g_assert_null(yonos_backend_open("cpu", YONOS_PRECISION_F32, 257, NULL, &error));
    g_assert_error(error, YONOS_ERROR, YONOS_ERROR_ARGUMENT);
}

/* With a GPU it opens; without one it says what is missing. */
static void test_real(Fixture *f G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED) {
    const char *folder = g_getenv("YONOS_TEST_CUDA");
    if (!folder) {
        g_test_skip("the CUDA module was not built");
        return;
    }
    g_setenv("YONOS_MODULES_PATH", folder, TRUE);
    g_autoptr(GError) error = NULL;
    g_autoptr(YonosBackend) backend = yonos_backend_open("cuda", YONOS_PRECISION_F32, 1, NULL, &error);
    if (!backend) {
        g_assert_error(error, YONOS_ERROR, YONOS_ERROR_DEVICE);
        g_assert_true(g_str_has_prefix(error->message, "backend cuda: "));
        g_assert_nonnull(strstr(error->message, "use cpu or auto"));
        g_test_message("%s", error->message);
        assert_auto_is_cpu("auto", "backend cuda: ");
    }
}

#define ADD(name, module, function) g_test_add("/registry/" name, Fixture, module, set_up, function, tear_down)

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    logged = g_string_new(NULL);
    g_log_set_writer_func(keep_info, NULL, NULL);
    ADD("not-built", NULL, test_not_built);
    ADD("broken", NULL, test_broken);
    ADD("other", g_getenv("YONOS_TEST_OTHER"), test_other);
    ADD("refuses", g_getenv("YONOS_TEST_FAKE"), test_refuses);
    ADD("works", g_getenv("YONOS_TEST_FAKE"), test_works);
    ADD("names", NULL, test_names);
    ADD("real", NULL, test_real);
    int result = g_test_run();
    g_string_free(logged, TRUE);
    return result;
}
