/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The element yonossr as a queue: frames in from one thread, upscaled frames out in another, in order.
 */
#ifndef YONOS_UPSCALE_SCALER_H
#define YONOS_UPSCALE_SCALER_H

#include <gst/gst.h>

#include "options.h"

typedef struct _Scaler Scaler;

/*
 * Opens the model that the options name. Errors: USAGE (an option's value), MODEL. Free with scaler_free().
 */
Scaler *scaler_new(const UpscaleOptions *options, GError **error);
void scaler_free(Scaler *scaler);

guint scaler_get_scale(const Scaler *scaler);
/* Backend and precision in use, as "cpu bf16". Free with g_free(). */
char *scaler_get_device(const Scaler *scaler);

/* Gives a frame; waits while enough are queued. FALSE when the scaler is being stopped. Takes the sample. */
gboolean scaler_push(Scaler *scaler, GstSample *sample);
/* No more frames follow. */
void scaler_finish(Scaler *scaler);
/* The next upscaled frame; waits up to `timeout`. NULL: none yet, see scaler_ended(). Errors: MODEL. */
GstSample *scaler_pull(Scaler *scaler, GstClockTime timeout, GError **error);
gboolean scaler_ended(Scaler *scaler);
/* Wakes a waiting scaler_push(), which returns FALSE from now on. Any thread. */
void scaler_stop(Scaler *scaler);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Scaler, scaler_free)

#endif
