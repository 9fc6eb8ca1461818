/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One DDIM step to t = 0 as x0 = a z + b out (docs/numerics.md).
 *
 * The cumulative product of (1 - beta) follows diffusers' DDIMScheduler in double
 * precision; betas: linear, scaled_linear or squaredcos_cap_v2.
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

static double beta_at(int schedule, int i, int steps, double start, double end) {
    double at = steps > 1 ? (double)i / (steps - 1) : 0.0;
    if (schedule == LINEAR)
        return start + (end - start) * at;
    if (schedule == SCALED_LINEAR) {
        double root = sqrt(start) + (sqrt(end) - sqrt(start)) * at;
        return root * root;
    }
    return MIN(1.0 - cosine_bar((i + 1.0) / steps) / cosine_bar((double)i / steps), 0.999);
}

/* Cumulative products at t, at the first and at the last step. */
typedef struct {
    double at, first, last;
} Products;

static Products products(int schedule, int steps, int t, double start, double end) {
    Products p = {1.0, 1.0, 1.0};
    for (int i = 0; i < steps; i++) {
        p.last *= 1.0 - beta_at(schedule, i, steps, start, end);
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

gboolean yonos_schedule_solve(YonosConfig *config, int timestep, float *a, float *b, GError **error) {
    int steps = yonos_config_int(config, "num_train_timesteps", 1000, 1, MAX_STEPS);
    int schedule = yonos_config_choice(config, "beta_schedule", schedules, LINEAR);
    int prediction = yonos_config_choice(config, "prediction_type", predictions, EPSILON);
    double start = yonos_config_float(config, "beta_start", 0.0001);
    double end = yonos_config_float(config, "beta_end", 0.02);
    gboolean rescale = yonos_config_bool(config, "rescale_betas_zero_snr", FALSE);
    yonos_config_refuse(config, "trained_betas", "a list of betas is");
    if (timestep < 0)
        timestep = steps - 1;
    if (timestep >= steps)
        yonos_config_fail(config, "timestep %d is not among the %d of \"num_train_timesteps\"", timestep, steps);
    if (!(start >= 0.0 && end < 1.0 && start <= end))
        yonos_config_fail(config, "\"beta_start\" and \"beta_end\" must satisfy 0 <= start <= end < 1");
    /* How a sampler of many steps would space or clip its steps is nothing to one step, so unknown keys are fine. */
    if (!yonos_config_ok(config, error))
        return FALSE;
    Products p = products(schedule, steps, timestep, start, end);
    double ac = rescale ? rescaled(p) : p.at;
    if (prediction == EPSILON && ac <= 0.0)
        return yonos_fail(error, YONOS_ERROR_MODEL,
                          "%s: an epsilon prediction at timestep %d has no signal left; use v_prediction",
                          yonos_config_get_name(config), timestep);
    solve(ac, prediction, a, b);
    return TRUE;
}
