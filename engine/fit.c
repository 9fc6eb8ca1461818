/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See fit.h.
 */
#include "fit.h"

YonosPlan *yonos_plan_fit(YonosBackend *backend, YonosModel *model, const YonosFrameSpec *spec, gboolean keep,
                          char **warning, GError **error) {
    *warning = NULL;
    YonosFrameSpec smaller = *spec;
    g_autoptr(GError) first = NULL;
    for (;;) {
        g_autoptr(GError) failure = NULL;
        YonosGraph *graph = yonos_model_build_frame(model, &smaller, &failure);
        int side = graph ? MAX(graph->grid->tile_w, graph->grid->tile_h) : 0;
        YonosPlan *plan = graph ? yonos_plan_new(backend, graph, keep, &failure) : NULL;
        if (plan && smaller.tile_size != spec->tile_size)
            *warning = g_strdup_printf("%s; tiles of %d pixels are used instead", first->message, side);
        if (plan)
            return plan;
        gboolean memory = g_error_matches(failure, YONOS_ERROR, YONOS_ERROR_MEMORY);
        if (!first)
            first = g_steal_pointer(&failure);
        if (memory && smaller.tile_batch > 1) {
            smaller.tile_batch = 1;
            continue;
        }
        if (!memory || side / 2 < YONOS_MIN_TILE) {
            g_propagate_error(error, g_steal_pointer(&first));
            return NULL;
        }
        smaller.tile_size = side / 2;
    }
}
