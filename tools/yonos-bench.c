/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * yonos-bench: how fast a model runs, and where the time goes.
 *
 *   yonos-bench --model DIR --width 960 --height 540 [--frames 10] [--per-op] [--json]
 *   yonos-bench --model DIR --part unet --width 64 --height 64
 *   yonos-bench --model DIR --width 960 --height 540 --predict 4300,790000
 *
 * --width and --height are of the input: the frame's pixels, or with --part the network's
 * own input (latent pixels for unet and decoder, picture pixels for encoder). The share of
 * the peak is against a large matrix product that this program measures itself, in f32 and
 * in bf16; Winograd convolutions save multiplications and can exceed it.
 */
#include "common.h"
#include "cost.h"

#include <json-glib/json-glib.h>
#include <stdio.h>
#include <sys/resource.h>

#define PROGRAM "yonos-bench"

typedef struct {
    ToolOptions common;
    char *part, *predict;
    int width, height, frames;
    gboolean json, per_op, no_probe;
} Options;

/* Time of one kind of node: same operation, implementation and shapes. */
typedef struct {
    char *op, *implementation, *shape;
    int count;
    double seconds, flops, bytes;
} OpTime;

typedef struct {
    const Options *options;
    YonosModel *model;
    YonosBackend *backend;
    YonosPlan *plan;
    YonosFrame in, out[YONOS_IN_FLIGHT];
    guint8 *in_bytes, *out_bytes[YONOS_IN_FLIGHT];
    double load_ms, prepare_ms, first_run_ms;
    double *frame_ms;
    double frames_per_second; /* with frames in flight; 0 of a part */
    double peak_f32, peak_bf16;
    GHashTable *ops; /* text -> OpTime; NULL while not timing */
    gint64 mark;     /* end of the previous node, microseconds */
} Bench;

static double ms_since(gint64 start) {
    return (double)(g_get_monotonic_time() - start) * 1e-3;
}

/* ---- per operation ------------------------------------------------------------------------ */

static void op_time_free(gpointer data) {
    OpTime *t = data;
    g_free(t->op);
    g_free(t->implementation);
    g_free(t->shape);
    g_free(t);
}

static void add_node_time(YonosPlan *plan, guint index, gpointer user_data) {
    Bench *b = user_data;
    b->backend->finish(b->backend, NULL);
    double seconds = (double)(g_get_monotonic_time() - b->mark) * 1e-6;
    const YonosNode *node = g_ptr_array_index(yonos_plan_get_graph(plan)->nodes, index);
    const YonosKernel *kernel = yonos_plan_get_kernel(plan, index);
    g_autofree char *shape = cost_shape(node);
    const char *implementation = kernel->implementation ? kernel->implementation : "?";
    char *key = g_strdup_printf("%s|%s|%s", yonos_op_name(node->op), implementation, shape);
    OpTime *t = g_hash_table_lookup(b->ops, key);
    if (t) {
        g_free(key);
    } else {
        t = g_new0(OpTime, 1);
        t->op = g_strdup(yonos_op_name(node->op));
        t->implementation = g_strdup(implementation);
        t->shape = g_steal_pointer(&shape);
        g_hash_table_insert(b->ops, key, t);
    }
    t->count++;
    t->seconds += seconds;
    t->flops += cost_flops(node);
    t->bytes += cost_bytes(node);
    b->mark = g_get_monotonic_time();
}

static int compare_seconds(gconstpointer a, gconstpointer b) {
    const OpTime *const *ta = a, *const *tb = b;
    return (*ta)->seconds > (*tb)->seconds ? -1 : (*ta)->seconds < (*tb)->seconds;
}

static GPtrArray *sorted_ops(const Bench *b) {
    GPtrArray *list = g_ptr_array_new();
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, b->ops);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        g_ptr_array_add(list, value);
    g_ptr_array_sort(list, compare_seconds);
    return list;
}

/* ---- measuring ------------------------------------------------------------------------------- */

/* A picture with edges and noise; what it shows does not change the time. */
static void make_frames(Bench *b) {
    int scale = yonos_model_get_scale(b->model), w = b->options->width, h = b->options->height;
    b->in_bytes = g_new(guint8, (gsize)w * h * 3);
    for (gsize i = 0; i < (gsize)w * h * 3; i++)
        b->in_bytes[i] = (guint8)((i * 2654435761u >> 13 & 63u) + (i / 96 % 2 ? 128 : 32));
    b->in = (YonosFrame){.format = YONOS_FORMAT_RGB, .width = w, .height = h};
    b->in.plane[0] = b->in_bytes;
    b->in.stride[0] = (gssize)w * 3;
    for (int i = 0; i < YONOS_IN_FLIGHT; i++) {
        b->out_bytes[i] = g_new0(guint8, (gsize)w * h * 3 * scale * scale);
        b->out[i] = (YonosFrame){.format = YONOS_FORMAT_RGB, .width = w * scale, .height = h * scale};
        b->out[i].plane[0] = b->out_bytes[i];
        b->out[i].stride[0] = (gssize)w * scale * 3;
    }
}

static gboolean parse_part(const char *word, YonosPart *part, GError **error) {
    static const char *const words[] = {"unet", "encoder", "decoder"};
    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        if (g_str_equal(word, words[i])) {
            *part = (YonosPart)i;
            return TRUE;
        }
    }
    return yonos_fail(error, YONOS_ERROR_ARGUMENT, "--part is %s, but must be one of: unet, encoder, decoder", word);
}

static YonosGraph *build_part(Bench *b, GError **error) {
    const Options *o = b->options;
    YonosPart part = YONOS_PART_UNET;
    return parse_part(o->part, &part, error)
               ? yonos_model_build_part(b->model, part, o->height, o->width, b->backend->dtype, error)
               : NULL;
}

static gboolean make_spec(const Bench *b, YonosFrameSpec *spec, GError **error) {
    const Options *o = b->options;
    if (!tool_make_spec(&o->common, b->backend, o->width, o->height, YONOS_FORMAT_RGB, spec, error))
        return FALSE;
    spec->tile_batch = b->backend->tile_batch;
    return TRUE;
}

static YonosPlan *make_plan(Bench *b, GError **error) {
    YonosFrameSpec spec;
    if (!b->options->part)
        return make_spec(b, &spec, error) ? tool_plan_fit(b->backend, b->model, &spec, FALSE, error) : NULL;
    YonosGraph *graph = build_part(b, error);
    return graph ? yonos_plan_new(b->backend, graph, FALSE, error) : NULL;
}

/* Noise of unit variance or so into the part's input. */
static gboolean fill_inputs(Bench *b, GError **error) {
    const YonosGraph *graph = yonos_plan_get_graph(b->plan);
    for (guint i = 0; i < graph->tensors->len; i++) {
        const YonosTensor *t = g_ptr_array_index(graph->tensors, i);
        if (t->kind != YONOS_TENSOR_INPUT)
            continue;
        g_autofree float *values = g_new(float, yonos_shape_count(t->shape));
        for (gsize k = 0; k < yonos_shape_count(t->shape); k++)
            values[k] = (float)((double)(k * 2654435761u >> 7 & 1023u) / 512.0 - 1.0);
        if (!yonos_plan_write_tensor(b->plan, t, values, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean submit(Bench *b, int frame, GError **error) {
    const ToolOptions *o = &b->options->common;
    return yonos_plan_submit(b->plan, &b->in, &b->out[frame % YONOS_IN_FLIGHT], (guint64)o->seed,
                             (guint64)o->frame + (guint64)frame, NULL, error);
}

static gboolean run_once(Bench *b, int frame, double *ms, GError **error) {
    gint64 start = b->mark = g_get_monotonic_time();
    if (!submit(b, frame, error) || !yonos_plan_collect(b->plan, error))
        return FALSE;
    *ms = ms_since(start);
    return TRUE;
}

/* As many frames once more, each submitted before the one before it is collected. */
static gboolean run_in_flight(Bench *b, GError **error) {
    gint64 start = g_get_monotonic_time();
    for (int i = 1; i <= b->options->frames; i++)
        if (!submit(b, i, error) || (i > 1 && !yonos_plan_collect(b->plan, error)))
            return FALSE;
    if (!yonos_plan_collect(b->plan, error))
        return FALSE;
    b->frames_per_second = b->options->frames / (ms_since(start) * 1e-3);
    return TRUE;
}

static gboolean measure(Bench *b, GError **error) {
    gint64 start = g_get_monotonic_time();
    b->model = tool_open_model(&b->options->common, error);
    b->backend = b->model ? tool_open_backend(&b->options->common, error) : NULL;
    b->load_ms = ms_since(start);
    if (!b->backend)
        return FALSE;
    start = g_get_monotonic_time();
    b->plan = make_plan(b, error);
    b->prepare_ms = ms_since(start);
    if (!b->plan)
        return FALSE;
    if (!b->options->part)
        make_frames(b);
    if (!fill_inputs(b, error) || !run_once(b, 0, &b->first_run_ms, error))
        return FALSE;
    for (int i = 0; i < b->options->frames; i++)
        if (!run_once(b, i + 1, &b->frame_ms[i], error))
            return FALSE;
    if (!b->options->part && !run_in_flight(b, error))
        return FALSE;
    double ignored;
    if (!b->options->per_op)
        return TRUE;
    b->ops = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, op_time_free);
    yonos_plan_set_hook(b->plan, add_node_time, b);
    for (int i = 0; i < b->options->frames; i++)
        if (!run_once(b, i + 1, &ignored, error))
            return FALSE;
    return TRUE;
}

static void measure_peaks(Bench *b) {
    if (b->options->no_probe)
        return;
    b->peak_f32 = cost_measure_peak(b->backend->name, YONOS_PRECISION_F32, b->backend->threads);
    b->peak_bf16 = cost_measure_peak(b->backend->name, YONOS_PRECISION_BF16, b->backend->threads);
}

/* ---- report ------------------------------------------------------------------------------------ */

typedef struct {
    YonosPlanInfo plan;
    double median_ms, p95_ms, flops_per_second, share_f32, share_bf16;
    double peak_rss; /* bytes */
    double weight_bytes;
} Figures;

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static Figures make_figures(Bench *b, double peak_rss) {
    Figures f = {.peak_rss = peak_rss};
    int n = b->options->frames;
    qsort(b->frame_ms, (size_t)n, sizeof *b->frame_ms, compare_doubles);
    f.median_ms = (b->frame_ms[(n - 1) / 2] + b->frame_ms[n / 2]) / 2;
    f.p95_ms = b->frame_ms[(n * 95 + 99) / 100 - 1];
    yonos_plan_get_info(b->plan, &f.plan);
    f.flops_per_second = f.plan.flops / (f.median_ms * 1e-3);
    f.share_f32 = b->peak_f32 > 0 ? f.flops_per_second / b->peak_f32 : 0;
    f.share_bf16 = b->peak_bf16 > 0 ? f.flops_per_second / b->peak_bf16 : 0;
    f.weight_bytes = b->backend->weight_bytes ? (double)b->backend->weight_bytes(b->backend) : 0;
    return f;
}

/* In bytes; Linux counts in KiB. */
static double peak_rss_bytes(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (double)usage.ru_maxrss * 1024.0 : 0;
}

static void print_peak(const char *name, double peak, double share) {
    if (peak > 0)
        printf("  %-22s %.1f GFLOP/s, of which this run uses %.0f %%\n", name, peak * 1e-9, share * 100);
    else
        printf("  %-22s not measured\n", name);
}

static void print_ops(const Bench *b) {
    g_autoptr(GPtrArray) list = sorted_ops(b);
    double total = 0, frames = b->options->frames;
    for (guint i = 0; i < list->len; i++)
        total += ((OpTime *)g_ptr_array_index(list, i))->seconds;
    printf("\n%-10s %-26s %-52s %6s %10s %6s %9s %7s\n", "op", "implementation", "shape", "count", "ms/frame", "%",
           "GFLOP/s", "GB/s");
    for (guint i = 0; i < list->len; i++) {
        const OpTime *t = g_ptr_array_index(list, i);
        double seconds = MAX(t->seconds, 1e-9);
        printf("%-10s %-26s %-52s %6.0f %10.3f %6.1f %9.1f %7.1f\n", t->op, t->implementation, t->shape,
               t->count / frames, t->seconds / frames * 1e3, t->seconds / total * 100, t->flops / seconds * 1e-9,
               t->bytes / seconds * 1e-9);
    }
    printf("%-10s %-26s %-52s %6s %10.3f\n", "total", "", "", "", total / frames * 1e3);
}

static void print_text(const Bench *b, const Figures *f) {
    const YonosTileGrid *grid = yonos_plan_get_graph(b->plan)->grid;
    const Options *o = b->options;
    printf("%s, %s, input %d x %d", yonos_model_get_name(b->model), o->part ? o->part : "whole frame", o->width,
           o->height);
    if (!o->part)
        printf(" -> %d x %d, %d x %d tiles of %d x %d", b->out[0].width, b->out[0].height, grid->columns, grid->rows,
               grid->tile_w, grid->tile_h);
    printf("\n%s (%s), %s, %d threads\n", b->backend->name, b->backend->device, yonos_dtype_name(b->backend->dtype),
           b->backend->threads);
    printf("  %-22s %.2f ms (p95 %.2f ms, %d frames, %.2f frames/s)\n", "median per frame", f->median_ms, f->p95_ms,
           o->frames, 1e3 / f->median_ms);
    if (b->frames_per_second > 0)
        printf("  %-22s %.2f frames/s, %d in flight\n", "throughput", b->frames_per_second, YONOS_IN_FLIGHT);
    printf("  %-22s %.4f TFLOP, %.3f TFLOP/s\n", "per frame", f->plan.flops * 1e-12, f->flops_per_second * 1e-12);
    print_peak("peak f32 (measured)", b->peak_f32, f->share_f32);
    print_peak("peak bf16 (measured)", b->peak_bf16, f->share_bf16);
    printf("  %-22s %.1f MiB (bound %.1f MiB), workspace %.1f MiB, packed weights %.1f MiB\n", "arena",
           (double)f->plan.arena_bytes / 1048576.0, (double)f->plan.peak_live_bytes / 1048576.0,
           (double)f->plan.workspace_bytes / 1048576.0, f->weight_bytes / 1048576.0);
    printf("  %-22s %.1f MiB\n", "peak memory", f->peak_rss / 1048576.0);
    printf("  %-22s %.1f ms (load %.1f, prepare %.1f, run %.1f)\n", "first frame",
           b->load_ms + b->prepare_ms + b->first_run_ms, b->load_ms, b->prepare_ms, b->first_run_ms);
    if (b->ops)
        print_ops(b);
}

static void add_number(JsonBuilder *json, const char *name, double value) {
    json_builder_set_member_name(json, name);
    json_builder_add_double_value(json, value);
}

static void add_integer(JsonBuilder *json, const char *name, gint64 value) {
    json_builder_set_member_name(json, name);
    json_builder_add_int_value(json, value);
}

static void add_text(JsonBuilder *json, const char *name, const char *value) {
    json_builder_set_member_name(json, name);
    json_builder_add_string_value(json, value);
}

static void add_ops(JsonBuilder *json, const Bench *b) {
    g_autoptr(GPtrArray) list = sorted_ops(b);
    json_builder_set_member_name(json, "ops");
    json_builder_begin_array(json);
    for (guint i = 0; i < list->len; i++) {
        const OpTime *t = g_ptr_array_index(list, i);
        json_builder_begin_object(json);
        add_text(json, "op", t->op);
        add_text(json, "implementation", t->implementation);
        add_text(json, "shape", t->shape);
        add_number(json, "count", (double)t->count / b->options->frames);
        add_number(json, "ms", t->seconds * 1e3 / b->options->frames);
        add_number(json, "gflop_per_s", t->flops / MAX(t->seconds, 1e-9) * 1e-9);
        add_number(json, "gb_per_s", t->bytes / MAX(t->seconds, 1e-9) * 1e-9);
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
}

static void add_figures(JsonBuilder *json, const Bench *b, const Figures *f) {
    add_text(json, "model", yonos_model_get_name(b->model));
    add_text(json, "part", b->options->part ? b->options->part : "frame");
    add_integer(json, "width", b->options->width);
    add_integer(json, "height", b->options->height);
    add_text(json, "backend", b->backend->name);
    add_text(json, "device", b->backend->device);
    add_text(json, "precision", yonos_dtype_name(b->backend->dtype));
    add_integer(json, "threads", b->backend->threads);
    add_integer(json, "frames", b->options->frames);
    add_number(json, "median_ms", f->median_ms);
    add_number(json, "p95_ms", f->p95_ms);
    if (b->frames_per_second > 0)
        add_number(json, "frames_per_second", b->frames_per_second);
    add_number(json, "tflop_per_frame", f->plan.flops * 1e-12);
    add_number(json, "tflop_per_s", f->flops_per_second * 1e-12);
    add_number(json, "peak_f32_tflop_per_s", b->peak_f32 * 1e-12);
    add_number(json, "peak_bf16_tflop_per_s", b->peak_bf16 * 1e-12);
    add_number(json, "share_of_f32_peak", f->share_f32);
    add_number(json, "share_of_bf16_peak", f->share_bf16);
    add_integer(json, "arena_bytes", (gint64)f->plan.arena_bytes);
    add_integer(json, "peak_live_bytes", (gint64)f->plan.peak_live_bytes);
    add_integer(json, "workspace_bytes", (gint64)f->plan.workspace_bytes);
    add_number(json, "weight_bytes", f->weight_bytes);
    add_number(json, "peak_rss_bytes", f->peak_rss);
    add_number(json, "load_ms", b->load_ms);
    add_number(json, "prepare_ms", b->prepare_ms);
    add_number(json, "first_frame_ms", b->load_ms + b->prepare_ms + b->first_run_ms);
}

static void print_json(const Bench *b, const Figures *f) {
    g_autoptr(JsonBuilder) json = json_builder_new();
    json_builder_begin_object(json);
    add_figures(json, b, f);
    if (b->ops)
        add_ops(json, b);
    json_builder_end_object(json);
    g_autoptr(JsonNode) root = json_builder_get_root(json);
    g_autofree char *text = json_to_string(root, TRUE);
    printf("%s\n", text);
}

/* ---- prediction ---------------------------------------------------------------------------------- */

/* All nodes of one operation, tiles counted. */
typedef struct {
    double count, flops, bytes, seconds;
} Share;

static void print_share(const char *name, const Share *share, double total) {
    printf("%-10s %6.0f %12.3f %12.3f %10.4f %6.1f\n", name, share->count, share->flops * 1e-9, share->bytes * 1e-6,
           share->seconds * 1e3, share->seconds / total * 100);
}

/* Every node at the device's peak: its bytes or its operations, whichever take longer. */
static void print_prediction(const YonosGraph *graph, double bytes_per_second, double flops_per_second) {
    Share shares[YONOS_OP_COUNT] = {{0}}, sum = {0};
    for (guint i = 0; i < graph->nodes->len; i++) {
        const YonosNode *node = g_ptr_array_index(graph->nodes, i);
        double times = node->section == YONOS_SECTION_TILE ? graph->grid->columns * graph->grid->rows : 1;
        if (node->section == YONOS_SECTION_TILE)
            times /= yonos_tile_grid_batch(graph->grid);
        double flops = cost_flops(node), bytes = cost_bytes(node);
        double seconds = MAX(flops / flops_per_second, bytes / bytes_per_second);
        Share *both[2] = {&shares[node->op], &sum};
        for (int k = 0; k < 2; k++) {
            both[k]->count += times;
            both[k]->flops += times * flops;
            both[k]->bytes += times * bytes;
            both[k]->seconds += times * seconds;
        }
    }
    printf("%-10s %6s %12s %12s %10s %6s\n", "op", "count", "GFLOP", "MB", "ms", "%");
    for (int op = 0; op < YONOS_OP_COUNT; op++)
        if (shares[op].count > 0)
            print_share(yonos_op_name((YonosOpKind)op), &shares[op], sum.seconds);
    print_share("total", &sum, sum.seconds);
}

/* Runs nothing. */
static gboolean predict(Bench *b, GError **error) {
    double gb_per_second = 0, gflop_per_second = 0;
    char end;
    if (sscanf(b->options->predict, "%lf,%lf%c", &gb_per_second, &gflop_per_second, &end) != 2 ||
        !(gb_per_second > 0) || !(gflop_per_second > 0))
        return yonos_fail(error, YONOS_ERROR_ARGUMENT, "--predict is %s, but must be two numbers, GB/s,GFLOP/s",
                          b->options->predict);
    b->model = tool_open_model(&b->options->common, error);
    b->backend = b->model ? tool_open_backend(&b->options->common, error) : NULL;
    YonosFrameSpec spec;
    YonosGraph *graph = NULL;
    if (b->backend && b->options->part)
        graph = build_part(b, error);
    else if (b->backend && make_spec(b, &spec, error))
        graph = yonos_model_build_frame(b->model, &spec, error);
    if (!graph)
        return FALSE;
    print_prediction(graph, gb_per_second * 1e9, gflop_per_second * 1e9);
    yonos_graph_free(graph);
    return TRUE;
}

/* ---- main ---------------------------------------------------------------------------------------- */

static gboolean run(const Options *o, GError **error) {
    if (o->width < 1 || o->height < 1 || o->width > 16384 || o->height > 16384)
        return yonos_fail(error, YONOS_ERROR_ARGUMENT, "--width and --height must be given, 1 to 16384");
    if (o->frames < 1 || o->frames > 100000)
        return yonos_fail(error, YONOS_ERROR_ARGUMENT, "--frames is %d, but must be 1 to 100000", o->frames);
    if (o->predict && o->json)
        return yonos_fail(error, YONOS_ERROR_ARGUMENT, "--predict prints a table only: leave --json out");
    Bench b = {.options = o, .frame_ms = g_new0(double, o->frames)};
    gboolean ok = o->predict ? predict(&b, error) : measure(&b, error);
    if (ok && !o->predict) {
        double rss = peak_rss_bytes(); /* before the probe adds its own */
        measure_peaks(&b);
        Figures figures = make_figures(&b, rss);
        (o->json ? print_json : print_text)(&b, &figures);
    }
    yonos_plan_free(b.plan);
    yonos_backend_close(b.backend);
    g_clear_pointer(&b.model, yonos_model_unref);
    g_clear_pointer(&b.ops, g_hash_table_unref);
    g_free(b.in_bytes);
    for (int i = 0; i < YONOS_IN_FLIGHT; i++)
        g_free(b.out_bytes[i]);
    g_free(b.frame_ms);
    return ok;
}

int main(int argc, char **argv) {
    Options o = {.frames = 10};
    const GOptionEntry entries[] = {
        {"width", 0, 0, G_OPTION_ARG_INT, &o.width, "of the input", "N"},
        {"height", 0, 0, G_OPTION_ARG_INT, &o.height, "of the input", "N"},
        {"frames", 'n', 0, G_OPTION_ARG_INT, &o.frames, "timed frames after the first (default: 10)", "N"},
        {"part", 0, 0, G_OPTION_ARG_STRING, &o.part, "one network alone: unet, encoder or decoder", "NAME"},
        {"per-op", 0, 0, G_OPTION_ARG_NONE, &o.per_op, "list where the time goes (timed in further frames)", NULL},
        {"predict", 0, 0, G_OPTION_ARG_STRING, &o.predict,
         "run nothing; count operations and bytes, and predict times from these rates", "GB/S,GFLOP/S"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &o.json, "print JSON", NULL},
        {"no-probe", 0, 0, G_OPTION_ARG_NONE, &o.no_probe, "do not measure the machine's peak", NULL},
        G_OPTION_ENTRY_NULL};
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_option_context_set_summary(context, "Measures the speed and memory of a model.");
    g_option_context_add_main_entries(context, entries, NULL);
    tool_options_init(&o.common, NULL, context);
    tool_options_add_frame(&o.common, context);
    GError *error = NULL;
    gboolean ok = tool_options_parse(context, &argc, &argv, &error);
    if (ok && argc != 1)
        ok = yonos_fail(&error, YONOS_ERROR_ARGUMENT, "%s is not an option; see --help", argv[1]);
    ok = ok && run(&o, &error);
    tool_options_clear(&o.common);
    g_free(o.part);
    g_free(o.predict);
    return ok ? 0 : tool_report(PROGRAM, error);
}
