/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The module's entry point, and the backend from its parts; see cuda.h.
 *
 * Every node's functions are called through one wrapper, which makes the context the calling thread's, brings tiles and
 * seed up to date, and frees what a failed prepare left.
 */
#include "conv.h"
#include "cuda.h"
#include "tune.h"

extern YONOS_API YonosBackend *yonos_cuda_open(int abi, YonosPrecision precision, int device, void *context,
                                               GError **error);

enum {
    MIN_CAPABILITY = 80, /* the oldest architecture that the kernels are built for */
    TILE_BATCH = 8,
    CHOICES = 2, /* one more whenever there is more to choose from, or it is timed otherwise */
};

static const YonosOp *const ops[YONOS_OP_COUNT] = {
    [YONOS_OP_CONV2D] = &cuda_conv2d,
    [YONOS_OP_LINEAR] = &cuda_linear,
    [YONOS_OP_GROUP_NORM] = &cuda_group_norm,
    [YONOS_OP_LAYER_NORM] = &cuda_layer_norm,
    [YONOS_OP_ATTENTION] = &cuda_attention,
    [YONOS_OP_GEGLU] = &cuda_geglu,
    [YONOS_OP_AFFINE] = &cuda_affine,
    [YONOS_OP_CONCAT] = &cuda_concat,
    [YONOS_OP_RESIZE] = &cuda_resize,
    [YONOS_OP_WINDOW] = &cuda_window,
    [YONOS_OP_FILL] = &cuda_fill,
    [YONOS_OP_BLEND] = &cuda_blend,
    [YONOS_OP_NOISE] = &cuda_noise,
    [YONOS_OP_PACK] = &cuda_pack,
    [YONOS_OP_UNPACK] = &cuda_unpack,
    [YONOS_OP_ADAIN] = &cuda_adain,
    [YONOS_OP_BLUR] = &cuda_blur,
    [YONOS_OP_MOTION] = &cuda_motion,
    [YONOS_OP_WARP] = &cuda_warp,
    [YONOS_OP_STILLNESS] = &cuda_stillness,
    [YONOS_OP_KEEP] = &cuda_keep,
};

/* ---- nodes -------------------------------------------------------------------------------------------- */

static void release_node(YonosKernel *kernel) {
    const YonosOp *op = ops[kernel->node->op];
    cuda_enter(cuda_of(kernel), NULL);
    if (op->release)
        op->release(kernel);
    kernel->data = NULL;
}

static gboolean prepare_node(YonosKernel *kernel, GError **error) {
    const YonosOp *op = ops[kernel->node->op];
    kernel->implementation = "own kernel";
    if (cuda_enter(cuda_of(kernel), error) && (!op->prepare || op->prepare(kernel, error)))
        return TRUE;
    release_node(kernel);
    return FALSE;
}

static gboolean run_node(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    YonosCuda *cuda = cuda_of(kernel);
    if (cuda_enter(cuda, error) && (cuda->recording || cuda_follow(cuda, run, error)) &&
        ops[kernel->node->op]->run(kernel, run, error))
        return TRUE;
    g_prefix_error(error, "%s: ", yonos_op_name(kernel->node->op));
    return FALSE;
}

/* ---- the device --------------------------------------------------------------------------------------- */

static gboolean refuse(GError **error, const char *reason) {
    return yonos_fail(error, YONOS_ERROR_DEVICE, "backend cuda: %s, or use cpu or auto", reason);
}

static gboolean check_driver(YonosCuda *cuda, GError **error) {
    int runtime = 0;
    if (!cuda_call(cuda, error, cudaDriverGetVersion, &cuda->driver) || /* 0 where there is none */
        !cuda_call(cuda, error, cudaRuntimeGetVersion, &runtime))
        return FALSE;
    if (cuda->driver == 0)
        return refuse(error, "there is no NVIDIA driver (no libcuda.so.1); install it");
    if (cuda->driver / 1000 >= runtime / 1000)
        return TRUE;
    g_autofree char *reason =
        g_strdup_printf("the NVIDIA driver is for CUDA %d.%d, but CUDA %d.0 is needed; install a newer driver",
                        cuda->driver / 1000, cuda->driver % 1000 / 10, runtime / 1000);
    return refuse(error, reason);
}

static gboolean check_device(const YonosCuda *cuda, GError **error) {
    int count = 0;
    cudaError_t status = cudaGetDeviceCount(&count);
    if (status == cudaErrorNoDevice || (status == cudaSuccess && count == 0)) {
        cudaGetLastError();
        return refuse(error, "there is a driver but no device; look at nvidia-smi and CUDA_VISIBLE_DEVICES");
    }
    if (!cuda_check(cuda, status, "cudaGetDeviceCount", error))
        return FALSE;
    if (cuda->device < count)
        return TRUE;
    return yonos_fail(error, YONOS_ERROR_ARGUMENT, "backend cuda: there is no device %d; the last one is cuda:%d",
                      cuda->device, count - 1);
}

static gboolean open_streams(YonosCuda *cuda, GError **error) {
    return cuda_call(cuda, error, cudaStreamCreateWithFlags, &cuda->stream, cudaStreamNonBlocking) &&
           cuda_call(cuda, error, cudaStreamCreateWithFlags, &cuda->to_device, cudaStreamNonBlocking) &&
           cuda_call(cuda, error, cudaStreamCreateWithFlags, &cuda->from_device, cudaStreamNonBlocking);
}

static gboolean open_device(YonosCuda *cuda, void *context, GError **error) {
    struct cudaDeviceProp properties;
    if (!check_driver(cuda, error) || !check_device(cuda, error) || !cuda_context_open(cuda, context, error) ||
        !cuda_call(cuda, error, cudaGetDeviceProperties, &properties, cuda->device))
        return FALSE;
    cuda->label = g_strdup_printf("%s (device %d)", properties.name, cuda->device);
    cuda->base.device = cuda->label;
    if (properties.major * 10 + properties.minor >= MIN_CAPABILITY)
        return open_streams(cuda, error);
    g_autofree char *reason =
        g_strdup_printf("%s has compute capability %d.%d, but %d.%d is needed; use a newer one (cuda:N)", cuda->label,
                        properties.major, properties.minor, MIN_CAPABILITY / 10, MIN_CAPABILITY % 10);
    return refuse(error, reason);
}

/* ---- opening and closing ------------------------------------------------------------------------------ */

static YonosDType dtype_of(YonosPrecision precision) {
    switch (precision) {
    case YONOS_PRECISION_F32:
        return YONOS_DTYPE_F32;
    case YONOS_PRECISION_F16:
        return YONOS_DTYPE_F16;
    default:
        return YONOS_DTYPE_BF16; /* as fast as f16, and no autoencoder overflows in it */
    }
}

static gboolean open_parts(YonosCuda *cuda, GError **error) {
    cuda->weights = cuda_weights_new();
    cuda->libraries = cuda_libraries_new(cuda, error);
    if (!cuda->libraries || !cuda_current_new(cuda, error))
        return FALSE;
    const char *convolutions = g_getenv(YONOS_CUDA_CONV); /* other choices */
    g_autofree char *circumstances =
        g_strdup_printf("%s, driver %d, %s, choices %d%s%s", cuda->label, cuda->driver,
                        cuda_libraries_versions(cuda->libraries), CHOICES, convolutions ? ", convolutions " : "",
                        convolutions ? convolutions : "");
    cuda->tune = cuda_tune_new(circumstances);
    g_info("backend cuda: %s", circumstances);
    return TRUE;
}

static gsize weight_bytes(YonosBackend *backend) { return ((YonosCuda *)backend)->weight_bytes; }

static void destroy(YonosBackend *backend) {
    YonosCuda *cuda = (YonosCuda *)backend;
    cudaStream_t streams[] = {cuda->to_device, cuda->stream, cuda->from_device};
    if (cuda->context)
        cuda_enter(cuda, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(streams); i++)
        if (streams[i])
            cudaStreamSynchronize(streams[i]);
    cuda_tune_free(cuda->tune);
    cuda_current_free(cuda);
    cuda_weights_free(cuda);
    cuda_memory_free(cuda);
    cuda_libraries_free(cuda->libraries);
    for (gsize i = 0; i < G_N_ELEMENTS(streams); i++)
        if (streams[i])
            cudaStreamDestroy(streams[i]);
    cuda_context_free(cuda);
    g_free(cuda->label);
    g_free(cuda);
}

YonosBackend *yonos_cuda_open(int abi, YonosPrecision precision, int device, void *context, GError **error) {
    if (abi != YONOS_BACKEND_ABI) {
        refuse(error, "the CUDA module was built for another version of this library; install the one that belongs to it");
        return NULL;
    }
    YonosCuda *cuda = g_new0(YonosCuda, 1);
    YonosBackend *backend = &cuda->base;
    backend->name = "cuda";
    backend->threads = 1;
    backend->tile_batch = TILE_BATCH;
    backend->asynchronous = backend->device_frames = TRUE;
    backend->dtype = dtype_of(precision);
    for (int i = 0; i < YONOS_OP_COUNT; i++)
        backend->op[i] = (YonosOp){prepare_node, run_node, release_node};
    backend->weight_bytes = weight_bytes;
    backend->destroy = destroy;
    cuda_fill_memory(backend);
    cuda_fill_recording(backend);
    cuda->device = device;
    if (open_device(cuda, context, error) && open_parts(cuda, error))
        return backend;
    destroy(backend);
    return NULL;
}
