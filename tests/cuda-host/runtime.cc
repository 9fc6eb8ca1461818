/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The CUDA runtime on the host; see include/cuda_runtime_api.h. One lock around everything.
 */
#include "runtime.h"

#include <cuda.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "host.h"

typedef std::function<void()> Work;

/* What a stream has still to do; events keep it alive. */
struct Queue {
    std::deque<Work> waiting;
    size_t enqueued = 0, done = 0;
};

/* An event's latest recording. */
struct Recording {
    std::shared_ptr<Queue> queue;
    size_t position;
    float time;
};

struct CUgraph_st {
    std::vector<Work> work;
};
struct CUgraphExec_st {
    std::vector<Work> work;
};
struct CUstream_st {
    CUcontext context;
    std::shared_ptr<Queue> queue = std::make_shared<Queue>();
    std::unique_ptr<CUgraph_st> capture;
};
struct CUevent_st {
    std::shared_ptr<Recording> recording;
};

struct Block {
    size_t bytes;
    CUcontext context;
};
typedef std::map<const char *, Block> Blocks;

/* Never destroyed: threads may still call when the process ends. */
static struct State {
    std::recursive_mutex lock;
    std::vector<CUstream_st *> streams;
    Blocks device, pinned, given; /* given: a test's, on the device */
    size_t used = 0, limit = SIZE_MAX;
    int devices = 1, driver = 13000, capability = 90;
    int calls = 0, graph_launches = 0, peer_copies = 0, until_failure = -1;
    int objects = 0; /* events and graphs */
    bool working = true;
    float clock = 0.0f; /* milliseconds that the device has worked */
    const char *failed = NULL;
    cudaError_t failure = cudaSuccess, lost = cudaSuccess, last = cudaSuccess;
} &state = *new State;

typedef std::lock_guard<std::recursive_mutex> Lock;

static const CUcontext primary = reinterpret_cast<CUcontext>(1);
static thread_local CUcontext entered; /* NULL: none yet */

static CUcontext current() { return entered ? entered : primary; }

/* ---- calls and their failures -------------------------------------------------------------------- */

static bool is_final(cudaError_t status) { return status >= 700 && status < 800; }

static cudaError_t finish(cudaError_t status) {
    if (status != cudaSuccess)
        state.last = status;
    return status;
}

cudaError_t cuda_host::begin_call(const char *name) {
    Lock lock(state.lock);
    state.calls++;
    if (state.lost != cudaSuccess)
        return finish(state.lost);
    if (state.until_failure < 0 || state.until_failure-- > 0)
        return cudaSuccess;
    state.failed = name;
    if (is_final(state.failure))
        state.lost = state.failure;
    return finish(state.failure);
}

int cuda_host_call(const char *name) { return cuda_host::begin_call(name); }

/* At the start of a function: returns where the call is to fail. */
#define BEGIN_CALL()                                                                                                   \
    Lock lock(state.lock);                                                                                             \
    if (cudaError_t status = cuda_host::begin_call(__func__))                                                          \
    return status

void cuda_host_fail_after(int calls, int status) {
    Lock lock(state.lock);
    state.until_failure = calls;
    state.failure = static_cast<cudaError_t>(status);
    state.lost = cudaSuccess;
    state.failed = NULL;
}

const char *cuda_host_failed_call(void) {
    Lock lock(state.lock);
    return state.failed;
}

void cuda_host_set_working(int working) {
    Lock lock(state.lock);
    state.working = working != 0;
}

int cuda_host_outstanding(void) {
    Lock lock(state.lock);
    return state.objects + static_cast<int>(state.streams.size() + state.device.size() + state.pinned.size());
}

int cuda_host_graph_launches(void) {
    Lock lock(state.lock);
    return state.graph_launches;
}

int cuda_host_peer_copies(void) {
    Lock lock(state.lock);
    return state.peer_copies;
}

int cuda_host_calls(void) {
    Lock lock(state.lock);
    return state.calls;
}

static const struct {
    cudaError_t status;
    const char *name, *text;
} errors[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
};

const char *cudaGetErrorName(cudaError_t status) {
    for (const auto &error : errors)
        if (error.status == status)
            return error.name;
    return "unrecognized error code";
}

const char *cudaGetErrorString(cudaError_t status) {
    for (const auto &error : errors)
        if (error.status == status)
            return error.text;
    return "unrecognized error code";
}

cudaError_t cudaGetLastError(void) {
    Lock lock(state.lock);
    cudaError_t last = state.last;
    state.last = state.lost;
    return last;
}

/* ---- the device ---------------------------------------------------------------------------------- */

void cuda_host_set_devices(int count, int driver) {
    Lock lock(state.lock);
    state.devices = count;
    state.driver = driver;
}

void cuda_host_set_capability(int capability) {
    Lock lock(state.lock);
    state.capability = capability;
}

cudaError_t cudaDriverGetVersion(int *version) {
    BEGIN_CALL();
    *version = state.driver;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version) {
    BEGIN_CALL();
    *version = 13000;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *count) {
    BEGIN_CALL();
    *count = state.devices;
    return finish(state.devices > 0 ? cudaSuccess : cudaErrorNoDevice);
}

cudaError_t cudaSetDevice(int device) {
    BEGIN_CALL();
    if (device < 0 || device >= state.devices)
        return finish(cudaErrorInvalidDevice);
    entered = primary;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int device) {
    BEGIN_CALL();
    if (device < 0 || device >= state.devices)
        return finish(cudaErrorInvalidDevice);
    *properties = {};
    snprintf(properties->name, sizeof properties->name, "host stand-in");
    properties->major = state.capability / 10;
    properties->minor = state.capability % 10;
    return cudaSuccess;
}

/* ---- streams ------------------------------------------------------------------------------------- */

static void run_until(Queue &queue, size_t position) {
    while (queue.done < position) {
        Work work = std::move(queue.waiting.front());
        queue.waiting.pop_front();
        queue.done++;
        state.clock += 1.0f;
        work();
    }
}

static void run_everything() {
    for (CUstream_st *stream : state.streams)
        run_until(*stream->queue, stream->queue->enqueued);
}

static bool is_capturing() {
    for (CUstream_st *stream : state.streams)
        if (stream->capture)
            return true;
    return false;
}

void cuda_host::enqueue(cudaStream_t stream, std::function<void()> work) {
    Lock lock(state.lock);
    if (stream && stream->context != current()) {
        fprintf(stderr, "cuda-host: work for a stream of another context than the current one\n");
        abort();
    }
    if (!state.working)
        work = [] {};
    if (!stream) {
        work();
    } else if (stream->capture) {
        stream->capture->work.push_back(std::move(work));
    } else {
        stream->queue->waiting.push_back(std::move(work));
        stream->queue->enqueued++;
    }
}

void cuda_host_enqueue(void *stream, void (*work)(void *data), void *data, void (*release)(void *data),
                       float milliseconds) {
    std::shared_ptr<void> owned(data, release);
    cuda_host::enqueue(static_cast<cudaStream_t>(stream), [work, owned, milliseconds] {
        state.clock += milliseconds - 1.0f;
        work(owned.get());
    });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags) {
    (void)flags;
    BEGIN_CALL();
    *stream = new CUstream_st;
    (*stream)->context = current();
    state.streams.push_back(*stream);
    return cudaSuccess;
}

/* Also of a lost device: the host's memory comes back, whatever the call returns. */
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    Lock lock(state.lock);
    cudaError_t status = cuda_host::begin_call(__func__);
    if (status == cudaSuccess)
        run_until(*stream->queue, stream->queue->enqueued);
    for (size_t i = 0; i < state.streams.size(); i++)
        if (state.streams[i] == stream)
            state.streams.erase(state.streams.begin() + static_cast<ptrdiff_t>(i));
    delete stream;
    return status;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    BEGIN_CALL();
    if (stream->capture)
        return finish(cudaErrorStreamCaptureUnsupported);
    run_until(*stream->queue, stream->queue->enqueued);
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode) {
    (void)mode;
    BEGIN_CALL();
    if (stream->capture)
        return finish(cudaErrorStreamCaptureUnsupported);
    stream->capture.reset(new CUgraph_st);
    return cudaSuccess;
}

/* Ends the capture even where it fails. */
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph) {
    Lock lock(state.lock);
    cudaError_t status = cuda_host::begin_call(__func__);
    std::unique_ptr<CUgraph_st> captured = std::move(stream->capture);
    *graph = NULL;
    if (status != cudaSuccess)
        return status;
    if (!captured)
        return finish(cudaErrorInvalidValue);
    *graph = captured.release();
    state.objects++;
    return cudaSuccess;
}

/* ---- graphs -------------------------------------------------------------------------------------- */

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *executable, cudaGraph_t graph, unsigned long long flags) {
    (void)flags;
    BEGIN_CALL();
    *executable = new CUgraphExec_st{graph->work};
    state.objects++;
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
    BEGIN_CALL();
    state.graph_launches++;
    for (const Work &work : executable->work)
        cuda_host::enqueue(stream, work);
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    Lock lock(state.lock);
    cudaError_t status = cuda_host::begin_call(__func__);
    delete graph;
    state.objects--;
    return status;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
    Lock lock(state.lock);
    cudaError_t status = cuda_host::begin_call(__func__);
    delete executable;
    state.objects--;
    return status;
}

/* ---- events -------------------------------------------------------------------------------------- */

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags) {
    (void)flags;
    BEGIN_CALL();
    *event = new CUevent_st;
    state.objects++;
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *event) { return cudaEventCreateWithFlags(event, 0); }

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    Lock lock(state.lock);
    cudaError_t status = cuda_host::begin_call(__func__);
    delete event;
    state.objects--;
    return status;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    BEGIN_CALL();
    if (stream->capture)
        return finish(cudaErrorStreamCaptureUnsupported);
    auto recording = std::make_shared<Recording>();
    recording->queue = stream->queue;
    recording->position = stream->queue->enqueued + 1;
    event->recording = recording;
    cuda_host::enqueue(stream, [recording] { recording->time = state.clock; });
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    BEGIN_CALL();
    if (event->recording)
        run_until(*event->recording->queue, event->recording->position);
    return cudaSuccess;
}

/* What is put into the stream from now on waits for the event's latest recording so far. */
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags) {
    (void)flags;
    BEGIN_CALL();
    if (stream->capture)
        return finish(cudaErrorStreamCaptureUnsupported);
    std::shared_ptr<Recording> recording = event->recording;
    if (recording)
        cuda_host::enqueue(stream, [recording] { run_until(*recording->queue, recording->position); });
    return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t end) {
    BEGIN_CALL();
    if (!start->recording || !end->recording || start->recording->queue->done < start->recording->position ||
        end->recording->queue->done < end->recording->position)
        return finish(cudaErrorInvalidValue);
    *milliseconds = end->recording->time - start->recording->time;
    return cudaSuccess;
}

/* ---- memory -------------------------------------------------------------------------------------- */

void cuda_host_set_memory(size_t bytes) {
    Lock lock(state.lock);
    state.limit = bytes;
}

size_t cuda_host_memory_used(void) {
    Lock lock(state.lock);
    return state.used;
}

/* Whether a block of the context, or of any where that is NULL, holds all of [p, p + bytes). */
static bool is_inside(const Blocks &blocks, CUcontext context, const void *p, size_t bytes) {
    const char *at = static_cast<const char *>(p);
    auto behind = blocks.upper_bound(at);
    if (behind == blocks.begin())
        return false;
    auto block = std::prev(behind);
    return at + bytes <= block->first + block->second.bytes && (!context || block->second.context == context);
}

static void *allocate(Blocks *blocks, CUcontext context, size_t bytes) {
    void *memory = NULL;
    if (posix_memalign(&memory, 256, bytes) != 0)
        return NULL;
    memset(memory, 0xff, bytes);
    VALGRIND_MAKE_MEM_UNDEFINED(memory, bytes);
    (*blocks)[static_cast<char *>(memory)] = {bytes, context};
    return memory;
}

cudaError_t cudaMalloc(void **memory, size_t bytes) {
    BEGIN_CALL();
    if (is_capturing())
        return finish(cudaErrorStreamCaptureUnsupported);
    bool fits = bytes <= state.limit && state.used <= state.limit - bytes;
    *memory = fits ? allocate(&state.device, current(), bytes) : NULL;
    if (!*memory)
        return finish(cudaErrorMemoryAllocation);
    state.used += bytes;
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void **memory, size_t bytes) {
    BEGIN_CALL();
    *memory = allocate(&state.pinned, current(), bytes);
    return finish(*memory ? cudaSuccess : cudaErrorMemoryAllocation);
}

/* Waits for everything, as cudaFree does; of a lost device the host's memory comes back all the same. */
static cudaError_t release(const char *name, Blocks *blocks, void *memory, size_t *used) {
    cudaError_t status = cuda_host::begin_call(name);
    if (!memory)
        return status;
    if (status == cudaSuccess)
        run_everything();
    auto block = blocks->find(static_cast<char *>(memory));
    if (block == blocks->end())
        return finish(cudaErrorInvalidValue);
    if (used)
        *used -= block->second.bytes;
    blocks->erase(block);
    free(memory);
    return status;
}

cudaError_t cudaFree(void *memory) {
    Lock lock(state.lock);
    return release(__func__, &state.device, memory, &state.used);
}

cudaError_t cudaFreeHost(void *memory) {
    Lock lock(state.lock);
    return release(__func__, &state.pinned, memory, NULL);
}

/* Pageable memory is read at the call, and written before the call returns; all else waits for its turn. What comes down
 * must all have been written, whatever is done with it: compute-sanitizer's initcheck wants that. */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind, cudaStream_t stream) {
    BEGIN_CALL();
    bool to_device = kind != cudaMemcpyDeviceToHost, from_device = kind != cudaMemcpyHostToDevice;
    if ((to_device && !is_inside(state.device, current(), to, bytes)) ||
        (from_device && !is_inside(state.device, current(), from, bytes)))
        return finish(cudaErrorInvalidValue);
    if (!from_device && !is_inside(state.pinned, NULL, from, bytes)) {
        const char *start = static_cast<const char *>(from);
        std::vector<char> copy(start, start + bytes);
        cuda_host::enqueue(stream, [to, copy] { memcpy(to, copy.data(), copy.size()); });
        return cudaSuccess;
    }
    cuda_host::enqueue(stream, [to, from, bytes, to_device] {
        if (!to_device)
            (void)VALGRIND_CHECK_MEM_IS_DEFINED(from, bytes);
        memmove(to, from, bytes);
    });
    if (!to_device && !is_inside(state.pinned, NULL, to, bytes) && !stream->capture)
        run_until(*stream->queue, stream->queue->enqueued);
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream) {
    BEGIN_CALL();
    if (!is_inside(state.device, current(), to, bytes))
        return finish(cudaErrorInvalidValue);
    cuda_host::enqueue(stream, [to, value, bytes] { memset(to, value, bytes); });
    return cudaSuccess;
}

/* ---- contexts -------------------------------------------------------------------------------------- */

void *cuda_host_context_allocate(void *context, size_t bytes) {
    Lock lock(state.lock);
    return allocate(&state.given, static_cast<CUcontext>(context), bytes);
}

void cuda_host_context_free(void *memory) {
    Lock lock(state.lock);
    state.given.erase(static_cast<char *>(memory));
    free(memory);
}

static CUresult set_current(CUcontext context) {
    Lock lock(state.lock);
    if (cudaError_t status = cuda_host::begin_call("cuCtxSetCurrent"))
        return status;
    entered = context;
    return cudaSuccess;
}

static CUresult get_current(CUcontext *context) {
    Lock lock(state.lock);
    *context = current();
    return cuda_host::begin_call("cuCtxGetCurrent");
}

static CUresult get_device(CUdevice *device) {
    Lock lock(state.lock);
    *device = 0;
    return cuda_host::begin_call("cuCtxGetDevice");
}

/* Whether all rows are in the context's memory. */
static bool is_rows(CUdeviceptr start, CUcontext context, size_t pitch, size_t width, size_t height) {
    const void *from = reinterpret_cast<const void *>(start);
    size_t bytes = pitch * (height - 1) + width;
    return pitch >= width && height > 0 &&
           (is_inside(state.device, context, from, bytes) || is_inside(state.given, context, from, bytes));
}

static CUresult copy_3d_peer_async(const CUDA_MEMCPY3D_PEER *given, CUstream stream) {
    Lock lock(state.lock);
    if (cudaError_t status = cuda_host::begin_call("cuMemcpy3DPeerAsync"))
        return status;
    const CUDA_MEMCPY3D_PEER c = *given;
    if (c.Depth != 1 || !is_rows(c.srcDevice, c.srcContext, c.srcPitch, c.WidthInBytes, c.Height) ||
        !is_rows(c.dstDevice, c.dstContext, c.dstPitch, c.WidthInBytes, c.Height))
        return finish(cudaErrorInvalidValue);
    state.peer_copies++;
    cuda_host::enqueue(stream, [c] {
        for (size_t y = 0; y < c.Height; y++)
            memcpy(reinterpret_cast<char *>(c.dstDevice) + y * c.dstPitch,
                   reinterpret_cast<const char *>(c.srcDevice) + y * c.srcPitch, c.WidthInBytes);
    });
    return cudaSuccess;
}

cudaError_t cudaGetDriverEntryPointByVersion(const char *symbol, void **function, unsigned version,
                                             unsigned long long flags, enum cudaDriverEntryPointQueryResult *result) {
    (void)version;
    (void)flags;
    BEGIN_CALL();
    *function = NULL;
    if (strcmp(symbol, "cuCtxSetCurrent") == 0)
        *function = reinterpret_cast<void *>(set_current);
    else if (strcmp(symbol, "cuCtxGetCurrent") == 0)
        *function = reinterpret_cast<void *>(get_current);
    else if (strcmp(symbol, "cuCtxGetDevice") == 0)
        *function = reinterpret_cast<void *>(get_device);
    else if (strcmp(symbol, "cuMemcpy3DPeerAsync") == 0)
        *function = reinterpret_cast<void *>(copy_3d_peer_async);
    *result = *function ? cudaDriverEntryPointSuccess : cudaDriverEntryPointSymbolNotFound;
    return cudaSuccess;
}
