/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * yonos-run: one picture through a model. The porting and parity tool.
 *
 *   yonos-run --model DIR in.png out.png
 *   yonos-run --model DIR in.safetensors out.safetensors --dump all.safetensors
 *
 * A safetensors input holds `image` (1,h,w,3) f32 in [0,1] and optionally `noise`
 * (1,H/f,W/f,c), which replaces the generated field. --dump writes every named
 * intermediate as f32 (1,h,w,c); `image` there is the final picture in [0,1], not clipped.
 * Tensors of a tile get the suffix "@row,column" when there are several tiles.
 */
#include "common.h"
#include "picture.h"

#include <stdio.h>

#define PROGRAM "yonos-run"

typedef struct {
    YonosModel *model;
    YonosBackend *backend;
    YonosPlan *plan;
    GHashTable *dump; /* name -> YonosConst with owned data; NULL without --dump */
    GError *dump_error;
} Runner;

static void free_dumped(gpointer data) {
    YonosConst *c = data;
    g_free((gpointer)c->data);
    g_free((gpointer)c->name);
    g_free(c);
}

static void runner_clear(Runner *r) {
    yonos_plan_free(r->plan);
    yonos_backend_close(r->backend);
    g_clear_pointer(&r->model, yonos_model_unref);
    g_clear_pointer(&r->dump, g_hash_table_unref);
    g_clear_error(&r->dump_error);
}

/* ---- dump --------------------------------------------------------------------------- */

static gboolean dump_tensor(Runner *r, const YonosTensor *tensor, char *name, GError **error) {
    g_autofree float *values = g_new(float, yonos_shape_count(tensor->shape));
    if (!yonos_plan_read_tensor(r->plan, tensor, values, error)) {
        g_free(name);
        return FALSE;
    }
    YonosConst *c = g_new0(YonosConst, 1);
    *c = (YonosConst){name,
                      YONOS_DTYPE_F32,
                      4,
                      {tensor->shape.n, tensor->shape.h, tensor->shape.w, tensor->shape.c},
                      g_steal_pointer(&values)};
    g_hash_table_replace(r->dump, name, c);
    return TRUE;
}

/* Named results of several tiles are taken while they last. */
static void dump_tile(YonosPlan *plan, guint index, gpointer user_data) {
    Runner *r = user_data;
    const YonosNode *node = g_ptr_array_index(yonos_plan_get_graph(plan)->nodes, index);
    if (node->section != YONOS_SECTION_TILE || node->op == YONOS_OP_BLEND || !node->out || !node->out->name ||
        r->dump_error)
        return;
    const YonosRun *run = yonos_plan_get_run(plan);
    dump_tensor(r, node->out, g_strdup_printf("%s@%d,%d", node->out->name, run->row, run->column), &r->dump_error);
}

/* The rest after the run, where every tensor still has its memory. The final picture becomes `image`, in [0,1]. */
static gboolean dump_rest(Runner *r, gboolean tiled, GError **error) {
    const YonosGraph *graph = yonos_plan_get_graph(r->plan);
    const YonosTensor *final = NULL;
    for (guint i = 0; i < graph->nodes->len; i++) {
        const YonosNode *node = g_ptr_array_index(graph->nodes, i);
        if (node->op == YONOS_OP_UNPACK)
            final = node->in[0];
        gboolean done = tiled && node->section == YONOS_SECTION_TILE && node->op != YONOS_OP_BLEND;
        if (!done && node->out && node->out->name && !dump_tensor(r, node->out, g_strdup(node->out->name), error))
            return FALSE;
    }
    for (guint i = 0; i < graph->tensors->len; i++) {
        const YonosTensor *tensor = g_ptr_array_index(graph->tensors, i);
        if (tensor->kind == YONOS_TENSOR_INPUT && !dump_tensor(r, tensor, g_strdup(tensor->name), error))
            return FALSE;
    }
    if (!final || !dump_tensor(r, final, g_strdup("image"), error))
        return FALSE;
    YonosConst *image = g_hash_table_lookup(r->dump, "image");
    float *values = (float *)image->data;
    for (gsize i = 0; i < yonos_const_count(image); i++)
        values[i] = values[i] * 0.5f + 0.5f;
    return TRUE;
}

static int compare_names(gconstpointer a, gconstpointer b) {
    const YonosConst *const *ca = a, *const *cb = b;
    return g_strcmp0((*ca)->name, (*cb)->name);
}

static gboolean write_dump(Runner *r, const char *path, GError **error) {
    g_autoptr(GPtrArray) tensors = g_ptr_array_new();
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, r->dump);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        g_ptr_array_add(tensors, value);
    g_ptr_array_sort(tensors, compare_names);
    return yonos_safetensors_write(path, (const YonosConst *const *)tensors->pdata, tensors->len, error);
}

/* ---- frames --------------------------------------------------------------------------- */

/* Pictures with alpha go through 8-bit RGBA, all others through floats, which lose nothing. */
static YonosFrame frame_of(Picture *p, guint8 **bytes) {
    YonosFrame frame = {.format = YONOS_FORMAT_RGB_F32, .width = p->width, .height = p->height};
    frame.plane[0] = p->samples;
    frame.stride[0] = (gssize)p->width * 3 * (gssize)sizeof(float);
    if (p->channels == 3)
        return frame;
    gsize count = (gsize)p->width * p->height * 4;
    *bytes = g_new0(guint8, count);
    for (gsize i = 0; i < count; i++)
        (*bytes)[i] = (guint8)(CLAMP(p->samples[i], 0.0f, 1.0f) * 255.0f + 0.5f);
    frame.format = YONOS_FORMAT_RGBA;
    frame.plane[0] = *bytes;
    frame.stride[0] = (gssize)p->width * 4;
    return frame;
}

static void samples_of(Picture *p, const guint8 *bytes) {
    gsize count = (gsize)p->width * p->height * 4;
    for (gsize i = 0; bytes && i < count; i++)
        p->samples[i] = bytes[i] / 255.0f;
}

/* The file's noise in the place of the generated. */
static gboolean supply_noise(Runner *r, const Picture *in, GError **error) {
    const YonosGraph *graph = yonos_plan_get_graph(r->plan);
    for (guint i = 0; i < graph->tensors->len; i++) {
        const YonosTensor *t = g_ptr_array_index(graph->tensors, i);
        if (t->kind != YONOS_TENSOR_INPUT)
            continue;
        if (t->shape.h != in->noise_h || t->shape.w != in->noise_w || t->shape.c != in->noise_c)
            return yonos_fail(error, YONOS_ERROR_ARGUMENT,
                              "the tensor \"noise\" is (1, %d, %d, %d), but this model and size need (1, %d, %d, %d)",
                              in->noise_h, in->noise_w, in->noise_c, t->shape.h, t->shape.w, t->shape.c);
        return yonos_plan_write_tensor(r->plan, t, in->noise, error);
    }
    return yonos_fail(error, YONOS_ERROR_ARGUMENT, "this model takes no noise, but the input file holds some");
}

static gboolean run_picture(Runner *r, const ToolOptions *options, Picture *in, Picture *out, GError **error) {
    g_autofree guint8 *in_bytes = NULL, *out_bytes = NULL;
    YonosFrame in_frame = frame_of(in, &in_bytes), out_frame = frame_of(out, &out_bytes);
    YonosNoiseMode mode;
    YonosFrameSpec spec;
    if (!tool_parse_noise_mode(options->noise_mode, &mode, error) ||
        !tool_make_spec(options, r->backend, in->width, in->height, in_frame.format, &spec, error))
        return FALSE;
    spec.external_noise = in->noise != NULL;
    r->plan = tool_plan_fit(r->backend, r->model, &spec, r->dump != NULL, error);
    if (!r->plan || (in->noise && !supply_noise(r, in, error)))
        return FALSE;
    const YonosTileGrid *grid = yonos_plan_get_graph(r->plan)->grid;
    gboolean tiled = grid->columns > 1 || grid->rows > 1;
    if (r->dump && tiled)
        yonos_plan_set_hook(r->plan, dump_tile, r);
    guint64 frame = mode == YONOS_NOISE_STATIC ? 0 : (guint64)options->frame;
    if (!yonos_plan_run(r->plan, &in_frame, &out_frame, (guint64)options->seed, frame, NULL, error))
        return FALSE;
    samples_of(out, out_bytes);
    if (r->dump_error) {
        g_propagate_error(error, g_steal_pointer(&r->dump_error));
        return FALSE;
    }
    return !r->dump || dump_rest(r, tiled, error);
}

/* ---- main -------------------------------------------------------------------------------- */

typedef struct {
    ToolOptions common;
    char *dump;
    int bits;
} Options;

static gboolean run(const Options *options, const char *in_path, const char *out_path, GError **error) {
    g_auto(Picture) in = {0}, out = {0};
    Runner r = {0};
    if (options->bits != 0 && options->bits != 8 && options->bits != 16)
        return yonos_fail(error, YONOS_ERROR_ARGUMENT, "--bits is %d, but must be 8 or 16", options->bits);
    if (!picture_read(in_path, &in, error))
        return FALSE;
    r.model = tool_open_model(&options->common, error);
    r.backend = r.model ? tool_open_backend(&options->common, error) : NULL;
    gboolean ok = r.backend != NULL;
    int scale = ok ? yonos_model_get_scale(r.model) : 1;
    if (ok && MAX(in.width, in.height) > 16384 / scale)
        ok = yonos_fail(error, YONOS_ERROR_ARGUMENT, "%s: %d x %d is too large; a side may have at most %d pixels",
                        in_path, in.width, in.height, 16384 / scale);
    if (ok) {
        if (in.channels == 4 && in.bits == 16)
            g_printerr(PROGRAM ": %s: pictures with transparency are computed with 8 bits\n", in_path);
        out = (Picture){.width = in.width * scale, .height = in.height * scale, .channels = in.channels};
        out.bits = options->bits ? options->bits : MIN(in.bits, 16);
        out.samples = g_new0(float, (gsize)out.width *out.height *out.channels);
        r.dump = options->dump ? g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_dumped) : NULL;
        ok = run_picture(&r, &options->common, &in, &out, error) && picture_write(out_path, &out, error) &&
             (!r.dump || write_dump(&r, options->dump, error));
    }
    runner_clear(&r);
    return ok;
}

int main(int argc, char **argv) {
    Options options = {0};
    const GOptionEntry entries[] = {
        {"dump", 'd', 0, G_OPTION_ARG_FILENAME, &options.dump, "write every named intermediate to FILE", "FILE"},
        {"bits", 0, 0, G_OPTION_ARG_INT, &options.bits, "of a PNG's samples, 8 or 16 (default: the input's)", "N"},
        G_OPTION_ENTRY_NULL};
    g_autoptr(GOptionContext) context = g_option_context_new("INPUT OUTPUT");
    g_option_context_set_summary(context,
                                 "Upscales one picture (.png or .safetensors) with a one-step diffusion model.");
    g_option_context_add_main_entries(context, entries, NULL);
    tool_options_init(&options.common, NULL, context);
    tool_options_add_frame(&options.common, context);
    GError *error = NULL;
    gboolean ok = tool_options_parse(context, &argc, &argv, &error);
    if (ok && argc != 3)
        ok = yonos_fail(&error, YONOS_ERROR_ARGUMENT, "needs two files, INPUT and OUTPUT; see --help");
    ok = ok && run(&options, argv[1], argv[2], &error);
    tool_options_clear(&options.common);
    g_free(options.dump);
    return ok ? 0 : tool_report(PROGRAM, error);
}
