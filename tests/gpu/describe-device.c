/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Prints cuDNN's own description of a device, as tests/cuda-plan/devices wants it: describe-device [NUMBER]
 */
#include <stdio.h>
#include <stdlib.h>

#include "dnn.h"

int main(int argc, char **argv) {
    int device = argc > 1 ? atoi(argv[1]) : 0;
    g_autoptr(GError) error = NULL;
    cudaError_t status = cudaSetDevice(device);
    if (status != cudaSuccess) {
        fprintf(stderr, "describe-device: device %d: %s\n", device, cudaGetErrorString(status));
        return 1;
    }
    CudaDnn *dnn = cuda_dnn_new(NULL, &error);
    g_autofree char *json = dnn ? cuda_dnn_describe(dnn, &error) : NULL;
    if (json)
        printf("%s\n", json);
    else
        fprintf(stderr, "describe-device: %s\n", error->message);
    cuda_dnn_free(dnn);
    return json ? 0 : 1;
}
