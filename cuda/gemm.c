/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LINEAR by cuBLASLt: y (pixels, co) = act(x (pixels, ci) W^T + bias + residual). cuBLASLt's matrices are column-major, in
 * which x and y read as (ci, pixels) and (co, pixels), and W (co, ci) as its transpose: y = W^T' x. The bias and ReLU
 * are its epilogue, the residual is its C with beta = 1. Channels that are no multiple of 8 go to a 1x1 convolution,
 * which pads them.
 */
#include "conv.h"
#include "libraries.h"
#include "plan-node.h"
#include "tune.h"

enum { CANDIDATES = 8, ARENA_ALIGNMENT = 64 };
static const gsize max_workspace = (gsize)32 << 20;

typedef struct {
    CudaConv *conv; /* the 1x1 convolution that runs it instead, or NULL */
    cublasLtMatmulDesc_t product;
    cublasLtMatrixLayout_t weight_layout, x_layout, y_layout;
    cublasLtMatmulAlgo_t algorithm;
    gsize workspace;
    const void *weight, *bias;
    YonosActivation activation; /* left for the epilogue kernel */
    int pixels, ci, co;
    YonosDType dtype;
} Gemm;

#define blas_call(cuda, error, function, ...) cuda_blas_check(cuda, function(__VA_ARGS__), #function, error)

static cudaDataType_t data_type(YonosDType dtype) {
    return dtype == YONOS_DTYPE_F32 ? CUDA_R_32F : dtype == YONOS_DTYPE_F16 ? CUDA_R_16F : CUDA_R_16BF;
}

/* ---- descriptors ------------------------------------------------------------------------------------------ */

static gboolean set(const YonosCuda *cuda, Gemm *gemm, cublasLtMatmulDescAttributes_t attribute, const void *value,
                    gsize bytes, GError **error) {
    return blas_call(cuda, error, cublasLtMatmulDescSetAttribute, gemm->product, attribute, value, bytes);
}

static gboolean set_epilogue(const YonosCuda *cuda, Gemm *gemm, gboolean relu, GError **error) {
    cublasLtEpilogue_t epilogue = relu ? (gemm->bias ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU)
                                       : (gemm->bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT);
    cudaDataType_t type = data_type(gemm->dtype);
    return set(cuda, gemm, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue, error) &&
           (!gemm->bias ||
            (set(cuda, gemm, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &gemm->bias, sizeof gemm->bias, error) &&
             set(cuda, gemm, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &type, sizeof type, error)));
}

/* CUBLAS_COMPUTE_32F on f32 does not use TF32. */
static gboolean make_product(const YonosCuda *cuda, Gemm *gemm, gboolean relu, GError **error) {
    cublasOperation_t transposed = CUBLAS_OP_T;
    cudaDataType_t type = data_type(gemm->dtype);
    guint64 ci = (guint64)gemm->ci, co = (guint64)gemm->co, pixels = (guint64)gemm->pixels;
    return blas_call(cuda, error, cublasLtMatmulDescCreate, &gemm->product, CUBLAS_COMPUTE_32F, CUDA_R_32F) &&
           set(cuda, gemm, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed, error) &&
           set_epilogue(cuda, gemm, relu, error) &&
           blas_call(cuda, error, cublasLtMatrixLayoutCreate, &gemm->weight_layout, type, ci, co, gemm->ci) &&
           blas_call(cuda, error, cublasLtMatrixLayoutCreate, &gemm->x_layout, type, ci, pixels, gemm->ci) &&
           blas_call(cuda, error, cublasLtMatrixLayoutCreate, &gemm->y_layout, type, co, pixels, gemm->co);
}

static gboolean multiply(const YonosCuda *cuda, const Gemm *gemm, const void *x, const void *residual, void *y,
                         void *workspace, GError **error) {
    float one = 1.0f, beta = residual ? 1.0f : 0.0f;
    return blas_call(cuda, error, cublasLtMatmul, cuda->libraries->blas, gemm->product, &one, gemm->weight,
                     gemm->weight_layout, x, gemm->x_layout, &beta, residual ? residual : y, gemm->y_layout, y,
                     gemm->y_layout, &gemm->algorithm, workspace, gemm->workspace, cuda->stream);
}

/* ---- choosing the algorithm --------------------------------------------------------------------------------- */

static guint find_algorithms(const YonosCuda *cuda, const Gemm *gemm, cublasLtMatmulHeuristicResult_t *found,
                             GError **error) {
    cublasLtMatmulPreference_t wishes = NULL;
    guint32 alignment = ARENA_ALIGNMENT;
    int count = 0;
    gboolean ok =
        blas_call(cuda, error, cublasLtMatmulPreferenceCreate, &wishes) &&
        blas_call(cuda, error, cublasLtMatmulPreferenceSetAttribute, wishes, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                  &max_workspace, sizeof max_workspace) &&
        blas_call(cuda, error, cublasLtMatmulPreferenceSetAttribute, wishes,
                  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &alignment, sizeof alignment) &&
        blas_call(cuda, error, cublasLtMatmulPreferenceSetAttribute, wishes,
                  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &alignment, sizeof alignment) &&
        blas_call(cuda, error, cublasLtMatmulPreferenceSetAttribute, wishes,
                  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &alignment, sizeof alignment) &&
        blas_call(cuda, error, cublasLtMatmulAlgoGetHeuristic, cuda->libraries->blas, gemm->product,
                  gemm->weight_layout, gemm->x_layout, gemm->y_layout, gemm->y_layout, wishes, CANDIDATES, found,
                  &count);
    if (wishes)
        cublasLtMatmulPreferenceDestroy(wishes);
    return ok ? (guint)count : 0;
}

/* An algorithm as hexadecimal digits, for the file of choices. */
static char *algorithm_text(const cublasLtMatmulAlgo_t *algorithm) {
    GString *text = g_string_new("algorithm ");
    for (gsize i = 0; i < sizeof algorithm->data / sizeof *algorithm->data; i++)
        g_string_append_printf(text, "%016" G_GINT64_MODIFIER "x", (guint64)algorithm->data[i]);
    return g_string_free(text, FALSE);
}

static gboolean algorithm_from_text(const char *text, cublasLtMatmulAlgo_t *algorithm) {
    enum { DIGITS = 16 };
    gsize words = sizeof algorithm->data / sizeof *algorithm->data;
    if (!g_str_has_prefix(text, "algorithm ") || strlen(text) != strlen("algorithm ") + words * DIGITS)
        return FALSE;
    text += strlen("algorithm ");
    for (gsize i = 0; i < words; i++, text += DIGITS) {
        char word[DIGITS + 1] = "", *end;
        memcpy(word, text, DIGITS);
        algorithm->data[i] = g_ascii_strtoull(word, &end, 16);
        if (*end)
            return FALSE;
    }
    return TRUE;
}

static gboolean take_kept(const YonosCuda *cuda, Gemm *gemm, const char *shape) {
    const char *text = cuda_tune_get(cuda->tune, shape);
    cublasLtMatmulHeuristicResult_t result;
    if (!text || !algorithm_from_text(text, &gemm->algorithm) ||
        cublasLtMatmulAlgoCheck(cuda->libraries->blas, gemm->product, gemm->weight_layout, gemm->x_layout,
                                gemm->y_layout, gemm->y_layout, &gemm->algorithm, &result) != CUBLAS_STATUS_SUCCESS ||
        result.workspaceSize > max_workspace)
        return FALSE;
    gemm->workspace = result.workspaceSize;
    return TRUE;
}

typedef struct {
    const YonosCuda *cuda;
    const Gemm *gemm;
    char *x, *y, *residual, *workspace;
} Trial;

static gboolean try_product(gpointer data, GError **error) {
    const Trial *t = data;
    return multiply(t->cuda, t->gemm, t->x, t->residual, t->y, t->workspace, error);
}

/* Places x, y, residual and workspace in one allocation, which x points to. */
static gboolean allocate_trial(YonosCuda *cuda, Trial *t, gboolean residual, GError **error) {
    gsize width = yonos_dtype_size(t->gemm->dtype), pixels = (gsize)t->gemm->pixels;
    gsize x = yonos_size_align(pixels * (gsize)t->gemm->ci * width, 256);
    gsize y = yonos_size_align(pixels * (gsize)t->gemm->co * width, 256);
    t->x = cuda_allocate(cuda, x + 2 * y + max_workspace, error);
    if (!t->x)
        return FALSE;
    t->y = t->x + x;
    t->residual = residual ? t->y + y : NULL;
    t->workspace = t->y + 2 * y;
    return cuda_call(cuda, error, cudaMemsetAsync, t->x, 0, x + 2 * y, cuda->stream);
}

/* The fastest of `found` becomes gemm's. */
static void time_algorithms(YonosCuda *cuda, Gemm *gemm, const cublasLtMatmulHeuristicResult_t *found, guint count,
                            gboolean residual, const char *shape) {
    g_autoptr(GError) error = NULL;
    Trial trial = {.cuda = cuda, .gemm = gemm};
    guint best = 0;
    float least = G_MAXFLOAT;
    gboolean timed = count > 1 && allocate_trial(cuda, &trial, residual, &error);
    for (guint i = 0; timed && i < count; i++) {
        float milliseconds;
        g_clear_error(&error);
        gemm->algorithm = found[i].algo;
        gemm->workspace = found[i].workspaceSize;
        if (cuda_time(cuda, try_product, &trial, &milliseconds, &error) && milliseconds < least) {
            least = milliseconds;
            best = i;
        }
    }
    if (error)
        g_debug("tune: %s: %s", shape, error->message);
    cuda_free(cuda, trial.x);
    gemm->algorithm = found[best].algo;
    gemm->workspace = found[best].workspaceSize;
    if (timed) {
        g_autofree char *text = algorithm_text(&gemm->algorithm);
        g_debug("tune: %s: %u of %u: %.4f ms", shape, best, count, least);
        cuda_tune_set(cuda->tune, shape, text);
    }
}

static gboolean choose(YonosCuda *cuda, Gemm *gemm, gboolean residual, gboolean relu, GError **error) {
    g_autofree char *shape = g_strdup_printf("linear %s %dx%d -> %d%s%s%s", yonos_dtype_name(gemm->dtype), gemm->pixels,
                                             gemm->ci, gemm->co, residual ? " residual" : "",
                                             gemm->bias ? " bias" : "", relu ? " relu" : "");
    cublasLtMatmulHeuristicResult_t found[CANDIDATES];
    GError *failure = NULL;
    if (take_kept(cuda, gemm, shape))
        return TRUE;
    guint count = find_algorithms(cuda, gemm, found, &failure);
    if (failure) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    if (count == 0)
        return yonos_fail(error, YONOS_ERROR_DEVICE, "backend cuda: %s: cuBLASLt has no algorithm for %s", cuda->label,
                          shape);
    time_algorithms(cuda, gemm, found, count, residual, shape);
    return TRUE;
}

/* ---- the operation ---------------------------------------------------------------------------------------- */

static void release(YonosKernel *kernel) {
    Gemm *gemm = kernel->data;
    if (!gemm)
        return;
    cuda_conv_free(gemm->conv);
    if (gemm->product)
        cublasLtMatmulDescDestroy(gemm->product);
    if (gemm->weight_layout)
        cublasLtMatrixLayoutDestroy(gemm->weight_layout);
    if (gemm->x_layout)
        cublasLtMatrixLayoutDestroy(gemm->x_layout);
    if (gemm->y_layout)
        cublasLtMatrixLayoutDestroy(gemm->y_layout);
    g_free(gemm);
}

static gboolean prepare(YonosKernel *kernel, GError **error) {
    YonosCuda *cuda = cuda_of(kernel);
    const YonosNode *node = kernel->node;
    YonosShape in = node->in[0]->shape;
    YonosActivation activation = node->attr.linear.activation;
    gboolean relu = activation == YONOS_ACTIVATION_RELU, residual = node->in[1] != NULL;
    Gemm *gemm = g_new0(Gemm, 1);
    kernel->data = gemm;
    *gemm = (Gemm){.activation = relu ? YONOS_ACTIVATION_NONE : activation,
                   .pixels = in.n * in.h * in.w,
                   .ci = in.c,
                   .co = node->out->shape.c,
                   .dtype = node->out->dtype};
    if (in.c % CUDA_CHANNEL_MULTIPLE != 0 || gemm->co % CUDA_CHANNEL_MULTIPLE != 0) {
        gemm->conv = cuda_conv_new(kernel, error);
        return gemm->conv != NULL;
    }
    gemm->weight = cuda_weight(cuda, node->constant[0], gemm->dtype, 0, 0, error);
    if (node->constant[1])
        gemm->bias = cuda_weight(cuda, node->constant[1], gemm->dtype, 0, 0, error);
    if (!gemm->weight || (node->constant[1] && !gemm->bias) || !make_product(cuda, gemm, relu, error) ||
        !choose(cuda, gemm, residual, relu, error))
        return FALSE;
    kernel->workspace = gemm->workspace;
    kernel->implementation = "cuBLASLt";
    return TRUE;
}

static gboolean run_linear(const YonosKernel *kernel, const YonosRun *run, GError **error) {
    const YonosCuda *cuda = cuda_of(kernel);
    const YonosNode *node = kernel->node;
    const Gemm *gemm = kernel->data;
    if (gemm->conv)
        return cuda_conv_run(gemm->conv, kernel, run, error);
    YonosCudaTensor out = cuda_tensor(run, node->out);
    const void *residual = node->in[1] ? run->data[node->in[1]->id] : NULL;
    return multiply(cuda, gemm, run->data[node->in[0]->id], residual, out.data, run->workspace, error) &&
           (gemm->activation == YONOS_ACTIVATION_NONE ||
            cuda_launch(cuda, error, yonos_cuda_epilogue, &out, &out, NULL, NULL, gemm->activation, cuda->stream));
}

const YonosOp cuda_linear = {prepare, run_linear, release};
