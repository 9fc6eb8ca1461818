/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which video encoder, and how it is set.
 *
 * Every setting is fixed, the number of threads too: the same frames give the same bytes on every machine with the
 * same encoder library.
 */
#ifndef YONOS_UPSCALE_ENCODER_H
#define YONOS_UPSCALE_ENCODER_H

#include <gst/gst.h>

/* What a file name's end asks for. */
typedef struct {
    const char *suffix; /* ".mp4" */
    const char *muxer;  /* element name */
} Container;

/* The container of an output file's name; NULL for a name with another end. */
const Container *container_of(const char *path);
/* ".mp4, .m4v, .mov, .mkv, .webm" */
const char *container_list(void);

typedef struct {
    const char *element; /* GStreamer's name */
    char *description;   /* converter, encoder and parser, for gst_parse_launch() */
} Encoder;

gboolean encoder_is_quality(const char *name);

/*
 * Chooses an encoder for frames with these caps.
 *   forced   --encoder, or NULL
 *   on_gpu   the networks run on a GPU: then a hardware encoder is worth its larger files, for a CPU that feeds
 *            the GPU is better not busy encoding; beside networks on a CPU a software encoder costs almost nothing
 * Errors: USAGE (forced is unknown, not installed or does not fit the container), FAILED (none is installed).
 * Free with encoder_free().
 */
Encoder *encoder_choose(const Container *container, const GstCaps *frames, const char *quality, const char *forced,
                        gboolean on_gpu, GError **error);
void encoder_free(Encoder *encoder);

#endif
