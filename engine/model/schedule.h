/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one step's coefficients from a parsed scheduler config; yonos_schedule_read() in model.h takes a path.
 */
#ifndef YONOS_SCHEDULE_H
#define YONOS_SCHEDULE_H

#include "model/config.h"

/* a and b of x0 = a z + b out. timestep -1 is the last one. Errors: FORMAT, MODEL. Thread-safe. */
gboolean yonos_schedule_solve(YonosConfig *config, int timestep, float *a, float *b, GError **error);

#endif
