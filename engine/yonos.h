/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libyonos: upscales video frames with one-step latent diffusion (YONOS-SR,
 * Noroozi et al., ECCV 2024).
 *
 *   YonosModel     weights and configuration of one model folder; immutable, shared
 *   YonosUpscaler  a model with options, placed on a device; upscales frames
 *   YonosFrame     a picture in the caller's memory
 *
 * A diffusers pipeline folder goes in (docs/model-format.md), upscaled frames come out.
 * Errors are GErrors in the YONOS_ERROR domain whose message names the file, tensor or
 * option at fault and says what to do. The library never exits or aborts on input.
 */
#ifndef YONOS_H
#define YONOS_H

#include <glib.h>

G_BEGIN_DECLS

#if defined(__GNUC__)
#define YONOS_API __attribute__((visibility("default")))
#else
#define YONOS_API
#endif

/* ---- errors ---------------------------------------------------------------- */

#define YONOS_ERROR (yonos_error_quark())
YONOS_API GQuark yonos_error_quark(void);

typedef enum {
    YONOS_ERROR_FILE,        /* a file or folder is missing or cannot be read */
    YONOS_ERROR_FORMAT,      /* a file is malformed: not safetensors, not JSON, truncated */
    YONOS_ERROR_MODEL,       /* a well-formed model that this library does not support, or whose parts disagree */
    YONOS_ERROR_ARGUMENT,    /* an option or a frame is out of range */
    YONOS_ERROR_DEVICE,      /* the device is missing or failed */
    YONOS_ERROR_MEMORY,      /* out of memory, on the host or on the device */
    YONOS_ERROR_CANCELLED,   /* yonos_upscaler_cancel() was called */
} YonosError;

/* ---- frames ---------------------------------------------------------------- */

/* Memory layouts, named as GStreamer names them. The 10-bit ones are little endian. */
typedef enum {
    YONOS_FORMAT_UNKNOWN,
    YONOS_FORMAT_RGB,
    YONOS_FORMAT_BGR,
    YONOS_FORMAT_RGBA,
    YONOS_FORMAT_BGRA,
    YONOS_FORMAT_ARGB,
    YONOS_FORMAT_ABGR,
    YONOS_FORMAT_RGBX,
    YONOS_FORMAT_BGRX,
    YONOS_FORMAT_XRGB,
    YONOS_FORMAT_XBGR,
    YONOS_FORMAT_I420,      /* planes Y, U, V; chroma halved in both directions, rounded up */
    YONOS_FORMAT_NV12,      /* planes Y, interleaved UV */
    YONOS_FORMAT_I420_10LE, /* as I420, 10 bits in the low bits of 16 */
    YONOS_FORMAT_P010_10LE, /* as NV12, 10 bits in the high bits of 16 */
    YONOS_FORMAT_RGB_F32,   /* three floats a pixel, [0, 1]; not clipped on output */
    YONOS_FORMAT_COUNT,
} YonosFormat;

/* How Y'CbCr relates to R'G'B'. Ignored for the RGB formats. */
typedef struct {
    double kr, kb;            /* luma coefficients of red and blue: .299/.114 (BT.601), .2126/.0722 (BT.709), ... */
    gboolean full_range;      /* TRUE: 0..255; FALSE: 16..235 luma, 16..240 chroma */
    gboolean chroma_cosited_h; /* chroma samples sit on even luma columns (MPEG-2); FALSE: between two (JPEG) */
    gboolean chroma_cosited_v; /* chroma samples sit on even luma rows (top-left); FALSE: between two */
} YonosColour;

/* A picture in memory that the caller owns. Strides are in bytes and may be negative in the host's memory. */
typedef struct {
    YonosFormat format;
    int width, height;        /* pixels */
    void *plane[4];
    gssize stride[4];
    YonosColour colour;
    void *cuda_context;       /* the CUcontext whose device memory the planes are in, all work on which is done;
                                 NULL: the host's memory, the only kind that backends other than cuda take */
} YonosFrame;

/* ---- models ---------------------------------------------------------------- */

typedef struct _YonosModel YonosModel;

/*
 * Opens a model folder: reads the configuration, maps the weights, checks that every
 * tensor has the shape the configuration asks for and that none is missing or left over.
 * Opening the same folder twice in a process gives the same object while the first lives.
 * Returns a new reference (drop it with yonos_model_unref), or NULL with `error` set
 * (FILE, FORMAT, MODEL, MEMORY). Thread-safe.
 */
YONOS_API YonosModel *yonos_model_open(const char *folder, GError **error);
YONOS_API YonosModel *yonos_model_ref(YonosModel *model);
YONOS_API void yonos_model_unref(YonosModel *model);

/*
 * The folder of a model: `name` itself where it is a folder, else the folder of that name in the colon-separated
 * list $YONOS_MODELS_PATH or among the installed models. NULL or "" means the default model, "yonos-lite-x2".
 * Returns a string to g_free(), or NULL with `error` set (FILE; the message lists the models that are there).
 * Thread-safe.
 */
YONOS_API char *yonos_model_find(const char *name, GError **error);

/* The magnification, 1 to 16. Thread-safe, as are all getters; strings live as long as the model. */
YONOS_API int yonos_model_get_scale(const YonosModel *model);
YONOS_API const char *yonos_model_get_name(const YonosModel *model);
YONOS_API const char *yonos_model_get_folder(const YonosModel *model);
YONOS_API const char *yonos_model_get_licence(const YonosModel *model);
/* What users should know though the model works, such as weights that are not finite; NULL where there is nothing. */
YONOS_API const char *yonos_model_get_warning(const YonosModel *model);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(YonosModel, yonos_model_unref)

/* ---- upscaling -------------------------------------------------------------- */

typedef enum {
    YONOS_PRECISION_AUTO, /* the backend's fastest that keeps the picture: bf16 where the CPU computes in it, else f32 */
    YONOS_PRECISION_F32,
    YONOS_PRECISION_BF16,
    YONOS_PRECISION_F16,
} YonosPrecision;

typedef enum {
    YONOS_NOISE_PER_FRAME, /* a new noise field each frame, from seed and frame number */
    YONOS_NOISE_STATIC,    /* the field of frame 0 for all frames: less flicker */
} YonosNoiseMode;

typedef enum {
    YONOS_COLOUR_FIX_DEFAULT, /* what the model folder asks for */
    YONOS_COLOUR_FIX_NONE,
    YONOS_COLOUR_FIX_ADAIN,   /* per-channel mean and standard deviation of the input */
    YONOS_COLOUR_FIX_WAVELET, /* low frequencies of the input, high frequencies of the result */
    YONOS_COLOUR_FIX_BACK_PROJECTION, /* result + upsample(input - downsample(result)) */
} YonosColourFix;

typedef struct {
    const char *backend;       /* "auto", "cpu", "cuda", "ref" (slow, the specification); NULL is "auto"; "auto:1" and
                                  "cuda:1" name another device than the first */
    YonosPrecision precision;
    int threads;               /* 0: one per processor; 1 to 256 otherwise */
    guint64 seed;
    YonosNoiseMode noise_mode;
    YonosColourFix colour_fix;
    int tile_size;             /* output pixels, 64 to 8192; 0: chosen from the frame size and the model */
    int tile_overlap;          /* output pixels; -1: chosen from the model */
    int max_vram;              /* MiB of the GPU's memory that may be used; 0: all there is. Nothing to the CPU */
    void *cuda_context;        /* the CUcontext that the cuda backend works in, on its device, and leaves current in the
                                  threads that call; it must outlive the upscaler. NULL: the device's primary one */
} YonosOptions;

#define YONOS_OPTIONS_INIT { NULL, YONOS_PRECISION_AUTO, 0, 0, YONOS_NOISE_STATIC, YONOS_COLOUR_FIX_DEFAULT, 0, -1, 0, \
                             NULL }

typedef struct _YonosUpscaler YonosUpscaler;

/* Figures about an upscaler and its latest frame size. */
typedef struct {
    const char *backend;      /* "cpu", ... */
    const char *device;       /* in words; lives as long as the upscaler */
    YonosPrecision precision; /* the one in use, never AUTO */
    int threads;
    int tiles_x, tiles_y, tile_width, tile_height; /* output pixels; 0 before the first frame */
    guint64 arena_bytes, peak_live_bytes, workspace_bytes, weight_bytes;
    double flops;             /* 2 x multiply-adds of the convolutions and matrix products of one frame */
    guint64 tiles_run, tiles_reused; /* of all frames so far; reused by yonos_upscaler_set_reuse() */
    gboolean device_frames;   /* frames may be in a CUDA device's memory */
    const char *warning;      /* what is done instead of what was asked for, such as smaller tiles for want of memory; NULL:
                                 nothing is. Lives until the next frame of another kind */
    gboolean asynchronous;    /* frames in flight are worked on by themselves; FALSE: yonos_upscaler_submit() works */
} YonosUpscalerInfo;

/*
 * Places a model on a backend. Takes its own reference to `model`.
 * Errors: ARGUMENT (an option out of range), DEVICE (backend not there), MEMORY.
 * One upscaler belongs to one thread at a time; several upscalers may run at once. Those of the same model, backend,
 * precision, threads and CUDA context have one copy of the packed weights.
 */
YONOS_API YonosUpscaler *yonos_upscaler_new(YonosModel *model, const YonosOptions *options, GError **error);
YONOS_API void yonos_upscaler_free(YonosUpscaler *upscaler);

/*
 * Makes everything ready for frames of this size and format (width x height of the
 * INPUT, in pixels), so that the following yonos_upscaler_process() calls allocate
 * nothing. Optional: process does it by itself at the first frame of a new kind.
 * `colour` may be NULL for RGB formats. Errors: ARGUMENT, MEMORY, DEVICE.
 */
YONOS_API gboolean yonos_upscaler_prepare(YonosUpscaler *upscaler, int width, int height, YonosFormat format,
                                          const YonosColour *colour, GError **error);

/*
 * Upscales one frame. `out` must have in's format and exactly scale x its size.
 * `frame_number` selects the noise field: the same number gives the same pixels (without steadiness, see below), with
 * any number of threads, in any order. Errors: ARGUMENT (also where frames are in flight), MEMORY, DEVICE, CANCELLED.
 */
YONOS_API gboolean yonos_upscaler_process(YonosUpscaler *upscaler, const YonosFrame *in, YonosFrame *out,
                                          guint64 frame_number, GError **error);

/*
 * The same in two calls, so that a device can take one frame up, work on another and bring a third one back at the same
 * time: submit begins a frame, collect waits for the oldest one in flight and completes its `out`. The pixels are those
 * of process. At most YONOS_IN_FLIGHT frames are in flight; they may be of different kinds. submit has read an `in` of
 * the host's memory when it returns; one of a device's memory must stay, as `out` must, until the frame is collected.
 * What is in `out` until then is undefined.
 * A frame whose submit fails is not in flight; one whose collect fails no longer is. Errors: submit: those of process;
 * collect: DEVICE, ARGUMENT (no frame is in flight).
 */
#define YONOS_IN_FLIGHT 2
YONOS_API gboolean yonos_upscaler_submit(YonosUpscaler *upscaler, const YonosFrame *in, YonosFrame *out,
                                         guint64 frame_number, GError **error);
YONOS_API gboolean yonos_upscaler_collect(YonosUpscaler *upscaler, GError **error);
/* Forgets the frames in flight, without waiting for them where they are in the host's memory; nothing touches their
 * memory any more. */
YONOS_API void yonos_upscaler_discard(YonosUpscaler *upscaler);

/*
 * Makes a running or the next yonos_upscaler_process() or yonos_upscaler_submit() return CANCELLED soon.
 * May be called from any thread. yonos_upscaler_resume() takes it back.
 */
YONOS_API void yonos_upscaler_cancel(YonosUpscaler *upscaler);
YONOS_API void yonos_upscaler_resume(YonosUpscaler *upscaler);

/* These three take effect at the next frame; same thread rule as process. */
YONOS_API void yonos_upscaler_set_seed(YonosUpscaler *upscaler, guint64 seed);
YONOS_API void yonos_upscaler_set_noise_mode(YonosUpscaler *upscaler, YonosNoiseMode mode);
YONOS_API void yonos_upscaler_set_colour_fix(YonosUpscaler *upscaler, YonosColourFix colour_fix);

/*
 * With reuse, a tile whose input pixels (halo and padding included) and noise are those of the frame before takes
 * its result instead of running the networks: exactly the same pixels, several times faster where little moves.
 * Needs static noise to do anything, and memory for input and result of every tile; off at first. Same thread rule
 * as process, whose errors then also tell (MEMORY) when there is too little.
 */
YONOS_API void yonos_upscaler_set_reuse(YonosUpscaler *upscaler, gboolean reuse);

/*
 * With steadiness, what the networks made of the frame before is kept to that share (0, at first, to YONOS_MAX_STEADINESS)
 * where the input stays the same but for noise, and taken along where it moves: less flicker, at the price that a frame's
 * pixels depend on the frames before it. What is new, or changed by more than 3 of 255, is made anew; colours and all else
 * that the input says are those of the frame itself, unless the colour fix is none. A frame of another kind than the one
 * before is the first of its kind. Takes effect at the next frame, same thread rule as process.
 * yonos_upscaler_forget_frames() makes the next frame as if it were the first: after a jump, for example.
 */
#define YONOS_MAX_STEADINESS 0.95
YONOS_API void yonos_upscaler_set_steadiness(YonosUpscaler *upscaler, double steadiness);
YONOS_API void yonos_upscaler_forget_frames(YonosUpscaler *upscaler);

YONOS_API void yonos_upscaler_get_info(const YonosUpscaler *upscaler, YonosUpscalerInfo *info);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(YonosUpscaler, yonos_upscaler_free)

/*
 * Threads of the CPU backend that wait for each other spin, with libgomp for milliseconds at a time: the fastest where
 * the processors have nothing else to do, and many times slower where they have. Between these two calls they sleep after
 * a few microseconds; it concerns all OpenMP of the process. Calls are counted. No effect where $OMP_WAIT_POLICY or
 * $GOMP_SPINCOUNT say how to wait, or where the upscaler has fewer threads than there are processors. Thread-safe.
 */
YONOS_API void yonos_cpu_share_begin(void);
YONOS_API void yonos_cpu_share_end(void);

/* The library's version, "0.1.0". */
YONOS_API const char *yonos_version(void);

G_END_DECLS

#endif
