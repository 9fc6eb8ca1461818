/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * a and b of x0 = a z + b out: known answers of published checkpoints, the identity that every
 * parameterisation must hold, and refusals that name the key.
 */
#include "model/schedule.h"

#include <math.h>

#define SD "\"beta_start\": 0.00085, \"beta_end\": 0.012, \"beta_schedule\": \"scaled_linear\", "

static gboolean solve(const char *text, int timestep, float *a, float *b, GError **error) {
    g_autoptr(YonosConfig) config = yonos_config_parse(text, strlen(text), "scheduler_config.json", error);
    g_assert_nonnull(config);
    return yonos_schedule_solve(config, timestep, a, b, error);
}

static void test_known_answers(void) {
    static const struct {
        const char *text;
        int timestep;
        double a, b, tolerance;
    } cases[] = {
        /* v-prediction with SD's betas; the epsilon steps of OSEDiff and S3Diff (t = 999) and HYPIR (t = 200). */
        {"{" SD "\"prediction_type\": \"v_prediction\"}", 999, 0.068265, -0.997667, 1e-6},
        {"{" SD "\"prediction_type\": \"v_prediction\"}", -1, 0.068265, -0.997667, 1e-6},
        {"{" SD "\"prediction_type\": \"epsilon\"}", 999, 14.6488, -14.6146, 1e-4},
        {"{" SD "\"prediction_type\": \"epsilon\"}", 200, 1.15187, -0.571665, 1e-5},
        {"{" SD "\"prediction_type\": \"sample\"}", 500, 0.0, 1.0, 0.0},
        /* By hand: one step of beta 0.19 leaves 0.81. */
        {"{\"num_train_timesteps\": 1, \"beta_start\": 0.19, \"beta_end\": 0.19, "
         "\"prediction_type\": \"v_prediction\"}", 0, 0.9, -0.43588989435406733, 1e-7},
        {"{\"num_train_timesteps\": 2, \"trained_betas\": [0.19, 0.5], \"prediction_type\": \"v_prediction\"}", 1,
         0.6363961030678928, -0.7713624310270756, 1e-7},
        /* linear: betas 0, 0.25, 0.5 */
        {"{\"num_train_timesteps\": 3, \"beta_start\": 0, \"beta_end\": 0.5, \"beta_schedule\": \"linear\", "
         "\"prediction_type\": \"v_prediction\"}", 2, 0.6123724356957945, -0.7905694150420949, 1e-7},
        /* Rescaled to zero terminal SNR, nothing of z is left at the last step. */
        {"{" SD "\"rescale_betas_zero_snr\": true, \"prediction_type\": \"v_prediction\"}", 999, 0.0, -1.0, 1e-7},
        /* sqrt(alphas_cumprod[t]) of DDIMScheduler, diffusers 0.42.1, which sums in f32. */
        {"{\"beta_schedule\": \"squaredcos_cap_v2\", \"prediction_type\": \"v_prediction\"}", 500, 0.70163028,
         -0.71254120, 1e-5},
        {"{\"beta_schedule\": \"squaredcos_cap_v2\", \"prediction_type\": \"v_prediction\"}", 998, 0.00155845,
         -0.99999879, 1e-6},
        {"{" SD "\"rescale_betas_zero_snr\": true, \"prediction_type\": \"v_prediction\"}", 500, 0.49093649,
         -0.87119536, 1e-5},
        {"{\"prediction_type\": \"v_prediction\"}", 500, 0.27892052, -0.96031419, 1e-5},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        float a = NAN, b = NAN;
        g_assert_true(solve(cases[i].text, cases[i].timestep, &a, &b, &error));
        g_assert_cmpfloat_with_epsilon(a, cases[i].a, cases[i].tolerance + 1e-12);
        g_assert_cmpfloat_with_epsilon(b, cases[i].b, cases[i].tolerance + 1e-12);
    }
}

/* z = sqrt(ac) x0 + sqrt(1 - ac) eps: from z and each network's ideal output the same x0 must follow. */
static void test_parameterisations_agree(void) {
    static const char *const betas[] = {SD, "\"beta_schedule\": \"linear\", "};
    const double x0 = 0.7, eps = -1.3;
    for (guint i = 0; i < G_N_ELEMENTS(betas); i++) {
        for (int t = 0; t < 1000; t += 37) {
            g_autoptr(GError) error = NULL;
            g_autofree char *v_text = g_strdup_printf("{%s\"prediction_type\": \"v_prediction\"}", betas[i]);
            g_autofree char *eps_text = g_strdup_printf("{%s\"prediction_type\": \"epsilon\"}", betas[i]);
            float va, vb, ea, eb;
            g_assert_true(solve(v_text, t, &va, &vb, &error));
            g_assert_true(solve(eps_text, t, &ea, &eb, &error));
            double alpha = va, sigma = -vb, z = alpha * x0 + sigma * eps, v = alpha * eps - sigma * x0;
            g_assert_cmpfloat_with_epsilon(alpha * alpha + sigma * sigma, 1.0, 1e-6);
            g_assert_cmpfloat_with_epsilon(va * z + vb * v, x0, 1e-5);
            g_assert_cmpfloat_with_epsilon(ea * z + eb * eps, x0, 1e-4);
        }
    }
}

static void test_rescaled(void) {
    g_autoptr(GError) error = NULL;
    float a, b, first, last = 2.0f;
    g_assert_true(solve("{" SD "\"prediction_type\": \"v_prediction\"}", 0, &first, &b, &error));
    for (int t = 0; t < 1000; t++) {
        g_assert_true(solve("{" SD "\"rescale_betas_zero_snr\": true, \"prediction_type\": \"v_prediction\"}", t, &a, &b,
                            &error));
        if (t == 0)
            g_assert_cmpfloat_with_epsilon(a, first, 1e-7);
        g_assert_cmpfloat(a, <, last);
        last = a;
    }
}

static void test_refusals(void) {
    static const struct {
        const char *text;
        int timestep;
        int code;
        const char *says;
    } cases[] = {
        {"{\"beta_schedule\": \"sigmoid\"}", 0, YONOS_ERROR_MODEL, "beta_schedule"},
        {"{\"beta_schedule\": 3}", 0, YONOS_ERROR_FORMAT, "beta_schedule"},
        {"{\"prediction_type\": \"flow_prediction\"}", 0, YONOS_ERROR_MODEL, "prediction_type"},
        {"{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\"}", 0, YONOS_ERROR_MODEL, "_class_name"},
        {"{\"use_flow_sigmas\": true}", 0, YONOS_ERROR_MODEL, "use_flow_sigmas"},
        {"{\"num_train_timesteps\": 0}", 0, YONOS_ERROR_FORMAT, "num_train_timesteps"},
        {"{\"num_train_timesteps\": 1e3}", 0, YONOS_ERROR_FORMAT, "num_train_timesteps"},
        {"{\"num_train_timesteps\": \"1000\"}", 0, YONOS_ERROR_FORMAT, "num_train_timesteps"},
        {"{}", 1000, YONOS_ERROR_MODEL, "timestep 1000"},
        {"{\"beta_start\": -0.1}", 0, YONOS_ERROR_MODEL, "beta_start"},
        {"{\"beta_end\": 1.0}", 0, YONOS_ERROR_MODEL, "beta_end"},
        {"{\"beta_start\": true}", 0, YONOS_ERROR_FORMAT, "beta_start"},
        {"{\"trained_betas\": [0.1, 0.2]}", 0, YONOS_ERROR_MODEL, "trained_betas"},
        {"{\"trained_betas\": [0.1, \"x\"]}", 0, YONOS_ERROR_FORMAT, "trained_betas"},
        {"{\"trained_betas\": []}", 0, YONOS_ERROR_FORMAT, "trained_betas"},
        {"{\"num_train_timesteps\": 1, \"trained_betas\": [1.5]}", 0, YONOS_ERROR_MODEL, "trained_betas"},
        {"{\"rescale_betas_zero_snr\": 1}", 0, YONOS_ERROR_FORMAT, "rescale_betas_zero_snr"},
        {"{\"rescale_betas_zero_snr\": true, \"prediction_type\": \"epsilon\"}", 999, YONOS_ERROR_MODEL,
         "prediction_type"},
        {"{\"num_train_timesteps\": 1, \"rescale_betas_zero_snr\": true, \"prediction_type\": \"v_prediction\"}", 0,
         YONOS_ERROR_MODEL, "rescale_betas_zero_snr"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        float a, b;
        g_test_message("%s", cases[i].text);
        g_assert_false(solve(cases[i].text, cases[i].timestep, &a, &b, &error));
        g_assert_error(error, YONOS_ERROR, cases[i].code);
        g_assert_nonnull(strstr(error->message, cases[i].says));
        g_assert_nonnull(strstr(error->message, "scheduler_config.json"));
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/schedule/known-answers", test_known_answers);
    g_test_add_func("/schedule/parameterisations-agree", test_parameterisations_agree);
    g_test_add_func("/schedule/rescaled", test_rescaled);
    g_test_add_func("/schedule/refusals", test_refusals);
    return g_test_run();
}
