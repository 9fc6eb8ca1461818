/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * checkop: every operation of every backend against ref, in the manner of dav1d's checkasm.
 *
 * For each case (shapes.c, and the plans of the models named) and storage type: constants and inputs from a seed,
 * plain and hostile; what ref makes of them in f32 is expected (judge.h). Each backend, ref too, runs it twice on
 * poisoned memory between canaries, with one, two and three threads where it has threads: the same bits each time.
 *
 *   checkop                                all that is there
 *   checkop --backend cpu --op conv2d -v   how much of the bounds was used
 *   checkop --self-test                    breaks one operation at a time and demands that it is noticed
 *   checkop --bench --backend cpu --no-shapes --model models/yonos-lite-x2 --width 640 --height 360
 *
 * Exit status: 0 passed, 1 failed, 2 wrong usage, 77 nothing could be checked, and a line says why.
 */
#include <stdlib.h>

#include "check.h"
#include "fault.h"
#include "oracle.h"

enum { EXIT_PASSED, EXIT_FAILED, EXIT_USAGE, EXIT_SKIPPED = 77, DEFAULT_SEED = 1 };

static struct {
    char **backends, **ops, **dtypes, **models;
    int seed, width, height, threads, random, max_elements, most;
    double max_gflop;
    gboolean list, bench, self_test, verbose, no_shapes, unpoisoned;
} options = {.seed = DEFAULT_SEED, .width = 40, .height = 24, .threads = 0, .max_elements = G_MAXINT, .most = G_MAXINT,
             .max_gflop = 1e9};

static const GOptionEntry entries[] = {
    {"backend", 'b', 0, G_OPTION_ARG_STRING_ARRAY, &options.backends, "only this backend; may be repeated", "NAME"},
    {"op", 'o', 0, G_OPTION_ARG_STRING_ARRAY, &options.ops, "only this operation; may be repeated", "NAME"},
    {"dtype", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options.dtypes, "only this storage type: f32, bf16, f16", "NAME"},
    {"seed", 's', 0, G_OPTION_ARG_INT, &options.seed, "of constants and inputs (1)", "N"},
    {"model", 'm', 0, G_OPTION_ARG_FILENAME_ARRAY, &options.models, "also the nodes of a model's plan", "FOLDER"},
    {"width", 0, 0, G_OPTION_ARG_INT, &options.width, "of that plan's input, pixels (40)", "N"},
    {"height", 0, 0, G_OPTION_ARG_INT, &options.height, "of that plan's input, pixels (24)", "N"},
    {"random", 0, 0, G_OPTION_ARG_INT, &options.random, "also random shapes, from the seed", "N"},
    {"no-shapes", 0, 0, G_OPTION_ARG_NONE, &options.no_shapes, "not those of shapes.c", NULL},
    {"max-gflop", 0, 0, G_OPTION_ARG_DOUBLE, &options.max_gflop, "leave out cases of more operations", "X"},
    {"max-elements", 0, 0, G_OPTION_ARG_INT, &options.max_elements, "leave out cases with a larger tensor", "N"},
    {"most", 0, 0, G_OPTION_ARG_INT, &options.most, "of what is left, at most so many cases of each operation", "N"},
    {"unpoisoned", 0, 0, G_OPTION_ARG_NONE, &options.unpoisoned,
     "leave results and workspaces unwritten before a run, for tools that watch memory", NULL},
    {"threads", 't', 0, G_OPTION_ARG_INT, &options.threads, "of --bench (0: one per processor)", "N"},
    {"list", 'l', 0, G_OPTION_ARG_NONE, &options.list, "print the cases", NULL},
    {"bench", 0, 0, G_OPTION_ARG_NONE, &options.bench, "print times instead of checking", NULL},
    {"self-test", 0, 0, G_OPTION_ARG_NONE, &options.self_test, "break operations and demand failures", NULL},
    {"verbose", 'v', 0, G_OPTION_ARG_NONE, &options.verbose, "how near each result came to its bound", NULL},
    G_OPTION_ENTRY_NULL,
};

static gboolean wanted(char **filter, const char *name) {
    return !filter || g_strv_contains((const char *const *)filter, name);
}

/* FALSE with a message when a filter names what does not exist. */
static gboolean check_names(char **filter, const char *what, const char *(*name_of)(int), int count) {
    for (char **name = filter; name && *name; name++) {
        int i = 0;
        while (i < count && strcmp(name_of(i), *name) != 0)
            i++;
        if (i == count) {
            g_printerr("checkop: there is no %s \"%s\"\n", what, *name);
            return FALSE;
        }
    }
    return TRUE;
}

static const char *op_name(int op) { return yonos_op_name((YonosOpKind)op); }
static const char *dtype_name(int dtype) { return yonos_dtype_name((YonosDType)dtype); }

/* ---- cases and candidates ------------------------------------------------------------------------ */

static gboolean case_is_wanted(const Case *c) {
    for (int i = 0; i < c->n_tensors; i++)
        if (yonos_shape_count(c->tensor[i].shape) > (gsize)options.max_elements)
            return FALSE;
    return wanted(options.ops, yonos_op_name(c->node.op)) && c->flops <= options.max_gflop * 1e9;
}

/* f16 only on request: no CPU computes in it. */
static gboolean dtype_is_wanted(YonosDType dtype) {
    return options.dtypes ? wanted(options.dtypes, yonos_dtype_name(dtype)) : dtype != YONOS_DTYPE_F16;
}

static gboolean case_has_dtype(const Case *c, YonosDType dtype) {
    return dtype == YONOS_DTYPE_F32 || case_has_storage(c);
}

/* Removes what the options leave out; where there are too many of an operation, the rest is spread evenly. */
static void drop(CaseList *list) {
    gint64 count[YONOS_OP_COUNT] = {0}, seen[YONOS_OP_COUNT] = {0};
    for (guint i = list->cases->len; i-- > 0;) {
        const Case *c = g_ptr_array_index(list->cases, i);
        if (case_is_wanted(c))
            count[c->node.op]++;
        else
            g_ptr_array_remove_index(list->cases, i);
    }
    for (guint i = list->cases->len; i-- > 0;) {
        YonosOpKind op = ((const Case *)g_ptr_array_index(list->cases, i))->node.op;
        gint64 k = seen[op]++, most = MIN(options.most, count[op]);
        if (k * most / count[op] == (k + 1) * most / count[op])
            g_ptr_array_remove_index(list->cases, i);
    }
}

static CaseList *collect(GError **error) {
    g_autoptr(CaseList) list = case_list_new();
    if (!options.no_shapes)
        case_list_add_shapes(list);
    case_list_add_random(list, (guint32)options.seed, options.random);
    for (char **folder = options.models; folder && *folder; folder++)
        if (!case_list_add_model(list, *folder, options.width, options.height, error))
            return NULL;
    drop(list);
    return g_steal_pointer(&list);
}

/* Backends that open, by storage type; a line for each that does not. Returns how many there are. */
static guint find_candidates(Candidate candidates[], const char *const *names) {
    guint count = 0;
    for (; *names; names++) {
        Candidate candidate = {.name = *names};
        gboolean any = FALSE;
        for (YonosDType dtype = 0; dtype <= YONOS_DTYPE_BF16; dtype++) {
            g_autoptr(GError) error = NULL;
            if (!dtype_is_wanted(dtype))
                continue;
            g_autoptr(YonosBackend) backend = candidate_open(*names, dtype, 1, &error);
            candidate.has[dtype] = backend != NULL;
            any = any || backend;
            if (!backend)
                g_print("skipped: %s %s: %s\n", *names, yonos_dtype_name(dtype), error->message);
        }
        if (any)
            candidates[count++] = candidate;
    }
    return count;
}

/* ---- modes ------------------------------------------------------------------------------------------ */

static int list_cases(const CaseList *list) {
    for (guint i = 0; i < list->cases->len; i++) {
        g_autofree char *text = case_describe(g_ptr_array_index(list->cases, i));
        g_print("%s\n", text);
    }
    return EXIT_PASSED;
}

static int bench(const CaseList *list, const Candidate *candidates, guint n_candidates) {
    for (guint i = 0; i < list->cases->len; i++)
        for (YonosDType dtype = 0; dtype <= YONOS_DTYPE_BF16; dtype++)
            for (guint k = 0; k < n_candidates; k++) {
                const Case *c = g_ptr_array_index(list->cases, i);
                if (case_has_dtype(c, dtype) && candidates[k].has[dtype])
                    bench_case(c, dtype, candidates[k].name, options.threads, (guint32)options.seed);
            }
    return EXIT_PASSED;
}

static int check_all(const CaseList *list, const Candidate *candidates, guint n_candidates) {
    Check check = {.seed = (guint32)options.seed, .verbose = options.verbose, .unpoisoned = options.unpoisoned};
    for (guint i = 0; i < list->cases->len; i++)
        for (YonosDType dtype = 0; dtype <= YONOS_DTYPE_BF16; dtype++) {
            const Case *c = g_ptr_array_index(list->cases, i);
            if (case_has_dtype(c, dtype) && dtype_is_wanted(dtype))
                check_case(&check, c, dtype, candidates, n_candidates);
        }
    g_free(check.failure);
    if (check.checks == 0 && check.failures == 0) {
        g_print("skipped: no backend has the storage types asked for\n");
        return EXIT_SKIPPED;
    }
    g_print("%u checks of %u cases, %u failed (seed %d)\n", check.checks, list->cases->len, check.failures,
            options.seed);
    return check.failures ? EXIT_FAILED : EXIT_PASSED;
}

/* What the report of each fault must say; NULL: anything. */
static const char *const reports[FAULT_COUNT] = {
    [FAULT_BEHIND] = "overwritten",   [FAULT_BEFORE] = "overwritten",        [FAULT_INPUT] = "input was changed",
    [FAULT_REPEAT] = "second run",    [FAULT_THREADS] = "result of one thread",
};

/* TRUE when the fault was noticed in the case, and for what it is. */
static gboolean is_noticed(const Case *c, YonosDType dtype, const Candidate *candidate, Fault fault) {
    Check check = {.seed = (guint32)options.seed, .quiet = TRUE};
    fault_set(fault, c->node.op, candidate->name);
    check_case(&check, c, dtype, candidate, 1);
    fault_set(FAULT_NONE, c->node.op, candidate->name);
    gboolean noticed = check.failures > 0 && (!reports[fault] || strstr(check.failure, reports[fault]));
    if (fault == FAULT_NONE ? check.failures > 0 : !noticed)
        g_print("FAIL self-test: %s %s %s: %s: %s\n", candidate->name, yonos_op_name(c->node.op),
                yonos_dtype_name(dtype), fault_name(fault), check.failure ? check.failure : "not noticed");
    g_free(check.failure);
    return fault == FAULT_NONE ? check.failures == 0 : noticed;
}

/* The case with the fewest operations stands for its kind; the first one where they are not counted. */
static const Case *case_of_op(const CaseList *list, YonosOpKind op) {
    const Case *found = NULL;
    for (guint i = 0; i < list->cases->len; i++) {
        const Case *c = g_ptr_array_index(list->cases, i);
        if (c->node.op == op && (!found || c->flops < found->flops))
            found = c;
    }
    return found;
}

/* ref's own faults, which only the operation's definition can show. */
static void break_reference(const Case *c, guint *faults, guint *missed) {
    static const Fault kinds[] = {FAULT_ELEMENT, FAULT_BIAS, FAULT_UNWRITTEN, FAULT_HOSTILE};
    const Candidate reference = {.name = EXPECTATION}; /* with no type: nothing else is run */
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (!oracle_knows(c->node.op) || !fault_fits(kinds[i], c, EXPECTATION))
            continue;
        ++*faults;
        *missed += !is_noticed(c, YONOS_DTYPE_F32, &reference, kinds[i]);
    }
}

static int self_test(const CaseList *list, const Candidate *candidates, guint n_candidates) {
    guint faults = 0, missed = 0;
    for (YonosOpKind op = 0; op < YONOS_OP_COUNT; op++) {
        const Case *c = case_of_op(list, op);
        if (!c)
            continue;
        break_reference(c, &faults, &missed);
        for (guint k = 0; k < n_candidates; k++)
            for (YonosDType dtype = 0; dtype <= YONOS_DTYPE_BF16; dtype++)
                for (Fault fault = FAULT_NONE; fault < FAULT_COUNT; fault++) {
                    if (!case_has_dtype(c, dtype) || !candidates[k].has[dtype] ||
                        !fault_fits(fault, c, candidates[k].name))
                        continue;
                    faults++;
                    missed += !is_noticed(c, dtype, &candidates[k], fault);
                }
    }
    g_print("self-test: %u faults, %u missed\n", faults, missed);
    if (faults == 0)
        return EXIT_SKIPPED;
    return missed ? EXIT_FAILED : EXIT_PASSED;
}

static int run_mode(const CaseList *list) {
    static const char *const all[] = {"ref", "cpu", "cuda", NULL};
    const char *const *names = options.backends ? (const char *const *)options.backends : all;
    g_autofree Candidate *candidates = g_new0(Candidate, g_strv_length((char **)names));
    guint count = find_candidates(candidates, names);
    if (count == 0) {
        g_print("skipped: there is no such backend here\n");
        return EXIT_SKIPPED;
    }
    if (options.bench)
        return bench(list, candidates, count);
    return options.self_test ? self_test(list, candidates, count) : check_all(list, candidates, count);
}

int main(int argc, char **argv) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GOptionContext) context = g_option_context_new("- checks every operation of every backend against ref");
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        g_printerr("checkop: %s\n", error->message);
        return EXIT_USAGE;
    }
    if (argc > 1 || options.max_elements < 1 || options.most < 1 ||
        !check_names(options.ops, "operation", op_name, YONOS_OP_COUNT) ||
        !check_names(options.dtypes, "storage type", dtype_name, YONOS_DTYPE_BF16 + 1))
        return EXIT_USAGE;
    g_autoptr(CaseList) list = collect(&error);
    if (!list) {
        g_printerr("checkop: %s\n", error->message);
        return EXIT_USAGE;
    }
    if (list->cases->len == 0) {
        g_printerr("checkop: no case is left\n");
        return EXIT_USAGE;
    }
    return options.list ? list_cases(list) : run_mode(list);
}
