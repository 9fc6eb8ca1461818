/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as a config: each reader of configs gives a record within its limits, or an error.
 */
#include <math.h>

#include "model/networks.h"
#include "model/schedule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(gboolean ok, const GError *error, gboolean sound, const char *reader) {
    if (ok == (error != NULL) || (error && error->domain != YONOS_ERROR))
        g_error("%s: result and error disagree", reader);
    if (ok && !sound)
        g_error("%s: accepted what no builder can take", reader);
}

static void read_scheduler(YonosConfig *config) {
    g_autoptr(GError) error = NULL;
    float a = NAN, b = NAN;
    gboolean ok = yonos_schedule_solve(config, -1, &a, &b, &error);
    require(ok, error, isfinite(a) && isfinite(b), "scheduler");
}

static void read_unet(YonosConfig *config) {
    g_autoptr(GError) error = NULL;
    YonosUnetConfig unet;
    gboolean ok = yonos_unet_config_read(config, &unet, &error);
    gboolean sound = unet.levels >= 1 && unet.levels <= YONOS_MAX_LEVELS && unet.groups >= 1;
    for (int i = 0; sound && i < unet.levels; i++)
        sound = unet.width[i] >= 1 && unet.width[i] % unet.groups == 0 && unet.heads[i] >= 1;
    require(ok, error, sound, "unet");
}

static void read_vae(YonosConfig *config) {
    g_autoptr(GError) error = NULL;
    YonosVaeConfig vae;
    gboolean ok = yonos_vae_config_read(config, &vae, &error);
    require(ok, error, vae.levels >= 1 && vae.levels <= YONOS_MAX_LEVELS && isfinite(vae.scaling_factor), "vae");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const readers[])(YonosConfig *) = {read_scheduler, read_unet, read_vae};
    /* A copy of exactly this size, with no NUL behind it. */
    g_autofree char *text = g_memdup2(data, size);
    for (guint i = 0; i < G_N_ELEMENTS(readers); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(YonosConfig) config = yonos_config_parse(text ? text : "", size, "fuzz", &error);
        require(config != NULL, error, TRUE, "parser");
        if (config)
            readers[i](config);
    }
    return 0;
}
