/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files that appear whole or not at all: written under a temporary name, then flushed to the disk and renamed.
 */
#ifndef YONOS_UPSCALE_FILES_H
#define YONOS_UPSCALE_FILES_H

#include <glib.h>

/* A name beside `path` that no other process or machine uses: "path.HOST-PID.tmp". Free with g_free(). */
char *file_temporary(const char *path);

/*
 * Flushes `temporary` to the disk and gives it its name. An existing `path` is replaced where `overwrite`, else left
 * alone. Errors: OUTPUT, EXISTS. The temporary file is gone in any case.
 */
gboolean file_commit(const char *temporary, const char *path, gboolean overwrite, GError **error);

/* A folder, with its parents; one that is there already is fine. Errors: OUTPUT. */
gboolean file_make_folder(const char *path, GError **error);

/* Removes temporary files for names with `prefix` that processes of this machine left in `folder` when killed. */
void file_remove_stale(const char *folder, const char *prefix);

/* Removes a folder's files, the one called `last` after all others (NULL: any), and the folder. */
void file_remove_folder(const char *folder, const char *last);

/*
 * Length, first and last MiB of a file, or of every file in a folder and its subfolders, as a SHA-256 in
 * hexadecimal digits. Errors: INPUT. Free with g_free().
 */
char *file_fingerprint(const char *path, GError **error);

#endif
