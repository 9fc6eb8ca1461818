/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Arrays of numbers: random ones, hostile ones, and any storage type as floats.
 */
#ifndef CHECKOP_NUMBERS_H
#define CHECKOP_NUMBERS_H

#include "graph/graph.h"

typedef enum {
    PATTERN_PLAIN,    /* normal numbers of mean 0 and deviation 1 */
    PATTERN_ZERO,
    PATTERN_OFFSET,   /* a large constant and a tiny variance */
    PATTERN_OUTLIER,  /* normal numbers and one of 3e4 */
    PATTERN_DENORMAL, /* too small for a normal float */
    PATTERN_COUNT,
} Pattern;

const char *pattern_name(Pattern pattern);

/* All g_malloc'ed. */
float *numbers_normal(gsize count, float mean, float deviation, guint32 seed);
float *numbers_pattern(gsize count, Pattern pattern, YonosDType dtype, guint32 seed);

/* Between floats and a storage type; rounds to nearest even. */
void numbers_store(const float *from, void *to, YonosDType dtype, gsize count);
void numbers_load(const void *from, YonosDType dtype, float *to, gsize count);
/* What is left of v in a storage type. */
float numbers_round(float v, YonosDType dtype);
/* The largest relative error of rounding to a storage type. */
double numbers_rounding(YonosDType dtype);

#endif
