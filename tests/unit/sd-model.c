/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The names and shapes of Stable Diffusion 1.5's tensors; see sd-model.h.
 */
#include "sd-model.h"

#include "tiny-model.h"

enum {
    LEVELS = 4,
    LAYERS = 2,
    TEMB = 128,   /* 4 x the first width */
    PROMPT = 24,  /* width of the prompt */
    TOKENS = 77,
    LATENT = 4,
    INPUTS = 8,   /* z_T, z_l */
};

static const int unet_width[LEVELS] = {32, 64, 128, 128}, vae_width[LEVELS] = {32, 64, 128, 128};

/* Tensors of one file; they share one piece of zeros. */
typedef struct {
    GPtrArray *tensors;
    float *zeros;
    gsize most;
} Weights;

static void add(Weights *w, int rank, const gint64 *dim, const char *path, const char *suffix) {
    YonosConst *tensor = g_new0(YonosConst, 1);
    tensor->name = g_strconcat(path, suffix, NULL);
    tensor->dtype = YONOS_DTYPE_F32;
    tensor->rank = rank;
    memcpy(tensor->dim, dim, (gsize)rank * sizeof *dim);
    w->most = MAX(w->most, yonos_const_count(tensor));
    g_ptr_array_add(w->tensors, tensor);
}

static void vector(Weights *w, const char *path, const char *suffix, int n) { add(w, 1, (gint64[]){n}, path, suffix); }

static void norm(Weights *w, const char *path, int n) {
    vector(w, path, ".weight", n);
    vector(w, path, ".bias", n);
}

static void conv(Weights *w, const char *path, int from, int to, int kernel) {
    add(w, 4, (gint64[]){to, from, kernel, kernel}, path, ".weight");
    vector(w, path, ".bias", to);
}

static void linear(Weights *w, const char *path, int from, int to, gboolean bias) {
    add(w, 2, (gint64[]){to, from}, path, ".weight");
    if (bias)
        vector(w, path, ".bias", to);
}

/* Calls ADD(w, path, ...) with "parent.child" as path. */
#define CHILD(ADD, w, parent, child, ...)                                                                              \
    G_STMT_START {                                                                                                     \
        g_autofree char *path_ = g_strconcat(parent, ".", child, NULL);                                                \
        ADD(w, path_, __VA_ARGS__);                                                                                    \
    }                                                                                                                  \
    G_STMT_END

static void resnet(Weights *w, const char *path, int from, int to, int temb) {
    CHILD(norm, w, path, "norm1", from);
    CHILD(conv, w, path, "conv1", from, to, 3);
    if (temb)
        CHILD(linear, w, path, "time_emb_proj", temb, to, TRUE);
    CHILD(norm, w, path, "norm2", to);
    CHILD(conv, w, path, "conv2", to, to, 3);
    if (from != to)
        CHILD(conv, w, path, "conv_shortcut", from, to, 1);
}

static void attention(Weights *w, const char *path, int width, int keys, gboolean bias) {
    CHILD(linear, w, path, "to_q", width, width, bias);
    CHILD(linear, w, path, "to_k", keys, width, bias);
    CHILD(linear, w, path, "to_v", keys, width, bias);
    CHILD(linear, w, path, "to_out.0", width, width, TRUE);
}

static void transformer(Weights *w, const char *path, int width) {
    CHILD(norm, w, path, "norm", width);
    CHILD(conv, w, path, "proj_in", width, width, 1);
    CHILD(norm, w, path, "transformer_blocks.0.norm1", width);
    CHILD(norm, w, path, "transformer_blocks.0.norm2", width);
    CHILD(norm, w, path, "transformer_blocks.0.norm3", width);
    CHILD(attention, w, path, "transformer_blocks.0.attn1", width, width, FALSE);
    CHILD(attention, w, path, "transformer_blocks.0.attn2", width, PROMPT, FALSE);
    CHILD(linear, w, path, "transformer_blocks.0.ff.net.0.proj", width, 8 * width, TRUE);
    CHILD(linear, w, path, "transformer_blocks.0.ff.net.2", 4 * width, width, TRUE);
    CHILD(conv, w, path, "proj_out", width, width, 1);
}

/* ---- the U-Net ---------------------------------------------------------------------------------------- */

static void unet_down(Weights *w) {
    for (int i = 0; i < LEVELS; i++) {
        g_autofree char *path = g_strdup_printf("down_blocks.%d", i);
        for (int j = 0; j < LAYERS; j++) {
            g_autofree char *r = g_strdup_printf("resnets.%d", j), *a = g_strdup_printf("attentions.%d", j);
            int from = j > 0 ? unet_width[i] : unet_width[MAX(i - 1, 0)];
            CHILD(resnet, w, path, r, from, unet_width[i], TEMB);
            if (i + 1 < LEVELS)
                CHILD(transformer, w, path, a, unet_width[i]);
        }
        if (i + 1 < LEVELS)
            CHILD(conv, w, path, "downsamplers.0.conv", unet_width[i], unet_width[i], 3);
    }
}

/* The width of what the up block's resnet j joins: what the down blocks left there, last first. */
static int skip_width(int level, int j) { return unet_width[j < LAYERS ? level : MAX(level - 1, 0)]; }

static void unet_up(Weights *w) {
    int width = unet_width[LEVELS - 1];
    for (int i = 0; i < LEVELS; i++) {
        int level = LEVELS - 1 - i;
        g_autofree char *path = g_strdup_printf("up_blocks.%d", i);
        for (int j = 0; j <= LAYERS; j++) {
            g_autofree char *r = g_strdup_printf("resnets.%d", j), *a = g_strdup_printf("attentions.%d", j);
            CHILD(resnet, w, path, r, width + skip_width(level, j), unet_width[level], TEMB);
            width = unet_width[level];
            if (i > 0)
                CHILD(transformer, w, path, a, width);
        }
        if (level > 0)
            CHILD(conv, w, path, "upsamplers.0.conv", width, width, 3);
    }
}

static void unet(Weights *w) {
    int middle = unet_width[LEVELS - 1];
    conv(w, "conv_in", INPUTS, unet_width[0], 3);
    linear(w, "time_embedding.linear_1", unet_width[0], TEMB, TRUE);
    linear(w, "time_embedding.linear_2", TEMB, TEMB, TRUE);
    unet_down(w);
    resnet(w, "mid_block.resnets.0", middle, middle, TEMB);
    transformer(w, "mid_block.attentions.0", middle);
    resnet(w, "mid_block.resnets.1", middle, middle, TEMB);
    unet_up(w);
    norm(w, "conv_norm_out", unet_width[0]);
    conv(w, "conv_out", unet_width[0], LATENT, 3);
}

/* ---- the autoencoder ------------------------------------------------------------------------------------ */

static void vae_middle(Weights *w, const char *path) {
    int width = vae_width[LEVELS - 1];
    CHILD(resnet, w, path, "resnets.0", width, width, 0);
    CHILD(norm, w, path, "attentions.0.group_norm", width);
    CHILD(attention, w, path, "attentions.0", width, width, TRUE);
    CHILD(resnet, w, path, "resnets.1", width, width, 0);
}

/* One level of an encoder (down) or decoder (up) with `layers` resnets. */
static void vae_level(Weights *w, const char *path, int from, int to, int layers, const char *sampler) {
    for (int j = 0; j < layers; j++) {
        g_autofree char *r = g_strdup_printf("resnets.%d", j);
        CHILD(resnet, w, path, r, j ? to : from, to, 0);
    }
    if (sampler)
        CHILD(conv, w, path, sampler, to, to, 3);
}

static void vae(Weights *w) {
    int last = LEVELS - 1;
    conv(w, "encoder.conv_in", 3, vae_width[0], 3);
    conv(w, "decoder.conv_in", LATENT, vae_width[last], 3);
    for (int i = 0; i < LEVELS; i++) {
        g_autofree char *down = g_strdup_printf("encoder.down_blocks.%d", i);
        g_autofree char *up = g_strdup_printf("decoder.up_blocks.%d", i);
        vae_level(w, down, vae_width[MAX(i - 1, 0)], vae_width[i], LAYERS, i < last ? "downsamplers.0.conv" : NULL);
        vae_level(w, up, vae_width[MIN(LEVELS - i, last)], vae_width[last - i], LAYERS + 1,
                  i < last ? "upsamplers.0.conv" : NULL);
    }
    vae_middle(w, "encoder.mid_block");
    vae_middle(w, "decoder.mid_block");
    norm(w, "encoder.conv_norm_out", vae_width[last]);
    conv(w, "encoder.conv_out", vae_width[last], 2 * LATENT, 3);
    norm(w, "decoder.conv_norm_out", vae_width[0]);
    conv(w, "decoder.conv_out", vae_width[0], 3, 3);
    conv(w, "quant_conv", 2 * LATENT, 2 * LATENT, 1);
    conv(w, "post_quant_conv", LATENT, LATENT, 1);
}

static void prompt(Weights *w) { add(w, 3, (gint64[]){1, TOKENS, PROMPT}, "prompt_embeds", ""); }

/* ---- the folder -------------------------------------------------------------------------------------------- */

static void write_weights(const char *folder, const char *file, void (*list)(Weights *w)) {
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(folder, file, NULL);
    Weights w = {.tensors = g_ptr_array_new()};
    list(&w);
    w.zeros = g_new0(float, w.most);
    for (guint i = 0; i < w.tensors->len; i++)
        ((YonosConst *)g_ptr_array_index(w.tensors, i))->data = w.zeros;
    yonos_safetensors_write(path, (const YonosConst *const *)w.tensors->pdata, w.tensors->len, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < w.tensors->len; i++) {
        YonosConst *tensor = g_ptr_array_index(w.tensors, i);
        g_free((char *)tensor->name);
        g_free(tensor);
    }
    g_ptr_array_unref(w.tensors);
    g_free(w.zeros);
}

static void write_config(const char *folder, const char *file, const char *text) {
    tiny_model_write(folder, file, text, strlen(text));
}

static const char unet_config[] =
    "{\"_class_name\": \"UNet2DConditionModel\", \"in_channels\": 8, \"out_channels\": 4,"
    " \"down_block_types\": [\"CrossAttnDownBlock2D\", \"CrossAttnDownBlock2D\", \"CrossAttnDownBlock2D\","
    " \"DownBlock2D\"], \"mid_block_type\": \"UNetMidBlock2DCrossAttn\","
    " \"up_block_types\": [\"UpBlock2D\", \"CrossAttnUpBlock2D\", \"CrossAttnUpBlock2D\", \"CrossAttnUpBlock2D\"],"
    " \"block_out_channels\": [32, 64, 128, 128], \"layers_per_block\": 2, \"norm_num_groups\": 32,"
    " \"cross_attention_dim\": 24, \"attention_head_dim\": 8}\n";

static const char vae_config[] =
    "{\"_class_name\": \"AutoencoderKL\", \"in_channels\": 3, \"out_channels\": 3, \"latent_channels\": 4,"
    " \"down_block_types\": [\"DownEncoderBlock2D\", \"DownEncoderBlock2D\", \"DownEncoderBlock2D\","
    " \"DownEncoderBlock2D\"], \"up_block_types\": [\"UpDecoderBlock2D\", \"UpDecoderBlock2D\", \"UpDecoderBlock2D\","
    " \"UpDecoderBlock2D\"], \"block_out_channels\": [32, 64, 128, 128], \"layers_per_block\": 2,"
    " \"norm_num_groups\": 32, \"scaling_factor\": 0.18215}\n";

char *sd_model_new(void) {
    char *folder = tiny_model_new();
    tiny_model_replace(folder, "model_index.json", "AutoencoderTiny", "AutoencoderKL");
    write_config(folder, "unet/config.json", unet_config);
    write_config(folder, "vae/config.json", vae_config);
    write_weights(folder, "unet/diffusion_pytorch_model.safetensors", unet);
    write_weights(folder, "vae/diffusion_pytorch_model.safetensors", vae);
    write_weights(folder, "prompt_embeds.safetensors", prompt);
    return folder;
}
