/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files; see files.h.
 */
#include "files.h"
#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char TEMPORARY[] = ".tmp";

char *file_temporary(const char *path) {
    return g_strdup_printf("%s.%s-%d%s", path, g_get_host_name(), (int)getpid(), TEMPORARY);
}

static gboolean flush(const char *path, gboolean folder, GError **error) {
    int file = g_open(path, folder ? O_RDONLY | O_DIRECTORY : O_RDWR, 0);
    gboolean ok = file >= 0 && fsync(file) == 0;
    int code = errno;
    if (file >= 0 && close(file) != 0 && ok) {
        ok = FALSE;
        code = errno;
    }
    return ok || upscale_fail(error, UPSCALE_OUTPUT, "%s: %s", path, g_strerror(code));
}

/* link() refuses to replace a file, which rename() does; where a file system has no links, look and rename. */
static gboolean give_name(const char *temporary, const char *path, gboolean overwrite, GError **error) {
    if (!overwrite) {
        if (link(temporary, path) == 0) {
            g_unlink(temporary);
            return TRUE;
        }
        if (errno == EEXIST || g_file_test(path, G_FILE_TEST_EXISTS))
            return upscale_fail(error, UPSCALE_EXISTS, "%s: is there already; --force overwrites it", path);
    }
    if (g_rename(temporary, path) == 0)
        return TRUE;
    return upscale_fail(error, UPSCALE_OUTPUT, "%s: %s", path, g_strerror(errno));
}

gboolean file_commit(const char *temporary, const char *path, gboolean overwrite, GError **error) {
    g_autofree char *folder = g_path_get_dirname(path);
    gboolean ok = flush(temporary, FALSE, error) && give_name(temporary, path, overwrite, error);
    if (!ok)
        g_unlink(temporary);
    else
        flush(folder, TRUE, NULL); /* the name too; not every file system can */
    return ok;
}

gboolean file_make_folder(const char *path, GError **error) {
    if (g_mkdir_with_parents(path, 0777) == 0)
        return TRUE;
    return upscale_fail(error, UPSCALE_OUTPUT, "%s: %s", path, g_strerror(errno));
}

/* "NAME.HOST-PID.tmp" of this host whose process is gone. */
static gboolean is_stale(const char *name) {
    g_autofree char *mark = g_strdup_printf(".%s-", g_get_host_name());
    const char *found = g_strrstr(name, mark);
    int process = 0;
    char rest[8] = "";
    if (!found || sscanf(found + strlen(mark), "%d%7s", &process, rest) != 2 || !g_str_equal(rest, TEMPORARY))
        return FALSE;
    return process > 0 && kill(process, 0) != 0 && errno == ESRCH;
}

void file_remove_stale(const char *folder, const char *prefix) {
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (g_str_has_prefix(name, prefix) && is_stale(name))
            g_unlink(path);
    }
}

void file_remove_folder(const char *folder, const char *last) {
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (g_strcmp0(name, last) != 0)
            g_unlink(path);
    }
    g_autofree char *path = last ? g_build_filename(folder, last, NULL) : NULL;
    if (path)
        g_unlink(path);
    g_rmdir(folder);
}

static gboolean add_bytes(GChecksum *sum, FILE *file, gint64 offset, gsize length) {
    g_autofree guint8 *bytes = g_malloc(length);
    if (fseeko(file, offset, SEEK_SET) != 0 || fread(bytes, 1, length, file) != length)
        return FALSE;
    g_checksum_update(sum, bytes, (gssize)length);
    return TRUE;
}

static gboolean add_file(GChecksum *sum, const char *path, GError **error) {
    enum { PIECE = 1 << 20 };
    FILE *file = g_fopen(path, "rb");
    gint64 length = file && fseeko(file, 0, SEEK_END) == 0 ? ftello(file) : -1;
    gsize piece = (gsize)MIN(length, PIECE);
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT " ", length);
    g_checksum_update(sum, (const guchar *)text, -1);
    gboolean ok = length >= 0 && add_bytes(sum, file, 0, piece) && add_bytes(sum, file, length - (gint64)piece, piece);
    if (file)
        fclose(file);
    return ok || upscale_fail(error, UPSCALE_INPUT, "%s: cannot be read", path);
}

static int by_name(gconstpointer a, gconstpointer b) {
    const char *const *first = a, *const *second = b;
    return strcmp(*first, *second);
}

static gboolean add_path(GChecksum *sum, const char *path, GError **error) {
    if (!g_file_test(path, G_FILE_TEST_IS_DIR))
        return add_file(sum, path, error);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    const char *name;
    while (dir && (name = g_dir_read_name(dir)))
        g_ptr_array_add(names, g_strdup(name));
    g_ptr_array_sort(names, by_name);
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *child = g_build_filename(path, names->pdata[i], NULL);
        g_checksum_update(sum, names->pdata[i], -1);
        if (!add_path(sum, child, error))
            return FALSE;
    }
    return TRUE;
}

char *file_fingerprint(const char *path, GError **error) {
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    return add_path(sum, path, error) ? g_strdup(g_checksum_get_string(sum)) : NULL;
}
