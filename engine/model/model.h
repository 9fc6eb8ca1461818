/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A model folder in memory, and the graphs it can write.
 *
 *   folder.c       model_index.json and the parts' configs -> YonosModel
 *   safetensors.c  one weights file, mapped and checked
 *   weights.c      claims: each tensor exactly once, with its shape; folded constants
 *   unet.c vae.c vae_tiny.c blocks.c   UNet2DConditionModel, AutoencoderKL, AutoencoderTiny
 *   schedule.c     x0 = a z + b out from the scheduler's config and the timestep
 *   folding.c      time embedding, prompt K and V, packed QKV, split shortcuts
 *   tiles.c        the tile grid and its ramps
 *   frame_graph.c  frame in -> frame out, from the parts above
 *
 * A model knows no backend: it writes graphs (graph/graph.h) and owns their constants.
 */
#ifndef YONOS_MODEL_H
#define YONOS_MODEL_H

#include "graph/graph.h"

typedef enum {
    YONOS_CONDITIONING_CONCAT_LATENT, /* U-Net input [z_T, z_l] */
    YONOS_CONDITIONING_START_LATENT,  /* z = z_l, no noise */
} YonosConditioning;

/* Read-only to everybody but folder.c. */
typedef struct {
    char *name, *licence, *folder;
    int scale;
    int timestep;
    YonosConditioning conditioning;
    YonosFilter upsample_filter;
    YonosColourFix colour_fix;  /* never DEFAULT */
    float a, b, c;              /* x0 = a z + b out + c z_l; c only where z is noise (concat_latent) */
    int latent_channels;
    int latent_factor;          /* output pixels per latent pixel: 2^(levels - 1) */
    float latent_scale, latent_shift; /* U-Net latent = (VAE latent - shift) * scale */
    gboolean global_statistics; /* some norm or attention sees the whole tile: tiling changes pixels, so blend */
    gboolean has_attention;
    int halo;                   /* latent pixels the networks see around a pixel; exact when !global_statistics */
} YonosModelInfo;

const YonosModelInfo *yonos_model_get_info(const YonosModel *model);

/* What a frame graph depends on; equal specs give equal graphs. */
typedef struct {
    int width, height;          /* of the input, pixels */
    YonosFormat format;
    YonosColour colour;
    YonosColourFix colour_fix;  /* DEFAULT: the model's */
    int tile_size, tile_overlap; /* as in YonosOptions */
    YonosDType dtype;           /* of the networks' activations */
    int tile_batch;             /* at most so many tiles at once, as images of a batch; 0 and 1: each by itself */
    gboolean steady;            /* what the networks made of the frames before is kept where the input is still */
    gboolean external_noise;    /* noise is an INPUT tensor named "noise", whole frame (1, lh, lw, c) f32 */
} YonosFrameSpec;

/*
 * The graph of one frame: pack, upsample, per tile (encode, one step, decode, blend), colour fix, unpack.
 * Tensors named "lr", "upsampled", "z_l", "noise", "latent", "decoded", "image" and, per network block, diffusers'
 * module paths. The model must outlive the graph. Errors: ARGUMENT (absurd size), MODEL. Thread-safe:
 * folded constants are made once under a lock.
 */
YonosGraph *yonos_model_build_frame(YonosModel *model, const YonosFrameSpec *spec, GError **error);

/*
 * One network alone, for tests, parity and the benchmark. `h` and `w` are of the network's input (latent pixels
 * for UNET and DECODER, image pixels for ENCODER). Input and output tensors are the f32 INPUT "input" and the
 * f32 OUTPUT "output": UNET (1,h,w,in_channels) -> raw model output; ENCODER image in [-1,1] -> VAE latent mean;
 * DECODER VAE latent -> image in [-1,1].
 */
typedef enum { YONOS_PART_UNET, YONOS_PART_ENCODER, YONOS_PART_DECODER } YonosPart;
YonosGraph *yonos_model_build_part(YonosModel *model, YonosPart part, int h, int w, YonosDType dtype, GError **error);

/* ---- tile grid (tiles.c) ----------------------------------------------------------------------------- */

enum { YONOS_MIN_TILE = 64 }; /* least side of a tile that can be asked for, output pixels */

/*
 * Tiles over a frame of width x height output pixels (already a multiple of `factor`). tile_size 0 chooses by
 * frame size and model alone, never by free memory; tile_overlap -1 chooses by model. Starts are evenly spaced
 * multiples of `factor`, ramps sum to 1 at every pixel. With exact (no global statistics), tiles carry a halo
 * that is cut, not blended. Errors: ARGUMENT.
 */
YonosTileGrid *yonos_tile_grid_new(int width, int height, int tile_size, int tile_overlap, const YonosModelInfo *info,
                                   GError **error);

/* The ranges of the options tile-size and tile-overlap by themselves; ARGUMENT names the one at fault. */
gboolean yonos_tile_options_check(int tile_size, int tile_overlap, GError **error);

/* ---- scheduler (schedule.c) --------------------------------------------------------------------------- */

/* a and b of x0 = a z + b out for one timestep of a scheduler_config.json. Errors: FILE, FORMAT, MODEL. */
gboolean yonos_schedule_read(const char *path, int timestep, float *a, float *b, GError **error);

/* ---- safetensors (safetensors.c) ---------------------------------------------------------------------- */

typedef struct _YonosSafetensors YonosSafetensors;

/* Maps and validates a file by the rules in docs/model-format.md. Errors: FILE, FORMAT, each naming path and tensor. */
YonosSafetensors *yonos_safetensors_open(const char *path, GError **error);
/* The same for bytes in memory (the fuzzer's entry); `bytes` is referenced; name appears in messages. */
YonosSafetensors *yonos_safetensors_parse(GBytes *bytes, const char *name, GError **error);
void yonos_safetensors_free(YonosSafetensors *file);
guint yonos_safetensors_get_count(const YonosSafetensors *file);
/* Tensors in file order; valid while the file lives. Only F32, F16, BF16 become constants; other types are an error. */
const YonosConst *yonos_safetensors_get(const YonosSafetensors *file, guint index);
const YonosConst *yonos_safetensors_find(const YonosSafetensors *file, const char *name);
/* Writes f32 tensors; atomically (temporary file, rename). Errors: FILE. */
gboolean yonos_safetensors_write(const char *path, const YonosConst *const *tensors, guint count, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(YonosSafetensors, yonos_safetensors_free)

#endif
