/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Chooses the compiled set of inner loops for this CPU; see loops.h.
 */
#include "backend/cpu/cpu.h"
#include "backend/cpu/loops.h"
#include "backend/cpu/norm_bf16.h"

#if defined(__x86_64__)
/* AVX512's loops, with those that have intrinsics for bf16. */
static gpointer loops_with_bf16(void) {
    static CpuLoops loops;
    loops = cpu_loops_avx512;
    loops.name = "avx512_bf16";
    loops.normalise = cpu_normalise_bf16;
    return &loops;
}
#endif

static gpointer choose(gpointer unused) {
    (void)unused;
    const char *wanted = g_getenv("YONOS_CPU_ISA");
#if defined(__x86_64__)
    gboolean any = !wanted || !*wanted;
    if (cpu_has_bf16_pairs())
        return loops_with_bf16();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && (any || strcmp(wanted, "avx512") == 0))
        return (gpointer)&cpu_loops_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && (any || strcmp(wanted, "baseline") != 0))
        return (gpointer)&cpu_loops_avx2;
#else
    (void)wanted;
#endif
    return (gpointer)&cpu_loops_baseline;
}

const CpuLoops *cpu_loops(void) {
    static GOnce once = G_ONCE_INIT;
    return g_once(&once, choose, NULL);
}

gboolean cpu_has_bf16_pairs(void) {
#if defined(__x86_64__)
    const char *wanted = g_getenv("YONOS_CPU_ISA");
    return __builtin_cpu_supports("avx512bf16") && (!wanted || !*wanted);
#else
    return FALSE;
#endif
}
