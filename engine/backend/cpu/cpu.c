/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The CPU backend: oneDNN convolutions and products, own loops with OpenMP for the rest.
 *
 * It starts from ref's table and replaces entries; a replacement may still hand a kernel back to ref
 * when oneDNN has nothing fast for its shape.
 */
#include "backend/cpu/cpu.h"

#include <omp.h>
#include <stdlib.h>

#include "backend/host.h"

void cpu_use_threads(const YonosKernel *kernel) { omp_set_num_threads(kernel->backend->threads); }

gboolean cpu_fall_back(YonosKernel *kernel, GError **error) {
    kernel->op = &cpu_of(kernel)->fallback[kernel->node->op];
    kernel->implementation = "ref";
    return !kernel->op->prepare || kernel->op->prepare(kernel, error);
}

typedef struct {
    const YonosConst *source;
    int variant;
    YonosConst constant;
} Derived;

static void derived_free(gpointer data) {
    Derived *derived = data;
    g_free((void *)derived->constant.data);
    g_free(derived);
}

const YonosConst *cpu_derived(const YonosKernel *kernel, const YonosConst *source, int variant, const gint64 dim[4],
                              float *(*make)(const YonosConst *source, int variant)) {
    GPtrArray *all = cpu_of(kernel)->derived;
    for (guint i = 0; i < all->len; i++) {
        Derived *d = g_ptr_array_index(all, i);
        if (d->source == source && d->variant == variant)
            return &d->constant;
    }
    Derived *d = g_new0(Derived, 1);
    d->source = source;
    d->variant = variant;
    d->constant = (YonosConst){.name = source->name, .dtype = YONOS_DTYPE_F32, .rank = 4, .data = make(source, variant)};
    memcpy(d->constant.dim, dim, 4 * sizeof *dim);
    g_ptr_array_add(all, d);
    return &d->constant;
}

const void *cpu_packed(const YonosKernel *kernel, const YonosConst *source, gsize bytes,
                       void (*pack)(const YonosConst *source, gconstpointer user_data, void *to), gconstpointer user_data,
                       GError **error) {
    YonosCpu *cpu = cpu_of(kernel);
    void *packed = g_hash_table_lookup(cpu->packed, source);
    if (packed)
        return packed;
    if (posix_memalign(&packed, 64, bytes) != 0) {
        yonos_fail(error, YONOS_ERROR_MEMORY, "out of memory for the packed copy of %s", source->name);
        return NULL;
    }
    pack(source, user_data, packed);
    g_hash_table_insert(cpu->packed, (gpointer)source, packed);
    cpu->packed_bytes += bytes;
    return packed;
}

static gboolean has_bf16(void) {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512bf16") != 0;
#else
    return FALSE;
#endif
}

static gboolean choose_dtype(YonosPrecision precision, YonosDType *dtype, GError **error) {
    *dtype = YONOS_DTYPE_F32;
    switch (precision) {
    case YONOS_PRECISION_AUTO:
        *dtype = has_bf16() ? YONOS_DTYPE_BF16 : YONOS_DTYPE_F32;
        return TRUE;
    case YONOS_PRECISION_F32:
        return TRUE;
    case YONOS_PRECISION_BF16:
        *dtype = YONOS_DTYPE_BF16;
        return has_bf16() || yonos_fail(error, YONOS_ERROR_ARGUMENT,
                                        "option precision is bf16, but this CPU has no AVX512-BF16; use auto or f32");
    case YONOS_PRECISION_F16:
        break;
    }
    return yonos_fail(error, YONOS_ERROR_ARGUMENT,
                      "option precision is f16, which the CPU backend does not compute in; use auto, f32 or bf16");
}

static gsize weight_bytes(YonosBackend *backend) {
    const YonosCpu *cpu = (YonosCpu *)backend;
    return yonos_dnnl_weight_bytes(cpu->dnnl) + cpu->packed_bytes;
}

static void destroy(YonosBackend *backend) {
    YonosCpu *cpu = (YonosCpu *)backend;
    yonos_dnnl_free(cpu->dnnl);
    g_ptr_array_unref(cpu->derived);
    g_hash_table_unref(cpu->packed);
    g_free((char *)cpu->base.device);
    g_free(cpu);
}

static void fill_ops(YonosOp op[YONOS_OP_COUNT]) {
    op[YONOS_OP_CONV2D] = cpu_conv2d;
    op[YONOS_OP_LINEAR] = cpu_linear;
    op[YONOS_OP_GROUP_NORM] = cpu_group_norm;
    op[YONOS_OP_LAYER_NORM] = cpu_layer_norm;
    op[YONOS_OP_ATTENTION] = cpu_attention;
    op[YONOS_OP_GEGLU] = cpu_geglu;
    op[YONOS_OP_AFFINE] = cpu_affine;
    op[YONOS_OP_CONCAT] = cpu_concat;
    op[YONOS_OP_RESIZE] = cpu_resize;
    op[YONOS_OP_WINDOW] = cpu_window;
    op[YONOS_OP_FILL] = cpu_fill;
    op[YONOS_OP_BLEND] = cpu_blend;
    op[YONOS_OP_NOISE] = cpu_noise;
    op[YONOS_OP_PACK] = cpu_pack;
    op[YONOS_OP_UNPACK] = cpu_unpack;
    op[YONOS_OP_ADAIN] = cpu_adain;
    op[YONOS_OP_BLUR] = cpu_blur;
    op[YONOS_OP_MOTION] = cpu_motion;
    op[YONOS_OP_WARP] = cpu_warp;
    op[YONOS_OP_STILLNESS] = cpu_stillness;
    op[YONOS_OP_KEEP] = cpu_keep;
}

YonosBackend *yonos_backend_cpu_new(YonosPrecision precision, int threads, GError **error) {
    YonosDType dtype;
    if (!choose_dtype(precision, &dtype, error))
        return NULL;
    YonosDnnl *dnnl = yonos_dnnl_new(error);
    if (!dnnl)
        return NULL;
    YonosCpu *cpu = g_new0(YonosCpu, 1);
    YonosBackend *backend = &cpu->base;
    cpu->dnnl = dnnl;
    cpu->derived = g_ptr_array_new_with_free_func(derived_free);
    cpu->packed = g_hash_table_new_full(NULL, NULL, NULL, free);
    backend->name = "cpu";
    backend->threads = threads > 0 ? threads : (int)g_get_num_processors();
    backend->device = g_strdup_printf("CPU, %d thread%s", backend->threads, backend->threads == 1 ? "" : "s");
    backend->dtype = dtype;
    backend->parallel_runs = TRUE; /* a run touches its plan's memory and primitives; oneDNN's CPU streams hold nothing */
    yonos_ref_fill_ops(cpu->fallback);
    fill_ops(backend->op);
    yonos_host_fill_memory(backend);
    backend->weight_bytes = weight_bytes;
    backend->destroy = destroy;
    return backend;
}
