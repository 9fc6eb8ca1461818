/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The graph of one frame; the picture in docs/architecture.md, step by step.
 *
 *   HEAD  frame -> "lr" (1,h,w,3) in [-1,1] -> "upsampled" (1,H,W,3), H = scale h
 *   TILE  cut and padded (1,th,tw,3) -> encoder -> "z_l" (1,th/f,tw/f,c) -> U-Net -> "latent"
 *         -> decoder -> "decoded" (1,th,tw,3) -> blended into (1,H,W,3)
 *   TAIL  [steadying ->] colour fix -> "image" (1,H,W,3) -> frame
 *
 * f is the latent factor. A frame whose H or W is no multiple of f is padded by replication
 * at the right and at the bottom, and cropped again. The image-space steps are f32, the
 * networks run in the spec's dtype.
 */
#include "model/model.h"
#include "model/networks.h"

enum {
    MAX_OUTPUT_SIDE = 16384,
    MAX_BATCH_PIXELS = 2048 * 1024, /* output pixels; bounds the memory of a batch, too */
    WAVELET_LEVELS = 5,
};

/* Mean difference of two frames, in [-1, 1], that is taken for noise: 1.5 of 255. */
static const float STILL = 1.5f / 127.5f;

typedef struct {
    YonosGraph *g;
    YonosModel *model;
    const YonosModelInfo *info;
    const YonosFrameSpec *spec;
    int out_h, out_w;
    const YonosTensor *noise; /* the caller's field; NULL: a NOISE node */
} Builder;

static gboolean is_tiled(const Builder *b) {
    return b->g->grid->columns > 1 || b->g->grid->rows > 1;
}

/* a x + b, in place of which a mere conversion, or nothing, will do where a = 1 and b = 0. */
static const YonosTensor *scaled(const Builder *b, const YonosTensor *x, float factor, float offset, YonosDType dtype,
                                 const char *name) {
    if (factor == 1.0f && offset == 0.0f && !name)
        return yonos_convert(b->g, x, dtype);
    return yonos_affine(b->g, x, factor, NULL, 0.0f, offset, YONOS_ACTIVATION_NONE, dtype, name);
}

/* The current tile of the upsampled frame, padded, in the networks' storage type. */
static const YonosTensor *cut_tile(const Builder *b, const YonosTensor *upsampled) {
    int h = b->g->grid->tile_h, w = b->g->grid->tile_w;
    if (!is_tiled(b) && h == b->out_h && w == b->out_w)
        return yonos_convert(b->g, upsampled, b->spec->dtype);
    return yonos_window(b->g, upsampled, 0, 0, h, w, is_tiled(b) ? 1 : 0, b->spec->dtype, NULL);
}

static const YonosTensor *start_noise(const Builder *b) {
    int factor = b->info->latent_factor;
    int h = b->g->grid->tile_h / factor, w = b->g->grid->tile_w / factor;
    if (!b->noise)
        return yonos_noise(b->g, (YonosShape){yonos_tile_grid_batch(b->g->grid), h, w, b->info->latent_channels}, factor, "noise");
    if (!is_tiled(b))
        return b->noise;
    return yonos_window(b->g, b->noise, 0, 0, h, w, factor, YONOS_DTYPE_F32, NULL);
}

/*
 * One DDIM step, x0 = a z + b unet(..) + c z_l, as the decoder takes it: x0 / scale + shift. Summed in f32 because b can be
 * as large as -14.6.
 */
static const YonosTensor *one_step(const Builder *b, const YonosTensor *mean) {
    const YonosModelInfo *m = b->info;
    gboolean concat = m->conditioning == YONOS_CONDITIONING_CONCAT_LATENT;
    const YonosTensor *z_l = scaled(b, mean, m->latent_scale, -m->latent_shift * m->latent_scale,
                                    concat ? b->spec->dtype : YONOS_DTYPE_F32, "z_l");
    const YonosTensor *z = concat ? start_noise(b) : z_l, *input = yonos_convert(b->g, z, b->spec->dtype);
    const YonosTensor *out = yonos_build_unet(b->model, b->g, concat ? yonos_concat(b->g, input, z_l, NULL) : input);
    float out_factor = m->b / m->latent_scale, offset = m->latent_shift;
    if (concat && m->c != 0.0f) { /* z_l / scale is what the encoder gives less the shift */
        out = yonos_affine(b->g, out, out_factor, mean, m->c, offset - m->c * m->latent_shift, YONOS_ACTIVATION_NONE,
                           YONOS_DTYPE_F32, NULL);
        out_factor = 1.0f;
        offset = 0.0f;
    }
    return yonos_affine(b->g, z, m->a / m->latent_scale, out, out_factor, offset, YONOS_ACTIVATION_NONE, b->spec->dtype,
                        "latent");
}

/* Encoder, one step, decoder on one tile: (1,th,tw,3) -> (1,th,tw,3). */
static const YonosTensor *upscale_tile(const Builder *b, const YonosTensor *tile) {
    const YonosTensor *mean = yonos_build_encoder(b->model, b->g, tile);
    return yonos_build_decoder(b->model, b->g, one_step(b, mean), "decoded");
}

/* The whole frame (1,H,W,3) in f32 from its tiles. */
static const YonosTensor *assemble(const Builder *b, const YonosTensor *upsampled, const char *name) {
    YonosTensor *accumulator = NULL;
    if (is_tiled(b))
        accumulator = yonos_fill(b->g, (YonosShape){1, b->out_h, b->out_w, 3}, 0.0f, name);
    b->g->section = YONOS_SECTION_TILE;
    const YonosTensor *tile = cut_tile(b, upsampled), *decoded = upscale_tile(b, tile);
    b->g->tile_in = tile;
    b->g->tile_out = decoded;
    if (accumulator)
        return yonos_blend(b->g, yonos_convert(b->g, decoded, YONOS_DTYPE_F32), accumulator);
    if (decoded->shape.h == b->out_h && decoded->shape.w == b->out_w)
        return yonos_convert(b->g, decoded, YONOS_DTYPE_F32);
    return yonos_window(b->g, decoded, 0, 0, b->out_h, b->out_w, 0, YONOS_DTYPE_F32, name);
}

/* ---- steadying ---------------------------------------------------------------------------- */

/*
 * Where the input shows what it showed before, there or elsewhere, most of the picture before, from there: what two frames
 * of one scene differ by, the networks enlarge. The input that it was made of moves along with it, so what changes slowly
 * adds up and is seen. Before the colour fix, which then takes from the input as it is now whatever that says.
 */
static const YonosTensor *steady(const Builder *b, const YonosTensor *image, const YonosTensor *lr) {
    YonosGraph *g = b->g;
    YonosTensor *lr_before = yonos_graph_tensor(g, YONOS_TENSOR_STATE, YONOS_DTYPE_F32, lr->shape, "lr_before");
    YonosTensor *kept = yonos_graph_tensor(g, YONOS_TENSOR_STATE, YONOS_DTYPE_F32, image->shape, "kept");
    const YonosTensor *motion = yonos_motion(g, lr, lr_before, "motion");
    const YonosTensor *lr_then = yonos_warp(g, lr_before, motion, 1, NULL, NULL);
    const YonosTensor *still = yonos_stillness(g, lr, lr_then, STILL, NULL);
    yonos_keep(g, lr, lr_then, still, lr_before);
    const YonosTensor *weight = yonos_resize(g, still, b->out_h, b->out_w, YONOS_FILTER_BILINEAR, NULL);
    return yonos_keep(g, image, yonos_warp(g, kept, motion, b->out_h / lr->shape.h, weight, NULL), weight, kept);
}

/* ---- colour fix --------------------------------------------------------------------------- */

/* image + upsample(lr - downsample(image)): downsampled, the result agrees with the input. */
static const YonosTensor *back_project(const Builder *b, const YonosTensor *image, const YonosTensor *lr) {
    YonosGraph *g = b->g;
    const YonosTensor *down = yonos_resize(g, image, lr->shape.h, lr->shape.w, YONOS_FILTER_BICUBIC, NULL);
    const YonosTensor *error =
        yonos_affine(g, lr, 1.0f, down, -1.0f, 0.0f, YONOS_ACTIVATION_NONE, YONOS_DTYPE_F32, NULL);
    const YonosTensor *up = yonos_resize(g, error, b->out_h, b->out_w, YONOS_FILTER_BICUBIC, NULL);
    return yonos_affine(g, image, 1.0f, up, 1.0f, 0.0f, YONOS_ACTIVATION_NONE, YONOS_DTYPE_F32, "image");
}

/* Low frequencies of `style`, the rest of `image`: image + low(style - image), low being linear. */
static const YonosTensor *wavelet_fix(const Builder *b, const YonosTensor *image, const YonosTensor *style) {
    const YonosTensor *low =
        yonos_affine(b->g, style, 1.0f, image, -1.0f, 0.0f, YONOS_ACTIVATION_NONE, YONOS_DTYPE_F32, NULL);
    for (int level = 0; level < WAVELET_LEVELS; level++)
        low = yonos_blur(b->g, low, 1 << level, NULL);
    return yonos_affine(b->g, image, 1.0f, low, 1.0f, 0.0f, YONOS_ACTIVATION_NONE, YONOS_DTYPE_F32, "image");
}

static const YonosTensor *fix_colour(const Builder *b, YonosColourFix fix, const YonosTensor *image,
                                     const YonosTensor *lr, const YonosTensor *upsampled) {
    switch (fix) {
    case YONOS_COLOUR_FIX_ADAIN:
        return yonos_adain(b->g, image, upsampled, "image");
    case YONOS_COLOUR_FIX_WAVELET:
        return wavelet_fix(b, image, upsampled);
    case YONOS_COLOUR_FIX_BACK_PROJECTION:
        return back_project(b, image, lr);
    default:
        return image;
    }
}

/* ---- the frame ------------------------------------------------------------------------------ */

static gboolean has_alpha(YonosFormat format) {
    return format == YONOS_FORMAT_RGBA || format == YONOS_FORMAT_BGRA || format == YONOS_FORMAT_ARGB ||
           format == YONOS_FORMAT_ABGR;
}

/* The frame's alpha, upsampled like the picture; NULL for formats without. */
static const YonosTensor *upsampled_alpha(const Builder *b) {
    const YonosFrameSpec *s = b->spec;
    if (!has_alpha(s->format))
        return NULL;
    const YonosTensor *alpha = yonos_pack(b->g, s->height, s->width, s->format, &s->colour, TRUE, NULL);
    return yonos_resize(b->g, alpha, b->out_h, b->out_w, b->info->upsample_filter, NULL);
}

static void build_sections(Builder *b) {
    const YonosFrameSpec *s = b->spec;
    YonosColourFix fix = s->colour_fix == YONOS_COLOUR_FIX_DEFAULT ? b->info->colour_fix : s->colour_fix;
    b->g->section = YONOS_SECTION_HEAD;
    const YonosTensor *lr = yonos_pack(b->g, s->height, s->width, s->format, &s->colour, FALSE, "lr");
    const YonosTensor *upsampled = yonos_resize(b->g, lr, b->out_h, b->out_w, b->info->upsample_filter, "upsampled");
    const YonosTensor *image = assemble(b, upsampled, fix == YONOS_COLOUR_FIX_NONE ? "image" : NULL);
    b->g->section = YONOS_SECTION_TAIL;
    if (s->steady)
        image = steady(b, image, lr);
    const YonosTensor *fixed = fix_colour(b, fix, image, lr, upsampled);
    yonos_unpack(b->g, fixed, upsampled_alpha(b), s->format, &s->colour);
}

/* The largest batch of tiles, all batches being alike. Large tiles fill a device by themselves. */
static int choose_batch(const YonosTileGrid *grid, int most) {
    int tiles = grid->columns * grid->rows, fit = MAX_BATCH_PIXELS / (grid->tile_w * grid->tile_h);
    int batch = CLAMP(MIN(most, fit), 1, tiles);
    while (tiles % batch != 0)
        batch--;
    return batch;
}

YonosGraph *yonos_model_build_frame(YonosModel *model, const YonosFrameSpec *spec, GError **error) {
    const YonosModelInfo *info = yonos_model_get_info(model);
    int limit = MAX_OUTPUT_SIDE / info->scale, factor = info->latent_factor;
    if (spec->width < 1 || spec->height < 1 || spec->width > limit || spec->height > limit) {
        yonos_fail(error, YONOS_ERROR_ARGUMENT, "frame: %d x %d is not possible; each side must be 1 to %d pixels",
                   spec->width, spec->height, limit);
        return NULL;
    }
    Builder b = {NULL, model, info, spec, spec->height * info->scale, spec->width * info->scale, NULL};
    int padded_h = (b.out_h + factor - 1) / factor * factor, padded_w = (b.out_w + factor - 1) / factor * factor;
    YonosTileGrid *grid = yonos_tile_grid_new(padded_w, padded_h, spec->tile_size, spec->tile_overlap, info, error);
    if (!grid)
        return NULL;
    grid->batch = choose_batch(grid, spec->tile_batch);
    g_autoptr(YonosGraph) graph = yonos_graph_new();
    yonos_graph_set_grid(graph, grid);
    b.g = graph;
    if (spec->external_noise && info->conditioning == YONOS_CONDITIONING_CONCAT_LATENT)
        b.noise =
            yonos_graph_tensor(graph, YONOS_TENSOR_INPUT, YONOS_DTYPE_F32,
                               (YonosShape){1, padded_h / factor, padded_w / factor, info->latent_channels}, "noise");
    build_sections(&b);
    return yonos_graph_finish(graph, error) ? g_steal_pointer(&graph) : NULL;
}
