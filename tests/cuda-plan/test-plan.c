/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Plans every convolution and attention of the shipped and the reference networks for described devices, without one:
 * what the CUDA backend would ask of cuDNN (cuda/plan-node.h), asked of cuDNN. Fails where a convolution finds no
 * configuration that can be made ready, or where an attention that cuDNN is asked for finds none on a device that has
 * tensor cores for it; prints what would have to be compiled at run time.
 *
 *   test-plan DEVICES-FOLDER STUB MODEL-FOLDER.. [--precision f32|f16|bf16]
 *
 * STUB is the toolkit's stub of libcuda.so, which cuDNN's compiler asks for. A model folder may have NAME.shapes where a
 * safetensors file is wanted (make_models.py); a file without contents is made from it.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

#include "dnn.h"
#include "model/model.h"
#include "plan-node.h"
#include "remove-tree.h"

enum { MIN_BF16 = 800 }; /* deviceVer of the oldest device with bf16 and with cuDNN's attention */

typedef struct {
    GHashTable *convs;      /* shape's text -> CudaConvShape */
    GHashTable *attentions; /* text -> YonosCudaAttention */
    guint own_kernel;       /* attentions that cuDNN is not asked for */
    char *scratch;          /* folder */
} Plan;

typedef struct {
    guint convs, attentions, compiled, failed, no_tensor_core;
} Count;

/* ---- model folders ------------------------------------------------------------------------------------ */

/* A safetensors file of the tensors listed in `shapes`, whose data is a hole. f16. */
static gboolean make_weights(const char *shapes, const char *path, GError **error) {
    g_autofree char *text = NULL;
    if (!g_file_get_contents(shapes, &text, NULL, error))
        return FALSE;
    g_autoptr(GString) header = g_string_new("{");
    g_auto(GStrv) lines = g_strsplit(g_strstrip(text), "\n", -1);
    guint64 at = 0;
    for (char **line = lines; *line; line++) {
        g_auto(GStrv) words = g_strsplit(*line, " ", -1);
        guint64 count = 1;
        g_autofree char *dims = g_strjoinv(",", words + 1);
        for (char **dim = words + 1; *dim; dim++)
            count *= g_ascii_strtoull(*dim, NULL, 10);
        g_string_append_printf(header, "%s\"%s\":{\"dtype\":\"F16\",\"shape\":[%s],\"data_offsets\":[%" G_GUINT64_FORMAT
                               ",%" G_GUINT64_FORMAT "]}", header->len > 1 ? "," : "", words[0], dims, at, at + 2 * count);
        at += 2 * count;
    }
    g_string_append_c(header, '}');
    FILE *file = fopen(path, "wb");
    guint64 length = GUINT64_TO_LE((guint64)header->len);
    gboolean ok = file && fwrite(&length, sizeof length, 1, file) == 1 &&
                  fwrite(header->str, header->len, 1, file) == 1 && fflush(file) == 0 &&
                  ftruncate(fileno(file), (off_t)(sizeof length + header->len + at)) == 0;
    if (file)
        fclose(file);
    return ok || yonos_fail(error, YONOS_ERROR_FILE, "%s cannot be written", path);
}

/* Copies a model folder, with weights for lists of shapes. */
static gboolean copy_folder(const char *from, const char *to, GError **error) {
    g_autoptr(GDir) dir = g_dir_open(from, 0, error);
    const char *name;
    gboolean ok = dir && g_mkdir_with_parents(to, 0700) == 0;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *source = g_build_filename(from, name, NULL), *target = g_build_filename(to, name, NULL);
        g_autofree char *text = NULL;
        gsize length;
        if (g_file_test(source, G_FILE_TEST_IS_DIR)) {
            ok = copy_folder(source, target, error);
        } else if (g_str_has_suffix(name, ".shapes")) {
            g_autofree char *stem = g_strndup(target, strlen(target) - strlen(".shapes"));
            g_autofree char *weights = g_strconcat(stem, ".safetensors", NULL);
            ok = make_weights(source, weights, error);
        } else {
            ok = g_file_get_contents(source, &text, &length, error) &&
                 g_file_set_contents(target, text, (gssize)length, error);
        }
    }
    return ok;
}

/* ---- collecting ------------------------------------------------------------------------------------------ */

static char *conv_text(const CudaConvShape *s) {
    return g_strdup_printf("conv %d of %dx%dx%d -> %dx%dx%d, %dx%d/%d%s%s%s", s->n, s->iw, s->ih, s->ic, s->ow, s->oh, s->oc, s->kw,
                           s->kh, s->stride, s->residual ? " +residual" : "", s->bias ? " +bias" : "",
                           s->relu ? " +relu" : "");
}

static void add_node(Plan *plan, const YonosNode *node) {
    if (node->op == YONOS_OP_ATTENTION) {
        YonosCudaAttention a = cuda_attention_shape(node);
        if (!cuda_attention_fits_dnn(node))
            plan->own_kernel++;
        else
            g_hash_table_replace(plan->attentions,
                                 g_strdup_printf("attention %d of %d heads of %d, %d x %d tokens", a.images, a.heads,
                                                 a.head_dim, a.q_tokens, a.kv_tokens),
                                 g_memdup2(&a, sizeof a));
        return;
    }
    gboolean padded = node->op == YONOS_OP_LINEAR &&
                      (node->in[0]->shape.c % CUDA_CHANNEL_MULTIPLE || node->out->shape.c % CUDA_CHANNEL_MULTIPLE);
    if (node->op == YONOS_OP_CONV2D || padded) {
        CudaConvShape s = cuda_conv_shape(node);
        g_hash_table_replace(plan->convs, conv_text(&s), g_memdup2(&s, sizeof s));
    }
}

static void add_nodes(Plan *plan, const YonosGraph *graph) {
    for (guint i = 0; i < graph->nodes->len; i++)
        add_node(plan, g_ptr_array_index(graph->nodes, i));
}

/* All three networks for a picture of this size. */
static gboolean add_networks(Plan *plan, YonosModel *model, int width, int height, YonosDType dtype, GError **error) {
    int factor = yonos_model_get_info(model)->latent_factor;
    for (YonosPart part = YONOS_PART_UNET; part <= YONOS_PART_DECODER; part++) {
        int scale = part == YONOS_PART_ENCODER ? 1 : factor;
        g_autoptr(YonosGraph) graph = yonos_model_build_part(model, part, height / scale, width / scale, dtype, error);
        if (!graph)
            return FALSE;
        add_nodes(plan, graph);
    }
    return TRUE;
}

/* A whole frame of width x height output pixels, as it runs: tiles as images of a batch. */
static gboolean add_frame(Plan *plan, YonosModel *model, int width, int height, YonosDType dtype, GError **error) {
    enum { BATCH = 8 };
    int scale = yonos_model_get_scale(model);
    YonosFrameSpec spec = {.width = width / scale, .height = height / scale, .format = YONOS_FORMAT_RGB,
                           .tile_overlap = -1, .dtype = dtype, .tile_batch = BATCH};
    g_autoptr(YonosGraph) graph = yonos_model_build_frame(model, &spec, error);
    if (graph)
        add_nodes(plan, graph);
    return graph != NULL;
}

static gboolean add_model(Plan *plan, const char *folder, YonosDType dtype, GError **error) {
    g_autofree char *name = g_path_get_basename(folder), *copy = g_build_filename(plan->scratch, name, NULL);
    if (!g_file_test(copy, G_FILE_TEST_EXISTS) && !copy_folder(folder, copy, error))
        return FALSE;
    g_autoptr(YonosModel) model = yonos_model_open(copy, error);
    return model && add_networks(plan, model, 512, 512, dtype, error) &&
           add_networks(plan, model, 1280, 720, dtype, error) && add_frame(plan, model, 1920, 1080, dtype, error);
}

/* ---- planning ---------------------------------------------------------------------------------------------- */

/* Checks the choices for one graph, whose ownership it takes. A driver is missing: a compiled kernel cannot be loaded. */
static void check_graph(CudaDnnGraph *graph, const char *what, Count *count, GError *error) {
    enum { CANDIDATES = 8 };
    GPtrArray *choices = graph ? cuda_dnn_choices(graph, CANDIDATES, &error) : NULL;
    CudaDnnChoice *choice = choices ? g_ptr_array_index(choices, 0) : NULL;
    if (choice && cuda_dnn_choice_is_compiled(choice)) {
        count->compiled++;
        printf("    compiled at run time: %s (%s)\n", what, cuda_dnn_choice_name(choice));
    } else if (choice && cuda_dnn_choice_build(choice, &error)) {
        count->no_tensor_core += !cuda_dnn_choice_uses_tensor_cores(choice);
        g_autoptr(CudaDnnChoice) again = cuda_dnn_choice_by_name(graph, cuda_dnn_choice_name(choice), &error);
        if (!again || strcmp(cuda_dnn_choice_name(again), cuda_dnn_choice_name(choice)) != 0)
            count->failed++;
    } else {
        count->failed++;
    }
    if (error)
        printf("    FAILED: %s: %s\n", what, error->message);
    g_clear_error(&error);
    g_clear_pointer(&choices, g_ptr_array_unref);
    cuda_dnn_graph_free(graph);
}

static int compare_text(gconstpointer a, gconstpointer b) { return strcmp(a, b); }

static Count plan_for_device(const Plan *plan, CudaDnn *dnn, gboolean attention) {
    Count count = {g_hash_table_size(plan->convs), attention ? g_hash_table_size(plan->attentions) : 0, 0, 0, 0};
    g_autoptr(GList) convs = g_list_sort(g_hash_table_get_keys(plan->convs), compare_text);
    g_autoptr(GList) attentions = g_list_sort(g_hash_table_get_keys(plan->attentions), compare_text);
    for (GList *item = convs; item; item = item->next) {
        GError *error = NULL;
        check_graph(cuda_dnn_conv(dnn, g_hash_table_lookup(plan->convs, item->data), &error), item->data, &count, error);
    }
    for (GList *item = attention ? attentions : NULL; item; item = item->next) {
        GError *error = NULL;
        check_graph(cuda_dnn_attention(dnn, g_hash_table_lookup(plan->attentions, item->data), &error), item->data,
                    &count, error);
    }
    return count;
}

/* "deviceVer": 900 */
static int device_version(const char *json) {
    const char *at = strstr(json, "\"deviceVer\"");
    return at ? (int)g_ascii_strtoll(strchr(at, ':') + 1, NULL, 10) : 0;
}

static gboolean check_device(const Plan *plan, const char *path, YonosDType dtype, gboolean libcuda) {
    g_autoptr(GError) error = NULL;
    g_autofree char *json = NULL, *name = g_path_get_basename(path);
    CudaDnn *dnn = g_file_get_contents(path, &json, NULL, &error) ? cuda_dnn_new_described(json, &error) : NULL;
    if (!dnn) {
        printf("%s: FAILED: %s\n", name, error->message);
        return FALSE;
    }
    if (dtype == YONOS_DTYPE_BF16 && device_version(json) < MIN_BF16) {
        printf("%s: has no bf16\n", name);
        cuda_dnn_free(dnn);
        return TRUE;
    }
    printf("%s, %s:\n", name, yonos_dtype_name(dtype));
    Count count = plan_for_device(plan, dnn, libcuda && device_version(json) >= MIN_BF16);
    printf("  %u distinct convolutions (%u without tensor cores), %u distinct attentions; %u compiled at run time; "
           "%u failed\n", count.convs, count.no_tensor_core, count.attentions, count.compiled, count.failed);
    cuda_dnn_free(dnn);
    return count.failed == 0 && count.convs > 0;
}

static gboolean check_precision(char **models, const char *devices, YonosDType dtype, const char *scratch,
                                gboolean libcuda) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) dir = g_dir_open(devices, 0, &error);
    Plan plan = {.convs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
                 .attentions = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
                 .scratch = (char *)scratch};
    gboolean ok = dir != NULL;
    for (char **model = models; ok && *model; model++)
        ok = add_model(&plan, *model, dtype, &error);
    if (error)
        printf("FAILED: %s\n", error->message);
    if (ok)
        printf("%s: %u attentions are for the own kernel\n", yonos_dtype_name(dtype), plan.own_kernel);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(devices, name, NULL);
        if (g_str_has_suffix(name, ".json"))
            ok = check_device(&plan, path, dtype, libcuda) && ok;
    }
    g_hash_table_unref(plan.convs);
    g_hash_table_unref(plan.attentions);
    return ok;
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    const char *wanted = argc > 2 && g_str_has_prefix(argv[argc - 1], "--precision=") ? argv[--argc] + 12 : NULL;
    if (argc < 4) {
        fprintf(stderr, "usage: test-plan DEVICES-FOLDER STUB MODEL-FOLDER.. [--precision=f32|f16|bf16]\n");
        return 2;
    }
    argv[argc] = NULL;
    /* cuDNN's compiler asks for libcuda.so.1 and finds what is loaded under that name. */
    gboolean libcuda = dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL) || dlopen(argv[2], RTLD_NOW | RTLD_GLOBAL);
    if (!libcuda)
        printf("attentions are not checked: there is neither a driver nor its stub %s\n", argv[2]);
    g_autofree char *scratch = g_dir_make_tmp("yonos-plan-XXXXXX", NULL);
    gboolean ok = scratch != NULL;
    for (YonosDType dtype = YONOS_DTYPE_F32; dtype <= YONOS_DTYPE_BF16; dtype++)
        if (!wanted || strcmp(wanted, yonos_dtype_name(dtype)) == 0)
            ok = check_precision(argv + 3, argv[1], dtype, scratch, libcuda) && ok;
    remove_tree(scratch);
    return ok ? 0 : 1;
}
