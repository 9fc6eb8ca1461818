/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Progress; see progress.h.
 */
#include "progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { TERMINAL_INTERVAL = 250 * 1000, FILE_INTERVAL = 10 * 1000 * 1000 };

void progress_begin(Progress *p, const char *name, guint frames, guint segments, gboolean quiet) {
    *p = (Progress){
        .name = name, .frames = frames, .segments = segments, .quiet = quiet, .terminal = isatty(STDERR_FILENO) == 1};
}

static void print_duration(FILE *file, double seconds) {
    guint64 s = (guint64)(seconds + 0.5);
    fprintf(file, "%" G_GUINT64_FORMAT ":%02u:%02u", s / 3600, (guint)(s / 60 % 60), (guint)(s % 60));
}

static void print(const Progress *p, gint64 now) {
    double seconds = (double)(now - p->begun) * 1e-6, fps = seconds > 0 ? p->done / seconds : 0;
    fprintf(stderr, "%s%s: %u of %u frames, %.1f %%, %u of %u segments, %.2f fps", p->terminal ? "\r" : "", p->name,
            p->done, p->frames, p->frames ? 100.0 * p->done / p->frames : 100.0, p->written, p->segments, fps);
    if (fps > 0 && p->done < p->frames) {
        fprintf(stderr, ", ETA ");
        print_duration(stderr, (p->frames - p->done) / fps);
    }
    fprintf(stderr, "%s", p->terminal ? "\033[K" : "\n");
}

void progress_update(Progress *p) {
    gint64 now = g_get_monotonic_time();
    if (p->begun == 0)
        p->begun = p->shown = now;
    if (p->quiet || p->done == 0 || now - p->shown < (p->terminal ? TERMINAL_INTERVAL : FILE_INTERVAL))
        return;
    p->shown = now;
    print(p, now);
}

void progress_end(Progress *p) {
    if (p->quiet || p->done == 0)
        return;
    print(p, g_get_monotonic_time());
    if (p->terminal)
        fputc('\n', stderr);
}

void progress_say(const Progress *p, const char *format, ...) {
    if (p && p->terminal && !p->quiet && p->done > 0)
        fputc('\n', stderr);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}
