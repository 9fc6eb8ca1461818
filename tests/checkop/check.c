/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One case on backends; see check.h.
 */
#include "check.h"

#include "oracle.h"

enum { ROUNDS = 2 };

/* Above this many operations, of which ref does a few times as many a second, hostile inputs are left out, and ref
 * itself as a candidate. */
#define LARGE_FLOPS 0.1e9

static const guint8 poison[ROUNDS] = {0xff, 0x5a}; /* 0xff is NaN in every type; 0x5a is not */

YonosBackend *candidate_open(const char *name, YonosDType dtype, int threads, GError **error) {
    static const YonosPrecision precisions[] = {[YONOS_DTYPE_F32] = YONOS_PRECISION_F32,
                                                [YONOS_DTYPE_F16] = YONOS_PRECISION_F16,
                                                [YONOS_DTYPE_BF16] = YONOS_PRECISION_BF16};
    return yonos_backend_open(name, precisions[dtype], threads, NULL, error);
}

/* ---- what is run ------------------------------------------------------------------------------ */

static gboolean runs_pattern(const Case *c, Pattern pattern) {
    if (c->node.op == YONOS_OP_PACK)
        return pattern == PATTERN_PLAIN || pattern == PATTERN_ZERO || pattern == PATTERN_OFFSET;
    if (!c->node.in[0])
        return pattern == PATTERN_PLAIN;
    return c->flops < LARGE_FLOPS || pattern == PATTERN_PLAIN;
}

/* The numbers of threads a case is run with, 0 at the end; many for the cases that are worth many. */
static const int *thread_counts(const char *backend, const Case *c) {
    static const int one[] = {1, 0}, few[] = {1, 2, 3, 0}, many[] = {1, 2, 3, 8, 0};
    if (strcmp(backend, "cpu") != 0)
        return one;
    return c->flops < LARGE_FLOPS ? few : many;
}

/* ---- one instance ------------------------------------------------------------------------------- */

/* A case in one storage type with what it is to give. */
typedef struct {
    Check *check;
    const char *backend;
    const Case *c;
    YonosDType dtype;
    Instance *instance;
    Inputs *inputs[PATTERN_COUNT];           /* NULL: not run */
    Expectation *expectations[PATTERN_COUNT];
    Result first[PATTERN_COUNT];             /* of one thread, for the comparison with more */
    gboolean failed;
} Work;

static void report(Work *work, int threads, int pattern, const char *format, ...) G_GNUC_PRINTF(4, 5);

static void report(Work *work, int threads, int pattern, const char *format, ...) {
    Check *check = work->check;
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args), *what = case_describe(work->c);
    va_end(args);
    check->failures++;
    work->failed = TRUE;
    if (!check->failure)
        check->failure = g_strdup(message);
    if (!check->quiet)
        g_print("FAIL %s %s, %d thread%s, %s: %s: %s\n", work->backend, yonos_dtype_name(work->dtype), threads,
                threads == 1 ? "" : "s", pattern < 0 ? "prepare" : pattern_name((Pattern)pattern), what, message);
}

static void check_value(Work *work, int threads, Pattern pattern, const Result *result) {
    g_autofree char *why = NULL;
    Tolerance tolerance = tolerance_of(work->backend, work->c->node.op, work->dtype), used = {0};
    if (!judge(work->expectations[pattern], work->instance, result, tolerance, &used, &why))
        report(work, threads, pattern, "%s", why);
    else if (work->check->verbose)
        g_print("%s %s %s %s: %.2g of the bound, %.2g of the normalised error: %s\n", work->backend,
                yonos_dtype_name(work->dtype), yonos_op_name(work->c->node.op), pattern_name(pattern), used.element,
                used.rms, work->c->label);
}

static gboolean same_bits(const Result *a, const Result *b) {
    return a->bytes->len == b->bytes->len && memcmp(a->bytes->data, b->bytes->data, a->bytes->len) == 0;
}

/* Runs a pattern twice, compares, and keeps the first result of one thread. */
static void check_pattern(Work *work, Placed *placed, int threads, Pattern pattern) {
    g_auto(Result) one = {0}, two = {0};
    Result *results[ROUNDS] = {&one, &two};
    g_autoptr(GError) error = NULL;
    work->check->checks++;
    for (int round = 0; round < ROUNDS; round++) {
        if (!placed_run(placed, work->inputs[pattern], poison[round], results[round], &error)) {
            report(work, threads, pattern, "%s", error->message);
            return;
        }
        if (results[round]->damage) {
            report(work, threads, pattern, "%s", results[round]->damage);
            return;
        }
    }
    if (!same_bits(&one, &two))
        report(work, threads, pattern, "the second run differs from the first");
    if (threads > 1) {
        if (work->first[pattern].bytes && !same_bits(&one, &work->first[pattern]))
            report(work, threads, pattern, "differs from the result of one thread");
        return;
    }
    check_value(work, threads, pattern, &one);
    work->first[pattern] = one;
    one = (Result){0};
}

/* One backend with one number of threads; the first failure ends it. */
static void check_threads(Work *work, int threads) {
    g_autoptr(GError) error = NULL;
    g_autoptr(YonosBackend) backend = candidate_open(work->backend, work->dtype, threads, &error);
    g_autoptr(Placed) placed = backend ? placed_new(backend, work->instance, &error) : NULL;
    if (!placed) {
        report(work, threads, -1, "%s", error->message);
        return;
    }
    placed->unpoisoned = work->check->unpoisoned;
    /* How work is shared out does not depend on the numbers. */
    int patterns = threads > 1 ? PATTERN_PLAIN + 1 : PATTERN_COUNT;
    for (int pattern = 0; pattern < patterns && !work->failed; pattern++)
        if (work->inputs[pattern])
            check_pattern(work, placed, threads, (Pattern)pattern);
}

static void check_candidate(Work *work, const char *backend) {
    work->backend = backend;
    work->failed = FALSE;
    for (const int *threads = thread_counts(backend, work->c); *threads && !work->failed; threads++)
        check_threads(work, *threads);
    for (Pattern pattern = 0; pattern < PATTERN_COUNT; pattern++)
        result_clear(&work->first[pattern]);
}

/* What ref makes of the inputs, and whether it is what the operation's definition says. */
static Expectation *expect_pattern(Work *work, YonosBackend *reference, const Instance *exact, Pattern pattern) {
    g_autoptr(GError) error = NULL;
    g_autofree char *why = NULL;
    Expectation *expectation = expectation_new(reference, exact, work->inputs[pattern], &error);
    g_assert_no_error(error);
    if (oracle_knows(work->c->node.op) &&
        !oracle_agrees(expectation, exact, work->inputs[pattern], work->check->seed, &why))
        report(work, 1, pattern, "%s", why);
    return expectation;
}

/* Inputs and expectations of all patterns; the reference backend has another name, so that faults can tell it from ref
 * as a candidate. */
static void expect(Work *work, YonosDType constant_dtype) {
    g_autoptr(GError) error = NULL;
    g_autoptr(YonosBackend) reference = yonos_backend_open("ref", YONOS_PRECISION_F32, 1, NULL, &error);
    g_autoptr(Instance) exact = instance_new(work->c, YONOS_DTYPE_F32, constant_dtype, work->check->seed);
    g_assert_no_error(error);
    reference->name = EXPECTATION;
    work->backend = EXPECTATION;
    for (Pattern pattern = 0; pattern < PATTERN_COUNT; pattern++) {
        if (!runs_pattern(work->c, pattern))
            continue;
        work->inputs[pattern] = inputs_new(work->instance, pattern, work->check->seed + 100);
        work->expectations[pattern] = expect_pattern(work, reference, exact, pattern);
    }
}

/*
 * Constants of a half type are f16, as shipped models have them, and f32 otherwise. Keys and values, whose rounding
 * would shift the scores by any amount, have the tensors' own type.
 */
static YonosDType constant_dtype_for(const Case *c, YonosDType dtype) {
    return dtype == YONOS_DTYPE_F32 || c->node.op == YONOS_OP_ATTENTION ? dtype : YONOS_DTYPE_F16;
}

void check_case(Check *check, const Case *c, YonosDType dtype, const Candidate *candidates, guint n_candidates) {
    Work work = {.check = check, .c = c, .dtype = dtype};
    work.instance = instance_new(c, dtype, constant_dtype_for(c, dtype), check->seed);
    expect(&work, constant_dtype_for(c, dtype));
    for (guint i = 0; i < n_candidates; i++)
        if (candidates[i].has[dtype] && (c->flops < LARGE_FLOPS || strcmp(candidates[i].name, "ref") != 0))
            check_candidate(&work, candidates[i].name);
    for (Pattern pattern = 0; pattern < PATTERN_COUNT; pattern++) {
        g_clear_pointer(&work.inputs[pattern], inputs_free);
        g_clear_pointer(&work.expectations[pattern], expectation_free);
    }
    instance_free(work.instance);
}

/* ---- timing --------------------------------------------------------------------------------------- */

static int compare_times(gconstpointer a, gconstpointer b) {
    gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;
    return x < y ? -1 : x > y;
}

void bench_case(const Case *c, YonosDType dtype, const char *name, int threads, guint32 seed) {
    enum { MAX_RUNS = 101, LONG_ENOUGH = 300000 /* microseconds */ };
    gint64 times[MAX_RUNS];
    int runs = 0;
    g_autoptr(GError) error = NULL;
    g_autofree char *what = case_describe(c);
    g_autoptr(Instance) instance = instance_new(c, dtype, constant_dtype_for(c, dtype), seed);
    g_autoptr(Inputs) inputs = inputs_new(instance, PATTERN_PLAIN, seed);
    g_autoptr(YonosBackend) backend = candidate_open(name, dtype, threads, &error);
    g_autoptr(Placed) placed = backend ? placed_new(backend, instance, &error) : NULL;
    g_auto(Result) result = {0};
    gboolean ok = placed && placed_run(placed, inputs, 0, &result, &error);
    gint64 begin = g_get_monotonic_time(), now = begin;
    for (; ok && runs < MAX_RUNS && now - begin < LONG_ENOUGH; runs++) {
        gint64 start = now;
        ok = placed_run_again(placed, inputs, &error);
        now = g_get_monotonic_time();
        times[runs] = now - start;
    }
    if (!ok) {
        g_print("%-4s %-4s %s: %s\n", name, yonos_dtype_name(dtype), what, error->message);
        return;
    }
    qsort(times, (size_t)runs, sizeof *times, compare_times);
    double ms = (double)times[runs / 2] * 1e-3;
    g_print("%-4s %-4s %10.3f ms %8.1f GFLOP/s  %-24s %s\n", name, yonos_dtype_name(dtype), ms,
            c->flops * 1e-6 / MAX(ms, 1e-3), placed->kernel.implementation, what);
}
