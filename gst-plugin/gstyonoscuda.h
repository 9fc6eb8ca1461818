/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames in CUDA memory (memory:CUDAMemory), through GStreamer's library for it; gstyonosnocuda.c stands in where the
 * plugin is built without. Nothing here calls CUDA unless gst_yonos_cuda_available(), because that library ends the
 * process where there is no driver.
 *
 * GStreamer's CUDA elements share a context that is not the device's primary one. New buffers are made there, and the
 * engine works there where the pipeline has such frames, so that it reads and writes them where they are. Frames of any
 * other context carry theirs with them (YonosFrame.cuda_context).
 */
#ifndef GST_YONOS_CUDA_H
#define GST_YONOS_CUDA_H

#include <gst/video/video.h>

#define GST_YONOS_CUDA_MEMORY "memory:CUDAMemory"

/* Behind the pads' other caps: the formats that both the engine and GStreamer's CUDA memory know. */
#ifdef GST_YONOS_HAS_CUDA
#define GST_YONOS_CUDA_PAD_CAPS                                                                                        \
    "; video/x-raw(" GST_YONOS_CUDA_MEMORY "), format = { NV12, I420, P010_10LE, I420_10LE, RGBA, BGRA, RGBx, "  \
    "BGRx, ARGB, ABGR, RGB, BGR }, width = [ 1, 16384 ], height = [ 1, 16384 ], framerate = " GST_VIDEO_FPS_RANGE
#else
#define GST_YONOS_CUDA_PAD_CAPS
#endif

/* The context that the element shares with its neighbours. Its functions are called from any thread. */
typedef struct _GstYonosCuda GstYonosCuda;

/* Of an element, which must outlive it; nothing is opened yet. */
GstYonosCuda *gst_yonos_cuda_new(GstElement *element);
void gst_yonos_cuda_free(GstYonosCuda *cuda);

/* Whether the plugin was built for CUDA memory and there is a driver. */
gboolean gst_yonos_cuda_available(void);

/* The element's set_context(), and its answer to CONTEXT queries: FALSE where it is not about CUDA. `device` is
 * cuda-device-id, -1 for any. */
void gst_yonos_cuda_set_context(GstYonosCuda *cuda, GstContext *context, gint device);
gboolean gst_yonos_cuda_query_context(GstYonosCuda *cuda, GstQuery *query);
/* Forgets the context, in which nothing of ours may be left. */
void gst_yonos_cuda_reset(GstYonosCuda *cuda);

/* The CUcontext, which lives until gst_yonos_cuda_reset(). NULL without a device and, unless `create`, where no neighbour
 * has given one. */
gpointer gst_yonos_cuda_get_handle(GstYonosCuda *cuda, gint device, gboolean create);
/* Around calls of the engine in an application's thread, where it leaves its context current: leave() brings back the one
 * of before. It takes what enter() returned. */
gboolean gst_yonos_cuda_enter(GstYonosCuda *cuda);
void gst_yonos_cuda_leave(gboolean entered);

/*
 * A pool of frames in CUDA memory, set up for `caps`; *size is the size of its buffers, which have rows of their own
 * length. A pool that is given (may be NULL) is taken where it is one in our context. Transfer full; NULL without a
 * device.
 */
GstBufferPool *gst_yonos_cuda_pool(GstYonosCuda *cuda, gint device, GstBufferPool *given, GstCaps *caps, guint *size,
                                   guint min, guint max);

/* Flags to map a buffer by its address on the device; 0 where it is not in CUDA memory. */
GstMapFlags gst_yonos_cuda_map_flags(GstBuffer *buffer);
/* The CUcontext of a frame that was mapped with these flags, else NULL. Waits until its maker is done with it. */
gpointer gst_yonos_cuda_frame_context(const GstVideoFrame *frame);

#endif
