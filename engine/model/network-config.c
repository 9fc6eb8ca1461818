/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * config.json of UNet2DConditionModel, AutoencoderKL and AutoencoderTiny -> plain records.
 *
 * Every key of diffusers' constructors is read, known to change nothing, or refused with a
 * sentence; a key nobody knows is an error, for it may change the architecture.
 */
#include "model/networks.h"

static const char *const activations[] = {"silu", "swish", "relu", "gelu", NULL};
static const YonosActivation activation_of[] = {YONOS_ACTIVATION_SILU, YONOS_ACTIVATION_SILU, YONOS_ACTIVATION_RELU,
                                                YONOS_ACTIVATION_GELU};
enum { SILU = 0, RELU = 2 };
enum { MAX_WIDTH = 16384, MAX_LAYERS = 64 };

static gboolean is_class(YonosConfig *json, const char *name) {
    return g_strcmp0(yonos_config_string(json, "_class_name", name), name) == 0;
}

/* ---- U-Net -------------------------------------------------------------------------------------- */

/* Block types into flags; `with` is the type that has attention, `without` the one that has none. */
static guint read_block_types(YonosConfig *json, const char *key, const char *with, const char *without,
                              gboolean *attention) {
    const char *types[YONOS_MAX_LEVELS];
    guint count = yonos_config_strings(json, key, types, YONOS_MAX_LEVELS);
    for (guint i = 0; i < count; i++) {
        attention[i] = strcmp(types[i], with) == 0;
        if (!attention[i] && strcmp(types[i], without) != 0)
            yonos_config_fail(json, "\"%s\" has a block %.60s, which is not supported; use %s or %s", key, types[i],
                              with, without);
    }
    return count;
}

static void read_mid(YonosConfig *json, YonosUnetConfig *c) {
    static const char *const types[] = {"UNetMidBlock2DCrossAttn", "UNetMidBlock2D", NULL};
    gboolean null = !yonos_config_has(json, "mid_block_type") && yonos_config_mentions(json, "mid_block_type");
    c->has_mid = !null;
    c->mid_attention = !null && yonos_config_choice(json, "mid_block_type", types, 0) == 0;
}

static void refuse_variants(YonosConfig *json) {
    static const struct {
        const char *key, *what;
    } refused[] = {
        {"dual_cross_attention", "dual cross-attention is"},
        {"encoder_hid_dim", "a projection of the prompt is"},
        {"encoder_hid_dim_type", "a projection of the prompt is"},
        {"class_embed_type", "other class embeddings than a table (num_class_embeds) are"},
        {"addition_embed_type", "additional embeddings are"},
        {"resnet_skip_time_act", "a time embedding without activation is"},
        {"time_embedding_act_fn", "an activation of the time embedding is"},
        {"timestep_post_act", "an activation behind the time embedding is"},
        {"time_cond_proj_dim", "a conditioned time embedding is"},
        {"projection_class_embeddings_input_dim", "projected class embeddings are"},
        {"class_embeddings_concat", "concatenated class embeddings are"},
        {"mid_block_only_cross_attention", "a middle block with cross-attention only is"},
        {"cross_attention_norm", "a norm of the prompt is"},
        {"reverse_transformer_layers_per_block", "another depth of transformers on the way up is"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(refused); i++)
        yonos_config_refuse(json, refused[i].key, refused[i].what);
    static const char *const positional[] = {"positional", NULL}, *const plain[] = {"default", NULL};
    yonos_config_choice(json, "time_embedding_type", positional, 0);
    yonos_config_choice(json, "attention_type", plain, 0);
    yonos_config_choice(json, "resnet_time_scale_shift", plain, 0);
    if (yonos_config_float(json, "mid_block_scale_factor", 1.0) != 1.0 ||
        yonos_config_float(json, "resnet_out_scale_factor", 1.0) != 1.0)
        yonos_config_fail(json, "a \"mid_block_scale_factor\" or \"resnet_out_scale_factor\" other than 1 is not "
                                "supported");
}

/* attention_head_dim is the NUMBER of heads, whatever its name says; num_attention_heads is its later alias. */
static void read_attention(YonosConfig *json, YonosUnetConfig *c) {
    guint n = (guint)c->levels;
    const char *key = yonos_config_has(json, "num_attention_heads") ? "num_attention_heads" : "attention_head_dim";
    yonos_config_ints(json, key, c->heads, n, 8, 1, MAX_WIDTH);
    yonos_config_ints(json, "transformer_layers_per_block", c->transformer_layers, n, 1, 0, MAX_LAYERS);
    yonos_config_ints(json, "cross_attention_dim", c->cross_dim, n, 1280, 1, MAX_WIDTH);
    yonos_config_bools(json, "only_cross_attention", c->only_cross_attention, n, FALSE);
    c->linear_projection = yonos_config_bool(json, "use_linear_projection", FALSE);
}

/* Blocks with attention cut their width into equal heads; the middle block is as wide as the last level. */
static void check_heads(YonosConfig *json, const YonosUnetConfig *c) {
    for (int i = 0; i < c->levels; i++) {
        gboolean mid = i + 1 == c->levels && c->has_mid && c->mid_attention;
        if ((c->down_attention[i] || c->up_attention[c->levels - 1 - i] || mid) && c->width[i] % c->heads[i] != 0)
            yonos_config_fail(json, "\"attention_head_dim\", the number of heads, is %d, which does not divide the %d of "
                                    "\"block_out_channels\"", c->heads[i], c->width[i]);
    }
}

static void check_widths(YonosConfig *json, const int *width, int levels, int groups) {
    for (int i = 0; i < levels; i++)
        if (width[i] % groups != 0)
            yonos_config_fail(json, "\"block_out_channels\" has %d, which does not divide into \"norm_num_groups\" = %d",
                              width[i], groups);
}

static void read_unet(YonosConfig *json, YonosUnetConfig *c) {
    static const char *const ignored[] = {"sample_size", "dropout", "upcast_attention", "addition_time_embed_dim",
                                          "addition_embed_type_num_heads", "attention_head_dim", NULL};
    yonos_config_ignore(json, ignored);
    c->levels = (int)read_block_types(json, "down_block_types", "CrossAttnDownBlock2D", "DownBlock2D",
                                      c->down_attention);
    guint ups = read_block_types(json, "up_block_types", "CrossAttnUpBlock2D", "UpBlock2D", c->up_attention);
    if ((int)ups != c->levels)
        yonos_config_fail(json, "\"up_block_types\" has %u blocks, \"down_block_types\" %d", ups, c->levels);
    c->in_channels = yonos_config_int(json, "in_channels", 4, 1, MAX_WIDTH);
    c->out_channels = yonos_config_int(json, "out_channels", 4, 1, MAX_WIDTH);
    yonos_config_ints(json, "block_out_channels", c->width, (guint)c->levels, 320, 1, MAX_WIDTH);
    yonos_config_ints(json, "layers_per_block", c->layers, (guint)c->levels, 2, 1, MAX_LAYERS);
    c->activation = activation_of[yonos_config_choice(json, "act_fn", activations, SILU)];
    c->groups = yonos_config_int(json, "norm_num_groups", 32, 1, MAX_WIDTH);
    c->eps = (float)yonos_config_float(json, "norm_eps", 1e-5);
    c->downsample_padding = yonos_config_int(json, "downsample_padding", 1, 0, 1);
    c->conv_in_kernel = yonos_config_int(json, "conv_in_kernel", 3, 1, 15);
    c->conv_out_kernel = yonos_config_int(json, "conv_out_kernel", 3, 1, 15);
    c->center_input = yonos_config_bool(json, "center_input_sample", FALSE);
    c->flip_sin_to_cos = yonos_config_bool(json, "flip_sin_to_cos", TRUE);
    c->freq_shift = yonos_config_float(json, "freq_shift", 0.0);
    c->time_dim = yonos_config_int(json, "time_embedding_dim", 4 * c->width[0], 1, 4 * MAX_WIDTH);
    c->num_class_embeds = yonos_config_int(json, "num_class_embeds", 0, 0, 1 << 20);
    read_mid(json, c);
    read_attention(json, c);
    refuse_variants(json);
    check_widths(json, c->width, c->levels, c->groups);
    check_heads(json, c);
    if (c->conv_in_kernel % 2 == 0 || c->conv_out_kernel % 2 == 0)
        yonos_config_fail(json, "\"conv_in_kernel\" and \"conv_out_kernel\" must be odd");
}

gboolean yonos_unet_config_read(YonosConfig *json, YonosUnetConfig *config, GError **error) {
    memset(config, 0, sizeof *config);
    if (!is_class(json, "UNet2DConditionModel"))
        yonos_config_fail(json, "\"_class_name\" is %.60s; only UNet2DConditionModel is supported",
                          yonos_config_string(json, "_class_name", ""));
    read_unet(json, config);
    return yonos_config_finish(json, error);
}

gboolean yonos_unet_has_attention(const YonosUnetConfig *config) {
    gboolean any = config->has_mid && config->mid_attention;
    for (int i = 0; i < config->levels; i++)
        any = any || config->down_attention[i] || config->up_attention[i];
    return any;
}

/* ---- autoencoders --------------------------------------------------------------------------------- */

static void check_pixels(YonosConfig *json) {
    if (yonos_config_int(json, "in_channels", 3, 1, MAX_WIDTH) != 3 ||
        yonos_config_int(json, "out_channels", 3, 1, MAX_WIDTH) != 3)
        yonos_config_fail(json, "\"in_channels\" and \"out_channels\" must be 3");
}

static guint check_types(YonosConfig *json, const char *key, const char *wanted) {
    const char *types[YONOS_MAX_LEVELS];
    guint count = yonos_config_strings(json, key, types, YONOS_MAX_LEVELS);
    for (guint i = 0; i < count; i++)
        if (strcmp(types[i], wanted) != 0)
            yonos_config_fail(json, "\"%s\" has a block %.60s, which is not supported; use %s", key, types[i], wanted);
    return count;
}

static void read_kl(YonosConfig *json, YonosVaeConfig *c) {
    static const char *const ignored[] = {"sample_size", "force_upcast", NULL};
    yonos_config_ignore(json, ignored);
    c->kind = YONOS_VAE_KL;
    c->levels = (int)check_types(json, "down_block_types", "DownEncoderBlock2D");
    guint ups = check_types(json, "up_block_types", "UpDecoderBlock2D");
    if ((int)ups != c->levels)
        yonos_config_fail(json, "\"up_block_types\" has %u blocks, \"down_block_types\" %d", ups, c->levels);
    yonos_config_ints(json, "block_out_channels", c->width, (guint)c->levels, 64, 1, MAX_WIDTH);
    c->layers = yonos_config_int(json, "layers_per_block", 1, 1, MAX_LAYERS);
    c->groups = yonos_config_int(json, "norm_num_groups", 32, 1, MAX_WIDTH);
    c->activation = activation_of[yonos_config_choice(json, "act_fn", activations, SILU)];
    c->mid_attention = yonos_config_bool(json, "mid_block_add_attention", TRUE);
    c->quant_conv = yonos_config_bool(json, "use_quant_conv", TRUE);
    c->post_quant_conv = yonos_config_bool(json, "use_post_quant_conv", TRUE);
    yonos_config_refuse(json, "latents_mean", "a mean per latent channel is");
    yonos_config_refuse(json, "latents_std", "a standard deviation per latent channel is");
    check_widths(json, c->width, c->levels, c->groups);
}

/* The lists of a tiny autoencoder have as many entries as the encoder has blocks. */
static void read_tiny(YonosConfig *json, YonosVaeConfig *c) {
    static const char *const ignored[] = {"force_upcast", "latent_magnitude", "latent_shift", "block_out_channels", NULL};
    static const char *const nearest[] = {"nearest", NULL};
    yonos_config_ignore(json, ignored);
    c->kind = YONOS_VAE_TINY;
    c->levels = (int)yonos_config_length(json, "encoder_block_out_channels", 4, YONOS_MAX_LEVELS);
    guint n = (guint)c->levels;
    yonos_config_ints(json, "encoder_block_out_channels", c->width, n, 64, 1, MAX_WIDTH);
    yonos_config_ints(json, "decoder_block_out_channels", c->decoder_width, n, 64, 1, MAX_WIDTH);
    const int encoder_default[] = {1, 3, 3, 3}, decoder_default[] = {3, 3, 3, 1};
    if (yonos_config_has(json, "num_encoder_blocks") || n != G_N_ELEMENTS(encoder_default))
        yonos_config_ints(json, "num_encoder_blocks", c->encoder_blocks, n, 3, 0, MAX_LAYERS);
    else
        memcpy(c->encoder_blocks, encoder_default, sizeof encoder_default);
    if (yonos_config_has(json, "num_decoder_blocks") || n != G_N_ELEMENTS(decoder_default))
        yonos_config_ints(json, "num_decoder_blocks", c->decoder_blocks, n, 3, 0, MAX_LAYERS);
    else
        memcpy(c->decoder_blocks, decoder_default, sizeof decoder_default);
    c->activation = activation_of[yonos_config_choice(json, "act_fn", activations, RELU)];
    yonos_config_choice(json, "upsample_fn", nearest, 0);
    if (yonos_config_int(json, "upsampling_scaling_factor", 2, 1, 16) != 2)
        yonos_config_fail(json, "\"upsampling_scaling_factor\" must be 2");
    for (guint i = 1; i < n; i++)
        if (c->width[i] != c->width[0] || c->decoder_width[i] != c->decoder_width[0])
            yonos_config_fail(json, "an AutoencoderTiny has the same width in all blocks of a half");
}

gboolean yonos_vae_config_read(YonosConfig *json, YonosVaeConfig *config, GError **error) {
    memset(config, 0, sizeof *config);
    gboolean tiny = is_class(json, "AutoencoderTiny");
    if (!tiny && !is_class(json, "AutoencoderKL"))
        yonos_config_fail(json, "\"_class_name\" is %.60s; AutoencoderKL and AutoencoderTiny are supported",
                          yonos_config_string(json, "_class_name", ""));
    if (tiny && !yonos_config_has(json, "_class_name"))
        tiny = FALSE;
    check_pixels(json);
    config->latent_channels = yonos_config_int(json, "latent_channels", 4, 1, 1024);
    config->scaling_factor = yonos_config_float(json, "scaling_factor", tiny ? 1.0 : 0.18215);
    config->shift_factor = yonos_config_float(json, "shift_factor", 0.0);
    if (tiny)
        read_tiny(json, config);
    else
        read_kl(json, config);
    if (config->scaling_factor == 0.0)
        yonos_config_fail(json, "\"scaling_factor\" must not be 0");
    return yonos_config_finish(json, error);
}
