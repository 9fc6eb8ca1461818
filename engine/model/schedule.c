/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One DDIM step to t = 0 as x0 = a z + b out (docs/numerics.md).
 *
 * The cumulative product of (1 - beta) follows diffusers' DDIMScheduler in double
 * precision; betas: linear, scaled_linear, squaredcos_cap_v2 or a list of trained ones.
 */
#include "model/schedule.h"

#include <math.h>

#include "model/model.h"

enum { MAX_STEPS = 100000 };

static const char *const schedules[] = {"linear", "scaled_linear", "squaredcos_cap_v2", NULL};
enum { LINEAR, SCALED_LINEAR, SQUARED_COSINE };

static const char *const predictions[] = {"epsilon", "sample", "v_prediction", NULL};
enum { EPSILON, SAMPLE, V_PREDICTION };

static double cosine_bar(double t) {
    double c = cos((t + 0.008) / 1.008 * G_PI / 2.0);
    return c * c;
}

typedef struct {
    int schedule, steps;
    double start, end;
    const double *trained; /* [steps], in place of the others; or NULL */
} Betas;

static double beta_at(const Betas *b, int i) {
    double at = b->steps > 1 ? (double)i / (b->steps - 1) : 0.0;
    if (b->trained)
        return b->trained[i];
    if (b->schedule == LINEAR)
        return b->start + (b->end - b->start) * at;
    if (b->schedule == SCALED_LINEAR) {
        double root = sqrt(b->start) + (sqrt(b->end) - sqrt(b->start)) * at;
        return root * root;
    }
    return MIN(1.0 - cosine_bar((i + 1.0) / b->steps) / cosine_bar((double)i / b->steps), 0.999);
}

/* Cumulative products at t, at the first and at the last step. */
typedef struct {
    double at, first, last;
} Products;

static Products products(const Betas *b, int t) {
    Products p = {1.0, 1.0, 1.0};
    for (int i = 0; i < b->steps; i++) {
        p.last *= 1.0 - beta_at(b, i);
        if (i == 0)
            p.first = p.last;
        if (i == t)
            p.at = p.last;
    }
    return p;
}

/* "Common Diffusion Noise Schedules and Sample Steps are Flawed" (Lin et al., 2023), section 3.1: shift and scale
 * the square roots so that the last is 0 and the first stays. */
static double rescaled(Products p) {
    double first = sqrt(p.first), last = sqrt(p.last);
    double root = (sqrt(p.at) - last) * first / (first - last);
    return root * root;
}

static void solve(double ac, int prediction, float *a, float *b) {
    switch (prediction) {
    case EPSILON:
        *a = (float)(1.0 / sqrt(ac));
        *b = (float)(-sqrt(1.0 - ac) / sqrt(ac));
        break;
    case SAMPLE:
        *a = 0.0f;
        *b = 1.0f;
        break;
    default:
        *a = (float)sqrt(ac);
        *b = (float)-sqrt(1.0 - ac);
        break;
    }
}

gboolean yonos_schedule_read(const char *path, int timestep, float *a, float *b, GError **error) {
    g_autoptr(YonosConfig) config = yonos_config_read(path, error);
    return config && yonos_schedule_solve(config, timestep, a, b, error);
}

/* A scheduler of another kind of process (flow matching, ..) has the same keys and another meaning. */
static void check_class(YonosConfig *config) {
    static const char *const known[] = {
        "DDIMScheduler", "DDPMScheduler", "PNDMScheduler", "LMSDiscreteScheduler", "EulerDiscreteScheduler",
        "EulerAncestralDiscreteScheduler", "HeunDiscreteScheduler", "DPMSolverMultistepScheduler",
        "DPMSolverSinglestepScheduler", "DEISMultistepScheduler", "UniPCMultistepScheduler", "KDPM2DiscreteScheduler",
        "KDPM2AncestralDiscreteScheduler", "LCMScheduler", "TCDScheduler", NULL};
    yonos_config_choice(config, "_class_name", known, 0);
    yonos_config_refuse(config, "use_flow_sigmas", "flow matching is");
}

/* Into *b, but for the list of trained betas: that is returned, to g_free(). */
static double *read_betas(YonosConfig *config, Betas *b) {
    guint count = 0;
    double *trained = yonos_config_floats(config, "trained_betas", &count);
    b->schedule = yonos_config_choice(config, "beta_schedule", schedules, LINEAR);
    b->start = yonos_config_float(config, "beta_start", 0.0001);
    b->end = yonos_config_float(config, "beta_end", 0.02);
    if (!(b->start >= 0.0 && b->end < 1.0 && b->start <= b->end))
        yonos_config_fail(config, "\"beta_start\" and \"beta_end\" must satisfy 0 <= start <= end < 1");
    if (trained && count != (guint)b->steps)
        yonos_config_fail(config, "\"trained_betas\" has %u entries, \"num_train_timesteps\" is %d", count, b->steps);
    for (guint i = 0; trained && i < count; i++)
        if (!(trained[i] >= 0.0 && trained[i] <= 1.0))
            yonos_config_fail(config, "\"trained_betas\" has %g at %u; betas lie in 0 to 1", trained[i], i);
    return trained;
}

/* The cumulative product at `t`; -1 where there is none. */
static double product_at(const Betas *b, int t, gboolean rescale) {
    Products p = products(b, t);
    if (!rescale)
        return p.at;
    return p.first > p.last ? rescaled(p) : -1.0;
}

gboolean yonos_schedule_solve(YonosConfig *config, int timestep, float *a, float *b, GError **error) {
    Betas betas = {.steps = yonos_config_int(config, "num_train_timesteps", 1000, 1, MAX_STEPS)};
    check_class(config);
    int prediction = yonos_config_choice(config, "prediction_type", predictions, EPSILON);
    gboolean rescale = yonos_config_bool(config, "rescale_betas_zero_snr", FALSE);
    g_autofree double *trained = read_betas(config, &betas);
    betas.trained = trained;
    int t = timestep < 0 ? betas.steps - 1 : timestep;
    if (t >= betas.steps)
        yonos_config_fail(config, "timestep %d is not among the %d of \"num_train_timesteps\"", t, betas.steps);
    /* How a sampler of many steps would space or clip its steps is nothing to one step, so unknown keys are fine. */
    if (!yonos_config_ok(config, error))
        return FALSE;
    double ac = product_at(&betas, t, rescale);
    if (ac < 0.0)
        return yonos_fail(error, YONOS_ERROR_MODEL, "%s: \"rescale_betas_zero_snr\" needs betas above 0",
                          yonos_config_get_name(config));
    /* 1 / sqrt(1e-30) is still a float with room for the products it is used in. */
    if (prediction == EPSILON && ac < 1e-30)
        return yonos_fail(error, YONOS_ERROR_MODEL,
                          "%s: \"prediction_type\" epsilon has no signal left at timestep %d; use v_prediction or an "
                          "earlier timestep",
                          yonos_config_get_name(config), t);
    solve(ac, prediction, a, b);
    return TRUE;
}
