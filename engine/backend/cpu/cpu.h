/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the CPU backend's files share: the backend's own state and threads.
 *
 * Work is cut into blocks whose borders do not depend on the number of threads, so the bits do not either.
 */
#ifndef YONOS_CPU_H
#define YONOS_CPU_H

#include "backend/backend.h"
#include "backend/cpu/onednn.h"

typedef struct {
    YonosBackend base;
    YonosDnnl *dnnl;
    YonosOp fallback[YONOS_OP_COUNT]; /* ref's table */
    GPtrArray *derived;               /* constants made from the model's, one for each (source, variant) */
    GHashTable *packed;               /* a weight's constant -> its copy in a kernel's own layout */
    gsize packed_bytes;
} YonosCpu;

static inline YonosCpu *cpu_of(const YonosKernel *kernel) { return (YonosCpu *)kernel->backend; }

/* OpenMP's thread count is the calling thread's own variable, and frames may come from any thread. */
void cpu_use_threads(const YonosKernel *kernel);

/* Hands a kernel to the reference implementation. */
gboolean cpu_fall_back(YonosKernel *kernel, GError **error);

/*
 * A constant (f32, dim[4]) computed from `source` by `make` (which returns g_malloc'ed values), once per backend;
 * `variant` tells several of one source apart. Owned by the backend.
 */
const YonosConst *cpu_derived(const YonosKernel *kernel, const YonosConst *source, int variant, const gint64 dim[4],
                              float *(*make)(const YonosConst *source, int variant));

/*
 * `bytes` of 64-byte aligned memory that `pack` filled from `source`, once per backend; a source has one such layout.
 * Owned by the backend. Errors: MEMORY.
 */
const void *cpu_packed(const YonosKernel *kernel, const YonosConst *source, gsize bytes,
                       void (*pack)(const YonosConst *source, gconstpointer user_data, void *to), gconstpointer user_data,
                       GError **error);

/* TRUE where the CPU multiplies pairs of bf16 (AVX512-BF16) and YONOS_CPU_ISA does not ask for less. */
gboolean cpu_has_bf16_pairs(void);

extern const YonosOp cpu_conv2d, cpu_linear, cpu_group_norm, cpu_layer_norm, cpu_attention, cpu_geglu, cpu_affine,
    cpu_concat, cpu_resize, cpu_window, cpu_fill, cpu_blend, cpu_noise, cpu_pack, cpu_unpack, cpu_adain, cpu_blur,
    cpu_motion, cpu_warp, cpu_stillness, cpu_keep;

#endif
