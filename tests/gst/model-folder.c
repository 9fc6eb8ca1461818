/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * model-folder PLACE: writes the tiny model of the tests as PLACE/yonos-lite-x2, where the name of the default model
 * finds it with YONOS_MODELS_PATH=PLACE.
 */
#include <glib/gstdio.h>

#include "tiny-model.h"

int main(int argc, char **argv) {
    if (argc != 2 || g_setenv("TMPDIR", argv[1], TRUE) != TRUE)
        return 2;
    char *folder = tiny_model_new();
    g_autofree char *name = g_build_filename(argv[1], "yonos-lite-x2", NULL);
    int result = g_rename(folder, name);
    g_free(folder);
    return result == 0 ? 0 : 1;
}
