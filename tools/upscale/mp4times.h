/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The creation and modification times in an MP4 or QuickTime file (ISO/IEC 14496-12: mvhd, tkhd, mdhd), which the
 * muxer sets to the current time and has no property for.
 */
#ifndef YONOS_UPSCALE_MP4TIMES_H
#define YONOS_UPSCALE_MP4TIMES_H

#include <glib.h>

/* Sets them to 0, "unknown". The file stays as long as it is. Errors: OUTPUT. */
gboolean mp4_clear_times(const char *path, GError **error);

#endif
