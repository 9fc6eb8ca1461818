/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * RESIZE: columns first into the workspace (n,h,W,c), then rows, four elements a thread; nearest-neighbour upsampling
 * of activations in 16-byte pieces. Sums run in ref's order without contraction: the same bits.
 */
#include "device.h"

/* ---- RESIZE -------------------------------------------------------------------------------------- */

__global__ void resize_columns(float *wide, const float *x, YonosShape in, YonosCudaTaps taps) {
    int i = blockIdx.x * ROW_THREADS + threadIdx.x, channels = in.c;
    if (i >= taps.out * channels)
        return;
    int column = i / channels, channel = i - column * channels;
    size_t row = static_cast<size_t>(blockIdx.z) * in.h + blockIdx.y;
    const float *from = x + (row * in.w + taps.first[column]) * channels + channel;
    const float *weight = taps.weight + static_cast<size_t>(column) * taps.width;
    float sum = 0.0f;
    for (int k = 0; k < taps.count[column]; k++)
        sum += weight[k] * from[static_cast<size_t>(k) * channels];
    wide[row * taps.out * channels + i] = sum;
}

/* N elements of an output row a thread; the row's weights are the same for all. */
template <int N>
__global__ void resize_rows(float *out, const float *wide, int in_h, int row_elements, YonosCudaTaps taps) {
    int i = N * (blockIdx.x * ROW_THREADS + threadIdx.x);
    if (i >= row_elements)
        return;
    const float *from = wide + (static_cast<size_t>(blockIdx.z) * in_h + taps.first[blockIdx.y]) * row_elements + i;
    const float *weight = taps.weight + static_cast<size_t>(blockIdx.y) * taps.width;
    float sum[N] = {}, v[N];
    for (int k = 0; k < taps.count[blockIdx.y]; k++, from += row_elements) {
        load<N>(from, v);
        YONOS_UNROLL
        for (int e = 0; e < N; e++)
            sum[e] += weight[k] * v[e];
    }
    store<N>(out + (static_cast<size_t>(blockIdx.z) * taps.out + blockIdx.y) * row_elements + i, sum);
}

int yonos_cuda_resize(const YonosCudaTensor *out, const YonosCudaTensor *x, const YonosCudaTaps *taps_y,
                      const YonosCudaTaps *taps_x, void *workspace, YonosCudaStream stream) {
    YonosShape in = x->shape;
    int row_elements = out->shape.w * in.c;
    float *wide = static_cast<float *>(workspace);
    int status = YONOS_LAUNCH(resize_columns, row_grid(in, row_elements), ROW_THREADS, 0, stream, wide,
                              static_cast<const float *>(x->data), in, *taps_x);
    if (status)
        return status;
    float *to = static_cast<float *>(out->data);
    if (row_elements % 4 == 0 && is_aligned(to) && is_aligned(wide))
        return YONOS_LAUNCH(resize_rows<4>, row_grid(out->shape, row_elements / 4), ROW_THREADS, 0, stream, to, wide, in.h,
                            row_elements, *taps_y);
    return YONOS_LAUNCH(resize_rows<1>, row_grid(out->shape, row_elements), ROW_THREADS, 0, stream, to, wide, in.h,
                        row_elements, *taps_y);
}

/* ---- nearest neighbour --------------------------------------------------------------------------- */

/* Unit: what one thread moves, `units` of them to a pixel. */
template <typename Unit>
__global__ void upsample_nearest(Unit *out, const Unit *x, YonosShape to, YonosShape from, int units) {
    int i = blockIdx.x * ROW_THREADS + threadIdx.x;
    if (i >= to.w * units)
        return;
    int column = i / units, unit = i - column * units;
    int sy = static_cast<int>(static_cast<int64_t>(blockIdx.y) * from.h / to.h);
    int sx = static_cast<int>(static_cast<int64_t>(column) * from.w / to.w);
    size_t pixel = (static_cast<size_t>(blockIdx.z) * from.h + sy) * from.w + sx;
    out[(static_cast<size_t>(blockIdx.z) * to.h + blockIdx.y) * to.w * units + i] = x[pixel * units + unit];
}

template <typename Unit>
static int upsample_by(const YonosCudaTensor *out, const YonosCudaTensor *x, YonosCudaStream stream) {
    int units = static_cast<int>(out->shape.c * yonos_dtype_size(out->dtype) / sizeof(Unit));
    return YONOS_LAUNCH(upsample_nearest<Unit>, row_grid(out->shape, out->shape.w * units), ROW_THREADS, 0, stream,
                        static_cast<Unit *>(out->data), static_cast<const Unit *>(x->data), out->shape, x->shape,
                        units);
}

int yonos_cuda_upsample_nearest(const YonosCudaTensor *out, const YonosCudaTensor *x, YonosCudaStream stream) {
    size_t element = yonos_dtype_size(out->dtype);
    if (out->shape.c * element % 16 == 0 && is_aligned(out) && is_aligned(x))
        return upsample_by<uint4>(out, x, stream);
    return element == 4 ? upsample_by<uint32_t>(out, x, stream) : upsample_by<uint16_t>(out, x, stream);
}
