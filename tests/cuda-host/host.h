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

/* Non-zero: threads of a block start and go on in descending order, so that a kernel which lacks a barrier gives
 * other results. */
void cuda_host_set_reversed(int reversed);

/*
 * After `calls` more calls of the runtime or launches of kernels the next one fails with `status`, a cudaError_t: once,
 * but for errors after which a real device is lost to the process (700 to 799), which all later calls return too.
 * calls < 0: none fails, and a lost device is back.
 */
void cuda_host_fail_after(int calls, int status);
/* Calls and launches so far. */
int cuda_host_calls(void);

/* Device memory to be had, and what is allocated of it. At first there is no limit. */
void cuda_host_set_memory(size_t bytes);
size_t cuda_host_memory_used(void);

/* How many devices there seem to be, and the driver's version (13000 is 13.0; 0: none). At first 1 and 13000. */
void cuda_host_set_devices(int count, int driver);

#ifdef __cplusplus
}
#endif

#endif
