/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host's stand-in for a device, as tests steer it.
 */
#ifndef CUDA_HOST_HOST_H
#define CUDA_HOST_HOST_H

#ifdef __cplusplus
extern "C" {
#endif

/* Non-zero: threads of a block start and go on in descending order, so that a kernel which lacks a barrier gives
 * other results. Applies to all launches that follow, of all threads. */
void cuda_host_set_reversed(int reversed);

#ifdef __cplusplus
}
#endif

#endif
