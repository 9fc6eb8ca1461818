/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fibers; see fiber.h.
 */
#include "fiber.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifdef WITH_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace cuda_host {

enum : size_t { STACK_BYTES = 256 * 1024 }; /* address space; pages are taken as they are touched */

#if defined(__x86_64__)
typedef void *Context;

/* Saves the callee-saved registers on the stack, its pointer in *save, and takes up the stack at `load`. */
extern "C" void cuda_host_switch(Context *save, Context load);
asm(".text\n"
    ".local cuda_host_switch\n"
    ".type cuda_host_switch, @function\n"
    "cuda_host_switch:\n"
    "    pushq %rbp\n    pushq %rbx\n    pushq %r12\n    pushq %r13\n    pushq %r14\n    pushq %r15\n"
    "    movq %rsp, (%rdi)\n"
    "    movq %rsi, %rsp\n"
    "    popq %r15\n    popq %r14\n    popq %r13\n    popq %r12\n    popq %rbx\n    popq %rbp\n"
    "    ret\n"
    ".size cuda_host_switch, . - cuda_host_switch\n");

static void switch_context(Context *save, Context *load) { cuda_host_switch(save, *load); }
#else
typedef ucontext_t Context;

static void switch_context(Context *save, Context *load) { swapcontext(save, load); }
#endif

struct Fiber {
    Context own, resumer;
    void (*entry)(void *);
    void *argument;
    char *stack;
    const void *resumer_stack; /* for AddressSanitizer */
    size_t resumer_bytes;
};

static Fiber *starting; /* the fiber whose first resume is under way */

/* A switch, announced to AddressSanitizer: `stack` and `bytes` are where it goes to. */
static void announced_switch(Context *save, Context *load, const void *stack, size_t bytes) {
#ifdef WITH_ASAN
    void *fake_stack = NULL;
    __sanitizer_start_switch_fiber(&fake_stack, stack, bytes);
    switch_context(save, load);
    __sanitizer_finish_switch_fiber(fake_stack, NULL, NULL);
#else
    (void)stack;
    (void)bytes;
    switch_context(save, load);
#endif
}

static void first_entry() {
    Fiber *self = starting;
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(NULL, &self->resumer_stack, &self->resumer_bytes);
#endif
    self->entry(self->argument);
    abort();
}

#if defined(__x86_64__)
/* The stack as if the fiber had been switched away from just before first_entry(). */
static void prepare(Fiber *fiber) {
    void **top = reinterpret_cast<void **>(fiber->stack + STACK_BYTES);
    *--top = NULL; /* in place of a return address */
    *--top = reinterpret_cast<void *>(first_entry);
    for (int i = 0; i < 6; i++)
        *--top = NULL;
    fiber->own = top;
}
#else
static void prepare(Fiber *fiber) {
    getcontext(&fiber->own);
    fiber->own.uc_stack.ss_sp = fiber->stack;
    fiber->own.uc_stack.ss_size = STACK_BYTES;
    fiber->own.uc_link = NULL;
    makecontext(&fiber->own, first_entry, 0);
}
#endif

Fiber *fiber_new(void (*entry)(void *), void *argument) {
    Fiber *fiber = new Fiber();
    fiber->entry = entry;
    fiber->argument = argument;
    void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED)
        abort();
    fiber->stack = static_cast<char *>(stack);
    prepare(fiber);
    return fiber;
}

void fiber_resume(Fiber *fiber) {
    starting = fiber;
    announced_switch(&fiber->resumer, &fiber->own, fiber->stack, STACK_BYTES);
}

void fiber_suspend(Fiber *self) {
    announced_switch(&self->own, &self->resumer, self->resumer_stack, self->resumer_bytes);
}

} // namespace cuda_host
