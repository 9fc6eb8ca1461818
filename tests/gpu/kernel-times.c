/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * When each kernel and copy on the device ran, replayed graphs' too, in any program: CUDA_INJECTION64_PATH names this
 * library, the driver loads it. At exit it writes $KERNEL_TIMES: "start end name" lines, nanoseconds; names of C++
 * kernels are mangled, a copy's begins with "copy". A line "# reason" says why there are none.
 */
#include <cupti.h>
#include <stdio.h>
#include <stdlib.h>

extern __attribute__((visibility("default"))) int InitializeInjection(void);

enum { BUFFER_BYTES = 8 << 20, ALIGNMENT = 64 };

static FILE *file;

static void request_buffer(uint8_t **buffer, size_t *size, size_t *max_records) {
    *buffer = aligned_alloc(ALIGNMENT, BUFFER_BYTES);
    *size = *buffer ? BUFFER_BYTES : 0;
    *max_records = 0; /* as many as fit */
}

static void write_record(const CUpti_Activity *record) {
    if (record->kind == CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL) {
        const CUpti_ActivityKernel10 *kernel = (const void *)record;
        fprintf(file, "%llu %llu %s\n", (unsigned long long)kernel->start, (unsigned long long)kernel->end,
                kernel->name);
    } else if (record->kind == CUPTI_ACTIVITY_KIND_MEMCPY) {
        const CUpti_ActivityMemcpy6 *copy = (const void *)record;
        fprintf(file, "%llu %llu copy kind %d, %llu bytes\n", (unsigned long long)copy->start,
                (unsigned long long)copy->end, copy->copyKind, (unsigned long long)copy->bytes);
    } else if (record->kind == CUPTI_ACTIVITY_KIND_MEMCPY2) {
        const CUpti_ActivityMemcpyPtoP4 *copy = (const void *)record;
        fprintf(file, "%llu %llu copy between contexts, kind %d, %llu bytes\n", (unsigned long long)copy->start,
                (unsigned long long)copy->end, copy->copyKind, (unsigned long long)copy->bytes);
    }
}

static void take_buffer(CUcontext context, uint32_t stream, uint8_t *buffer, size_t size, size_t valid) {
    (void)context, (void)stream, (void)size;
    CUpti_Activity *record = NULL;
    while (valid > 0 && cuptiActivityGetNextRecord(buffer, valid, &record) == CUPTI_SUCCESS)
        write_record(record);
    free(buffer);
}

static void finish(void) {
    cuptiActivityFlushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
    fflush(file);
}

static void check(CUptiResult result, const char *call) {
    const char *text = "?";
    if (result == CUPTI_SUCCESS)
        return;
    cuptiGetResultString(result, &text);
    fprintf(file, "# %s: %s\n", call, text);
}

int InitializeInjection(void) {
    const char *path = getenv("KERNEL_TIMES");
    file = path ? fopen(path, "w") : NULL;
    if (!file) {
        fprintf(stderr, "kernel-times: KERNEL_TIMES must name a file that can be written\n");
        return 1; /* the program itself goes on */
    }
    atexit(finish);
    check(cuptiActivityRegisterCallbacks(request_buffer, take_buffer), "cuptiActivityRegisterCallbacks");
    check(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL), "cuptiActivityEnable of kernels");
    check(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_MEMCPY), "cuptiActivityEnable of copies");
    check(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_MEMCPY2), "cuptiActivityEnable of copies between contexts");
    return 1;
}
