/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tolerances and the comparison; see judge.h. Magnitudes and conditions are in scale.c.
 */
#include "judge.h"

#include <math.h>

#include "scale.h"

#define CONDITION_TOLERANCE 4e-6
#define FLUSHED 1e-35 /* denormal floats may be flushed */

/* ---- tolerances ------------------------------------------------------------------------------ */

static const struct {
    const char *backend; /* NULL: every one without a line of its own */
    YonosOpKind op;
    Tolerance f32, half;
} tolerances[] = {
    /* Halves: weights, folded weights and attention's probabilities are rounded too. */
    {NULL, YONOS_OP_CONV2D, {3e-5, 4e-6}, {8e-3, 2e-3}},
    {"cpu", YONOS_OP_CONV2D, {3e-5, 4e-6}, {3e-2, 4e-3}}, /* Winograd in bf16 rounds what it transforms */
    {NULL, YONOS_OP_LINEAR, {2e-5, 2e-6}, {8e-3, 2e-3}},
    {NULL, YONOS_OP_GROUP_NORM, {4e-6, 1e-6}, {4e-6, 1e-6}},
    {NULL, YONOS_OP_LAYER_NORM, {4e-6, 1e-6}, {4e-6, 1e-6}},
    {NULL, YONOS_OP_ATTENTION, {4e-6, 1e-6}, {4e-3, 1e-3}},
    {NULL, YONOS_OP_GEGLU, {2e-6, 5e-7}, {2e-6, 5e-7}},
    {NULL, YONOS_OP_AFFINE, {2e-6, 5e-7}, {2e-6, 5e-7}},
    {NULL, YONOS_OP_CONCAT, {0, 0}, {0, 0}},
    {NULL, YONOS_OP_RESIZE, {1e-6, 3e-7}, {0, 0}},
    {NULL, YONOS_OP_WINDOW, {0, 0}, {0, 0}},
    {NULL, YONOS_OP_FILL, {0, 0}, {0, 0}},
    {NULL, YONOS_OP_BLEND, {5e-7, 2e-7}, {0, 0}},
    {NULL, YONOS_OP_NOISE, {0, 0}, {0, 0}},
    {NULL, YONOS_OP_PACK, {2e-6, 5e-7}, {0, 0}},
    /* Codes: one too many or too few where the value lies between two, so seldom. RGB_F32 is far within. */
    {NULL, YONOS_OP_UNPACK, {1.0, 0.045}, {0, 0}},
    {NULL, YONOS_OP_ADAIN, {2e-6, 5e-7}, {0, 0}},
    {NULL, YONOS_OP_BLUR, {5e-7, 2e-7}, {0, 0}},
    {NULL, YONOS_OP_MOTION, {0, 0}, {0, 0}},
    {NULL, YONOS_OP_WARP, {4e-6, 1e-6}, {0, 0}},
    {NULL, YONOS_OP_STILLNESS, {2e-6, 5e-7}, {0, 0}},
    {NULL, YONOS_OP_KEEP, {5e-7, 2e-7}, {0, 0}},
};

Tolerance tolerance_of(const char *backend, YonosOpKind op, YonosDType dtype) {
    for (int named = 1; named >= 0; named--)
        for (guint i = 0; i < G_N_ELEMENTS(tolerances); i++)
            if (tolerances[i].op == op && (named ? g_strcmp0(tolerances[i].backend, backend) == 0
                                                 : tolerances[i].backend == NULL))
                return dtype == YONOS_DTYPE_F32 ? tolerances[i].f32 : tolerances[i].half;
    g_error("no tolerance for %s", yonos_op_name(op));
}

/* ---- expectations ---------------------------------------------------------------------------- */

Expectation *expectation_new(YonosBackend *reference, const Instance *exact, const Inputs *inputs, GError **error) {
    g_autoptr(Placed) placed = placed_new(reference, exact, error);
    g_auto(Result) result = {0};
    if (!placed || !placed_run(placed, inputs, 0xff, &result, error))
        return NULL;
    g_autoptr(Expectation) e = g_new0(Expectation, 1);
    e->count = result.count;
    e->expected = g_steal_pointer(&result.values);
    e->magnitude = g_new0(float, e->count);
    e->condition = g_new0(float, e->count);
    if (!scale_of(reference, exact, inputs, e->expected, e->count, e->magnitude, e->condition, error))
        return NULL;
    return g_steal_pointer(&e);
}

void expectation_free(Expectation *e) {
    g_free(e->expected);
    g_free(e->magnitude);
    g_free(e->condition);
    g_free(e);
}

/* ---- the comparison --------------------------------------------------------------------------- */

static char *place_of(const Instance *instance, gsize i) {
    if (!instance->node.out)
        return g_strdup_printf("code %" G_GSIZE_FORMAT, i);
    YonosShape s = instance->node.out->shape;
    gsize c = (gsize)s.c, row = c * (gsize)s.w, image = row * (gsize)s.h;
    return g_strdup_printf("element (%d,%d,%d,%d)", (int)(i / image), (int)(i % image / row), (int)(i % row / c),
                           (int)(i % c));
}

static gboolean judge_exact(const Expectation *e, const Instance *instance, const Result *result, char **why) {
    YonosDType dtype = instance->node.out ? instance->node.out->dtype : YONOS_DTYPE_F32;
    for (gsize i = 0; i < e->count; i++) {
        float wanted = numbers_round(e->expected[i], dtype);
        if (result->values[i] == wanted || (isnan(result->values[i]) && isnan(wanted)))
            continue;
        g_autofree char *place = place_of(instance, i);
        *why = g_strdup_printf("%s is %.9g and must be %.9g exactly", place, (double)result->values[i], (double)wanted);
        return FALSE;
    }
    return TRUE;
}

/* What is lost of any number, however small. */
static double floor_of(YonosDType dtype) { return dtype == YONOS_DTYPE_F16 ? 0x1p-25 : FLUSHED; }

double judge_bound(const Expectation *e, gsize i, double wanted, Tolerance tolerance, YonosDType dtype) {
    return tolerance.element * (double)e->magnitude[i] + CONDITION_TOLERANCE * (double)e->condition[i] +
           numbers_rounding(dtype) * fabs(wanted) + floor_of(dtype);
}

/* How far off all elements are together, and how far they may be. */
typedef struct {
    double error, magnitude, condition, rounding; /* sums of squares */
} Sums;

static double normalised_bound(const Sums *sums, const Expectation *e, const Instance *instance, Tolerance tolerance) {
    YonosDType dtype = instance->node.out ? instance->node.out->dtype : YONOS_DTYPE_F32;
    /* In a frame of few pixels one code between two is not seldom. */
    double free_code = instance->node.op == YONOS_OP_UNPACK ? 1.0 : 0.0;
    return tolerance.rms * sqrt(sums->magnitude) + CONDITION_TOLERANCE * sqrt(sums->condition) + sqrt(sums->rounding) +
           free_code + floor_of(dtype) * sqrt((double)e->count);
}

gboolean judge(const Expectation *e, const Instance *instance, const Result *result, Tolerance tolerance,
               Tolerance *used, char **why) {
    YonosDType dtype = instance->node.out ? instance->node.out->dtype : YONOS_DTYPE_F32;
    Sums sums = {0};
    *used = (Tolerance){0};
    if (result->count != e->count) {
        *why = g_strdup("the result has another size");
        return FALSE;
    }
    if (tolerance.element == 0.0)
        return judge_exact(e, instance, result, why);
    for (gsize i = 0; i < e->count; i++) {
        double value = result->values[i], wanted = e->expected[i], error = fabs(value - wanted);
        double round = numbers_rounding(dtype) * fabs(wanted), magnitude = e->magnitude[i], condition = e->condition[i];
        double bound = judge_bound(e, i, wanted, tolerance, dtype);
        if (isnan(wanted) && isnan(value))
            continue;
        used->element = MAX(used->element, error / bound);
        if (!(error <= bound)) {
            g_autofree char *place = place_of(instance, i);
            *why = g_strdup_printf("%s is %.9g and should be %.9g, %.2g times the bound", place, value, wanted,
                                   error / bound);
            return FALSE;
        }
        sums.error += error * error;
        sums.magnitude += magnitude * magnitude;
        sums.condition += condition * condition;
        sums.rounding += round * round;
    }
    double bound = normalised_bound(&sums, e, instance, tolerance);
    used->rms = sqrt(sums.error) / bound;
    if (used->rms <= 1.0)
        return TRUE;
    *why = g_strdup_printf("no single element is too far off, but all together are %.2g times the normalised bound",
                           used->rms);
    return FALSE;
}
