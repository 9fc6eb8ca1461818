/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inner loops of loops.h in plain C. The build compiles the loops' files once per instruction set with
 * LOOPS_ISA set; no libm call stands in a loop, so that all of them vectorise.
 */
#include "backend/cpu/loops_isa.h"

/* ---- storage ------------------------------------------------------------------------------------ */

static void load(const void *restrict from, YonosDType dtype, float *restrict to, gsize count) {
    const uint16_t *half = from;
    if (dtype == YONOS_DTYPE_F32)
        memcpy(to, from, count * sizeof *to);
    else if (dtype == YONOS_DTYPE_BF16)
        for (gsize i = 0; i < count; i++)
            to[i] = bits_to_float((uint32_t)half[i] << 16);
    else
        for (gsize i = 0; i < count; i++)
            to[i] = yonos_f16_to_f32(half[i]);
}

static void store(const float *restrict from, YonosDType dtype, void *restrict to, gsize count) {
    uint16_t *half = to;
    if (dtype == YONOS_DTYPE_F32)
        memcpy(to, from, count * sizeof *from);
    else if (dtype == YONOS_DTYPE_BF16)
        for (gsize i = 0; i < count; i++)
            half[i] = float_to_bf16(from[i]);
    else
        for (gsize i = 0; i < count; i++)
            half[i] = yonos_f32_to_f16(from[i]);
}

/* ---- element by element ---------------------------------------------------------------------------- */

static void activate(float *x, gsize count, YonosActivation activation) {
    switch (activation) {
    case YONOS_ACTIVATION_RELU:
        for (gsize i = 0; i < count; i++)
            x[i] = activation_of(x[i], YONOS_ACTIVATION_RELU);
        break;
    case YONOS_ACTIVATION_SILU:
        for (gsize i = 0; i < count; i++)
            x[i] = activation_of(x[i], YONOS_ACTIVATION_SILU);
        break;
    case YONOS_ACTIVATION_GELU:
        for (gsize i = 0; i < count; i++)
            x[i] = activation_of(x[i], YONOS_ACTIVATION_GELU);
        break;
    case YONOS_ACTIVATION_TANH_CLAMP:
        for (gsize i = 0; i < count; i++)
            x[i] = activation_of(x[i], YONOS_ACTIVATION_TANH_CLAMP);
        break;
    case YONOS_ACTIVATION_NONE:
        break;
    }
}

static void affine(const float *x, float a, const float *y, float b, float c, float *out, gsize count) {
    if (y)
        for (gsize i = 0; i < count; i++)
            out[i] = a * x[i] + b * y[i] + c;
    else
        for (gsize i = 0; i < count; i++)
            out[i] = a * x[i] + c;
}

static void geglu(const float *restrict value, const float *restrict gate, float *restrict out, gsize count) {
    for (gsize i = 0; i < count; i++)
        out[i] = value[i] * gelu_of(gate[i]);
}

static void accumulate(float *restrict out, const float *restrict x, float weight, gsize count) {
    for (gsize i = 0; i < count; i++)
        out[i] += weight * x[i];
}

/* ---- attention ----------------------------------------------------------------------------------------- */

enum { Q = CPU_QUERIES };

/* score (tokens, Q) = scale k q. Four keys at a time keep four rows of lanes in registers. */
static void scores(const float *restrict q, const float *restrict k, gsize stride, int tokens, int dim, float scale,
                   float *restrict score) {
    int t = 0;
    for (; t + 4 <= tokens; t += 4) {
        float s0[Q] = {0}, s1[Q] = {0}, s2[Q] = {0}, s3[Q] = {0};
        const float *k0 = k + t * stride, *k1 = k0 + stride, *k2 = k1 + stride, *k3 = k2 + stride;
        for (int c = 0; c < dim; c++)
            for (int i = 0; i < Q; i++) {
                float v = q[c * Q + i];
                s0[i] += v * k0[c];
                s1[i] += v * k1[c];
                s2[i] += v * k2[c];
                s3[i] += v * k3[c];
            }
        for (int i = 0; i < Q; i++) {
            score[t * Q + i] = scale * s0[i];
            score[(t + 1) * Q + i] = scale * s1[i];
            score[(t + 2) * Q + i] = scale * s2[i];
            score[(t + 3) * Q + i] = scale * s3[i];
        }
    }
    for (; t < tokens; t++) {
        float s[Q] = {0};
        for (int c = 0; c < dim; c++)
            for (int i = 0; i < Q; i++)
                s[i] += q[c * Q + i] * k[t * stride + c];
        for (int i = 0; i < Q; i++)
            score[t * Q + i] = scale * s[i];
    }
}

/* out (dim, Q) += score^T v, four channels at a time. */
static void weigh_values(const float *restrict score, const float *restrict v, gsize stride, int tokens, int dim,
                         float *restrict out) {
    int c = 0;
    for (; c + 4 <= dim; c += 4) {
        float o0[Q], o1[Q], o2[Q], o3[Q];
        memcpy(o0, out + c * Q, sizeof o0);
        memcpy(o1, out + (c + 1) * Q, sizeof o1);
        memcpy(o2, out + (c + 2) * Q, sizeof o2);
        memcpy(o3, out + (c + 3) * Q, sizeof o3);
        for (int t = 0; t < tokens; t++) {
            const float *row = v + t * stride + c;
            for (int i = 0; i < Q; i++) {
                float p = score[t * Q + i];
                o0[i] += p * row[0];
                o1[i] += p * row[1];
                o2[i] += p * row[2];
                o3[i] += p * row[3];
            }
        }
        memcpy(out + c * Q, o0, sizeof o0);
        memcpy(out + (c + 1) * Q, o1, sizeof o1);
        memcpy(out + (c + 2) * Q, o2, sizeof o2);
        memcpy(out + (c + 3) * Q, o3, sizeof o3);
    }
    for (; c < dim; c++)
        for (int t = 0; t < tokens; t++)
            for (int i = 0; i < Q; i++)
                out[c * Q + i] += score[t * Q + i] * v[t * stride + c];
}

/* The online softmax of "FlashAttention" (Dao et al., 2022): a new maximum rescales what was summed before. */
static void attend(const float *q, const float *k, const float *v, gsize stride, int tokens, int dim, float scale,
                   float *max, float *sum, float *score, float *out) {
    float high[Q], factor[Q];
    scores(q, k, stride, tokens, dim, scale, score);
    memcpy(high, max, sizeof high);
    for (int t = 0; t < tokens; t++)
        for (int i = 0; i < Q; i++)
            high[i] = score[t * Q + i] > high[i] ? score[t * Q + i] : high[i];
    for (int i = 0; i < Q; i++) {
        factor[i] = exp_of(max[i] - high[i]);
        max[i] = high[i];
        sum[i] *= factor[i];
    }
    for (int t = 0; t < tokens; t++)
        for (int i = 0; i < Q; i++) {
            float p = exp_of(score[t * Q + i] - high[i]);
            score[t * Q + i] = p;
            sum[i] += p;
        }
    for (int c = 0; c < dim; c++)
        for (int i = 0; i < Q; i++)
            out[c * Q + i] *= factor[i];
    weigh_values(score, v, stride, tokens, dim, out);
}

/* ---- packed 8-bit pixels -------------------------------------------------------------------------------- */

static inline void pack_fixed(const guint8 *restrict row, int step, int r, int g, int b, int width,
                              float *restrict out) {
    for (int x = 0; x < width; x++) {
        out[3 * x] = 2.0f * (row[x * step + r] / 255.0f) - 1.0f;
        out[3 * x + 1] = 2.0f * (row[x * step + g] / 255.0f) - 1.0f;
        out[3 * x + 2] = 2.0f * (row[x * step + b] / 255.0f) - 1.0f;
    }
}

static void pack_bytes(const guint8 *row, int pixel_bytes, int r, int g, int b, int width, float *out) {
    if (pixel_bytes == 3)
        pack_fixed(row, 3, r, g, b, width, out);
    else
        pack_fixed(row, 4, r, g, b, width, out);
}

LOOPS_INLINE uint32_t byte_of(float v) { return code_of((0.5f * v + 0.5f) * 255.0f, 255.0f); }

/* Whole words for 4-byte pixels: strided bytes would be read, mixed and written back. */
static void unpack_bytes(const float *restrict in, int pixel_bytes, int r, int g, int b, int width,
                         guint8 *restrict row) {
    if (pixel_bytes == 4) {
        uint32_t spare = 255u << 8 * (6 - r - g - b);
        for (int x = 0; x < width; x++) {
            uint32_t word = GUINT32_TO_LE(byte_of(in[3 * x]) << 8 * r | byte_of(in[3 * x + 1]) << 8 * g |
                                          byte_of(in[3 * x + 2]) << 8 * b | spare);
            memcpy(row + 4 * (gsize)x, &word, sizeof word);
        }
        return;
    }
    for (int x = 0; x < width; x++) {
        row[3 * x + r] = (guint8)byte_of(in[3 * x]);
        row[3 * x + g] = (guint8)byte_of(in[3 * x + 1]);
        row[3 * x + b] = (guint8)byte_of(in[3 * x + 2]);
    }
}

#define LOOPS_STRING2(isa) #isa
#define LOOPS_STRING(isa) LOOPS_STRING2(isa)

const CpuLoops loops_name(cpu_loops) = {
    .name = LOOPS_STRING(LOOPS_ISA),
    .winograd = &loops_name(cpu_winograd),
    .load = load,
    .store = store,
    .activate = activate,
    .affine = affine,
    .geglu = geglu,
    .moments = loops_name(moments),
    .normalise = loops_name(normalise),
    .layer_norm = loops_name(layer_norm),
    .accumulate = accumulate,
    .sum_rows = loops_name(sum_rows),
    .blur = loops_name(blur),
    .resample_row = loops_name(resample_row),
    .attend = attend,
    .pack_bytes = pack_bytes,
    .unpack_bytes = unpack_bytes,
    .load_codes = loops_name(load_codes),
    .store_codes = loops_name(store_codes),
    .spread_chroma = loops_name(spread_chroma),
    .gather_chroma = loops_name(gather_chroma),
    .yuv_to_rgb = loops_name(yuv_to_rgb),
    .rgb_to_yuv = loops_name(rgb_to_yuv),
    .noise_row = loops_name(noise_row),
};
