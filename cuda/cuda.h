/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the CUDA backend's files share: the backend's own state, errors, packed weights, device memory.
 *
 * All work goes into one stream, but for the copies of frames, which have one stream for each direction (frame.c). The
 * device keeps, at fixed addresses, what changes from run to run (the current tiles, seed and frame number: current.c),
 * so that a recorded CUDA graph (graph.c) serves every tile of every frame.
 *
 *   module.c      the entry point: driver, device, stream, libraries, op table
 *   error.c       every status of the CUDA runtime as a GError
 *   memory.c      device and pinned memory, uploads and downloads
 *   context.c     the context to work in; copies from and to the memory of others
 *   weights.c     the model's constants, packed once per backend
 *   current.c     current tiles, seed, frame number
 *   graph.c       recording and replaying
 *   dnn.c         cuDNN's graph API                 \
 *   libraries.c   handles of cuDNN and cuBLASLt      | the host build of tests/cuda-host has stand-ins for these
 *   gemm.c attention.c                              /
 *   conv.c        convolutions
 *   choose.c      the fastest engine, timed
 *   tune.c        choices kept from start to start
 *   norm.c pointwise.c resize.c tile.c noise.c frame.c colour.c   nodes to launches of kernels/
 */
#ifndef YONOS_CUDA_H
#define YONOS_CUDA_H

#include <cuda_runtime_api.h>

#include "backend/backend.h"
#include "kernels/kernels.h"

typedef struct _CudaLibraries CudaLibraries;
typedef struct _CudaCurrent CudaCurrent;
typedef struct _CudaTune CudaTune;
typedef struct _CudaContext CudaContext;

typedef struct {
    YonosBackend base;
    int device;        /* its number */
    int driver;        /* version, 13000 is 13.0 */
    char *label;       /* "NVIDIA H200 (device 0)"; NULL until it is known */
    cudaStream_t stream;
    cudaStream_t to_device, from_device; /* of frames */
    CudaLibraries *libraries;
    CudaCurrent *current;
    CudaTune *tune;
    CudaContext *context; /* context.c */
    GHashTable *weights;  /* weights.c */
    gsize weight_bytes;
    GHashTable *blocks;   /* memory.c: device memory -> bytes */
    gsize allocated;      /* their sum */
    gboolean recording;
} YonosCuda;

static inline YonosCuda *cuda_of(const YonosKernel *kernel) { return (YonosCuda *)kernel->backend; }

/* ---- errors (error.c) ----------------------------------------------------------------------------- */

/* TRUE for cudaSuccess; else *error says the call, the device, the reason and what to do. Clears the runtime's own
 * record of the error. MEMORY for out of memory, else DEVICE. */
gboolean cuda_check(const YonosCuda *cuda, cudaError_t status, const char *call, GError **error);
/* cuda_call(cuda, error, cudaFree, pointer): the call, checked. */
#define cuda_call(cuda, error, function, ...) cuda_check(cuda, function(__VA_ARGS__), #function, error)
/* The same for a launch of our own kernels, whose functions begin with yonos_cuda_ and return an int. */
#define cuda_launch(cuda, error, function, ...) cuda_check(cuda, (cudaError_t)function(__VA_ARGS__), #function, error)

/* ---- contexts (context.c) ------------------------------------------------------------------------- */

/* Finds the driver's functions and enters `given`, whose device the backend's then is; NULL: the primary context. */
gboolean cuda_context_open(YonosCuda *cuda, void *given, GError **error);
void cuda_context_free(YonosCuda *cuda);
/* Makes the backend's context the calling thread's. */
gboolean cuda_enter(const YonosCuda *cuda, GError **error);
/* Whether the caller's frame is in our context's memory, where kernels and streams reach it. */
gboolean cuda_is_ours(const YonosCuda *cuda, const YonosFrame *frame);
/* Copies rows between the caller's frame, which is in the memory of another context, and a picture of ours; both have
 * the format's planes. In `stream`'s order. */
gboolean cuda_copy_frame(YonosCuda *cuda, const YonosFrame *to, const YonosFrame *from, cudaStream_t stream,
                         GError **error);

/* ---- memory (memory.c) ---------------------------------------------------------------------------- */

void cuda_fill_memory(YonosBackend *backend);
void cuda_memory_free(YonosCuda *cuda);
/* Device memory, 256-byte aligned; at least one byte. Free with cuda_free(), which takes NULL. */
void *cuda_allocate(YonosCuda *cuda, gsize bytes, GError **error);
void cuda_free(YonosCuda *cuda, void *memory);
/* New device memory with a copy of `bytes` of host memory; synchronous. */
void *cuda_upload_new(YonosCuda *cuda, const void *from, gsize bytes, GError **error);

/* ---- weights (weights.c) -------------------------------------------------------------------------- */

GHashTable *cuda_weights_new(void);
void cuda_weights_free(YonosCuda *cuda);
/*
 * A constant of the model as (rows, taps, columns) of `dtype`: rows = dim[0] and columns = dim[1] (1 for a vector), taps
 * what follows, so a convolution's weight becomes (co,kh,kw,ci). Zeros fill up to `rows` and `columns` where these are
 * more; 0 leaves them. Packed once per backend, which owns it. NULL with `error` set (MEMORY, DEVICE).
 */
const void *cuda_weight(YonosCuda *cuda, const YonosConst *constant, YonosDType dtype, gint64 rows, gint64 columns,
                        GError **error);
/* A 3x3 convolution's weight of f16 or bf16 with `rows` output and `columns` input channels, zeros where the constant
 * has fewer, as yonos_cuda_conv3x3() takes it. */
const void *cuda_weight_own_conv(YonosCuda *cuda, const YonosConst *constant, YonosDType dtype, int rows, int columns,
                                 GError **error);
/* As f32 and as it is; *out = NULL where the constant is NULL. */
gboolean cuda_weight_f32(YonosCuda *cuda, const YonosConst *constant, const float **out, GError **error);
/* `count` zeros of any type. */
const void *cuda_zeros(YonosCuda *cuda, gsize count, GError **error);

/* ---- what changes from run to run (current.c) ------------------------------------------------------- */

CudaCurrent *cuda_current_new(YonosCuda *cuda, GError **error);
void cuda_current_free(YonosCuda *cuda);
/* Tells the device `run`'s tiles, seed and frame number, where it does not know them. Not while recording. */
gboolean cuda_follow(YonosCuda *cuda, const YonosRun *run, GError **error);
/* Device memory at addresses that stay; the tiles are those of the current batch. */
const YonosCudaTile *cuda_current_tiles(const YonosCuda *cuda);
const YonosCudaPerFrame *cuda_current_frame(const YonosCuda *cuda);

/* ---- recordings (graph.c) --------------------------------------------------------------------------- */

void cuda_fill_recording(YonosBackend *backend);

/* ---- libraries (libraries.c) ------------------------------------------------------------------------ */

CudaLibraries *cuda_libraries_new(const YonosCuda *cuda, GError **error);
void cuda_libraries_free(CudaLibraries *libraries);
/* Versions of cuDNN and cuBLASLt in words. */
const char *cuda_libraries_versions(const CudaLibraries *libraries);

/* ---- the table -------------------------------------------------------------------------------------- */

/* The backend's collect() (frame.c). */
gboolean cuda_collect(const YonosKernel *unpack, int slot, GError **error);

/* A tensor of a run, for kernels/. */
static inline YonosCudaTensor cuda_tensor(const YonosRun *run, const YonosTensor *tensor) {
    return (YonosCudaTensor){run->data[tensor->id], tensor->dtype, tensor->shape};
}

static inline gsize cuda_tensor_bytes(const YonosTensor *tensor) {
    return yonos_shape_count(tensor->shape) * yonos_dtype_size(tensor->dtype);
}

extern const YonosOp cuda_conv2d, cuda_linear, cuda_group_norm, cuda_layer_norm, cuda_attention, cuda_geglu, cuda_affine,
    cuda_concat, cuda_resize, cuda_window, cuda_fill, cuda_blend, cuda_noise, cuda_pack, cuda_unpack, cuda_adain,
    cuda_blur, cuda_motion, cuda_warp, cuda_stillness, cuda_keep;

#endif
