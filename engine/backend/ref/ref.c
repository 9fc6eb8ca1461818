/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The reference backend: plain C, sums in f32 or double, one thread. It specifies every
 * operation; read it to learn what a node means. Memory is the host's.
 */
#include "backend/ref/ref.h"

#include <stdlib.h>

#include "backend/host.h"

void yonos_ref_fill_ops(YonosOp op[YONOS_OP_COUNT]) {
    op[YONOS_OP_CONV2D] = ref_conv2d;
    op[YONOS_OP_LINEAR] = ref_linear;
    op[YONOS_OP_GROUP_NORM] = ref_group_norm;
    op[YONOS_OP_LAYER_NORM] = ref_layer_norm;
    op[YONOS_OP_ATTENTION] = ref_attention;
    op[YONOS_OP_GEGLU] = ref_geglu;
    op[YONOS_OP_AFFINE] = ref_affine;
    op[YONOS_OP_CONCAT] = ref_concat;
    op[YONOS_OP_RESIZE] = ref_resize;
    op[YONOS_OP_WINDOW] = ref_window;
    op[YONOS_OP_FILL] = ref_fill;
    op[YONOS_OP_BLEND] = ref_blend;
    op[YONOS_OP_NOISE] = ref_noise;
    op[YONOS_OP_PACK] = ref_pack;
    op[YONOS_OP_UNPACK] = ref_unpack;
    op[YONOS_OP_ADAIN] = ref_adain;
    op[YONOS_OP_BLUR] = ref_blur;
    op[YONOS_OP_MOTION] = ref_motion;
    op[YONOS_OP_WARP] = ref_warp;
    op[YONOS_OP_STILLNESS] = ref_stillness;
    op[YONOS_OP_KEEP] = ref_keep;
}

static gsize no_weight_bytes(YonosBackend *backend) {
    (void)backend;
    return 0;
}

static void destroy(YonosBackend *backend) { g_free(backend); }

YonosBackend *yonos_backend_ref_new(YonosPrecision precision, GError **error) {
    (void)error;
    static const YonosDType dtypes[] = {YONOS_DTYPE_F32, YONOS_DTYPE_F32, YONOS_DTYPE_BF16, YONOS_DTYPE_F16};
    YonosBackend *backend = g_new0(YonosBackend, 1);
    backend->name = "ref";
    backend->device = "reference implementation on the CPU";
    backend->threads = 1;
    backend->dtype = dtypes[precision];
    yonos_ref_fill_ops(backend->op);
    yonos_host_fill_memory(backend);
    backend->weight_bytes = no_weight_bytes;
    backend->destroy = destroy;
    return backend;
}
