/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Magnitudes and conditions, operation by operation; see scale.h.
 */
#include "scale.h"

#include <math.h>

#include "backend/format.h"

typedef struct {
    const Instance *exact;
    const YonosNode *node;
    const float *in[3]; /* values of node->in[] */
    const float *expected;
    gsize count;
    float *magnitude, *condition;
} Scale;

static float constant_at(const Scale *s, int which, gsize i, float otherwise) {
    return s->node->constant[which] ? yonos_const_get(s->node->constant[which], i) : otherwise;
}

/* ---- products --------------------------------------------------------------------------------- */

/* Winograd mixes the pixels of a tile: each takes the largest of its neighbours' magnitudes. */
static void spread(float *values, YonosShape shape) {
    enum { REACH = 5 };
    gsize row = (gsize)shape.w * shape.c, count = yonos_shape_count(shape);
    for (int axis = 0; axis < 2; axis++) {
        g_autofree float *from = g_memdup2(values, count * sizeof *values);
        gsize step = axis ? (gsize)shape.c : row;
        for (gsize i = 0; i < count; i++) {
            int at = (int)(axis ? i / step % (gsize)shape.w : i / step % (gsize)shape.h);
            int end = axis ? shape.w : shape.h;
            for (int d = -MIN(REACH, at); d <= MIN(REACH, end - 1 - at); d++)
                values[i] = MAX(values[i], from[(gssize)i + d * (gssize)step]);
        }
    }
}

/* The root of the same product of squares. */
static gboolean scale_product(YonosBackend *reference, const Scale *s, const Inputs *inputs, GError **error) {
    g_autoptr(Instance) squared = instance_new_squared(s->exact);
    g_autoptr(Inputs) squares = g_new0(Inputs, 1);
    squares->pattern = inputs->pattern;
    for (int id = 0; id < s->exact->of->n_tensors; id++) {
        gsize count = yonos_shape_count(s->exact->tensor[id].shape);
        if (!inputs->values[id])
            continue;
        squares->values[id] = g_new(float, count);
        for (gsize i = 0; i < count; i++)
            squares->values[id][i] = inputs->values[id][i] * inputs->values[id][i];
    }
    g_autoptr(Placed) placed = placed_new(reference, squared, error);
    g_auto(Result) result = {0};
    if (!placed || !placed_run(placed, squares, 0xff, &result, error))
        return FALSE;
    for (gsize i = 0; i < s->count; i++)
        s->magnitude[i] = sqrtf(result.values[i]);
    if (s->node->op == YONOS_OP_CONV2D && s->node->constant[0]->dim[2] == 3)
        spread(s->magnitude, s->node->out->shape);
    return TRUE;
}

/* ---- norms ------------------------------------------------------------------------------------ */

typedef struct {
    double mean, deviation;
} Moments;

/* Of channels [first, first + size) of `pixels` pixels from `begin` on, of x and y side by side. */
static float joined(const Scale *s, gsize pixel, int c) {
    int left = s->node->in[0]->shape.c;
    if (c < left)
        return s->in[0][pixel * (gsize)left + (gsize)c];
    int right = s->node->in[1]->shape.c;
    return s->in[1][pixel * (gsize)right + (gsize)(c - left)];
}

static Moments moments(const Scale *s, gsize begin, gsize pixels, int first, int size, double eps) {
    double sum = 0.0, squares = 0.0, count = (double)pixels * size;
    for (gsize p = begin; p < begin + pixels; p++)
        for (int c = first; c < first + size; c++)
            sum += joined(s, p, c);
    for (gsize p = begin; p < begin + pixels; p++)
        for (int c = first; c < first + size; c++) {
            double d = joined(s, p, c) - sum / count;
            squares += d * d;
        }
    return (Moments){sum / count, sqrt(squares / count + eps)};
}

static void scale_norm(const Scale *s, gsize pixels, int size, double eps) {
    int channels = s->node->out->shape.c;
    gsize total = s->count / (gsize)channels;
    for (gsize begin = 0; begin < total; begin += pixels)
        for (int first = 0; first < channels; first += size) {
            Moments m = moments(s, begin, pixels, first, size, eps);
            for (gsize p = begin; p < begin + pixels; p++)
                for (int c = first; c < first + size; c++) {
                    double gamma = fabs(constant_at(s, 0, (gsize)c, 1.0f)), x = joined(s, p, c);
                    gsize i = p * (gsize)channels + (gsize)c;
                    s->magnitude[i] = (float)(fabs(s->expected[i]) + gamma * fabs(x - m.mean) / m.deviation +
                                              fabs(constant_at(s, 1, (gsize)c, 0.0f)));
                    s->condition[i] = (float)(gamma * (fabs(x) + fabs(m.mean)) / m.deviation);
                }
        }
}

static Moments channel_moments(const float *values, YonosShape shape, int n, int c) {
    gsize pixels = (gsize)shape.h * shape.w;
    double sum = 0.0, squares = 0.0;
    const float *from = values + (gsize)n * pixels * shape.c + c;
    for (gsize p = 0; p < pixels; p++)
        sum += from[p * shape.c];
    double mean = sum / (double)pixels;
    for (gsize p = 0; p < pixels; p++)
        squares += (from[p * shape.c] - mean) * (from[p * shape.c] - mean);
    return (Moments){mean, sqrt(squares / (double)pixels + 1e-5)};
}

static void scale_adain(const Scale *s) {
    YonosShape shape = s->node->out->shape;
    gsize pixels = (gsize)shape.h * shape.w;
    for (int n = 0; n < shape.n; n++)
        for (int c = 0; c < shape.c; c++) {
            Moments x = channel_moments(s->in[0], shape, n, c);
            Moments y = channel_moments(s->in[1], s->node->in[1]->shape, n, c);
            for (gsize p = 0; p < pixels; p++) {
                gsize i = ((gsize)n * pixels + p) * shape.c + c;
                double v = s->in[0][i];
                s->magnitude[i] = (float)(fabs(s->expected[i]) + fabs(y.mean) +
                                          y.deviation / x.deviation * fabs(v - x.mean));
                s->condition[i] = (float)(y.deviation / x.deviation * (fabs(v) + fabs(x.mean)));
            }
        }
}

/* ---- attention --------------------------------------------------------------------------------- */

/* Element c of token t of K (which = 0) or V of image n. */
static float token_at(const Scale *s, int which, int n, int t, int c) {
    const YonosTensor *tensor = s->node->in[1 + which];
    if (!tensor)
        return yonos_const_get(s->node->constant[which], (gsize)t * (gsize)s->node->out->shape.c + (gsize)c);
    int offset = which ? s->node->attr.attention.v_offset : s->node->attr.attention.k_offset;
    gsize tokens = (gsize)tensor->shape.h * tensor->shape.w;
    return s->in[1 + which][((gsize)n * tokens + (gsize)t) * tensor->shape.c + (gsize)(offset + c)];
}

static int count_tokens(const YonosNode *node) {
    return node->in[1] ? node->in[1]->shape.h * node->in[1]->shape.w : (int)node->constant[0]->dim[0];
}

/* An output is a mean of values; a score's error, which grows with the score, shifts the weights of that mean. */
static void scale_attention(const Scale *s) {
    YonosShape out = s->node->out->shape;
    int dim = s->node->attr.attention.head_dim, tokens = count_tokens(s->node), q_width = s->node->in[0]->shape.c;
    gsize pixels = (gsize)out.h * out.w;
    g_autofree float *k = g_new(float, out.c), *v = g_new(float, out.c);
    for (int n = 0; n < out.n; n++) {
        for (int c = 0; c < out.c; c++) {
            k[c] = v[c] = 0.0f;
            for (int t = 0; t < tokens; t++) {
                k[c] = MAX(k[c], fabsf(token_at(s, 0, n, t, c)));
                v[c] = MAX(v[c], fabsf(token_at(s, 1, n, t, c)));
            }
        }
        for (gsize p = (gsize)n * pixels; p < (gsize)(n + 1) * pixels; p++)
            for (int first = 0; first < out.c; first += dim) {
                const float *q = s->in[0] + p * q_width + s->node->attr.attention.q_offset + first;
                double score = 0.0;
                for (int c = 0; c < dim; c++)
                    score += fabs((double)q[c]) * k[first + c] * fabs(s->node->attr.attention.scale);
                for (int c = 0; c < dim; c++) {
                    s->magnitude[p * out.c + first + c] = v[first + c];
                    s->condition[p * out.c + first + c] = (float)(score * v[first + c]);
                }
            }
    }
}

/* ---- element by element --------------------------------------------------------------------------- */

static void scale_geglu(const Scale *s) {
    int c = s->node->out->shape.c;
    for (gsize i = 0; i < s->count; i++) {
        gsize from = i / (gsize)c * (gsize)(2 * c) + i % (gsize)c;
        s->magnitude[i] = fabsf(s->in[0][from]) * fabsf(s->in[0][from + (gsize)c]);
    }
}

static void scale_affine(const Scale *s) {
    for (gsize i = 0; i < s->count; i++)
        s->magnitude[i] = fabsf(s->node->attr.affine.a * s->in[0][i]) + fabsf(s->node->attr.affine.c) +
                          (s->in[1] ? fabsf(s->node->attr.affine.b * s->in[1][i]) : 0.0f);
}

static float largest(const float *values, gsize count) {
    float most = 0.0f;
    for (gsize i = 0; i < count; i++)
        most = MAX(most, fabsf(values[i]));
    return most;
}

/* The largest input, for all. */
static void scale_uniform(const Scale *s) {
    float most = 0.0f;
    for (int i = 0; i < 3; i++)
        if (s->in[i])
            most = MAX(most, largest(s->in[i], yonos_shape_count(s->node->in[i]->shape)));
    for (gsize i = 0; i < s->count; i++)
        s->magnitude[i] = most;
}

/* Pictures in [-1, 1], or codes, of which one is one whatever its value. */
static void scale_picture(const Scale *s) {
    const YonosFormatInfo *info = yonos_format_get_info(s->node->attr.frame.format);
    gboolean codes = s->node->op == YONOS_OP_UNPACK;
    for (gsize i = 0; i < s->count; i++) {
        float value = MAX(1.0f, fabsf(s->expected[i]));
        s->magnitude[i] = !codes ? value : info->layout == YONOS_LAYOUT_PACKED_F32 ? 1e-6f * value : 1.0f;
    }
}

gboolean scale_of(YonosBackend *reference, const Instance *exact, const Inputs *inputs, const float *expected,
                  gsize count, float *magnitude, float *condition, GError **error) {
    Scale s = {.exact = exact, .node = &exact->node, .expected = expected, .magnitude = magnitude,
               .condition = condition};
    for (int i = 0; i < 3; i++)
        s.in[i] = exact->node.in[i] ? inputs->values[exact->node.in[i]->id] : NULL;
    YonosShape out = exact->node.out ? exact->node.out->shape : (YonosShape){0};
    s.count = count;
    switch (exact->node.op) {
    case YONOS_OP_CONV2D:
    case YONOS_OP_LINEAR:
        return scale_product(reference, &s, inputs, error);
    case YONOS_OP_GROUP_NORM:
        scale_norm(&s, (gsize)out.h * out.w, out.c / exact->node.attr.group_norm.groups,
                   exact->node.attr.group_norm.eps);
        return TRUE;
    case YONOS_OP_LAYER_NORM:
        scale_norm(&s, 1, out.c, exact->node.attr.layer_norm.eps);
        return TRUE;
    case YONOS_OP_ADAIN:
        scale_adain(&s);
        return TRUE;
    case YONOS_OP_ATTENTION:
        scale_attention(&s);
        return TRUE;
    case YONOS_OP_GEGLU:
        scale_geglu(&s);
        return TRUE;
    case YONOS_OP_AFFINE:
        scale_affine(&s);
        return TRUE;
    case YONOS_OP_PACK:
    case YONOS_OP_UNPACK:
        scale_picture(&s);
        return TRUE;
    default:
        scale_uniform(&s);
        return TRUE;
    }
}
