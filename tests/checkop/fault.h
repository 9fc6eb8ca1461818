/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Deliberate faults for the self-test: what goes wrong in kernels, done to the memory of a node that has just run.
 */
#ifndef CHECKOP_FAULT_H
#define CHECKOP_FAULT_H

#include "run.h"

typedef enum {
    FAULT_NONE,
    FAULT_ELEMENT,   /* the last element is wrong */
    FAULT_BIAS,      /* every element is a little wrong */
    FAULT_UNWRITTEN, /* the last element is not written */
    FAULT_HOSTILE,   /* wrong on an outlier alone */
    FAULT_BEHIND,    /* one byte behind the result is written */
    FAULT_BEFORE,
    FAULT_INPUT,     /* an input is changed */
    FAULT_REPEAT,    /* the second run differs in one bit */
    FAULT_THREADS,   /* two threads differ from one in one bit */
    FAULT_COUNT,
} Fault;

const char *fault_name(Fault fault);
/* What strikes the nodes of operation `op` of the backend `backend` from now on. */
void fault_set(Fault fault, YonosOpKind op, const char *backend);
/* FALSE where the fault cannot exist: no inputs, or no hostile ones; one thread only. */
gboolean fault_fits(Fault fault, const Case *c, const char *backend);
/* Called after each run. */
void fault_strike(Placed *placed, Pattern pattern, guint8 poison);

#endif
