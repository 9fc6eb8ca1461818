/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finds and loads the CUDA backend's module; see backend.h. What is missing on a machine without a GPU shows here
 * in three places, each with its own message: no module was built, its libraries are not there, or the module
 * itself says that there is no driver or no device.
 */
#include "backend/backend.h"

/* The folders to search, in their order. Free with g_strfreev(). */
static char **search_path(void) {
    const char *variable = g_getenv("YONOS_MODULES_PATH");
    return g_strsplit(variable && *variable ? variable : YONOS_MODULES_DIR, G_SEARCHPATH_SEPARATOR_S, -1);
}

/* The module's path, to be freed. */
static char *find_module(GError **error) {
    g_auto(GStrv) folders = search_path();
    for (char **folder = folders; *folder; folder++) {
        g_autofree char *path = g_build_filename(*folder, YONOS_CUDA_MODULE, NULL);
        if (**folder != '\0' && g_file_test(path, G_FILE_TEST_EXISTS))
            return g_steal_pointer(&path);
    }
    g_autofree char *where = g_strjoinv(", ", folders);
    yonos_fail(error, YONOS_ERROR_DEVICE,
               "backend cuda: the CUDA module is not installed (no " YONOS_CUDA_MODULE
               " in %s); build with -Dcuda=enabled, or use cpu or auto",
               where);
    return NULL;
}

static YonosCudaEntry load_entry(const char *path, GError **error) {
    GModule *module = g_module_open(path, G_MODULE_BIND_LAZY | G_MODULE_BIND_LOCAL);
    if (!module) {
        yonos_fail(error, YONOS_ERROR_DEVICE,
                   "backend cuda: the CUDA module cannot be loaded: %s; install cuDNN 9 and cuBLASLt, put their folder "
                   "on LD_LIBRARY_PATH, or use cpu or auto",
                   g_module_error());
        return NULL;
    }
    gpointer entry = NULL;
    if (!g_module_symbol(module, YONOS_CUDA_ENTRY, &entry) || !entry) {
        yonos_fail(error, YONOS_ERROR_DEVICE,
                   "backend cuda: %s is not a CUDA module of this library (it has no " YONOS_CUDA_ENTRY
                   "); install the one that was built with it, or use cpu or auto",
                   path);
        g_module_close(module);
        return NULL;
    }
    g_module_make_resident(module);
    return (YonosCudaEntry)entry;
}

YonosBackend *yonos_backend_cuda_new(YonosPrecision precision, int device, void *context, GError **error) {
    g_autofree char *path = find_module(error);
    YonosCudaEntry entry = path ? load_entry(path, error) : NULL;
    return entry ? entry(YONOS_BACKEND_ABI, precision, device, context, error) : NULL;
}
