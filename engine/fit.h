/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A plan that fits into the backend's memory.
 */
#ifndef YONOS_FIT_H
#define YONOS_FIT_H

#include "model/model.h"
#include "plan/plan.h"

/*
 * A plan for frames of `spec`. Where memory does not suffice for the tiles, they are tried one by one, then smaller
 * ones, half the side each time; *warning says so then, because another grid is another picture, and is NULL else. To be
 * freed. `keep` as for yonos_plan_new().
 * Errors: those of yonos_model_build_frame() and yonos_plan_new(); where nothing fits, the first one.
 */
YonosPlan *yonos_plan_fit(YonosBackend *backend, YonosModel *model, const YonosFrameSpec *spec, gboolean keep,
                          char **warning, GError **error);

#endif
