/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How tests steer the stand-in for cuDNN (dnn.c). Its engines are "engine 0", "engine 1" and so on; engine i takes
 * i + 2 ms, but the last one of an odd output height less than any kernel.
 */
#ifndef CUDA_HOST_DNN_H
#define CUDA_HOST_DNN_H

/* How many engines are found for a convolution; 0: it is refused. At first 2. */
void cuda_host_set_engines(int engines);
/* Non-zero: a convolution with residual, bias or activation is refused. */
void cuda_host_set_bare(int bare);
/* Built so far. */
int cuda_host_engines_built(void);

#endif
