/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lanczos resampling of frames of 8 or 10 bits to a whole multiple of their size. GstVideoConverter does the same for
 * every format and size, but takes several times as long and shifts chroma that does not lie between luma samples;
 * this is the way of bypass=true, late-policy=fast and compare where it fits.
 */
#ifndef GST_YONOS_RESAMPLE_H
#define GST_YONOS_RESAMPLE_H

#include <gst/video/video.h>

typedef struct _GstYonosResample GstYonosResample;

/*
 * For frames of `in`'s format and size to `scale` times its width and height, with `threads` threads (1 and more; they
 * change no pixel). NULL where samples are not whole bytes of 8 bits or little-endian words of 10, and where a
 * plane's components differ in size (YUY2).
 */
GstYonosResample *gst_yonos_resample_new(const GstVideoInfo *in, gint scale, guint threads);
void gst_yonos_resample_free(GstYonosResample *resample);

/* `out` has in's format and `scale` times its size. One call at a time. */
void gst_yonos_resample_frame(GstYonosResample *resample, const GstVideoFrame *in, GstVideoFrame *out);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(GstYonosResample, gst_yonos_resample_free)

#endif
