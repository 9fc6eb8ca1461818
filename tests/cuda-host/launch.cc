/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Launches on the host; see include/cuda_runtime.h.
 *
 * A fiber runs thread after thread of the block for as long as they end without waiting; one that waits keeps its
 * fiber, and another fiber goes on with the threads that have not started. So kernels without barriers never switch.
 *
 * What a device would punish with a hang or a fault stops the program with a message here: a barrier or a shuffle
 * that some threads never reach, misaligned vector accesses, launches beyond a device's limits.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <deque>


#include "cuda_runtime.h"
#include "fiber.h"
#include "host.h"
#include "runtime.h"
#include "tensor_core_host.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace cuda_host {

static const unsigned WARP_LANES = 32, MAX_THREADS = 1024, MAX_GRID_YZ = 65535, MAX_SHARED = 48 * 1024;

/* A meeting of the lanes of a warp, in two places by turns, so that the values of one outlive the next's start. */
struct Warp {
    unsigned arrived, mask;
    unsigned meeting; /* how many are over */
    uint64_t values[2][WARP_LANES];
};

/* An asynchronous copy of 16 bytes, or of zeros; group: how many of the thread's groups had ended when it began. */
struct Copy {
    void *to;
    const void *from;
    bool read;
    unsigned group;
};

struct Thread {
    Fiber *fiber;              /* NULL: not started, or done */
    const unsigned *awaited;   /* goes on when *awaited is no longer `seen` */
    unsigned seen;
    bool done;
    unsigned groups;           /* of copies, ended */
    std::deque<Copy> copies;   /* not done yet */
};

static struct {
    const std::function<void()> *body;
    unsigned threads, started, current;
    bool reversed;
    unsigned arrived, barrier; /* at the block's barrier; how many barriers are over */
    Thread thread[MAX_THREADS];
    Warp warp[MAX_THREADS / WARP_LANES];
    void *shared;
    Fiber *idle[MAX_THREADS];
    unsigned idle_count;
} block;

[[noreturn]] static void stop(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "cuda-host: block (%u %u %u), thread %u: ", blockIdx.x, blockIdx.y, blockIdx.z, block.current);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    abort();
}

static void become(unsigned thread) {
    block.current = thread;
    threadIdx = {thread % blockDim.x, thread / blockDim.x % blockDim.y, thread / blockDim.x / blockDim.y};
}

/* The order in which threads start and go on. */
static unsigned nth(unsigned i) { return block.reversed ? block.threads - 1 - i : i; }

/* A fiber's life: threads, one after the other, for as long as there are any; then idle until the next block. */
static void run_threads(void *argument) {
    Fiber *self = *static_cast<Fiber **>(argument);
    for (;;) {
        while (block.started < block.threads) {
            become(nth(block.started++));
            block.thread[block.current].fiber = self;
            (*block.body)();
            block.thread[block.current].fiber = NULL;
            block.thread[block.current].done = true;
        }
        block.idle[block.idle_count++] = self;
        fiber_suspend(self);
    }
}

static Fiber *take_fiber() {
    if (block.idle_count > 0)
        return block.idle[--block.idle_count];
    Fiber **self = new Fiber *; /* lives as long as the process, like its fiber */
    *self = fiber_new(run_threads, self);
    return *self;
}

/* Lets the others run until *counter has changed. */
static void wait_for(const unsigned *counter, unsigned seen) {
    unsigned thread = block.current;
    block.thread[thread].awaited = counter;
    block.thread[thread].seen = seen;
    fiber_suspend(block.thread[thread].fiber);
    block.thread[thread].awaited = NULL;
}

static bool can_go_on(const Thread &thread) { return thread.awaited && *thread.awaited != thread.seen; }

static void run_block() {
    block.started = block.arrived = block.barrier = 0;
    for (unsigned i = 0; i < block.threads; i++)
        block.thread[i] = {};
    for (Warp &warp : block.warp)
        warp.arrived = warp.meeting = 0;
    for (bool moved = true; moved;) {
        moved = false;
        while (block.started < block.threads) {
            fiber_resume(take_fiber());
            moved = true;
        }
        for (unsigned i = 0; i < block.threads; i++) {
            unsigned thread = nth(i);
            if (!can_go_on(block.thread[thread]))
                continue;
            become(thread);
            fiber_resume(block.thread[thread].fiber);
            moved = true;
        }
    }
    for (unsigned i = 0; i < block.threads; i++)
        if (!block.thread[i].done) {
            become(i);
            stop("waits for ever at a barrier or shuffle that other threads have left out");
        }
}

/* Under the runtime's lock. */
static void run_grid(dim3 grid, dim3 threads, size_t shared_bytes, const std::function<void()> &body) {
    block.body = &body;
    block.threads = threads.x * threads.y * threads.z;
    gridDim = grid;
    blockDim = threads;
    block.shared = malloc(shared_bytes);
    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
            for (unsigned x = 0; x < grid.x; x++) {
                blockIdx = {x, y, z};
                if (shared_bytes > 0) {
                    memset(block.shared, 0xff, shared_bytes);
                    VALGRIND_MAKE_MEM_UNDEFINED(block.shared, shared_bytes);
                }
                run_block();
            }
    free(block.shared);
}

int launch(dim3 grid, dim3 threads, size_t shared_bytes, cudaStream_t stream, std::function<void()> body) {
    size_t count = static_cast<size_t>(threads.x) * threads.y * threads.z;
    if (cudaError_t status = begin_call("cudaLaunchKernel"))
        return status;
    if (count == 0 || count > MAX_THREADS || grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7fffffffu ||
        grid.y > MAX_GRID_YZ || grid.z > MAX_GRID_YZ || shared_bytes > MAX_SHARED)
        return cudaErrorInvalidConfiguration;
    enqueue(stream, [grid, threads, shared_bytes, body] { run_grid(grid, threads, shared_bytes, body); });
    return cudaSuccess;
}

void *shared_memory() { return block.shared; }

void check_aligned(const void *p, size_t bytes) {
    if (reinterpret_cast<uintptr_t>(p) % bytes != 0)
        stop("access of %zu bytes at %p, which is not aligned", bytes, p);
}

void synchronise_block() {
    if (++block.arrived == block.threads) {
        block.arrived = 0;
        block.barrier++;
    } else {
        wait_for(&block.barrier, block.barrier);
    }
}

unsigned lane() { return block.current % WARP_LANES; }

unsigned lanes_of_warp() {
    unsigned first = block.current - lane(), left = block.threads - first;
    return left < WARP_LANES ? left : WARP_LANES;
}

const uint64_t *exchange(unsigned mask, uint64_t value) {
    Warp &warp = block.warp[block.current / WARP_LANES];
    unsigned lanes = lanes_of_warp(), self = lane();
    unsigned expected = lanes == WARP_LANES ? mask : mask & ((1u << lanes) - 1);
    if (!(expected >> self & 1))
        stop("lane %u is not in its own mask %08x", self, mask);
    if (warp.arrived && warp.mask != mask)
        stop("lanes of one warp meet with masks %08x and %08x", warp.mask, mask);
    warp.mask = mask;
    uint64_t *values = warp.values[warp.meeting % 2];
    values[self] = value;
    warp.arrived |= 1u << self;
    if (warp.arrived == expected) {
        warp.arrived = 0;
        warp.meeting++;
    } else {
        wait_for(&warp.meeting, warp.meeting);
    }
    return values;
}

void start_copy(void *to, const void *from, bool read) {
    check_aligned(to, 16);
    check_aligned(from, 16);
    Thread &thread = block.thread[block.current];
    thread.copies.push_back({to, from, read, thread.groups});
}

void end_group() { block.thread[block.current].groups++; }

void wait_for_groups(unsigned but_latest) {
    Thread &thread = block.thread[block.current];
    for (; !thread.copies.empty() && thread.copies.front().group + but_latest < thread.groups; thread.copies.pop_front()) {
        const Copy &copy = thread.copies.front();
        if (copy.read)
            memcpy(copy.to, copy.from, 16);
        else
            memset(copy.to, 0, 16);
    }
}

} // namespace cuda_host

void cuda_host_set_reversed(int reversed) { cuda_host::block.reversed = reversed != 0; }
