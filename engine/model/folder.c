/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A diffusers pipeline folder -> YonosModel (docs/model-format.md).
 *
 * Opening reads the configs, maps the weights, and builds every network once at a nominal
 * size, which claims each tensor by its path and checks its shape; what is left over in a
 * file is an error. Open models are shared in the process, by canonical path.
 */
#include "model/folder.h"

#include <math.h>
#include <stdlib.h>

#include "model/schedule.h"

static GMutex cache_lock;
static GHashTable *cache; /* key -> YonosModel, no reference; under cache_lock */

static const char *const conditionings[] = {"concat_latent", "start_latent", NULL};
static const char *const filters[] = {"nearest", "bilinear", "bicubic", "lanczos", "area", NULL};
static const char *const colour_fixes[] = {"default", "none", "adain", "wavelet", "back-projection", NULL};

enum { FORMAT_VERSION = 1, MAX_SCALE = 16, MAX_TOKENS = 1024 };

static void model_free(YonosModel *model) {
    g_free(model->key);
    g_free(model->info.name);
    g_free(model->info.licence);
    g_free(model->info.folder);
    g_clear_pointer(&model->unet_weights, yonos_weights_free);
    g_clear_pointer(&model->vae_weights, yonos_weights_free);
    g_clear_pointer(&model->prompt_file, yonos_safetensors_free);
    g_free(model);
}

static char *part_path(const YonosModel *model, const char *folder, const char *file) {
    return folder ? g_build_filename(model->info.folder, folder, file, NULL)
                  : g_build_filename(model->info.folder, file, NULL);
}

/* ---- model_index.json ------------------------------------------------------------------------ */

static void read_components(YonosConfig *index) {
    static const char *const parts[] = {"unet", "vae", "scheduler"};
    static const char *const unused[] = {"text_encoder", "tokenizer", "safety_checker", "feature_extractor",
                                         "image_encoder", "requires_safety_checker", "low_res_scheduler",
                                         "watermarker", "max_noise_level", NULL};
    const char *pair[2];
    for (guint i = 0; i < G_N_ELEMENTS(parts); i++)
        yonos_config_strings(index, parts[i], pair, G_N_ELEMENTS(pair));
    yonos_config_ignore(index, unused);
}

/* What is in our own object; `ab` gets a and b where they are given. Returns whether both are. */
static gboolean read_own_keys(YonosModel *model, YonosConfig *index) {
    static const char *const texts[] = {"training", NULL};
    YonosModelInfo *info = &model->info;
    YonosConfig *own = yonos_config_object(index, "yonos");
    if (!own) {
        yonos_config_fail(index, "the object \"yonos\" is missing; add at least \"yonos\": {\"scale\": 2} with the "
                                 "magnification the model was trained for");
        return FALSE;
    }
    yonos_config_ignore(own, texts);
    yonos_config_int(own, "format_version", FORMAT_VERSION, FORMAT_VERSION, FORMAT_VERSION);
    info->scale = yonos_config_int(own, "scale", 0, 1, MAX_SCALE);
    if (!yonos_config_has(own, "scale"))
        yonos_config_fail(own, "\"scale\" is missing; it is the magnification the model was trained for");
    g_autofree char *base = g_path_get_basename(info->folder);
    info->name = g_strdup(yonos_config_string(own, "name", base));
    info->licence = g_strdup(yonos_config_string(own, "licence", "unknown"));
    info->timestep = yonos_config_int(own, "timestep", -1, 0, 1 << 20);
    info->conditioning = (YonosConditioning)yonos_config_choice(own, "conditioning", conditionings,
                                                                YONOS_CONDITIONING_CONCAT_LATENT);
    info->upsample_filter = (YonosFilter)yonos_config_choice(own, "upsample_filter", filters, YONOS_FILTER_BICUBIC);
    info->colour_fix = (YonosColourFix)yonos_config_choice(own, "colour_fix", colour_fixes, YONOS_COLOUR_FIX_NONE);
    if (info->colour_fix == YONOS_COLOUR_FIX_DEFAULT)
        yonos_config_fail(own, "\"colour_fix\" must name one: none, adain, wavelet or back-projection");
    model->class_label = yonos_config_int(own, "class_label", 0, 0, 1 << 20);
    gboolean both = yonos_config_has(own, "a") && yonos_config_has(own, "b");
    if (both != (yonos_config_has(own, "a") || yonos_config_has(own, "b")))
        yonos_config_fail(own, "\"a\" and \"b\" go together");
    info->a = (float)yonos_config_float(own, "a", 0.0);
    info->b = (float)yonos_config_float(own, "b", 0.0);
    info->c = (float)yonos_config_float(own, "c", 0.0);
    if (!isfinite(info->a) || !isfinite(info->b))
        yonos_config_fail(own, "\"a\" and \"b\" must fit into 32-bit floats");
    if (!isfinite(info->c))
        yonos_config_fail(own, "\"c\" must fit into a 32-bit float");
    if (info->c != 0.0f && (!both || info->conditioning != YONOS_CONDITIONING_CONCAT_LATENT))
        yonos_config_fail(own, "\"c\" needs \"a\", \"b\" and the conditioning \"concat_latent\"");
    return both;
}

static gboolean read_schedule(YonosModel *model, gboolean given, GError **error) {
    YonosModelInfo *info = &model->info;
    float a = info->a, b = info->b;
    g_autofree char *path = part_path(model, "scheduler", "scheduler_config.json");
    g_autoptr(YonosConfig) config = yonos_config_read(path, error);
    if (!config)
        return FALSE;
    int steps = yonos_config_int(config, "num_train_timesteps", 1000, 1, 100000);
    if (info->timestep < 0)
        info->timestep = steps - 1;
    if (!yonos_schedule_solve(config, info->timestep, &info->a, &info->b, error))
        return FALSE;
    if (given) {
        info->a = a;
        info->b = b;
    }
    return TRUE;
}

static gboolean read_index(YonosModel *model, GError **error) {
    g_autofree char *path = part_path(model, NULL, "model_index.json");
    g_autoptr(YonosConfig) index = yonos_config_read(path, error);
    if (!index)
        return FALSE;
    read_components(index);
    gboolean given = read_own_keys(model, index);
    return yonos_config_finish(index, error) && read_schedule(model, given, error);
}

/* ---- the parts -------------------------------------------------------------------------------- */

static gboolean read_networks(YonosModel *model, GError **error) {
    g_autofree char *unet_json = part_path(model, "unet", "config.json");
    g_autofree char *vae_json = part_path(model, "vae", "config.json");
    g_autoptr(YonosConfig) unet = yonos_config_read(unet_json, error);
    if (!unet || !yonos_unet_config_read(unet, &model->unet, error))
        return FALSE;
    g_autoptr(YonosConfig) vae = yonos_config_read(vae_json, error);
    if (!vae || !yonos_vae_config_read(vae, &model->vae, error))
        return FALSE;
    g_autofree char *unet_file = part_path(model, "unet", "diffusion_pytorch_model.safetensors");
    g_autofree char *vae_file = part_path(model, "vae", "diffusion_pytorch_model.safetensors");
    model->unet_weights = yonos_weights_open(unet_file, error);
    if (!model->unet_weights)
        return FALSE;
    model->vae_weights = yonos_weights_open(vae_file, error);
    return model->vae_weights != NULL;
}

static gboolean read_prompt(YonosModel *model, GError **error) {
    if (!yonos_unet_has_attention(&model->unet))
        return TRUE;
    g_autofree char *path = part_path(model, NULL, "prompt_embeds.safetensors");
    model->prompt_file = yonos_safetensors_open(path, error);
    if (!model->prompt_file) {
        if (error && g_error_matches(*error, YONOS_ERROR, YONOS_ERROR_FILE))
            g_prefix_error(error, "the U-Net has cross-attention and needs the fixed prompt's embedding: ");
        return FALSE;
    }
    const YonosConst *prompt = yonos_safetensors_find(model->prompt_file, "prompt_embeds");
    if (!prompt || prompt->rank != 3 || prompt->dim[0] != 1 || prompt->dim[1] < 1 || prompt->dim[1] > MAX_TOKENS)
        return yonos_fail(error, YONOS_ERROR_MODEL,
                          "%s: must hold a tensor prompt_embeds of shape [1, tokens, dim] with 1 to %d tokens", path,
                          MAX_TOKENS);
    for (int i = 0; i < model->unet.levels; i++)
        if (model->unet.cross_dim[i] != prompt->dim[2])
            return yonos_fail(error, YONOS_ERROR_MODEL,
                              "%s: prompt_embeds has %" G_GINT64_FORMAT " channels where the U-Net's "
                              "cross_attention_dim is %d",
                              path, prompt->dim[2], model->unet.cross_dim[i]);
    model->prompt = prompt;
    return TRUE;
}

static gboolean check_parts(const YonosModel *model, GError **error) {
    const YonosModelInfo *info = &model->info;
    int latent = model->vae.latent_channels;
    gboolean concat = info->conditioning == YONOS_CONDITIONING_CONCAT_LATENT;
    int wanted = concat ? 2 * latent : latent;
    if (model->unet.in_channels != wanted)
        return yonos_fail(error, YONOS_ERROR_MODEL,
                          "%s/unet/config.json: \"in_channels\" is %d, but conditioning %s with %d latent channels "
                          "needs %d",
                          info->folder, model->unet.in_channels, conditionings[info->conditioning], latent, wanted);
    if (model->unet.out_channels != latent)
        return yonos_fail(error, YONOS_ERROR_MODEL,
                          "%s/unet/config.json: \"out_channels\" is %d, but the autoencoder has %d latent channels",
                          info->folder, model->unet.out_channels, latent);
    if (model->unet.num_class_embeds > 0 && model->class_label >= model->unet.num_class_embeds)
        return yonos_fail(error, YONOS_ERROR_MODEL, "%s/model_index.json: \"class_label\" %d is not among the U-Net's %d",
                          info->folder, model->class_label, model->unet.num_class_embeds);
    return TRUE;
}

static void fill_info(YonosModel *model) {
    YonosModelInfo *info = &model->info;
    info->latent_channels = model->vae.latent_channels;
    info->latent_factor = 1 << (model->vae.levels - 1);
    info->latent_scale = (float)model->vae.scaling_factor;
    info->latent_shift = (float)model->vae.shift_factor;
    info->has_attention = yonos_unet_has_attention(&model->unet) ||
                          (model->vae.kind == YONOS_VAE_KL && model->vae.mid_attention);
    /* Every U-Net that UNet2DConditionModel describes has group norms, so a tile's statistics always show. */
    info->global_statistics = TRUE;
}

/* Builds each part once, small: every tensor is claimed and checked. */
static gboolean claim_tensors(YonosModel *model, GError **error) {
    enum { NOMINAL = 32 };
    int side = NOMINAL * model->info.latent_factor;
    for (YonosPart part = YONOS_PART_UNET; part <= YONOS_PART_DECODER; part++) {
        int size = part == YONOS_PART_ENCODER ? side : NOMINAL;
        g_autoptr(YonosGraph) graph = yonos_model_build_part(model, part, size, size, YONOS_DTYPE_F32, error);
        if (!graph)
            return FALSE;
    }
    return yonos_weights_finish(model->unet_weights, error) && yonos_weights_finish(model->vae_weights, error);
}

static gboolean is_model_folder(const YonosModel *model, GError **error) {
    g_autofree char *index = part_path(model, NULL, "model_index.json");
    if (!g_file_test(model->key, G_FILE_TEST_IS_DIR))
        return yonos_fail(error, YONOS_ERROR_FILE, "%s: there is no such model folder", model->key);
    return g_file_test(index, G_FILE_TEST_EXISTS) ||
           yonos_fail(error, YONOS_ERROR_FILE, "%s: this is no model folder, as there is no model_index.json in it",
                      model->key);
}

static YonosModel *load(const char *key, GError **error) {
    YonosModel *model = g_new0(YonosModel, 1);
    model->references = 1;
    model->key = g_strdup(key);
    model->info.folder = g_strdup(key);
    if (is_model_folder(model, error) && read_index(model, error) && read_networks(model, error) &&
        read_prompt(model, error) && check_parts(model, error)) {
        fill_info(model);
        if (claim_tensors(model, error))
            return model;
    }
    model_free(model);
    return NULL;
}

/* ---- the public part --------------------------------------------------------------------------- */

/* Absolute, and without symbolic links where it exists: one folder, one key. */
static char *canonical(const char *folder) {
    char *real = realpath(folder, NULL); /* malloc()ed, as g_malloc()ed memory is since GLib 2.46 */
    return real ? real : g_canonicalize_filename(folder, NULL);
}

YonosModel *yonos_model_open(const char *folder, GError **error) {
    g_return_val_if_fail(folder != NULL, NULL);
    g_autofree char *key = canonical(folder);
    g_mutex_lock(&cache_lock);
    if (!cache)
        cache = g_hash_table_new(g_str_hash, g_str_equal);
    YonosModel *model = g_hash_table_lookup(cache, key);
    if (model) {
        model->references++;
    } else {
        model = load(key, error);
        if (model)
            g_hash_table_insert(cache, model->key, model);
    }
    g_mutex_unlock(&cache_lock);
    return model;
}

YonosModel *yonos_model_ref(YonosModel *model) {
    g_mutex_lock(&cache_lock);
    model->references++;
    g_mutex_unlock(&cache_lock);
    return model;
}

void yonos_model_unref(YonosModel *model) {
    if (!model)
        return;
    g_mutex_lock(&cache_lock);
    gboolean last = --model->references == 0;
    if (last) {
        g_hash_table_remove(cache, model->key);
        if (g_hash_table_size(cache) == 0)
            g_clear_pointer(&cache, g_hash_table_unref);
    }
    g_mutex_unlock(&cache_lock);
    if (last)
        model_free(model);
}

const YonosModelInfo *yonos_model_get_info(const YonosModel *model) { return &model->info; }
int yonos_model_get_scale(const YonosModel *model) { return model->info.scale; }
const char *yonos_model_get_name(const YonosModel *model) { return model->info.name; }
const char *yonos_model_get_folder(const YonosModel *model) { return model->info.folder; }
const char *yonos_model_get_licence(const YonosModel *model) { return model->info.licence; }

const char *yonos_model_get_warning(const YonosModel *model) {
    const char *warning = yonos_weights_get_warning(model->unet_weights);
    return warning ? warning : yonos_weights_get_warning(model->vae_weights);
}
