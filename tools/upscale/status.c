/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Errors and signals; see status.h.
 */
#include "status.h"

#include <signal.h>
#include <string.h>

G_DEFINE_QUARK(yonos - upscale - error - quark, upscale_error)

static volatile sig_atomic_t stop_signal;

gboolean upscale_fail(GError **error, UpscaleStatus status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, UPSCALE_ERROR, status, message);
    return FALSE;
}

static void on_signal(int number) {
    stop_signal = number;
}

void upscale_catch_signals(void) {
    /* RESETHAND: a second Ctrl-C ends the process at once. */
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

gboolean upscale_interrupted(GError **error) {
    if (!stop_signal)
        return FALSE;
    upscale_fail(error, UPSCALE_INTERRUPTED, "stopped by a signal; the same command goes on where this one stopped");
    return TRUE;
}
