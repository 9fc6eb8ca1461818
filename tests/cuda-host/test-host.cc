/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The stand-in itself: fibers, barriers and shuffles compute what a device would, misuse stops the program, streams and
 * graphs run in order and not too early, failures come when they are asked for.
 */
#include <glib.h>

#include "kernels/device.h"

#include "host.h"

enum { THREADS = 96, BLOCKS = 3 };

/* ---- kernels ------------------------------------------------------------------------------------- */

/* The sum of a block's numbers, by shuffles and one barrier. */
__global__ void block_sum(int *out, const int *in, int count) {
    YONOS_SHARED(int, sums);
    int i = blockIdx.x * THREADS + threadIdx.x, v = i < count ? in[i] : 0;
    for (int lanes = WARP / 2; lanes > 0; lanes /= 2)
        v += __shfl_xor_sync(ALL_LANES, v, lanes);
    if (threadIdx.x % WARP == 0)
        sums[threadIdx.x / WARP] = v;
    __syncthreads();
    if (threadIdx.x == 0)
        out[blockIdx.x] = sums[0] + sums[1] + sums[2];
}

/* Which lanes have an odd number; lane 5's number for all. */
__global__ void votes(unsigned *odd, int *fifth, const int *in) {
    unsigned ballot = __ballot_sync(ALL_LANES, in[threadIdx.x] & 1);
    int v = __shfl_sync(ALL_LANES, in[threadIdx.x], 5);
    odd[threadIdx.x] = ballot;
    fifth[threadIdx.x] = v;
}

__global__ void left_out(int limit) {
    if (static_cast<int>(threadIdx.x) < limit)
        __syncthreads();
}

__global__ void misaligned(const float *in, float *out) {
    float v[4];
    load<4>(in + 1, v);
    *out = v[0];
}

__global__ void add(int *to, int value) { *to += value; }

__global__ void unset_shared(float *out) {
    YONOS_SHARED(float, values);
    *out = values[0];
}

/* ---- fibers -------------------------------------------------------------------------------------- */

static void test_threads() {
    int in[THREADS * BLOCKS], out[BLOCKS], expected[BLOCKS] = {};
    unsigned odd[WARP], odd_expected = 0;
    int fifth[WARP];
    for (int i = 0; i < THREADS * BLOCKS; i++) {
        in[i] = i * i % 1000;
        expected[i / THREADS] += i < 250 ? in[i] : 0;
        odd_expected |= i < WARP && in[i] % 2 ? 1u << i : 0;
    }
    for (int reversed = 0; reversed < 2; reversed++) {
        cuda_host_set_reversed(reversed);
        g_assert_cmpint(YONOS_LAUNCH(block_sum, BLOCKS, THREADS, 3 * sizeof(int), NULL, out, in, 250), ==, 0);
        g_assert_cmpint(YONOS_LAUNCH(votes, 1, WARP, 0, NULL, odd, fifth, in), ==, 0);
        g_assert_cmpmem(out, sizeof out, expected, sizeof expected);
        for (int i = 0; i < WARP; i++) {
            g_assert_cmpuint(odd[i], ==, odd_expected);
            g_assert_cmpint(fifth[i], ==, in[5]);
        }
    }
    cuda_host_set_reversed(0);
}

static void test_unset_shared() {
    float v = 0.0f;
    g_assert_cmpint(YONOS_LAUNCH(unset_shared, 1, 1, sizeof(float), NULL, &v), ==, 0);
    g_assert_true(isnan(v));
}

static void test_limits() {
    g_assert_cmpint(YONOS_LAUNCH(left_out, 1, 1025, 0, NULL, 0), ==, cudaErrorInvalidConfiguration);
    g_assert_cmpint(YONOS_LAUNCH(left_out, 0, 1, 0, NULL, 0), ==, cudaErrorInvalidConfiguration);
    g_assert_cmpint(YONOS_LAUNCH(left_out, dim3(1, 65536), 1, 0, NULL, 0), ==, cudaErrorInvalidConfiguration);
    g_assert_cmpint(YONOS_LAUNCH(left_out, 1, 1, 48 * 1024 + 1, NULL, 0), ==, cudaErrorInvalidConfiguration);
}

static void test_left_out() {
    if (g_test_subprocess()) {
        YONOS_LAUNCH(left_out, 1, 64, 0, NULL, 33);
        return;
    }
    g_test_trap_subprocess(NULL, 0, static_cast<GTestSubprocessFlags>(0));
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr("*waits for ever at a barrier*");
}

static void test_misaligned() {
    alignas(16) float in[8] = {}, out;
    if (g_test_subprocess()) {
        YONOS_LAUNCH(misaligned, 1, 1, 0, NULL, in, &out);
        return;
    }
    g_test_trap_subprocess(NULL, 0, static_cast<GTestSubprocessFlags>(0));
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr("*not aligned*");
}

/* ---- streams and graphs -------------------------------------------------------------------------- */

struct Device {
    cudaStream_t stream;
    int *number, *pinned; /* one int each, on the device and pinned */
};

static void open_device(Device *d) {
    g_assert_cmpint(cudaStreamCreateWithFlags(&d->stream, cudaStreamNonBlocking), ==, 0);
    g_assert_cmpint(cudaMalloc(reinterpret_cast<void **>(&d->number), sizeof(int)), ==, 0);
    g_assert_cmpint(cudaMallocHost(reinterpret_cast<void **>(&d->pinned), sizeof(int)), ==, 0);
}

static void close_device(Device *d) {
    g_assert_cmpint(cudaFreeHost(d->pinned), ==, 0);
    g_assert_cmpint(cudaFree(d->number), ==, 0);
    g_assert_cmpint(cudaStreamDestroy(d->stream), ==, 0);
    g_assert_cmpuint(cuda_host_memory_used(), ==, 0);
}

static void test_order() {
    Device d;
    open_device(&d);
    int start = 40;
    *d.pinned = -1;
    g_assert_cmpint(cudaMemcpyAsync(d.number, &start, sizeof start, cudaMemcpyHostToDevice, d.stream), ==, 0);
    start = 0; /* pageable: it was read at the call */
    g_assert_cmpint(YONOS_LAUNCH(add, 1, 1, 0, d.stream, d.number, 2), ==, 0);
    g_assert_cmpint(cudaMemcpyAsync(d.pinned, d.number, sizeof(int), cudaMemcpyDeviceToHost, d.stream), ==, 0);
    g_assert_cmpint(*d.pinned, ==, -1); /* nobody has waited yet */
    cudaEvent_t event;
    g_assert_cmpint(cudaEventCreate(&event), ==, 0);
    g_assert_cmpint(cudaEventRecord(event, d.stream), ==, 0);
    g_assert_cmpint(cudaEventSynchronize(event), ==, 0);
    g_assert_cmpint(*d.pinned, ==, 42);
    g_assert_cmpint(cudaEventDestroy(event), ==, 0);
    g_assert_cmpint(cudaMemcpyAsync(&start, d.number, sizeof start, cudaMemcpyHostToDevice, d.stream), ==,
                    cudaErrorInvalidValue); /* the host's memory is none of the device's */
    close_device(&d);
}

static void test_graph() {
    Device d;
    open_device(&d);
    cudaGraph_t graph;
    cudaGraphExec_t executable;
    g_assert_cmpint(cudaMemsetAsync(d.number, 0, sizeof(int), d.stream), ==, 0);
    g_assert_cmpint(cudaStreamBeginCapture(d.stream, cudaStreamCaptureModeThreadLocal), ==, 0);
    g_assert_cmpint(YONOS_LAUNCH(add, 1, 1, 0, d.stream, d.number, 1), ==, 0);
    void *none;
    g_assert_cmpint(cudaMalloc(&none, 1), ==, cudaErrorStreamCaptureUnsupported);
    g_assert_cmpint(YONOS_LAUNCH(add, 1, 1, 0, d.stream, d.number, 10), ==, 0);
    g_assert_cmpint(cudaStreamEndCapture(d.stream, &graph), ==, 0);
    g_assert_cmpint(cudaGraphInstantiate(&executable, graph, 0), ==, 0);
    g_assert_cmpint(cudaGraphDestroy(graph), ==, 0);
    for (int i = 0; i < 3; i++)
        g_assert_cmpint(cudaGraphLaunch(executable, d.stream), ==, 0);
    int result = 0;
    g_assert_cmpint(cudaMemcpyAsync(&result, d.number, sizeof result, cudaMemcpyDeviceToHost, d.stream), ==, 0);
    g_assert_cmpint(result, ==, 33);
    g_assert_cmpint(cudaGraphExecDestroy(executable), ==, 0);
    close_device(&d);
}

/* ---- failures ------------------------------------------------------------------------------------ */

static void test_failures() {
    Device d;
    open_device(&d);
    void *memory = NULL;
    cuda_host_fail_after(1, cudaErrorMemoryAllocation);
    g_assert_cmpint(cudaSetDevice(0), ==, 0);
    g_assert_cmpint(cudaMalloc(&memory, 1), ==, cudaErrorMemoryAllocation);
    g_assert_cmpint(cudaGetLastError(), ==, cudaErrorMemoryAllocation);
    g_assert_cmpint(cudaGetLastError(), ==, cudaSuccess);
    g_assert_cmpint(cudaSetDevice(0), ==, 0);
    cuda_host_fail_after(0, cudaErrorIllegalAddress);
    g_assert_cmpint(YONOS_LAUNCH(add, 1, 1, 0, d.stream, d.number, 1), ==, cudaErrorIllegalAddress);
    g_assert_cmpint(cudaStreamSynchronize(d.stream), ==, cudaErrorIllegalAddress);
    cuda_host_fail_after(-1, 0);
    cuda_host_set_memory(1000);
    g_assert_cmpint(cudaMalloc(&memory, 1000), ==, cudaErrorMemoryAllocation); /* d.number has four */
    g_assert_cmpint(cudaMalloc(&memory, 900), ==, 0);
    g_assert_cmpuint(cuda_host_memory_used(), ==, 904);
    g_assert_cmpint(cudaFree(memory), ==, 0);
    g_assert_cmpint(cudaFree(&d), ==, cudaErrorInvalidValue);
    cuda_host_set_memory(SIZE_MAX);
    cuda_host_set_devices(0, 12020);
    int n;
    g_assert_cmpint(cudaGetDeviceCount(&n), ==, cudaErrorNoDevice);
    g_assert_cmpint(cudaDriverGetVersion(&n), ==, 0);
    g_assert_cmpint(n, ==, 12020);
    cuda_host_set_devices(1, 13000);
    close_device(&d);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fibers/threads", test_threads);
    g_test_add_func("/fibers/unset-shared", test_unset_shared);
    g_test_add_func("/fibers/limits", test_limits);
    g_test_add_func("/fibers/left-out", test_left_out);
    g_test_add_func("/fibers/misaligned", test_misaligned);
    g_test_add_func("/runtime/order", test_order);
    g_test_add_func("/runtime/graph", test_graph);
    g_test_add_func("/runtime/failures", test_failures);
    return g_test_run();
}
