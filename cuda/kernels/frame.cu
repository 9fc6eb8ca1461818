/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PACK and UNPACK: a frame in device memory <-> (1,h,w,3) f32 in [-1,1]; backend/ref/frame.c says how chroma is
 * placed and codes are rounded. Compiled without contraction, in ref's order of operations: the same bytes.
 *
 * One thread per pixel, or in UNPACK of 4:2:0 per chroma sample. Four-byte pixels move in one access where the plane is
 * aligned to four bytes; everything else moves byte by byte, since planes and strides may lie anywhere.
 */
#include "device.h"

enum { LUMA, CB, CR };

/* A YonosFrame and its format as a kernel argument. */
struct Frame {
    YonosFormatInfo info;
    YonosYuv yuv;
    uint8_t *plane[3];
    ptrdiff_t stride[3];
    int width, height;
    bool cosited_h, cosited_v;
    bool aligned; /* packed: every pixel at a multiple of four bytes */
};

static Frame frame_argument(const YonosFrame *frame) {
    const YonosFormatInfo *info = yonos_format_get_info(frame->format);
    Frame f = {};
    f.info = *info;
    if (info->layout == YONOS_LAYOUT_YUV420)
        f.yuv = yonos_format_yuv(info, &frame->colour);
    f.width = frame->width;
    f.height = frame->height;
    f.cosited_h = frame->colour.chroma_cosited_h;
    f.cosited_v = frame->colour.chroma_cosited_v;
    for (int i = 0; i < info->planes; i++) {
        f.plane[i] = static_cast<uint8_t *>(frame->plane[i]);
        f.stride[i] = frame->stride[i];
    }
    f.aligned = info->pixel_bytes == 4 && reinterpret_cast<uintptr_t>(f.plane[0]) % 4 == 0 && f.stride[0] % 4 == 0;
    return f;
}

/* ---- samples ------------------------------------------------------------------------------------- */

__device__ static uint8_t *sample_at(const Frame &f, int component, int y, int x) {
    int plane = component == LUMA ? 0 : f.info.semi_planar ? 1 : component;
    ptrdiff_t at = component != LUMA && f.info.semi_planar ? 2 * static_cast<ptrdiff_t>(x) + (component == CR) : x;
    return f.plane[plane] + y * f.stride[plane] + at * (f.info.depth > 8 ? 2 : 1);
}

__device__ static float read_code(const Frame &f, int component, int y, int x) {
    const uint8_t *p = sample_at(f, component, y, x);
    if (f.info.depth == 8)
        return p[0];
    return static_cast<float>((p[0] | p[1] << 8) >> f.info.shift & ((1 << f.info.depth) - 1));
}

/* Clipped and rounded to nearest; NaN becomes 0. */
__device__ static int code_of(float v, float max) { return v > 0.0f ? __float2int_rn(fminf(v, max)) : 0; }

__device__ static void write_code(const Frame &f, int component, int y, int x, float v) {
    uint8_t *p = sample_at(f, component, y, x);
    int code = code_of(v, f.yuv.max) << f.info.shift;
    p[0] = static_cast<uint8_t>(code);
    if (f.info.depth > 8)
        p[1] = static_cast<uint8_t>(code >> 8);
}

__device__ static void load_pixel(const Frame &f, const uint8_t *p, uint8_t (&bytes)[4]) {
    if (f.aligned) {
        uint32_t word = *reinterpret_cast<const uint32_t *>(p);
        for (int i = 0; i < 4; i++)
            bytes[i] = static_cast<uint8_t>(word >> 8 * i);
    } else {
        for (int i = 0; i < f.info.pixel_bytes; i++)
            bytes[i] = p[i];
    }
}

__device__ static void store_pixel(const Frame &f, uint8_t *p, const uint8_t (&bytes)[4]) {
    if (f.aligned) {
        uint32_t word = 0;
        for (int i = 0; i < 4; i++)
            word |= static_cast<uint32_t>(bytes[i]) << 8 * i;
        *reinterpret_cast<uint32_t *>(p) = word;
    } else {
        for (int i = 0; i < f.info.pixel_bytes; i++)
            p[i] = bytes[i];
    }
}

/* ---- PACK ---------------------------------------------------------------------------------------- */

/* Where luma position x lies between chroma samples: the left one and the weight of the right one. */
__device__ static int chroma_position(int x, bool cosited, float *weight) {
    if (cosited) {
        *weight = (x & 1) ? 0.5f : 0.0f;
        return x >> 1;
    }
    *weight = (x & 1) ? 0.25f : 0.75f;
    return (x & 1) ? x >> 1 : (x >> 1) - 1;
}

__device__ static float chroma_at(const Frame &f, int component, int y, int x) {
    int w = (f.width + 1) / 2, h = (f.height + 1) / 2;
    float wx, wy;
    int x0 = chroma_position(x, f.cosited_h, &wx), y0 = chroma_position(y, f.cosited_v, &wy);
    int xa = clamp_int(x0, 0, w - 1), xb = clamp_int(x0 + 1, 0, w - 1);
    int ya = clamp_int(y0, 0, h - 1), yb = clamp_int(y0 + 1, 0, h - 1);
    float top = (1.0f - wx) * read_code(f, component, ya, xa) + wx * read_code(f, component, ya, xb);
    float bottom = (1.0f - wx) * read_code(f, component, yb, xa) + wx * read_code(f, component, yb, xb);
    return (1.0f - wy) * top + wy * bottom;
}

/* f32 pixels lie at any address. */
__device__ static float load_float(const uint8_t *p) {
    float v;
    memcpy(&v, p, sizeof v);
    return v;
}

__device__ static void pack_pixel(const Frame &f, int y, int x, float (&rgb)[3]) {
    if (f.info.layout == YONOS_LAYOUT_YUV420) {
        const YonosYuv &k = f.yuv;
        float luma = (read_code(f, LUMA, y, x) - k.luma_offset) / k.luma_range;
        float cb = (chroma_at(f, CB, y, x) - k.chroma_offset) / k.chroma_range;
        float cr = (chroma_at(f, CR, y, x) - k.chroma_offset) / k.chroma_range;
        rgb[0] = luma + 2.0f * (1.0f - k.kr) * cr;
        rgb[2] = luma + 2.0f * (1.0f - k.kb) * cb;
        rgb[1] = (luma - k.kr * rgb[0] - k.kb * rgb[2]) / k.kg;
        return;
    }
    const uint8_t *p = f.plane[0] + y * f.stride[0] + static_cast<ptrdiff_t>(x) * f.info.pixel_bytes;
    const int offset[3] = {f.info.r, f.info.g, f.info.b};
    uint8_t bytes[4] = {};
    if (f.info.layout == YONOS_LAYOUT_PACKED_8)
        load_pixel(f, p, bytes);
    for (int c = 0; c < 3; c++)
        rgb[c] = f.info.layout == YONOS_LAYOUT_PACKED_F32 ? load_float(p + offset[c]) : bytes[offset[c]] / 255.0f;
}

__global__ void pack_colour(float *out, Frame f) {
    int x = blockIdx.x * ROW_THREADS + threadIdx.x, y = blockIdx.y;
    if (x >= f.width)
        return;
    float rgb[3];
    pack_pixel(f, y, x, rgb);
    for (int c = 0; c < 3; c++)
        out[(static_cast<size_t>(y) * f.width + x) * 3 + c] = 2.0f * rgb[c] - 1.0f;
}

__global__ void pack_alpha(float *out, Frame f) {
    int x = blockIdx.x * ROW_THREADS + threadIdx.x, y = blockIdx.y;
    if (x >= f.width)
        return;
    const uint8_t *row = f.plane[0] + y * f.stride[0];
    out[static_cast<size_t>(y) * f.width + x] = row[x * f.info.pixel_bytes + f.info.alpha] / 255.0f;
}

int yonos_cuda_pack(const YonosCudaTensor *out, const YonosFrame *frame, gboolean alpha, YonosCudaStream stream) {
    Frame f = frame_argument(frame);
    dim3 grid = row_grid(out->shape, f.width);
    float *to = static_cast<float *>(out->data);
    if (alpha)
        return YONOS_LAUNCH(pack_alpha, grid, ROW_THREADS, 0, stream, to, f);
    return YONOS_LAUNCH(pack_colour, grid, ROW_THREADS, 0, stream, to, f);
}

/* ---- UNPACK -------------------------------------------------------------------------------------- */

__global__ void unpack_packed(Frame f, const float *in, const float *alpha) {
    int x = blockIdx.x * ROW_THREADS + threadIdx.x, y = blockIdx.y;
    if (x >= f.width)
        return;
    size_t pixel = static_cast<size_t>(y) * f.width + x;
    uint8_t *p = f.plane[0] + y * f.stride[0] + static_cast<ptrdiff_t>(x) * f.info.pixel_bytes;
    const int offset[3] = {f.info.r, f.info.g, f.info.b};
    uint8_t bytes[4] = {255, 255, 255, 255};
    for (int c = 0; c < 3; c++) {
        float v = 0.5f * in[3 * pixel + c] + 0.5f;
        if (f.info.layout == YONOS_LAYOUT_PACKED_F32)
            memcpy(p + offset[c], &v, sizeof v);
        else
            bytes[offset[c]] = static_cast<uint8_t>(code_of(v * 255.0f, 255.0f));
    }
    if (f.info.alpha >= 0)
        bytes[f.info.alpha] = static_cast<uint8_t>(code_of(alpha[pixel] * 255.0f, 255.0f));
    if (f.info.layout == YONOS_LAYOUT_PACKED_8)
        store_pixel(f, p, bytes);
}

/* Y', Cb or Cr of a pixel, Y' in [0,1] and chroma in [-1/2,1/2] for legal colours. */
__device__ static float component_of(const float *rgb, const YonosYuv &k, int component) {
    float r = 0.5f * rgb[0] + 0.5f, g = 0.5f * rgb[1] + 0.5f, b = 0.5f * rgb[2] + 0.5f;
    float luma = k.kr * r + k.kg * g + k.kb * b;
    if (component == LUMA)
        return luma;
    return component == CB ? (b - luma) / (2.0f * (1.0f - k.kb)) : (r - luma) / (2.0f * (1.0f - k.kr));
}

/* The pixels under chroma sample i along one axis. Two of them are its own, one where the picture ends. */
template <bool COSITED> struct Taps {
    enum { COUNT = COSITED ? 3 : 2 };
    int at[COUNT]; /* inside of the picture */
    bool own[COUNT];

    __device__ Taps(int i, int size) {
        YONOS_UNROLL
        for (int k = 0; k < COUNT; k++) {
            int pixel = 2 * i + k - (COSITED ? 1 : 0);
            at[k] = clamp_int(pixel, 0, size - 1);
            own[k] = pixel == at[k] && pixel >= 2 * i;
        }
    }
    __device__ static float weight(int k) { return !COSITED || k == 1 ? 0.5f : 0.25f; }
};

/* One chroma sample, and the luma of the two by two pixels that are its own: the picture is read once. */
template <bool COSITED_H, bool COSITED_V> __global__ void unpack_420(Frame f, const float *in) {
    int x = blockIdx.x * ROW_THREADS + threadIdx.x, y = blockIdx.y;
    if (x >= (f.width + 1) / 2)
        return;
    const YonosYuv &k = f.yuv;
    Taps<COSITED_H> h(x, f.width);
    Taps<COSITED_V> v(y, f.height);
    float cb = 0.0f, cr = 0.0f;
    YONOS_UNROLL
    for (int j = 0; j < v.COUNT; j++)
        YONOS_UNROLL
        for (int i = 0; i < h.COUNT; i++) {
            const float *rgb = in + 3 * (static_cast<size_t>(v.at[j]) * f.width + h.at[i]);
            float weight = v.weight(j) * h.weight(i);
            cb += weight * component_of(rgb, k, CB);
            cr += weight * component_of(rgb, k, CR);
            if (v.own[j] && h.own[i])
                write_code(f, LUMA, v.at[j], h.at[i], component_of(rgb, k, LUMA) * k.luma_range + k.luma_offset);
        }
    write_code(f, CB, y, x, cb * k.chroma_range + k.chroma_offset);
    write_code(f, CR, y, x, cr * k.chroma_range + k.chroma_offset);
}

template <bool COSITED_H, bool COSITED_V>
static int launch_unpack_420(const Frame &f, const float *in, YonosCudaStream stream) {
    dim3 grid(blocks_for((f.width + 1) / 2, ROW_THREADS), (f.height + 1) / 2);
    return YONOS_LAUNCH((unpack_420<COSITED_H, COSITED_V>), grid, ROW_THREADS, 0, stream, f, in);
}

static int unpack_yuv(const Frame &f, const float *in, YonosCudaStream stream) {
    if (f.cosited_v)
        return f.cosited_h ? launch_unpack_420<true, true>(f, in, stream) : launch_unpack_420<false, true>(f, in, stream);
    return f.cosited_h ? launch_unpack_420<true, false>(f, in, stream) : launch_unpack_420<false, false>(f, in, stream);
}

int yonos_cuda_unpack(const YonosFrame *frame, const YonosCudaTensor *x, const YonosCudaTensor *alpha,
                      YonosCudaStream stream) {
    Frame f = frame_argument(frame);
    const float *in = static_cast<const float *>(x->data);
    if (f.info.layout == YONOS_LAYOUT_YUV420)
        return unpack_yuv(f, in, stream);
    return YONOS_LAUNCH(unpack_packed, row_grid(x->shape, f.width), ROW_THREADS, 0, stream, f, in,
                        alpha ? static_cast<const float *>(alpha->data) : NULL);
}
