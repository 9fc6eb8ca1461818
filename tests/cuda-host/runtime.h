/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Between launches and the runtime's stand-in.
 */
#ifndef CUDA_HOST_INTERNAL_RUNTIME_H
#define CUDA_HOST_INTERNAL_RUNTIME_H

#include <functional>

#include "cuda_runtime_api.h"

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#else
#define VALGRIND_MAKE_MEM_UNDEFINED(memory, bytes) ((void)0)
#define VALGRIND_CHECK_MEM_IS_DEFINED(memory, bytes) ((void)0)
#endif

namespace cuda_host {

/* Counts a call of the function `name` and says whether it is to fail. */
cudaError_t begin_call(const char *name);
/* Puts work into a stream, or into the graph that is captured from it. Without a stream it runs at once. */
void enqueue(cudaStream_t stream, std::function<void()> work);

} // namespace cuda_host

#endif
