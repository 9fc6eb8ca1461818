/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host's stand-in for a device, as tests steer it. Settings hold for all threads until they are changed.
 */
#ifndef CUDA_HOST_HOST_H
#define CUDA_HOST_HOST_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif
/* Also of the module, whose own names are hidden: a test that loads it finds these in it. */
#pragma GCC visibility push(default)

/* Non-zero: threads of a block start and go on in descending order, so that a kernel which lacks a barrier gives
 * other results. */
void cuda_host_set_reversed(int reversed);

/*
 * After `calls` more calls of the runtime or launches of kernels the next one fails with `status`, a cudaError_t: once,
 * but for errors after which a real device is lost to the process (700 to 799), which all later calls return too.
 * calls < 0: none fails, and a lost device is back.
 */
void cuda_host_fail_after(int calls, int status);
/* Calls and launches so far; of these, launches of graphs. */
int cuda_host_calls(void);
int cuda_host_graph_launches(void);
/* The function whose call failed on request last; NULL where none has since cuda_host_fail_after(). A launch of a kernel
 * is "cudaLaunchKernel". */
const char *cuda_host_failed_call(void);
/* Blocks of memory, streams, events and graphs that have not been freed. */
int cuda_host_outstanding(void);
/* Zero: what is put into streams is thrown away, for tests that look at calls alone. At first 1. */
void cuda_host_set_working(int working);

/* Device memory to be had, and what is allocated of it. At first there is no limit. */
void cuda_host_set_memory(size_t bytes);
size_t cuda_host_memory_used(void);

/* Memory of `bytes` in a context that is not the primary one, to be had and given back by a test. Contexts are names, any
 * pointers from CUDA_HOST_CONTEXTS on. */
void *cuda_host_context_allocate(void *context, size_t bytes);
void cuda_host_context_free(void *memory);
#define CUDA_HOST_CONTEXTS ((char *)16)
/* Copies of planes from context to context so far. */
int cuda_host_peer_copies(void);

/* How many devices there seem to be, and the driver's version (13000 is 13.0; 0: none). At first 1 and 13000. */
void cuda_host_set_devices(int count, int driver);
/* Times ten. At first 90. */
void cuda_host_set_capability(int capability);

/* ---- for stand-ins of libraries in C ------------------------------------------------------------ */

/* Counts a call of a library's function: a cudaError_t, not 0 where it is to fail. */
int cuda_host_call(const char *name);
/* Puts work(data) into a cudaStream_t, or into the graph that is captured from it; release(data) when it is over. It
 * takes `milliseconds` of the device's clock, by which events are timed; everything else takes 1. */
void cuda_host_enqueue(void *stream, void (*work)(void *data), void *data, void (*release)(void *data),
                       float milliseconds);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
