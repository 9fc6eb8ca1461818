/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Walking over boxes; see mp4times.h. A box is a 32-bit big-endian length, four letters and its contents; length 1
 * means that a 64-bit length follows the letters, length 0 that the box reaches to the end.
 */
#include "mp4times.h"
#include "status.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <gst/gst.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    char type[5];
    gint64 contents, end; /* offsets in the file */
} Box;

static gboolean read_box(FILE *file, gint64 offset, gint64 limit, Box *box) {
    guint8 head[16];
    if (offset + 8 > limit || fseeko(file, offset, SEEK_SET) != 0 || fread(head, 1, 8, file) != 8)
        return FALSE;
    gint64 length = GST_READ_UINT32_BE(head);
    memcpy(box->type, head + 4, 4);
    box->type[4] = 0;
    box->contents = offset + 8;
    if (length == 1) {
        if (fread(head + 8, 1, 8, file) != 8)
            return FALSE;
        length = (gint64)GST_READ_UINT64_BE(head + 8);
        box->contents = offset + 16;
    }
    box->end = length == 0 ? limit : offset + length;
    return box->end >= box->contents && box->end <= limit;
}

/* A full box: one byte of version, three of flags, then both times, of 64 bits in version 1. */
static gboolean clear_times(FILE *file, const Box *box) {
    static const guint8 zeros[16];
    if (fseeko(file, box->contents, SEEK_SET) != 0)
        return FALSE;
    int version = fgetc(file);
    gsize length = version == 1 ? 16 : 8;
    return version != EOF && box->contents + 4 + (gint64)length <= box->end &&
           fseeko(file, box->contents + 4, SEEK_SET) == 0 && fwrite(zeros, 1, length, file) == length;
}

static gboolean walk(FILE *file, gint64 offset, gint64 limit) {
    static const char *const timed[] = {"mvhd", "tkhd", "mdhd", NULL}, *const nested[] = {"moov", "trak", "mdia", NULL};
    Box box;
    gboolean ok = TRUE;
    for (; ok && offset < limit; offset = box.end) {
        ok = read_box(file, offset, limit, &box);
        if (ok && g_strv_contains(timed, box.type))
            ok = clear_times(file, &box);
        else if (ok && g_strv_contains(nested, box.type))
            ok = walk(file, box.contents, box.end);
    }
    return ok;
}

gboolean mp4_clear_times(const char *path, GError **error) {
    FILE *file = g_fopen(path, "r+b");
    gboolean ok = file && fseeko(file, 0, SEEK_END) == 0 && walk(file, 0, ftello(file));
    int code = errno;
    if (file && fclose(file) != 0) {
        code = errno;
        ok = FALSE;
    }
    return ok || upscale_fail(error, UPSCALE_OUTPUT, "%s: the file's times cannot be set: %s", path, g_strerror(code));
}
