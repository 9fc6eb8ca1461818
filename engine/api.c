/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * YonosUpscaler: a model with options on a backend; see yonos.h.
 *
 * Plans are made per frame size, format and options (a YonosFrameSpec) and the latest few
 * are kept. Upscalers of one model and the same backend options share the backend, and with it
 * the packed weights (plan/shared.h). The frame's memory is checked against its format before any kernel sees it.
 */
#include "backend/format.h"
#include "fit.h"
#include "plan/shared.h"

enum {
    KEPT_PLANS = YONOS_IN_FLIGHT, /* so that one of them has no frame in flight when another one is submitted */
    MAX_OUTPUT_SIDE = 16384, /* noise counters hold 16-bit latent coordinates; and no frame is larger */
};

typedef struct {
    YonosFrameSpec spec;
    YonosPlan *plan;
    char *warning; /* yonos_plan_fit()'s */
} KeptPlan;

struct _YonosUpscaler {
    YonosModel *model;
    YonosShared *shared;
    YonosBackend *backend; /* shared's */
    YonosOptions options;
    KeptPlan kept[KEPT_PLANS]; /* latest first; plan is NULL in free places */
    YonosPlan *flight[YONOS_IN_FLIGHT]; /* the plans of the frames in flight, oldest first */
    guint n_flight;
    gboolean reuse;
    double steadiness;
    const YonosPlan *latest; /* of the latest frame; NULL: what came before is forgotten. Only to compare with */
    guint64 tiles_run, tiles_reused;
    int cancelled;             /* atomic */
};

const char *yonos_version(void) {
    return YONOS_VERSION;
}

/* ---- formats --------------------------------------------------------------------------- */

/* Written so that NaN fails. */
static gboolean colour_is_legal(const YonosColour *colour) {
    return colour->kr > 0 && colour->kb > 0 && colour->kr + colour->kb < 1;
}

static gboolean check_kind(const YonosUpscaler *upscaler, int width, int height, YonosFormat format,
                           const YonosColour *colour, GError **error) {
    const YonosFormatInfo *info = yonos_format_get_info(format);
    int scale = yonos_model_get_scale(upscaler->model);
    if (!info)
        return yonos_fail(error, YONOS_ERROR_ARGUMENT, "frame: format %d is not one of YonosFormat", (int)format);
    if (width < 1 || height < 1 || width > MAX_OUTPUT_SIDE / scale || height > MAX_OUTPUT_SIDE / scale)
        return yonos_fail(error, YONOS_ERROR_ARGUMENT,
                          "frame: %d x %d is not possible; with scale %d each side must be 1 to %d pixels", width,
                          height, scale, MAX_OUTPUT_SIDE / scale);
    gboolean yuv = info->layout == YONOS_LAYOUT_YUV420;
    if (yuv && !colour)
        return yonos_fail(error, YONOS_ERROR_ARGUMENT, "frame: %s needs a YonosColour", info->name);
    if (yuv && !colour_is_legal(colour))
        return yonos_fail(error, YONOS_ERROR_ARGUMENT,
                          "frame: kr %g and kb %g are no luma coefficients; BT.709 has 0.2126 and 0.0722", colour->kr,
                          colour->kb);
    return TRUE;
}

static gboolean check_memory(const YonosUpscaler *upscaler, const YonosFrame *frame, const char *which,
                             GError **error) {
    if (frame->cuda_context && !upscaler->backend->device_frames)
        return yonos_fail(error, YONOS_ERROR_ARGUMENT,
                          "%s frame: is in a GPU's memory, which backend %s cannot use; use cuda, or the host's memory",
                          which, upscaler->backend->name);
    const YonosFormatInfo *info = yonos_format_get_info(frame->format);
    int sample = info->depth / 8 + (info->depth % 8 != 0); /* bytes of one component: what planes are aligned to */
    for (int i = 0; i < info->planes; i++) {
        gssize row = (gssize)yonos_format_row_bytes(info, i, frame->width), stride = frame->stride[i];
        if (!frame->plane[i])
            return yonos_fail(error, YONOS_ERROR_ARGUMENT, "%s frame: plane %d of %s is NULL", which, i, info->name);
        if (stride < row && stride > -row)
            return yonos_fail(error, YONOS_ERROR_ARGUMENT,
                              "%s frame: the stride of plane %d is %" G_GSSIZE_FORMAT
                              " bytes, but a row of %d pixels of %s takes %" G_GSSIZE_FORMAT,
                              which, i, stride, frame->width, info->name, row);
        if (frame->cuda_context && stride < 0)
            return yonos_fail(error, YONOS_ERROR_ARGUMENT,
                              "%s frame: the stride of plane %d is negative, which a GPU's memory cannot have", which,
                              i);
        if ((gsize)frame->plane[i] % (gsize)sample != 0 || stride % sample != 0)
            return yonos_fail(error, YONOS_ERROR_ARGUMENT,
                              "%s frame: plane %d of %s and its stride must be multiples of %d bytes", which, i,
                              info->name, sample);
    }
    return TRUE;
}

/* ---- options --------------------------------------------------------------------------- */

static gboolean check_range(const char *name, gint64 value, gint64 low, gint64 high, GError **error) {
    if (value >= low && value <= high)
        return TRUE;
    return yonos_fail(error, YONOS_ERROR_ARGUMENT,
                      "option %s is %" G_GINT64_FORMAT ", but must be %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, name,
                      value, low, high);
}

static gboolean check_options(const YonosOptions *o, GError **error) {
    if (!check_range("precision", (gint64)o->precision, YONOS_PRECISION_AUTO, YONOS_PRECISION_F16, error) ||
        !check_range("threads", o->threads, 0, 256, error) ||
        !check_range("max-vram", o->max_vram, 0, G_MAXINT, error) ||
        !check_range("noise-mode", (gint64)o->noise_mode, YONOS_NOISE_PER_FRAME, YONOS_NOISE_STATIC, error) ||
        !check_range("colour-fix", (gint64)o->colour_fix, YONOS_COLOUR_FIX_DEFAULT, YONOS_COLOUR_FIX_BACK_PROJECTION,
                     error))
        return FALSE;
    return yonos_tile_options_check(o->tile_size, o->tile_overlap, error);
}

YonosUpscaler *yonos_upscaler_new(YonosModel *model, const YonosOptions *options, GError **error) {
    g_return_val_if_fail(model != NULL, NULL);
    const YonosOptions defaults = YONOS_OPTIONS_INIT;
    const YonosOptions *o = options ? options : &defaults;
    if (!check_options(o, error))
        return NULL;
    YonosShared *shared = yonos_shared_open(model, o, error);
    if (!shared)
        return NULL;
    YonosUpscaler *upscaler = g_new0(YonosUpscaler, 1);
    upscaler->model = yonos_model_ref(model);
    upscaler->shared = shared;
    upscaler->backend = yonos_shared_get_backend(shared);
    upscaler->options = *o;
    upscaler->options.backend = upscaler->backend->name;
    return upscaler;
}

static void drop_plan(KeptPlan *kept) {
    g_clear_pointer(&kept->plan, yonos_plan_free);
    g_clear_pointer(&kept->warning, g_free);
}

void yonos_upscaler_free(YonosUpscaler *upscaler) {
    if (!upscaler)
        return;
    yonos_shared_lock(upscaler->shared);
    for (guint i = 0; i < KEPT_PLANS; i++)
        drop_plan(&upscaler->kept[i]);
    yonos_shared_unlock(upscaler->shared);
    yonos_shared_close(upscaler->shared);
    yonos_model_unref(upscaler->model);
    g_free(upscaler);
}

/* ---- plans ----------------------------------------------------------------------------- */

static gboolean colour_equal(const YonosColour *a, const YonosColour *b) {
    return a->kr == b->kr && a->kb == b->kb && a->full_range == b->full_range &&
           a->chroma_cosited_h == b->chroma_cosited_h && a->chroma_cosited_v == b->chroma_cosited_v;
}

/* What can differ within one upscaler. */
static gboolean spec_equal(const YonosFrameSpec *a, const YonosFrameSpec *b) {
    return a->width == b->width && a->height == b->height && a->format == b->format && a->colour_fix == b->colour_fix &&
           a->steady == b->steady && colour_equal(&a->colour, &b->colour);
}

static void move_to_front(YonosUpscaler *upscaler, guint index) {
    KeptPlan kept = upscaler->kept[index];
    memmove(&upscaler->kept[1], &upscaler->kept[0], index * sizeof kept);
    upscaler->kept[0] = kept;
}

static gboolean is_in_flight(const YonosUpscaler *upscaler, const YonosPlan *plan) {
    for (guint i = 0; i < upscaler->n_flight; i++)
        if (upscaler->flight[i] == plan)
            return TRUE;
    return FALSE;
}

/* The plan for `spec`, from the kept ones or new; the oldest that is idle goes first so that its memory can serve. */
static YonosPlan *get_plan(YonosUpscaler *upscaler, const YonosFrameSpec *spec, GError **error) {
    for (guint i = 0; i < KEPT_PLANS && upscaler->kept[i].plan; i++) {
        if (spec_equal(&upscaler->kept[i].spec, spec)) {
            move_to_front(upscaler, i);
            return upscaler->kept[0].plan;
        }
    }
    guint oldest = KEPT_PLANS - 1;
    while (oldest > 0 && is_in_flight(upscaler, upscaler->kept[oldest].plan))
        oldest--;
    move_to_front(upscaler, oldest);
    drop_plan(&upscaler->kept[0]);
    char *warning;
    YonosPlan *plan = yonos_plan_fit(upscaler->backend, upscaler->model, spec, FALSE, &warning, error);
    upscaler->kept[0] = (KeptPlan){*spec, plan, warning};
    if (!plan) { /* free places stand at the end */
        memmove(&upscaler->kept[0], &upscaler->kept[1], (KEPT_PLANS - 1) * sizeof upscaler->kept[0]);
        upscaler->kept[KEPT_PLANS - 1] = (KeptPlan){0};
    }
    return plan;
}

static YonosPlan *plan_for(YonosUpscaler *upscaler, int width, int height, YonosFormat format,
                           const YonosColour *colour, GError **error) {
    YonosFrameSpec spec = {
        .width = width,
        .height = height,
        .format = format,
        .colour_fix = upscaler->options.colour_fix,
        .tile_size = upscaler->options.tile_size,
        .tile_overlap = upscaler->options.tile_overlap,
        .dtype = upscaler->backend->dtype,
        .tile_batch = upscaler->backend->tile_batch,
        .steady = upscaler->steadiness > 0.0,
    };
    if (yonos_format_get_info(format)->layout == YONOS_LAYOUT_YUV420)
        spec.colour = *colour;
    yonos_shared_lock(upscaler->shared);
    YonosPlan *plan = get_plan(upscaler, &spec, error);
    yonos_shared_unlock(upscaler->shared);
    return plan;
}

/* A further frame may need a further plan. */
static gboolean check_room(const YonosUpscaler *upscaler, GError **error) {
    return upscaler->n_flight < YONOS_IN_FLIGHT ||
           yonos_fail(error, YONOS_ERROR_ARGUMENT, "%d frames are in flight: collect one before the next one",
                      YONOS_IN_FLIGHT);
}

gboolean yonos_upscaler_prepare(YonosUpscaler *upscaler, int width, int height, YonosFormat format,
                                const YonosColour *colour, GError **error) {
    g_return_val_if_fail(upscaler != NULL, FALSE);
    return check_kind(upscaler, width, height, format, colour, error) && check_room(upscaler, error) &&
           plan_for(upscaler, width, height, format, colour, error) != NULL;
}

static gboolean check_frames(const YonosUpscaler *upscaler, const YonosFrame *in, const YonosFrame *out,
                             GError **error) {
    int scale = yonos_model_get_scale(upscaler->model);
    if (!check_kind(upscaler, in->width, in->height, in->format, &in->colour, error))
        return FALSE;
    if (out->format != in->format)
        return yonos_fail(error, YONOS_ERROR_ARGUMENT, "output frame: the format must be the input's, %s",
                          yonos_format_get_info(in->format)->name);
    if (out->width != in->width * scale || out->height != in->height * scale)
        return yonos_fail(error, YONOS_ERROR_ARGUMENT,
                          "output frame: %d x %d instead of %d x the input's size, %d x %d", out->width, out->height,
                          scale, in->width * scale, in->height * scale);
    return check_memory(upscaler, in, "input", error) && check_memory(upscaler, out, "output", error);
}

gboolean yonos_upscaler_submit(YonosUpscaler *upscaler, const YonosFrame *in, YonosFrame *out, guint64 frame_number,
                               GError **error) {
    g_return_val_if_fail(upscaler != NULL && in != NULL && out != NULL, FALSE);
    if (!check_frames(upscaler, in, out, error) || !check_room(upscaler, error))
        return FALSE;
    if (g_atomic_int_get(&upscaler->cancelled)) /* before a plan is made, which can take seconds */
        return yonos_fail(error, YONOS_ERROR_CANCELLED, "cancelled");
    YonosPlan *plan = plan_for(upscaler, in->width, in->height, in->format, &in->colour, error);
    if (!plan)
        return FALSE;
    if (!yonos_plan_set_reuse(plan, upscaler->reuse, error))
        return FALSE;
    yonos_plan_set_steadiness(plan, (float)upscaler->steadiness);
    if (plan != upscaler->latest)
        yonos_plan_forget_frames(plan);
    upscaler->latest = plan;
    guint64 noise_frame = upscaler->options.noise_mode == YONOS_NOISE_STATIC ? 0 : frame_number;
    yonos_shared_lock_run(upscaler->shared);
    gboolean ok = yonos_plan_submit(plan, in, out, upscaler->options.seed, noise_frame, &upscaler->cancelled, error);
    yonos_shared_unlock_run(upscaler->shared);
    if (ok)
        upscaler->flight[upscaler->n_flight++] = plan;
    YonosPlanInfo info;
    yonos_plan_get_info(plan, &info);
    upscaler->tiles_run += info.tiles_run;
    upscaler->tiles_reused += info.tiles_reused;
    return ok;
}

gboolean yonos_upscaler_collect(YonosUpscaler *upscaler, GError **error) {
    g_return_val_if_fail(upscaler != NULL, FALSE);
    if (upscaler->n_flight == 0)
        return yonos_fail(error, YONOS_ERROR_ARGUMENT, "no frame is in flight: submit one before one is collected");
    YonosPlan *plan = upscaler->flight[0];
    upscaler->n_flight--;
    memmove(&upscaler->flight[0], &upscaler->flight[1], upscaler->n_flight * sizeof *upscaler->flight);
    return yonos_plan_collect(plan, error);
}

void yonos_upscaler_discard(YonosUpscaler *upscaler) {
    g_return_if_fail(upscaler != NULL);
    yonos_shared_lock_run(upscaler->shared);
    for (guint i = 0; i < upscaler->n_flight; i++)
        yonos_plan_discard(upscaler->flight[i]);
    yonos_shared_unlock_run(upscaler->shared);
    upscaler->n_flight = 0;
}

gboolean yonos_upscaler_process(YonosUpscaler *upscaler, const YonosFrame *in, YonosFrame *out, guint64 frame_number,
                                GError **error) {
    g_return_val_if_fail(upscaler != NULL && in != NULL && out != NULL, FALSE);
    if (upscaler->n_flight > 0)
        return yonos_fail(error, YONOS_ERROR_ARGUMENT, "%u frames are in flight: collect or discard them first",
                          upscaler->n_flight);
    return yonos_upscaler_submit(upscaler, in, out, frame_number, error) && yonos_upscaler_collect(upscaler, error);
}

/* ---- control and figures ----------------------------------------------------------------- */

void yonos_upscaler_cancel(YonosUpscaler *upscaler) {
    g_return_if_fail(upscaler != NULL);
    g_atomic_int_set(&upscaler->cancelled, 1);
}

void yonos_upscaler_resume(YonosUpscaler *upscaler) {
    g_return_if_fail(upscaler != NULL);
    g_atomic_int_set(&upscaler->cancelled, 0);
}

void yonos_upscaler_set_seed(YonosUpscaler *upscaler, guint64 seed) {
    g_return_if_fail(upscaler != NULL);
    upscaler->options.seed = seed;
}

void yonos_upscaler_set_noise_mode(YonosUpscaler *upscaler, YonosNoiseMode mode) {
    g_return_if_fail(upscaler != NULL);
    g_return_if_fail(mode == YONOS_NOISE_PER_FRAME || mode == YONOS_NOISE_STATIC);
    upscaler->options.noise_mode = mode;
}

void yonos_upscaler_set_colour_fix(YonosUpscaler *upscaler, YonosColourFix colour_fix) {
    g_return_if_fail(upscaler != NULL);
    g_return_if_fail((int)colour_fix >= YONOS_COLOUR_FIX_DEFAULT && colour_fix <= YONOS_COLOUR_FIX_BACK_PROJECTION);
    upscaler->options.colour_fix = colour_fix;
}

void yonos_upscaler_set_reuse(YonosUpscaler *upscaler, gboolean reuse) {
    g_return_if_fail(upscaler != NULL);
    upscaler->reuse = reuse;
}

void yonos_upscaler_set_steadiness(YonosUpscaler *upscaler, double steadiness) {
    g_return_if_fail(upscaler != NULL);
    g_return_if_fail(steadiness >= 0.0 && steadiness <= YONOS_MAX_STEADINESS);
    upscaler->steadiness = steadiness;
}

void yonos_upscaler_forget_frames(YonosUpscaler *upscaler) {
    g_return_if_fail(upscaler != NULL);
    upscaler->latest = NULL;
}

static YonosPrecision precision_of(YonosDType dtype) {
    switch (dtype) {
    case YONOS_DTYPE_BF16:
        return YONOS_PRECISION_BF16;
    case YONOS_DTYPE_F16:
        return YONOS_PRECISION_F16;
    default:
        return YONOS_PRECISION_F32;
    }
}

void yonos_upscaler_get_info(const YonosUpscaler *upscaler, YonosUpscalerInfo *info) {
    g_return_if_fail(upscaler != NULL && info != NULL);
    YonosBackend *backend = upscaler->backend;
    yonos_shared_lock(upscaler->shared); /* another upscaler may be packing weights */
    guint64 weight_bytes = backend->weight_bytes ? backend->weight_bytes(backend) : 0;
    yonos_shared_unlock(upscaler->shared);
    *info = (YonosUpscalerInfo){
        .backend = backend->name,
        .device = backend->device,
        .precision = precision_of(backend->dtype),
        .threads = backend->threads,
        .weight_bytes = weight_bytes,
        .tiles_run = upscaler->tiles_run,
        .tiles_reused = upscaler->tiles_reused,
        .device_frames = backend->device_frames,
        .asynchronous = backend->asynchronous,
    };
    const YonosPlan *plan = upscaler->kept[0].plan;
    if (!plan)
        return;
    const YonosTileGrid *grid = yonos_plan_get_graph(plan)->grid;
    YonosPlanInfo figures;
    yonos_plan_get_info(plan, &figures);
    info->tiles_x = grid->columns;
    info->tiles_y = grid->rows;
    info->tile_width = grid->tile_w;
    info->tile_height = grid->tile_h;
    info->arena_bytes = figures.arena_bytes;
    info->peak_live_bytes = figures.peak_live_bytes;
    info->workspace_bytes = figures.workspace_bytes;
    info->flops = figures.flops;
    info->warning = upscaler->kept[0].warning;
}
