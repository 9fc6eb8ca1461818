/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Conversions around the engine; see gstyonospath.h.
 *
 *   native   the engine works in the input's format: from the input's memory, into the output's where format, size and
 *            colorimetry are its own, else into `enlarged` and from there through `finish`
 *   floats   input --`begin`--> 16 bits --> f32 R'G'B' --> engine --> f32 --> 16 bits `enlarged` --`finish`--> output;
 *            alpha --> GRAY16 --`alpha_scaler`--> enlarged's
 *
 * 16 bits are ARGB64 or AYUV64 in native byte order: GStreamer's part is packing and unpacking, subsampling, size and
 * borders; the matrix is gstyonosfloats.h's.
 */
#include "gstyonospath.h"

#include "gstyonoscaps.h"
#include "gstyonosfloats.h"
#include "gstyonosformat.h"
#include "gstyonosresample.h"

GST_DEBUG_CATEGORY_EXTERN(gst_yonos_sr_debug);
#define GST_CAT_DEFAULT gst_yonos_sr_debug

/* A frame of our own, mapped as long as it exists. */
typedef struct {
    GstVideoInfo info;
    GstBuffer *buffer;
    GstVideoFrame frame;
} Scratch;

struct _GstYonosPath {
    GstYonosPathOptions options;
    GstVideoRectangle picture;
    gboolean exact;     /* the output is the input, `scale` times as large: no other format, colour, size or border */
    gboolean direct;    /* the engine writes the output frame itself */
    gboolean floats;    /* the engine works on floats */
    gboolean has_alpha; /* of floats: the input's alpha goes to the output */
    Scratch original;   /* floats: the input in 16 bits */
    Scratch enlarged;   /* the engine's result, before `finish` */
    Scratch alpha, big_alpha;
    Scratch planar; /* the input of `resampler` where that cannot read the input's format */
    Scratch spare;
    float *rgb, *big_rgb;
    GstVideoConverter *begin, *finish, *alpha_scaler, *unpack, *resampler;
    GstYonosResample *enlarger; /* instead of `resampler` where it can be */
};

static gboolean scratch_open(Scratch *scratch, const GstVideoInfo *info, GError **error) {
    if (scratch->buffer)
        return TRUE;
    gsize size = GST_VIDEO_INFO_SIZE(info);
    gpointer data = g_try_malloc(size); /* GStreamer's allocator aborts where there is no memory */
    scratch->info = *info;
    scratch->buffer = data ? gst_buffer_new_wrapped(data, size) : NULL;
    if (scratch->buffer && gst_video_frame_map(&scratch->frame, &scratch->info, scratch->buffer, GST_MAP_READWRITE))
        return TRUE;
    gst_clear_buffer(&scratch->buffer);
    g_set_error(error, YONOS_ERROR, YONOS_ERROR_MEMORY,
                "out of memory for a frame of %d x %d pixels of %s; use a smaller frame", GST_VIDEO_INFO_WIDTH(info),
                GST_VIDEO_INFO_HEIGHT(info), GST_VIDEO_INFO_NAME(info));
    return FALSE;
}

static void scratch_close(Scratch *scratch) {
    if (scratch->buffer)
        gst_video_frame_unmap(&scratch->frame);
    gst_clear_buffer(&scratch->buffer);
}

/* ---- which way ----------------------------------------------------------------------------------- */

static GstVideoInfo info_new(GstVideoFormat format, gint width, gint height, const GstVideoInfo *like) {
    GstVideoInfo info;
    gst_video_info_set_format(&info, format, (guint)width, (guint)height);
    info.colorimetry = gst_yonos_colorimetry(like, info.finfo);
    info.chroma_site = like->chroma_site;
    info.interlace_mode = like->interlace_mode;
    GST_VIDEO_INFO_FPS_N(&info) = GST_VIDEO_INFO_FPS_N(like);
    GST_VIDEO_INFO_FPS_D(&info) = GST_VIDEO_INFO_FPS_D(like);
    GST_VIDEO_INFO_PAR_N(&info) = GST_VIDEO_INFO_PAR_N(like);
    GST_VIDEO_INFO_PAR_D(&info) = GST_VIDEO_INFO_PAR_D(like);
    return info;
}

/* No matrix lies between the two. */
static gboolean same_matrix(const GstVideoInfo *a, const GstVideoInfo *b) {
    return GST_VIDEO_INFO_IS_RGB(a) == GST_VIDEO_INFO_IS_RGB(b) && a->colorimetry.range == b->colorimetry.range &&
           a->colorimetry.matrix == b->colorimetry.matrix;
}

/* The same code values mean the same colours. */
static gboolean same_colour(const GstVideoInfo *a, const GstVideoInfo *b) {
    return GST_VIDEO_INFO_FORMAT(a) == GST_VIDEO_INFO_FORMAT(b) && same_matrix(a, b) &&
           (!GST_VIDEO_INFO_IS_YUV(a) || a->chroma_site == b->chroma_site);
}

/* Whether the engine must work on floats: formats that it does not know, more bits, other colours. */
static gboolean needs_floats(const GstVideoInfo *in, const GstVideoInfo *out) {
    return gst_yonos_format_native(GST_VIDEO_INFO_FORMAT(in)) == YONOS_FORMAT_UNKNOWN ||
           GST_VIDEO_INFO_COMP_DEPTH(out, 0) > GST_VIDEO_INFO_COMP_DEPTH(in, 0) || !same_matrix(in, out);
}

GstYonosPath *gst_yonos_path_new(const GstYonosPathOptions *options) {
    GstYonosPath *path = g_new0(GstYonosPath, 1);
    const GstVideoInfo *in = &options->in, *out = &options->out;
    path->options = *options;
    /* Converters want frame rates to agree, which caps may leave out on one side. */
    GST_VIDEO_INFO_FPS_N(&path->options.out) = GST_VIDEO_INFO_FPS_N(in);
    GST_VIDEO_INFO_FPS_D(&path->options.out) = GST_VIDEO_INFO_FPS_D(in);
    path->picture = gst_yonos_caps_picture(in, out, options->borders);
    path->floats = needs_floats(in, out);
    path->has_alpha = path->floats && GST_VIDEO_INFO_HAS_ALPHA(in) && GST_VIDEO_INFO_HAS_ALPHA(out);
    path->exact = same_colour(in, out) && path->picture.w == GST_VIDEO_INFO_WIDTH(out) &&
                  path->picture.h == GST_VIDEO_INFO_HEIGHT(out) &&
                  path->picture.w == options->scale * GST_VIDEO_INFO_WIDTH(in) &&
                  path->picture.h == options->scale * GST_VIDEO_INFO_HEIGHT(in);
    path->direct = !path->floats && path->exact;
    GST_INFO("%s %d x %d -> %s %d x %d, picture %d x %d: %s", GST_VIDEO_INFO_NAME(in), GST_VIDEO_INFO_WIDTH(in),
             GST_VIDEO_INFO_HEIGHT(in), GST_VIDEO_INFO_NAME(out), GST_VIDEO_INFO_WIDTH(out), GST_VIDEO_INFO_HEIGHT(out),
             path->picture.w, path->picture.h,
             path->direct   ? "direct"
             : path->floats ? "through 16 bits"
                            : "engine, then conversion");
    return path;
}

void gst_yonos_path_free(GstYonosPath *path) {
    if (!path)
        return;
    g_clear_pointer(&path->begin, gst_video_converter_free);
    g_clear_pointer(&path->finish, gst_video_converter_free);
    g_clear_pointer(&path->alpha_scaler, gst_video_converter_free);
    g_clear_pointer(&path->unpack, gst_video_converter_free);
    g_clear_pointer(&path->resampler, gst_video_converter_free);
    g_clear_pointer(&path->enlarger, gst_yonos_resample_free);
    scratch_close(&path->original);
    scratch_close(&path->enlarged);
    scratch_close(&path->alpha);
    scratch_close(&path->big_alpha);
    scratch_close(&path->planar);
    scratch_close(&path->spare);
    g_free(path->rgb);
    g_free(path->big_rgb);
    g_free(path);
}

GstVideoRectangle gst_yonos_path_get_picture(const GstYonosPath *path) {
    return path->picture;
}

/* ---- getting ready ---------------------------------------------------------------------------------- */

static guint threads_of(const GstYonosPath *path) {
    return path->options.threads > 0 ? path->options.threads : g_get_num_processors();
}

/* Options that put the result into a part of the output. */
static GstStructure *place_into(const GstVideoRectangle *picture) {
    return gst_structure_new("options", GST_VIDEO_CONVERTER_OPT_DEST_X, G_TYPE_INT, picture->x,
                             GST_VIDEO_CONVERTER_OPT_DEST_Y, G_TYPE_INT, picture->y, GST_VIDEO_CONVERTER_OPT_DEST_WIDTH,
                             G_TYPE_INT, picture->w, GST_VIDEO_CONVERTER_OPT_DEST_HEIGHT, G_TYPE_INT, picture->h, NULL);
}

/* Takes `options`, which may be NULL. Bit depth never drops on the way, and no dither is added: the result depends on
 * the input alone. */
static GstVideoConverter *converter_new(const GstYonosPath *path, const GstVideoInfo *from, const GstVideoInfo *to,
                                        GstVideoResamplerMethod method, GstStructure *options) {
    GstStructure *config = options ? options : gst_structure_new_empty("options");
    gst_structure_set(config, GST_VIDEO_CONVERTER_OPT_RESAMPLER_METHOD, GST_TYPE_VIDEO_RESAMPLER_METHOD, method,
                      GST_VIDEO_CONVERTER_OPT_CHROMA_RESAMPLER_METHOD, GST_TYPE_VIDEO_RESAMPLER_METHOD, method,
                      GST_VIDEO_CONVERTER_OPT_DITHER_METHOD, GST_TYPE_VIDEO_DITHER_METHOD, GST_VIDEO_DITHER_NONE,
                      GST_VIDEO_CONVERTER_OPT_THREADS, G_TYPE_UINT, threads_of(path), NULL);
    return gst_video_converter_new(from, to, config);
}

static gboolean out_of_memory(const char *what, GError **error) {
    g_set_error(error, YONOS_ERROR, YONOS_ERROR_MEMORY, "out of memory for %s; use a smaller frame", what);
    return FALSE;
}

/* Converters depend on nothing but their descriptions, so one that cannot be made is one that GStreamer lacks. */
static gboolean check_converter(const GstVideoConverter *converter, const GstVideoInfo *from, const GstVideoInfo *to,
                                GError **error) {
    if (converter)
        return TRUE;
    g_set_error(error, YONOS_ERROR, YONOS_ERROR_ARGUMENT,
                "GStreamer cannot convert %s to %s; put videoconvert before yonossr", GST_VIDEO_INFO_NAME(from),
                GST_VIDEO_INFO_NAME(to));
    return FALSE;
}

static gboolean open_alpha(GstYonosPath *path, GError **error) {
    gint scale = path->options.scale, w = GST_VIDEO_INFO_WIDTH(&path->options.in),
         h = GST_VIDEO_INFO_HEIGHT(&path->options.in);
    GstVideoInfo small, big;
    const GstVideoFormat grey =
        G_BYTE_ORDER == G_LITTLE_ENDIAN ? GST_VIDEO_FORMAT_GRAY16_LE : GST_VIDEO_FORMAT_GRAY16_BE;
    gst_video_info_set_format(&small, grey, (guint)w, (guint)h);
    gst_video_info_set_format(&big, grey, (guint)(w * scale), (guint)(h * scale));
    /* Alpha has no range and no matrix: whatever stands there must be the same on both sides. */
    big.colorimetry = small.colorimetry;
    if (!scratch_open(&path->alpha, &small, error) || !scratch_open(&path->big_alpha, &big, error))
        return FALSE;
    path->alpha_scaler = converter_new(path, &small, &big, GST_VIDEO_RESAMPLER_METHOD_CUBIC, NULL);
    return check_converter(path->alpha_scaler, &small, &big, error);
}

static gboolean open_floats(GstYonosPath *path, const GstVideoInfo *big, GError **error) {
    const GstVideoInfo *in = &path->options.in;
    gint w = GST_VIDEO_INFO_WIDTH(in), h = GST_VIDEO_INFO_HEIGHT(in), scale = path->options.scale;
    GstVideoInfo info = info_new(gst_yonos_floats_format(in), w, h, in);
    gsize pixels = (gsize)w * (gsize)h;
    if (!scratch_open(&path->original, &info, error) || !scratch_open(&path->enlarged, big, error))
        return FALSE;
    path->rgb = g_try_malloc_n(pixels, 3 * sizeof *path->rgb);
    path->big_rgb = g_try_malloc_n(pixels * (gsize)scale * (gsize)scale, 3 * sizeof *path->big_rgb);
    if (!path->rgb || !path->big_rgb)
        return out_of_memory("a frame of floats", error);
    path->begin = converter_new(path, in, &info, GST_VIDEO_RESAMPLER_METHOD_LANCZOS, NULL);
    return check_converter(path->begin, in, &info, error) && (!path->has_alpha || open_alpha(path, error));
}

/* Scratch frames and converters of the upscaling; at the first frame that needs them. */
static gboolean open_upscale(GstYonosPath *path, GError **error) {
    const GstVideoInfo *in = &path->options.in, *out = &path->options.out;
    if (path->direct || path->finish)
        return TRUE;
    GstVideoInfo big = info_new(path->floats ? gst_yonos_floats_format(out) : GST_VIDEO_INFO_FORMAT(in),
                                GST_VIDEO_INFO_WIDTH(in) * path->options.scale,
                                GST_VIDEO_INFO_HEIGHT(in) * path->options.scale, path->floats ? out : in);
    if (path->floats ? !open_floats(path, &big, error) : !scratch_open(&path->enlarged, &big, error))
        return FALSE;
    path->finish = converter_new(path, &big, out, GST_VIDEO_RESAMPLER_METHOD_LANCZOS, place_into(&path->picture));
    return check_converter(path->finish, &big, out, error);
}

gboolean gst_yonos_path_prepare(GstYonosPath *path, YonosUpscaler *upscaler, GError **error) {
    const GstVideoInfo *in = &path->options.in;
    YonosFormat format = path->floats ? YONOS_FORMAT_RGB_F32 : gst_yonos_format_native(GST_VIDEO_INFO_FORMAT(in));
    YonosColour colour = gst_yonos_colour(in);
    return yonos_upscaler_prepare(upscaler, GST_VIDEO_INFO_WIDTH(in), GST_VIDEO_INFO_HEIGHT(in), format, &colour,
                                  error) &&
           open_upscale(path, error);
}

/* ---- floats --------------------------------------------------------------------------------------------- */

static void scale_alpha(GstYonosPath *path) {
    const GstVideoFrame *from = &path->original.frame;
    for (gint y = 0; y < GST_VIDEO_FRAME_HEIGHT(from); y++) {
        const guint16 *row = gst_yonos_floats_row(from, y);
        guint16 *a = gst_yonos_floats_row(&path->alpha.frame, y);
        for (gint x = 0; x < GST_VIDEO_FRAME_WIDTH(from); x++)
            a[x] = row[4 * x];
    }
    gst_video_converter_frame(path->alpha_scaler, &path->alpha.frame, &path->big_alpha.frame);
}

static YonosFrame float_frame(float *pixels, gint width, gint height) {
    return (YonosFrame){.format = YONOS_FORMAT_RGB_F32,
                        .width = width,
                        .height = height,
                        .plane = {pixels},
                        .stride = {(gssize)width * 3 * (gssize)sizeof *pixels}};
}

/* ---- frames ----------------------------------------------------------------------------------------------- */

static gboolean engine(YonosUpscaler *upscaler, const YonosFrame *in, YonosFrame *out, guint64 number,
                       gint64 *engine_time, GError **error) {
    gint64 begin = g_get_monotonic_time();
    gboolean ok = yonos_upscaler_process(upscaler, in, out, number, error);
    *engine_time += g_get_monotonic_time() - begin;
    return ok;
}

static gboolean upscale_floats(GstYonosPath *path, YonosUpscaler *upscaler, const GstVideoFrame *in, guint64 number,
                               gint64 *engine_time, GError **error) {
    gint w = GST_VIDEO_FRAME_WIDTH(in), h = GST_VIDEO_FRAME_HEIGHT(in), scale = path->options.scale;
    YonosFrame from = float_frame(path->rgb, w, h), to = float_frame(path->big_rgb, w * scale, h * scale);
    gst_video_converter_frame(path->begin, in, &path->original.frame);
    gst_yonos_floats_read(&path->original.frame, &path->options.in, path->rgb);
    if (!engine(upscaler, &from, &to, number, engine_time, error))
        return FALSE;
    if (path->has_alpha)
        scale_alpha(path);
    gst_yonos_floats_write(path->big_rgb, path->has_alpha ? &path->big_alpha.frame : NULL, &path->options.out,
                           &path->enlarged.frame);
    return TRUE;
}

/* The caps decide about colour, also where a buffer's own frame says nothing. */
static YonosFrame native_frame(const GstYonosPath *path, const GstVideoFrame *frame) {
    YonosFrame native = gst_yonos_frame(frame);
    native.colour = gst_yonos_colour(&path->options.in);
    return native;
}

static gboolean upscale_native(GstYonosPath *path, YonosUpscaler *upscaler, const GstVideoFrame *in, GstVideoFrame *out,
                               guint64 number, gint64 *engine_time, GError **error) {
    YonosFrame from = native_frame(path, in), to = native_frame(path, path->direct ? out : &path->enlarged.frame);
    return engine(upscaler, &from, &to, number, engine_time, error);
}

gboolean gst_yonos_path_upscale(GstYonosPath *path, YonosUpscaler *upscaler, const GstVideoFrame *in,
                                GstVideoFrame *out, guint64 number, gint64 *engine_time, GError **error) {
    if (!open_upscale(path, error))
        return FALSE;
    if (path->floats ? !upscale_floats(path, upscaler, in, number, engine_time, error)
                     : !upscale_native(path, upscaler, in, out, number, engine_time, error))
        return FALSE;
    if (!path->direct)
        gst_video_converter_frame(path->finish, &path->enlarged.frame, out);
    return TRUE;
}

gboolean gst_yonos_path_is_direct(const GstYonosPath *path) {
    return path->direct;
}

gboolean gst_yonos_path_submit(const GstYonosPath *path, YonosUpscaler *upscaler, const GstVideoFrame *in,
                               const GstVideoFrame *out, guint64 number, GError **error) {
    g_return_val_if_fail(path->direct, FALSE);
    YonosFrame from = native_frame(path, in), to = native_frame(path, out);
    return yonos_upscaler_submit(upscaler, &from, &to, number, error);
}

/* ---- past the engine ----------------------------------------------------------------------------------------- */

/* GStreamer's fast path for these asserts that luma and chroma take equally many taps, which fails in small and in
 * shrunk pictures (1.22); planes of the same depth and subsampling take another way. */
static gboolean is_packed_422(const GstVideoInfo *info) {
    switch (GST_VIDEO_INFO_FORMAT(info)) {
    case GST_VIDEO_FORMAT_YUY2:
    case GST_VIDEO_FORMAT_UYVY:
    case GST_VIDEO_FORMAT_YVYU:
    case GST_VIDEO_FORMAT_VYUY:
        return TRUE;
    default:
        return FALSE;
    }
}

static gboolean open_resampler(GstYonosPath *path, GError **error) {
    GstVideoInfo from = path->options.in;
    const GstVideoInfo *to = &path->options.out;
    if (path->resampler || path->enlarger)
        return TRUE;
    if (path->exact)
        path->enlarger = gst_yonos_resample_new(&from, path->options.scale, threads_of(path));
    if (path->enlarger)
        return TRUE;
    if (is_packed_422(&from)) {
        GstVideoInfo planar =
            info_new(GST_VIDEO_FORMAT_Y42B, GST_VIDEO_INFO_WIDTH(&from), GST_VIDEO_INFO_HEIGHT(&from), &from);
        path->unpack = converter_new(path, &from, &planar, GST_VIDEO_RESAMPLER_METHOD_LANCZOS, NULL);
        if (!check_converter(path->unpack, &from, &planar, error) || !scratch_open(&path->planar, &planar, error))
            return FALSE;
        from = planar;
    }
    path->resampler = converter_new(path, &from, to, GST_VIDEO_RESAMPLER_METHOD_LANCZOS, place_into(&path->picture));
    return check_converter(path->resampler, &from, to, error);
}

gboolean gst_yonos_path_resample(GstYonosPath *path, const GstVideoFrame *in, GstVideoFrame *out, GError **error) {
    if (!open_resampler(path, error))
        return FALSE;
    if (path->enlarger) {
        gst_yonos_resample_frame(path->enlarger, in, out);
        return TRUE;
    }
    if (path->unpack)
        gst_video_converter_frame(path->unpack, in, &path->planar.frame);
    gst_video_converter_frame(path->resampler, path->unpack ? &path->planar.frame : in, out);
    return TRUE;
}

GstVideoFrame *gst_yonos_path_get_spare(GstYonosPath *path, GError **error) {
    return scratch_open(&path->spare, &path->options.out, error) ? &path->spare.frame : NULL;
}
