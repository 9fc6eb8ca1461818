/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Single elements by the definition in graph.h, in double and with no thought for speed: what ref itself is held to.
 *
 * Resampling, noise and frames have definitions of their own in tests/unit (resize, noise, frames).
 */
#ifndef CHECKOP_ORACLE_H
#define CHECKOP_ORACLE_H

#include "judge.h"

/* TRUE where oracle_agrees() knows the operation. */
gboolean oracle_knows(YonosOpKind op);

/*
 * Whether the first, the last and some random elements of `expectation`, which ref made of `exact` (f32) and `inputs`,
 * are what the operation's definition gives; else *why (g_free).
 */
gboolean oracle_agrees(const Expectation *expectation, const Instance *exact, const Inputs *inputs, guint32 seed,
                       char **why);

#endif
