/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Upscalers of the golden models, whose weights are random and take a few kilobytes each. Their scale is GOLDEN_SCALE.
 */
#ifndef GOLDEN_UPSCALER_H
#define GOLDEN_UPSCALER_H

#include "yonos.h"

enum { GOLDEN_SCALE = 2 };

/* Of the model `name`: in $YONOS_TEST_MODELS where the sources are not there (tests/gpu). Free with g_free(). */
static inline char *golden_folder(const char *name) {
    const char *models = g_getenv("YONOS_TEST_MODELS");
    return g_build_filename(models ? models : GOLDEN_MODELS, name, NULL);
}

static inline YonosUpscaler *golden_upscaler(const char *name, const YonosOptions *options) {
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = golden_folder(name);
    g_autoptr(YonosModel) model = yonos_model_open(folder, &error);
    g_assert_no_error(error);
    g_assert_cmpint(yonos_model_get_scale(model), ==, GOLDEN_SCALE);
    YonosUpscaler *upscaler = yonos_upscaler_new(model, options, &error);
    g_assert_no_error(error);
    return upscaler;
}

/* The backend of tests that also run on another one. */
static inline const char *golden_backend(void) {
    const char *backend = g_getenv("YONOS_TEST_BACKEND");
    return backend ? backend : "cpu";
}

#endif
