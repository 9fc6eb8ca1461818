/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tiny model folder of tiny-model.h: configs as text, tensors as a list of names and shapes.
 *
 * The input has to go all the way to the picture (test-tiny-model.c). So layers keep the size of what they are given
 * (He et al. 2015), biases are small beside it, and the last layer stays in the middle of the range of codes.
 */
#include "tiny-model.h"

#include <math.h>

#include "remove-tree.h"

enum {
    SEED = 11,  /* tried out: with so few channels others lose much of the input */
    LATENT = 2, /* channels */
};

#define NOISE_SHARE 0.1f /* of the first layer's weights: of the size of the others, the noise drowns the latent */

typedef struct {
    const char *name;
    int rank;
    gint64 dim[4];
} Spec;

#define VECTOR(name, n) {name, 1, {n}}
#define LAYER(path, o, i) {path ".weight", 2, {o, i}}, {path ".bias", 1, {o}}
#define CONV(path, o, i, k) {path ".weight", 4, {o, i, k, k}}, {path ".bias", 1, {o}}
#define NORM(path, n) {path ".weight", 1, {n}}, {path ".bias", 1, {n}}
#define RESNET(path, i)                                                                                                \
    NORM(path ".norm1", i), CONV(path ".conv1", 4, i, 3), LAYER(path ".time_emb_proj", 4, 16), NORM(path ".norm2", 4), \
        CONV(path ".conv2", 4, 4, 3)
#define ATTENTION(path, i)                                                                                             \
    {path ".to_q.weight", 2, {4, 4}}, {path ".to_k.weight", 2, {4, i}}, {path ".to_v.weight", 2, {4, i}},             \
        LAYER(path ".to_out.0", 4, 4)
#define FIRST "conv_in"
#define LAST "decoder.layers.6"
#define T "mid_block.attentions.0"
#define TB T ".transformer_blocks.0"

static const Spec unet_tensors[] = {
    CONV(FIRST, 4, 2 * LATENT, 3),
    LAYER("time_embedding.linear_1", 16, 4),
    LAYER("time_embedding.linear_2", 16, 16),
    RESNET("down_blocks.0.resnets.0", 4),
    RESNET("mid_block.resnets.0", 4),
    RESNET("mid_block.resnets.1", 4),
    NORM(T ".norm", 4),
    CONV(T ".proj_in", 4, 4, 1),
    CONV(T ".proj_out", 4, 4, 1),
    NORM(TB ".norm1", 4),
    NORM(TB ".norm2", 4),
    NORM(TB ".norm3", 4),
    ATTENTION(TB ".attn1", 4),
    ATTENTION(TB ".attn2", 6),
    LAYER(TB ".ff.net.0.proj", 32, 4),
    LAYER(TB ".ff.net.2", 4, 16),
    RESNET("up_blocks.0.resnets.0", 8),
    CONV("up_blocks.0.resnets.0.conv_shortcut", 4, 8, 1),
    RESNET("up_blocks.0.resnets.1", 8),
    CONV("up_blocks.0.resnets.1.conv_shortcut", 4, 8, 1),
    NORM("conv_norm_out", 4),
    CONV("conv_out", LATENT, 4, 3),
};

#define BLOCK(path) CONV(path ".conv.0", 4, 4, 3), CONV(path ".conv.2", 4, 4, 3), CONV(path ".conv.4", 4, 4, 3)

static const Spec vae_tensors[] = {
    CONV("encoder.layers.0", 4, 3, 3),
    BLOCK("encoder.layers.1"),
    {"encoder.layers.2.weight", 4, {4, 4, 3, 3}},
    BLOCK("encoder.layers.3"),
    CONV("encoder.layers.4", LATENT, 4, 3),
    CONV("decoder.layers.0", 4, LATENT, 3),
    BLOCK("decoder.layers.2"),
    {"decoder.layers.4.weight", 4, {4, 4, 3, 3}},
    BLOCK("decoder.layers.5"),
    CONV(LAST, 3, 4, 3),
};

static const Spec prompt_tensors[] = {{"prompt_embeds", 3, {1, 5, 6}}};

static const char model_index[] =
    "{\n  \"_class_name\": \"StableDiffusionPipeline\",\n  \"_diffusers_version\": \"0.42.1\",\n"
    "  \"unet\": [\"diffusers\", \"UNet2DConditionModel\"],\n  \"vae\": [\"diffusers\", \"AutoencoderTiny\"],\n"
    "  \"scheduler\": [\"diffusers\", \"DDIMScheduler\"],\n"
    "  \"yonos\": {\"format_version\": 1, \"scale\": 2, \"name\": \"tiny\", \"licence\": \"CC0-1.0\"}\n}\n";

static const char unet_config[] =
    "{\n  \"_class_name\": \"UNet2DConditionModel\",\n  \"sample_size\": 8,\n  \"in_channels\": 4,\n"
    "  \"out_channels\": 2,\n  \"down_block_types\": [\"DownBlock2D\"],\n  \"up_block_types\": [\"UpBlock2D\"],\n"
    "  \"mid_block_type\": \"UNetMidBlock2DCrossAttn\",\n  \"block_out_channels\": [4],\n  \"layers_per_block\": 1,\n"
    "  \"norm_num_groups\": 2,\n  \"cross_attention_dim\": 6,\n  \"attention_head_dim\": 2,\n"
    "  \"dual_cross_attention\": false,\n  \"class_embed_type\": null\n}\n";

static const char vae_config[] =
    "{\n  \"_class_name\": \"AutoencoderTiny\",\n  \"in_channels\": 3,\n  \"out_channels\": 3,\n"
    "  \"encoder_block_out_channels\": [4, 4],\n  \"decoder_block_out_channels\": [4, 4],\n"
    "  \"num_encoder_blocks\": [1, 1],\n  \"num_decoder_blocks\": [1, 1],\n  \"latent_channels\": 2,\n"
    "  \"act_fn\": \"relu\",\n  \"scaling_factor\": 1.5\n}\n";

static const char scheduler_config[] =
    "{\n  \"_class_name\": \"DDIMScheduler\",\n  \"num_train_timesteps\": 1000,\n  \"beta_start\": 0.00085,\n"
    "  \"beta_end\": 0.012,\n  \"beta_schedule\": \"scaled_linear\",\n  \"prediction_type\": \"v_prediction\",\n"
    "  \"clip_sample\": false,\n  \"trained_betas\": null\n}\n";

void tiny_model_write(const char *folder, const char *file, const void *data, gsize length) {
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(folder, file, NULL);
    g_file_set_contents(path, data, (gssize)length, &error);
    g_assert_no_error(error);
}

static void write_text(const char *folder, const char *file, const char *text) {
    tiny_model_write(folder, file, text, strlen(text));
}

/* A tensor's values lie around a centre, as far away as the bound. */
static double centre_of(const Spec *spec) {
    gboolean is_norm = spec->rank == 1 && g_str_has_suffix(spec->name, ".weight");
    return is_norm ? 1.0 : g_str_equal(spec->name, LAST ".bias") ? 0.5 : 0.0;
}

static double bound_of(const Spec *spec) {
    gint64 inputs = 1;
    for (int i = 1; i < spec->rank; i++)
        inputs *= spec->dim[i];
    double bound = spec->rank == 1 ? 0.1 : sqrt(6.0 / (double)inputs);
    return g_str_equal(spec->name, LAST ".weight") ? 0.1 * bound : bound;
}

static float *weights_new(const Spec *spec, gsize count, GRand *random) {
    float *data = g_new(float, count);
    double centre = centre_of(spec), bound = bound_of(spec);
    for (gsize i = 0; i < count; i++)
        data[i] = (float)(centre + g_rand_double_range(random, -bound, bound));
    if (g_str_equal(spec->name, FIRST ".weight")) /* (4, noise and latent, 3, 3) */
        for (gsize i = 0; i < count; i++)
            data[i] *= i / 9 % (2 * LATENT) < LATENT ? NOISE_SHARE : 1.0f;
    return data;
}

static void write_weights(const char *folder, const char *file, const Spec *specs, guint count) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GRand) random = g_rand_new_with_seed(SEED);
    g_autofree YonosConst *tensors = g_new0(YonosConst, count);
    g_autofree const YonosConst **list = g_new(const YonosConst *, count);
    for (guint i = 0; i < count; i++) {
        tensors[i] = (YonosConst){.name = specs[i].name, .dtype = YONOS_DTYPE_F32, .rank = specs[i].rank};
        memcpy(tensors[i].dim, specs[i].dim, sizeof specs[i].dim);
        tensors[i].data = weights_new(&specs[i], yonos_const_count(&tensors[i]), random);
        list[i] = &tensors[i];
    }
    g_autofree char *path = g_build_filename(folder, file, NULL);
    yonos_safetensors_write(path, list, count, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < count; i++)
        g_free((void *)tensors[i].data);
}

char *tiny_model_new(void) {
    static const char *const parts[] = {"unet", "vae", "scheduler"};
    g_autoptr(GError) error = NULL;
    char *folder = g_dir_make_tmp("yonos-XXXXXX", &error);
    g_assert_no_error(error);
    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        g_autofree char *path = g_build_filename(folder, parts[i], NULL);
        g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
    }
    write_text(folder, "model_index.json", model_index);
    write_text(folder, "unet/config.json", unet_config);
    write_text(folder, "vae/config.json", vae_config);
    write_text(folder, "scheduler/scheduler_config.json", scheduler_config);
    write_weights(folder, "unet/diffusion_pytorch_model.safetensors", unet_tensors, G_N_ELEMENTS(unet_tensors));
    write_weights(folder, "vae/diffusion_pytorch_model.safetensors", vae_tensors, G_N_ELEMENTS(vae_tensors));
    write_weights(folder, "prompt_embeds.safetensors", prompt_tensors, G_N_ELEMENTS(prompt_tensors));
    return folder;
}

void tiny_model_remove(char *folder) {
    remove_tree(folder);
    g_free(folder);
}

GBytes *tiny_model_read(const char *folder, const char *file) {
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(folder, file, NULL);
    char *data;
    gsize length;
    g_file_get_contents(path, &data, &length, &error);
    g_assert_no_error(error);
    return g_bytes_new_take(data, length);
}

static char *replaced(const char *text, const char *from, const char *to) {
    const char *place = strstr(text, from);
    g_assert_nonnull(place);
    g_assert_null(strstr(place + 1, from));
    g_autoptr(GString) result = g_string_new_len(text, place - text);
    g_string_append(result, to);
    g_string_append(result, place + strlen(from));
    return g_string_free(g_steal_pointer(&result), FALSE);
}

void tiny_model_replace(const char *folder, const char *file, const char *from, const char *to) {
    g_autoptr(GBytes) old = tiny_model_read(folder, file);
    g_autofree char *text = g_strndup(g_bytes_get_data(old, NULL), g_bytes_get_size(old));
    g_autofree char *changed = replaced(text, from, to);
    write_text(folder, file, changed);
}

static void append_length(GByteArray *out, guint64 length) {
    length = GUINT64_TO_LE(length);
    g_byte_array_append(out, (const guint8 *)&length, sizeof length);
}

void tiny_model_replace_header(const char *folder, const char *file, const char *from, const char *to) {
    g_autoptr(GBytes) old = tiny_model_read(folder, file);
    gsize size;
    const guint8 *data = g_bytes_get_data(old, &size);
    guint64 length;
    memcpy(&length, data, sizeof length);
    length = GUINT64_FROM_LE(length);
    g_autofree char *text = g_strndup((const char *)data + sizeof length, length);
    g_autofree char *changed = replaced(text, from, to);
    g_autoptr(GByteArray) out = g_byte_array_new();
    append_length(out, strlen(changed));
    g_byte_array_append(out, (const guint8 *)changed, (guint)strlen(changed));
    g_byte_array_append(out, data + sizeof length + length, (guint)(size - sizeof length - length));
    tiny_model_write(folder, file, out->data, out->len);
}

void tiny_model_rewrite(const char *folder, const char *file, const char *drop, const YonosConst *extra) {
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(folder, file, NULL);
    g_autoptr(GPtrArray) list = g_ptr_array_new();
    g_autoptr(YonosSafetensors) old = yonos_safetensors_open(path, &error);
    g_assert_no_error(error);
    g_assert_true(!drop || yonos_safetensors_find(old, drop));
    for (guint i = 0; i < yonos_safetensors_get_count(old); i++) {
        const YonosConst *tensor = yonos_safetensors_get(old, i);
        if (g_strcmp0(tensor->name, drop) != 0)
            g_ptr_array_add(list, (gpointer)tensor);
    }
    if (extra)
        g_ptr_array_add(list, (gpointer)extra);
    yonos_safetensors_write(path, (const YonosConst *const *)list->pdata, list->len, &error);
    g_assert_no_error(error);
}

GBytes *tiny_safetensors(const char *header, gsize data_length) {
    GByteArray *out = g_byte_array_new();
    append_length(out, strlen(header));
    g_byte_array_append(out, (const guint8 *)header, (guint)strlen(header));
    for (gsize i = 0; i < data_length; i++) {
        guint8 byte = (guint8)(i % 61);
        g_byte_array_append(out, &byte, 1);
    }
    return g_byte_array_free_to_bytes(out);
}
