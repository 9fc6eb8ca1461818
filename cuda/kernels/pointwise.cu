/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * AFFINE, the epilogue of convolutions and matrix products, GEGLU, CONCAT, channel padding, FILL: element by element.
 *
 * The fast form of each moves eight elements a thread (16 bytes of f16 and bf16, twice 16 of f32) and wants
 * aligned tensors and channel counts that are multiples of eight; the other form moves one.
 */
#include "device.h"

enum { THREADS = 256 };

/* ---- AFFINE ------------------------------------------------------------------------------------ */

template <typename A> struct Affine {
    float a, b, c;
    A activation;
    bool has_y;
};

template <typename A> __device__ static float affine_of(const Affine<A> &k, float x, float y) {
    float v = k.a * x + k.c;
    return k.activation(k.has_y ? v + k.b * y : v);
}

template <typename A>
__device__ static void affine_one(const Affine<A> &k, YonosCudaTensor out, YonosCudaTensor x, YonosCudaTensor y,
                                  size_t i) {
    store_one(out, i, affine_of(k, load_one(x, i), k.has_y ? load_one(y, i) : 0.0f));
}

template <typename A>
__global__ void affine_eight(YonosCudaTensor out, YonosCudaTensor x, YonosCudaTensor y, Affine<A> k, size_t count) {
    size_t first = 8 * (static_cast<size_t>(blockIdx.x) * THREADS + threadIdx.x);
    if (first + 8 > count) {
        YONOS_NO_UNROLL
        for (size_t i = first; i < count; i++)
            affine_one(k, out, x, y, i);
        return;
    }
    float vx[8], vy[8] = {};
    load_eight(x, first, vx);
    if (k.has_y)
        load_eight(y, first, vy);
    YONOS_UNROLL
    for (int i = 0; i < 8; i++)
        vx[i] = affine_of(k, vx[i], vy[i]);
    store_eight(out, first, vx);
}

template <typename A>
__global__ void affine_single(YonosCudaTensor out, YonosCudaTensor x, YonosCudaTensor y, Affine<A> k, size_t count) {
    size_t i = static_cast<size_t>(blockIdx.x) * THREADS + threadIdx.x;
    if (i < count)
        affine_one(k, out, x, y, i);
}

int yonos_cuda_affine(const YonosCudaTensor *out, const YonosCudaTensor *x, const YonosCudaTensor *y, float a, float b,
                      float c, YonosActivation activation, YonosCudaStream stream) {
    size_t count = yonos_shape_count(out->shape);
    YonosCudaTensor second = y ? *y : *x;
    return dispatch_activation(activation, [&](auto activation) {
        typedef decltype(activation) A;
        Affine<A> k = {a, b, c, activation, y != NULL};
        if (is_aligned(out) && is_aligned(x) && is_aligned(y))
            return YONOS_LAUNCH(affine_eight<A>, blocks_for(count, 8 * THREADS), THREADS, 0, stream, *out, *x, second,
                                k, count);
        return YONOS_LAUNCH(affine_single<A>, blocks_for(count, THREADS), THREADS, 0, stream, *out, *x, second, k,
                            count);
    });
}

/* ---- epilogue ---------------------------------------------------------------------------------- */

template <typename A> struct Epilogue {
    const float *bias;
    A activation;
    bool has_residual;
};

template <typename A>
__global__ void epilogue_eight(YonosCudaTensor out, YonosCudaTensor x, YonosCudaTensor residual, Epilogue<A> k,
                               size_t count) {
    size_t first = 8 * (static_cast<size_t>(blockIdx.x) * THREADS + threadIdx.x);
    if (first >= count)
        return;
    float v[8], r[8] = {}, bias[8] = {};
    load_eight(x, first, v);
    if (k.has_residual)
        load_eight(residual, first, r);
    if (k.bias)
        load_eight({const_cast<float *>(k.bias), YONOS_DTYPE_F32, {}}, first - divide(first, out.shape.c) * out.shape.c,
                   bias);
    YONOS_UNROLL
    for (int i = 0; i < 8; i++)
        v[i] = k.activation(v[i] + bias[i] + r[i]);
    store_eight(out, first, v);
}

template <typename A>
__global__ void epilogue_single(YonosCudaTensor out, YonosCudaTensor x, YonosCudaTensor residual, Epilogue<A> k,
                                size_t count) {
    size_t i = static_cast<size_t>(blockIdx.x) * THREADS + threadIdx.x;
    if (i >= count)
        return;
    float bias = k.bias ? k.bias[i - divide(i, out.shape.c) * out.shape.c] : 0.0f,
          r = k.has_residual ? load_one(residual, i) : 0.0f;
    store_one(out, i, k.activation(load_one(x, i) + bias + r));
}

int yonos_cuda_epilogue(const YonosCudaTensor *out, const YonosCudaTensor *x, const float *bias,
                        const YonosCudaTensor *residual, YonosActivation activation, YonosCudaStream stream) {
    size_t count = yonos_shape_count(out->shape);
    YonosCudaTensor second = residual ? *residual : *x;
    return dispatch_activation(activation, [&](auto activation) {
        typedef decltype(activation) A;
        Epilogue<A> k = {bias, activation, residual != NULL};
        if (out->shape.c % 8 == 0 && is_aligned(out) && is_aligned(x) && is_aligned(residual) && is_aligned(bias))
            return YONOS_LAUNCH(epilogue_eight<A>, blocks_for(count, 8 * THREADS), THREADS, 0, stream, *out, *x, second,
                                k, count);
        return YONOS_LAUNCH(epilogue_single<A>, blocks_for(count, THREADS), THREADS, 0, stream, *out, *x, second, k,
                            count);
    });
}

/* ---- GEGLU ------------------------------------------------------------------------------------- */

__global__ void geglu_eight(YonosCudaTensor out, YonosCudaTensor x, size_t count) {
    size_t first = 8 * (static_cast<size_t>(blockIdx.x) * THREADS + threadIdx.x);
    if (first >= count)
        return;
    size_t from = first + divide(first, out.shape.c) * out.shape.c; /* x has twice the channels */
    float value[8], gate[8];
    load_eight(x, from, value);
    load_eight(x, from + out.shape.c, gate);
    YONOS_UNROLL
    for (int i = 0; i < 8; i++)
        value[i] *= gelu(gate[i]);
    store_eight(out, first, value);
}

__global__ void geglu_single(YonosCudaTensor out, YonosCudaTensor x, size_t count) {
    size_t i = static_cast<size_t>(blockIdx.x) * THREADS + threadIdx.x;
    if (i >= count)
        return;
    size_t from = i + divide(i, out.shape.c) * out.shape.c;
    store_one(out, i, load_one(x, from) * gelu(load_one(x, from + out.shape.c)));
}

int yonos_cuda_geglu(const YonosCudaTensor *out, const YonosCudaTensor *x, YonosCudaStream stream) {
    size_t count = yonos_shape_count(out->shape);
    if (out->shape.c % 8 == 0 && is_aligned(out) && is_aligned(x))
        return YONOS_LAUNCH(geglu_eight, blocks_for(count, 8 * THREADS), THREADS, 0, stream, *out, *x, count);
    return YONOS_LAUNCH(geglu_single, blocks_for(count, THREADS), THREADS, 0, stream, *out, *x, count);
}

/* ---- CONCAT ------------------------------------------------------------------------------------ */

/* Unit: what one thread moves; sizes in units per pixel. */
template <typename Unit>
__global__ void concat_units(Unit *out, const Unit *x, const Unit *y, unsigned x_units, unsigned y_units,
                             size_t count) {
    size_t i = static_cast<size_t>(blockIdx.x) * THREADS + threadIdx.x;
    if (i >= count)
        return;
    size_t pixel = divide(i, x_units + y_units);
    unsigned unit = static_cast<unsigned>(i - pixel * (x_units + y_units));
    out[i] = unit < x_units ? x[pixel * x_units + unit] : y[pixel * y_units + unit - x_units];
}

template <typename Unit>
static int concat_by(const YonosCudaTensor *out, const YonosCudaTensor *x, const YonosCudaTensor *y,
                     YonosCudaStream stream) {
    size_t element = yonos_dtype_size(out->dtype);
    unsigned x_units = static_cast<unsigned>(x->shape.c * element / sizeof(Unit));
    unsigned y_units = static_cast<unsigned>(y->shape.c * element / sizeof(Unit));
    size_t count = pixel_count(out) * (x_units + y_units);
    return YONOS_LAUNCH(concat_units<Unit>, blocks_for(count, THREADS), THREADS, 0, stream,
                        static_cast<Unit *>(out->data), static_cast<const Unit *>(x->data),
                        static_cast<const Unit *>(y->data), x_units, y_units, count);
}

int yonos_cuda_concat(const YonosCudaTensor *out, const YonosCudaTensor *x, const YonosCudaTensor *y,
                      YonosCudaStream stream) {
    size_t element = yonos_dtype_size(out->dtype);
    if (x->shape.c * element % 16 == 0 && y->shape.c * element % 16 == 0 && is_aligned(out) && is_aligned(x) &&
        is_aligned(y))
        return concat_by<uint4>(out, x, y, stream);
    return element == 4 ? concat_by<uint32_t>(out, x, y, stream) : concat_by<uint16_t>(out, x, y, stream);
}

/* ---- channel padding ----------------------------------------------------------------------------- */

/* Eight channels of a pixel; the grid's y counts them. */
__global__ void pad_channels_eight(YonosCudaTensor out, YonosCudaTensor x, size_t pixels) {
    size_t pixel = static_cast<size_t>(blockIdx.x) * THREADS + threadIdx.x;
    int channel = 8 * blockIdx.y;
    if (pixel >= pixels)
        return;
    float v[8];
    YONOS_UNROLL
    for (int i = 0; i < 8; i++)
        v[i] = channel + i < x.shape.c ? load_one(x, pixel * x.shape.c + channel + i) : 0.0f;
    store_eight(out, pixel * out.shape.c + channel, v);
}

__global__ void pad_channels_single(YonosCudaTensor out, YonosCudaTensor x, size_t count) {
    size_t i = static_cast<size_t>(blockIdx.x) * THREADS + threadIdx.x;
    if (i >= count)
        return;
    size_t pixel = divide(i, out.shape.c);
    int channel = static_cast<int>(i - pixel * out.shape.c);
    store_one(out, i, channel < x.shape.c ? load_one(x, pixel * x.shape.c + channel) : 0.0f);
}

int yonos_cuda_pad_channels(const YonosCudaTensor *out, const YonosCudaTensor *x, YonosCudaStream stream) {
    size_t count = yonos_shape_count(out->shape), pixels = pixel_count(out);
    if (out->shape.c % 8 == 0 && is_aligned(out))
        return YONOS_LAUNCH(pad_channels_eight, dim3(blocks_for(pixels, THREADS), out->shape.c / 8), THREADS, 0, stream,
                            *out, *x, pixels);
    return YONOS_LAUNCH(pad_channels_single, blocks_for(count, THREADS), THREADS, 0, stream, *out, *x, count);
}

/* ---- FILL ---------------------------------------------------------------------------------------- */

__global__ void fill(YonosCudaTensor out, float value, bool aligned, size_t count) {
    size_t first = 8 * (static_cast<size_t>(blockIdx.x) * THREADS + threadIdx.x);
    if (aligned && first + 8 <= count) {
        const float v[8] = {value, value, value, value, value, value, value, value};
        store_eight(out, first, v);
        return;
    }
    for (size_t i = first; i < first + 8 && i < count; i++)
        store_one(out, i, value);
}

int yonos_cuda_fill(const YonosCudaTensor *out, float value, YonosCudaStream stream) {
    size_t count = yonos_shape_count(out->shape);
    return YONOS_LAUNCH(fill, blocks_for(count, 8 * THREADS), THREADS, 0, stream, *out, value, is_aligned(out), count);
}
