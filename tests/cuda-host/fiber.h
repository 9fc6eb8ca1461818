/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fibers: several stacks in one thread of the operating system, switched by hand.
 *
 * On x86-64 a switch is a dozen instructions; elsewhere it is ucontext's. AddressSanitizer is told of each.
 */
#ifndef CUDA_HOST_FIBER_H
#define CUDA_HOST_FIBER_H

#include <stddef.h>

namespace cuda_host {

struct Fiber;

/* A fiber that, when resumed, runs entry(argument), which never returns. It lives as long as the process. */
Fiber *fiber_new(void (*entry)(void *argument), void *argument);

/* Goes into `fiber` until it suspends; not from inside a fiber. */
void fiber_resume(Fiber *fiber);
/* Back to whoever resumed the running fiber. */
void fiber_suspend(Fiber *self);

} // namespace cuda_host

#endif
