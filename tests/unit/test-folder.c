/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Model folders: a whole one with its defaults, sharing, threads, odd but legal files, and a corpus of
 * folders that each break one rule and must be refused with one error that names the place.
 */
#include "tiny-model.h"

#include <glib/gstdio.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#define INDEX "model_index.json"
#define UNET "unet/config.json"
#define VAE "vae/config.json"
#define SCHEDULER "scheduler/scheduler_config.json"
#define UNET_WEIGHTS "unet/diffusion_pytorch_model.safetensors"
#define VAE_WEIGHTS "vae/diffusion_pytorch_model.safetensors"
#define PROMPT "prompt_embeds.safetensors"
#define OWN "\"scale\": 2" /* a place inside of "yonos" */

static YonosModel *open_whole(const char *folder) {
    g_autoptr(GError) error = NULL;
    YonosModel *model = yonos_model_open(folder, &error);
    g_assert_no_error(error);
    g_assert_nonnull(model);
    return model;
}

/* ---- whole folders ------------------------------------------------------------------------------ */

static void test_whole(void) {
    char *folder = tiny_model_new();
    g_autoptr(YonosModel) model = open_whole(folder);
    const YonosModelInfo *info = yonos_model_get_info(model);
    g_assert_cmpstr(yonos_model_get_name(model), ==, "tiny");
    g_assert_cmpstr(yonos_model_get_licence(model), ==, "CC0-1.0");
    g_assert_null(yonos_model_get_warning(model));
    g_assert_cmpstr(yonos_model_get_folder(model), ==, folder);
    g_assert_cmpint(yonos_model_get_scale(model), ==, 2);
    g_assert_cmpint(info->timestep, ==, 999);
    g_assert_cmpint(info->conditioning, ==, YONOS_CONDITIONING_CONCAT_LATENT);
    g_assert_cmpint(info->upsample_filter, ==, YONOS_FILTER_BICUBIC);
    g_assert_cmpint(info->colour_fix, ==, YONOS_COLOUR_FIX_NONE);
    g_assert_cmpfloat_with_epsilon(info->a, 0.068265, 1e-6);
    g_assert_cmpfloat_with_epsilon(info->b, -0.997667, 1e-6);
    g_assert_cmpint(info->latent_channels, ==, 2);
    g_assert_cmpint(info->latent_factor, ==, 2);
    g_assert_cmpfloat(info->latent_scale, ==, 1.5f);
    g_assert_cmpfloat(info->latent_shift, ==, 0.0f);
    g_assert_true(info->has_attention);
    g_assert_true(info->global_statistics);
    tiny_model_remove(folder);
}

static void test_own_keys(void) {
    char *folder = tiny_model_new();
    tiny_model_replace(folder, INDEX, "\"scale\": 2, \"name\": \"tiny\", \"licence\": \"CC0-1.0\"",
                       "\"scale\": 4, \"timestep\": 500, \"upsample_filter\": \"lanczos\", \"training\": \"none\","
                       "\"colour_fix\": \"back-projection\", \"a\": 0.5, \"b\": -2, \"conditioning\": \"concat_latent\"");
    tiny_model_replace(folder, INDEX, "\"vae\":", "\"text_encoder\": [null, null], \"vae\":");
    g_autoptr(YonosModel) model = open_whole(folder);
    const YonosModelInfo *info = yonos_model_get_info(model);
    g_autofree char *base = g_path_get_basename(folder);
    g_assert_cmpstr(info->name, ==, base);
    g_assert_cmpstr(info->licence, ==, "unknown");
    g_assert_cmpint(info->scale, ==, 4);
    g_assert_cmpint(info->timestep, ==, 500);
    g_assert_cmpint(info->upsample_filter, ==, YONOS_FILTER_LANCZOS);
    g_assert_cmpint(info->colour_fix, ==, YONOS_COLOUR_FIX_BACK_PROJECTION);
    g_assert_cmpfloat(info->a, ==, 0.5f);
    g_assert_cmpfloat(info->b, ==, -2.0f);
    tiny_model_remove(folder);
}

static void test_shared(void) {
    char *folder = tiny_model_new(), *other = tiny_model_new();
    g_autofree char *link = g_strconcat(folder, "-link", NULL), *slash = g_strconcat(folder, "/./", NULL);
    g_assert_cmpint(symlink(folder, link), ==, 0);
    YonosModel *first = open_whole(folder), *second = open_whole(slash), *third = open_whole(link);
    YonosModel *different = open_whole(other);
    g_assert_true(first == second && first == third);
    g_assert_true(first != different);
    g_assert_true(yonos_model_ref(first) == first);
    yonos_model_unref(first);
    yonos_model_unref(first);
    yonos_model_unref(second);
    g_assert_cmpint(yonos_model_get_scale(third), ==, 2);
    yonos_model_unref(third);
    yonos_model_unref(different);
    yonos_model_unref(NULL);
    /* After the last reference the folder is read anew. */
    tiny_model_replace(folder, INDEX, OWN, "\"scale\": 3");
    g_autoptr(YonosModel) anew = open_whole(folder);
    g_assert_cmpint(yonos_model_get_scale(anew), ==, 3);
    g_remove(link);
    tiny_model_remove(folder);
    tiny_model_remove(other);
}

static gpointer open_and_close(gpointer folder) {
    for (int i = 0; i < 20; i++) {
        YonosModel *model = open_whole(folder);
        g_autoptr(GError) error = NULL;
        YonosGraph *graph = yonos_model_build_part(model, YONOS_PART_UNET, 5 + i % 3, 7, YONOS_DTYPE_F32, &error);
        g_assert_no_error(error);
        yonos_graph_free(graph);
        yonos_model_unref(model);
    }
    return NULL;
}

static void test_threads(void) {
    GThread *threads[4];
    char *folder = tiny_model_new();
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("open", open_and_close, folder);
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        g_thread_join(threads[i]);
    tiny_model_remove(folder);
}

/* NaN in several tensors of one file: the model opens, with a warning that names the file and a tensor. */
static void test_nan(void) {
    static const float values[] = {NAN, INFINITY, -INFINITY};
    for (guint i = 0; i < G_N_ELEMENTS(values); i++) {
        char *folder = tiny_model_new();
        g_autoptr(GBytes) old = tiny_model_read(folder, VAE_WEIGHTS);
        gsize length;
        g_autofree guint8 *data = g_memdup2(g_bytes_get_data(old, NULL), g_bytes_get_size(old));
        length = g_bytes_get_size(old);
        memcpy(data + length - 4, &values[i], 4);
        memcpy(data + length - 2000, &values[i], 4);
        tiny_model_write(folder, VAE_WEIGHTS, data, length);
        YonosModel *model = open_whole(folder);
        const char *warning = yonos_model_get_warning(model);
        g_assert_nonnull(warning);
        g_assert_nonnull(strstr(warning, VAE_WEIGHTS ": tensor "));
        yonos_model_unref(model);
        tiny_model_remove(folder);
    }
}

/* A header whose length is odd puts every tensor at an odd address; half floats are taken as they are. */
static void test_odd_files(void) {
    char *folder = tiny_model_new();
    tiny_model_replace_header(folder, UNET_WEIGHTS, "{\"conv_in.weight\"", "{ \"conv_in.weight\"");
    yonos_model_unref(open_whole(folder));
    const uint16_t zeros[30] = {0};
    const YonosConst half = {"prompt_embeds", YONOS_DTYPE_F16, 3, {1, 5, 6}, zeros};
    tiny_model_rewrite(folder, PROMPT, "prompt_embeds", &half);
    yonos_model_unref(open_whole(folder));
    tiny_model_remove(folder);
}

/* ---- folders that break one rule ------------------------------------------------------------------ */

typedef enum {
    REPLACE, /* `from` by `to` in a text file */
    HEADER,  /* the same in a safetensors header */
    REMOVE,  /* the file */
    FOLDER,  /* a folder in its place */
    PIPE,    /* a named pipe in its place: must not block */
    RAW,     /* the text `to` in its place */
    CUT,     /* without its last byte */
    LONGER,  /* with one byte more */
    DROP,    /* without the tensor `from` */
    EXTRA,   /* with a tensor `to` of one element */
} Action;

typedef struct {
    const char *name, *file;
    Action action;
    const char *from, *to;
    YonosError code;
    const char *says[2]; /* besides the file's name, or another file's name in its place */
} Case;

#define ACCESS YONOS_ERROR_FILE
#define FORMAT YONOS_ERROR_FORMAT
#define MODEL YONOS_ERROR_MODEL

static const Case cases[] = {
    /* files */
    {"no-index", INDEX, REMOVE, NULL, NULL, ACCESS, {"this is no model folder"}},
    {"no-unet-config", UNET, REMOVE, NULL, NULL, ACCESS, {"No such file"}},
    {"no-vae-config", VAE, REMOVE, NULL, NULL, ACCESS, {"No such file"}},
    {"no-scheduler", SCHEDULER, REMOVE, NULL, NULL, ACCESS, {"No such file"}},
    {"no-unet-weights", UNET_WEIGHTS, REMOVE, NULL, NULL, ACCESS, {"No such file"}},
    {"no-vae-weights", VAE_WEIGHTS, REMOVE, NULL, NULL, ACCESS, {"No such file"}},
    {"no-prompt", PROMPT, REMOVE, NULL, NULL, ACCESS, {"cross-attention"}},
    {"folder-for-index", INDEX, FOLDER, NULL, NULL, ACCESS, {"is no file"}},
    {"folder-for-weights", UNET_WEIGHTS, FOLDER, NULL, NULL, ACCESS, {"is no file"}},
    {"pipe-for-config", UNET, PIPE, NULL, NULL, ACCESS, {"is no file"}},
    {"pipe-for-weights", VAE_WEIGHTS, PIPE, NULL, NULL, ACCESS, {"is no file"}},
    /* JSON */
    {"empty-index", INDEX, RAW, NULL, "", FORMAT, {"JSON"}},
    {"array-index", INDEX, RAW, NULL, "[]", FORMAT, {"one JSON object"}},
    {"text-index", INDEX, RAW, NULL, "hello", FORMAT, {"JSON"}},
    {"cut-config", VAE, CUT, NULL, NULL, FORMAT, {"closing bracket"}},
    {"trailing-comma", UNET, REPLACE, "\"class_embed_type\": null", "\"class_embed_type\": null,", FORMAT, {"JSON"}},
    {"comment", UNET, REPLACE, "\"sample_size\"", "/* */ \"sample_size\"", FORMAT, {"JSON"}},
    {"duplicate-key", UNET, REPLACE, "\"sample_size\": 8", "\"in_channels\": 8", FORMAT, {"in_channels", "twice"}},
    {"deep", VAE, REPLACE, "1.5", "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", FORMAT, {"nested"}},
    /* model_index.json */
    {"no-own-object", INDEX, REPLACE, "\"yonos\"", "\"_yonos\"", MODEL, {"\"yonos\"", "scale"}},
    {"own-no-object", INDEX, REPLACE, "{\"format_version\": 1, \"scale\": 2, \"name\": \"tiny\", \"licence\": \"CC0-1.0\"}",
     "2", FORMAT, {"\"yonos\"", "object"}},
    {"no-scale", INDEX, REPLACE, OWN ", ", "", MODEL, {"yonos", "\"scale\""}},
    {"scale-0", INDEX, REPLACE, OWN, "\"scale\": 0", FORMAT, {"\"scale\"", "1 to 16"}},
    {"scale-17", INDEX, REPLACE, OWN, "\"scale\": 17", FORMAT, {"\"scale\"", "1 to 16"}},
    {"scale-text", INDEX, REPLACE, OWN, "\"scale\": \"2\"", FORMAT, {"\"scale\""}},
    {"scale-float", INDEX, REPLACE, OWN, "\"scale\": 2.0", FORMAT, {"\"scale\""}},
    {"version-2", INDEX, REPLACE, "\"format_version\": 1", "\"format_version\": 2", FORMAT, {"\"format_version\""}},
    {"timestep-1000", INDEX, REPLACE, OWN, OWN ", \"timestep\": 1000", MODEL, {"timestep 1000", SCHEDULER}},
    {"timestep-minus", INDEX, REPLACE, OWN, OWN ", \"timestep\": -1", FORMAT, {"\"timestep\""}},
    {"conditioning", INDEX, REPLACE, OWN, OWN ", \"conditioning\": \"concat_image\"", MODEL,
     {"\"conditioning\"", "concat_latent"}},
    {"filter", INDEX, REPLACE, OWN, OWN ", \"upsample_filter\": \"spline\"", MODEL, {"\"upsample_filter\"", "bicubic"}},
    {"colour-fix", INDEX, REPLACE, OWN, OWN ", \"colour_fix\": \"default\"", MODEL, {"\"colour_fix\""}},
    {"only-a", INDEX, REPLACE, OWN, OWN ", \"a\": 1", MODEL, {"\"a\" and \"b\""}},
    {"huge-a", INDEX, REPLACE, OWN, OWN ", \"a\": 1e300, \"b\": 1", MODEL, {"\"a\" and \"b\""}},
    {"only-c", INDEX, REPLACE, OWN, OWN ", \"c\": 1", MODEL, {"\"c\" needs"}},
    {"huge-c", INDEX, REPLACE, OWN, OWN ", \"a\": 1, \"b\": 1, \"c\": 1e300", MODEL, {"\"c\" must fit"}},
    {"name-number", INDEX, REPLACE, "\"tiny\"", "7", FORMAT, {"\"name\""}},
    {"own-unknown", INDEX, REPLACE, OWN, OWN ", \"sclae\": 4", MODEL, {"\"sclae\"", "unknown"}},
    {"index-unknown", INDEX, REPLACE, "\"vae\":", "\"controlnet\": [\"a\", \"b\"], \"vae\":", MODEL, {"\"controlnet\""}},
    {"no-unet-entry", INDEX, REPLACE, "\"unet\":", "\"_unet\":", FORMAT, {"\"unet\""}},
    {"vae-entry-type", INDEX, REPLACE, "[\"diffusers\", \"AutoencoderTiny\"]", "\"AutoencoderTiny\"", FORMAT, {"\"vae\""}},
    /* scheduler; test-schedule has the rest */
    {"flow", SCHEDULER, REPLACE, "DDIMScheduler", "FlowMatchEulerDiscreteScheduler", MODEL, {"_class_name"}},
    {"prediction", SCHEDULER, REPLACE, "v_prediction", "flow", MODEL, {"prediction_type"}},
    /* U-Net config */
    {"unet-class", UNET, REPLACE, "UNet2DConditionModel", "UNet2DModel", MODEL, {"_class_name", "UNet2DModel"}},
    {"unet-channels-type", UNET, REPLACE, "\"in_channels\": 4", "\"in_channels\": [4]", FORMAT, {"in_channels"}},
    {"unet-in", UNET, REPLACE, "\"in_channels\": 4", "\"in_channels\": 2", MODEL, {"in_channels", "needs 4"}},
    {"unet-out", UNET, REPLACE, "\"out_channels\": 2", "\"out_channels\": 4", MODEL, {"out_channels"}},
    {"unet-block", UNET, REPLACE, "\"DownBlock2D\"", "\"AttnDownBlock2D\"", MODEL, {"down_block_types"}},
    {"unet-blocks", UNET, REPLACE, "[\"UpBlock2D\"]", "[\"UpBlock2D\", \"UpBlock2D\"]", MODEL, {"up_block_types"}},
    {"unet-no-blocks", UNET, REPLACE, "[\"DownBlock2D\"]", "[]", FORMAT, {"down_block_types"}},
    {"unet-mid", UNET, REPLACE, "UNetMidBlock2DCrossAttn", "UNetMidBlock2DSimpleCrossAttn", MODEL, {"mid_block_type"}},
    {"unet-widths", UNET, REPLACE, "\"block_out_channels\": [4]", "\"block_out_channels\": [4, 8]", FORMAT,
     {"block_out_channels"}},
    {"unet-groups", UNET, REPLACE, "\"norm_num_groups\": 2", "\"norm_num_groups\": 3", MODEL, {"norm_num_groups"}},
    {"unet-heads", UNET, REPLACE, "\"attention_head_dim\": 2", "\"attention_head_dim\": 3", MODEL, {"attention_head_dim"}},
    {"unet-act", UNET, REPLACE, "\"sample_size\": 8", "\"act_fn\": \"mish\"", MODEL, {"act_fn"}},
    {"unet-refused", UNET, REPLACE, "\"dual_cross_attention\": false", "\"dual_cross_attention\": true", MODEL,
     {"dual_cross_attention", "not supported"}},
    {"unet-class-embed", UNET, REPLACE, "\"class_embed_type\": null", "\"class_embed_type\": \"timestep\"", MODEL,
     {"class_embed_type"}},
    {"unet-unknown", UNET, REPLACE, "\"sample_size\": 8", "\"quantum_layers\": 2", MODEL, {"quantum_layers"}},
    {"unet-width-huge", UNET, REPLACE, "\"block_out_channels\": [4]", "\"block_out_channels\": [1000000]", FORMAT,
     {"block_out_channels"}},
    /* autoencoder config */
    {"vae-class", VAE, REPLACE, "AutoencoderTiny", "AutoencoderDC", MODEL, {"_class_name", "AutoencoderDC"}},
    {"vae-channels", VAE, REPLACE, "\"in_channels\": 3", "\"in_channels\": 1", MODEL, {"in_channels"}},
    {"vae-latent", VAE, REPLACE, "\"latent_channels\": 2", "\"latent_channels\": 4", MODEL, {"\"in_channels\" is 4", UNET}},
    {"vae-scale-0", VAE, REPLACE, "1.5", "0", MODEL, {"scaling_factor"}},
    {"vae-scale-text", VAE, REPLACE, "1.5", "\"1.5\"", FORMAT, {"scaling_factor"}},
    {"vae-blocks", VAE, REPLACE, "\"num_encoder_blocks\": [1, 1]", "\"num_encoder_blocks\": [1]", FORMAT,
     {"num_encoder_blocks"}},
    {"vae-act", VAE, REPLACE, "\"relu\"", "\"tanh\"", MODEL, {"act_fn"}},
    {"vae-unknown", VAE, REPLACE, "\"scaling_factor\"", "\"scaling_facto\"", MODEL, {"scaling_facto"}},
    /* weights */
    {"weights-empty", UNET_WEIGHTS, RAW, NULL, "", FORMAT, {"only 0 bytes"}},
    {"weights-pickle", UNET_WEIGHTS, RAW, NULL, "PK\3\4aaaaaaaaaaaaaaaaaaaaaaaa", FORMAT, {"not a safetensors file"}},
    {"weights-cut", UNET_WEIGHTS, CUT, NULL, NULL, FORMAT, {"truncated"}},
    {"weights-longer", VAE_WEIGHTS, LONGER, NULL, NULL, FORMAT, {"1 bytes behind"}},
    {"weights-duplicate", VAE_WEIGHTS, HEADER, "\"encoder.layers.0.bias\"", "\"encoder.layers.0.weight\"", FORMAT,
     {"encoder.layers.0.weight", "twice"}},
    {"weights-renamed", VAE_WEIGHTS, HEADER, "\"decoder.layers.6.bias\"", "\"decoder.layers.6.bais\"", MODEL,
     {"decoder.layers.6.bias", "missing"}},
    {"weights-missing", UNET_WEIGHTS, DROP, "conv_out.bias", NULL, MODEL, {"conv_out.bias", "missing"}},
    {"weights-missing-attention", UNET_WEIGHTS, DROP, "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight",
     NULL, MODEL, {"attn2.to_k.weight", "missing"}},
    {"weights-missing-time", UNET_WEIGHTS, DROP, "time_embedding.linear_2.bias", NULL, MODEL,
     {"time_embedding.linear_2.bias", "missing"}},
    {"weights-extra", UNET_WEIGHTS, EXTRA, NULL, "lora.up.weight", MODEL, {"1 tensor", "lora.up.weight"}},
    {"weights-extra-vae", VAE_WEIGHTS, EXTRA, NULL, "encoder.layers.5.bias", MODEL, {"encoder.layers.5.bias"}},
    {"weights-transposed", UNET_WEIGHTS, HEADER, "[16,4]", "[4,16]", MODEL,
     {"time_embedding.linear_1.weight", "[16, 4]"}},
    {"weights-shape", VAE_WEIGHTS, HEADER, "[4,3,3,3]", "[4,27]", MODEL, {"encoder.layers.0.weight", "[4, 3, 3, 3]"}},
    {"weights-type", PROMPT, HEADER, "\"F32\"", "\"I32\"", FORMAT, {"prompt_embeds", "I32"}},
    /* prompt */
    {"prompt-name", PROMPT, HEADER, "\"prompt_embeds\"", "\"prompt_embed\"", MODEL, {"prompt_embeds"}},
    {"prompt-rank", PROMPT, HEADER, "[1,5,6]", "[5,6]", MODEL, {"prompt_embeds"}},
    {"prompt-width", PROMPT, HEADER, "[1,5,6]", "[1,6,5]", MODEL, {"prompt_embeds", "cross_attention_dim"}},
    {"prompt-batch", PROMPT, HEADER, "[1,5,6]", "[5,1,6]", MODEL, {"prompt_embeds"}},
};

static void resize_file(const char *folder, const char *file, int by) {
    g_autoptr(GBytes) old = tiny_model_read(folder, file);
    gsize length = g_bytes_get_size(old);
    g_autofree guint8 *data = g_malloc0(length + 1);
    memcpy(data, g_bytes_get_data(old, NULL), length);
    /* Config files end in "}\n": cut both. */
    gsize cut = g_str_has_suffix(file, ".json") ? 2 : 1;
    tiny_model_write(folder, file, data, by < 0 ? length - cut : length + (gsize)by);
}

static void damage(const char *folder, const Case *c) {
    static const float one = 1.0f;
    YonosConst extra = {c->to, YONOS_DTYPE_F32, 1, {1}, &one};
    g_autofree char *path = g_build_filename(folder, c->file, NULL);
    switch (c->action) {
    case REPLACE:
        tiny_model_replace(folder, c->file, c->from, c->to);
        break;
    case HEADER:
        tiny_model_replace_header(folder, c->file, c->from, c->to);
        break;
    case RAW:
        tiny_model_write(folder, c->file, c->to, strlen(c->to));
        break;
    case CUT:
    case LONGER:
        resize_file(folder, c->file, c->action == CUT ? -1 : 1);
        break;
    case DROP:
    case EXTRA:
        tiny_model_rewrite(folder, c->file, c->from, c->to ? &extra : NULL);
        break;
    case REMOVE:
    case FOLDER:
    case PIPE:
        g_assert_cmpint(g_remove(path), ==, 0);
        g_assert_true(c->action != FOLDER || g_mkdir(path, 0700) == 0);
        g_assert_true(c->action != PIPE || mkfifo(path, 0600) == 0);
        break;
    }
}

static void expect_refusal(const Case *c, const char *folder) {
    g_autoptr(GError) error = NULL;
    g_assert_null(yonos_model_open(folder, &error));
    g_assert_nonnull(error);
    g_test_message("%s", error->message);
    g_assert_error(error, YONOS_ERROR, (int)c->code);
    g_assert_nonnull(strstr(error->message, folder));
    gboolean other = c->says[1] && g_str_has_suffix(c->says[1], ".json");
    g_assert_true(other || strstr(error->message, c->file));
    for (guint i = 0; i < G_N_ELEMENTS(c->says) && c->says[i]; i++)
        if (!strstr(error->message, c->says[i]))
            g_error("%s: the message does not say %s: %s", c->name, c->says[i], error->message);
}

static void test_broken(gconstpointer data) {
    const Case *c = data;
    char *folder = tiny_model_new();
    damage(folder, c);
    expect_refusal(c, folder);
    expect_refusal(c, folder); /* nothing of it stays behind */
    tiny_model_remove(folder);
}

static void test_no_folder(void) {
    g_autoptr(GError) error = NULL;
    char *folder = tiny_model_new();
    g_autofree char *file = g_build_filename(folder, INDEX, NULL);
    g_autofree char *nowhere = g_build_filename(folder, "nowhere", NULL);
    g_assert_null(yonos_model_open(nowhere, &error));
    g_assert_error(error, YONOS_ERROR, YONOS_ERROR_FILE);
    g_assert_nonnull(strstr(error->message, nowhere));
    g_clear_error(&error);
    g_assert_null(yonos_model_open(file, &error));
    g_assert_error(error, YONOS_ERROR, YONOS_ERROR_FILE);
    g_assert_nonnull(strstr(error->message, file));
    tiny_model_remove(folder);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/folder/whole", test_whole);
    g_test_add_func("/folder/own-keys", test_own_keys);
    g_test_add_func("/folder/shared", test_shared);
    g_test_add_func("/folder/threads", test_threads);
    g_test_add_func("/folder/nan", test_nan);
    g_test_add_func("/folder/odd-files", test_odd_files);
    g_test_add_func("/folder/none", test_no_folder);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/folder/broken/%s", cases[i].name);
        g_test_add_data_func(path, &cases[i], test_broken);
    }
    return g_test_run();
}
