/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What tests leave behind.
 */
#ifndef REMOVE_TREE_H
#define REMOVE_TREE_H

#include <glib/gstdio.h>

/* Removes a file, or a folder with all that is in it. Never follows a symbolic link. */
static inline void remove_tree(const char *path) {
    g_autoptr(GDir) dir = g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
    const char *entry;
    while (dir && (entry = g_dir_read_name(dir))) {
        g_autofree char *child = g_build_filename(path, entry, NULL);
        remove_tree(child);
    }
    g_remove(path);
}

#endif
