/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main() for a fuzz target where there is no libFuzzer: every file of the folders given, each cut to
 * every length (in steps, where it is long), and a thousand seeded mutations of each.
 */
#include <glib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MUTATIONS = 1000, CUTS = 500 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Runs on memory of exactly `size` bytes. */
static void run(const guint8 *data, gsize size) {
    g_autofree guint8 *copy = g_memdup2(data, size);
    LLVMFuzzerTestOneInput(copy ? copy : (const guint8 *)"", size);
}

static gsize below(GRand *random, gsize limit) { return (gsize)g_rand_int_range(random, 0, (gint32)limit); }

/* One to four changes: another byte, a flipped bit, a piece copied over another. */
static void mutate(GRand *random, guint8 *data, gsize size) {
    for (gsize n = 1 + below(random, 4); n > 0; n--) {
        gsize at = below(random, size), from = below(random, size), length = 1 + below(random, 15);
        switch (below(random, 3)) {
        case 0:
            data[at] = (guint8)g_rand_int(random);
            break;
        case 1:
            data[at] ^= (guint8)(1u << below(random, 8));
            break;
        default:
            memmove(data + at, data + from, MIN(length, size - MAX(at, from)));
            break;
        }
    }
}

static void run_file(const char *path) {
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GRand) random = g_rand_new_with_seed(1); /* the same mutations in every run */
    gsize size;
    if (!g_file_get_contents(path, &text, &size, &error)) {
        fprintf(stderr, "%s\n", error->message);
        exit(1);
    }
    run((const guint8 *)text, size);
    for (gsize cut = 0; cut < size; cut += size / CUTS + 1)
        run((const guint8 *)text, cut);
    for (int i = 0; i < MUTATIONS && size > 0; i++) {
        g_autofree guint8 *copy = g_memdup2(text, size);
        mutate(random, copy, size);
        run(copy, size);
    }
}

int main(int argc, char **argv) {
    guint files = 0;
    for (int i = 1; i < argc; i++) {
        g_autoptr(GDir) dir = g_dir_open(argv[i], 0, NULL);
        const char *entry;
        while (dir && (entry = g_dir_read_name(dir))) {
            g_autofree char *path = g_build_filename(argv[i], entry, NULL);
            run_file(path);
            files++;
        }
    }
    printf("%u files\n", files);
    return files > 0 ? 0 : 1; /* no corpus is no pass */
}
