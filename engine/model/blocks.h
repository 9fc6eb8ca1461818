/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The blocks that U-Net and autoencoder share: layers whose weights are claimed by path.
 *
 * A Net is the builder's context. Paths are diffusers' module paths inside the weights file; tensors are
 * named root + path ("unet." + "down_blocks.0.resnets.0.conv1").
 */
#ifndef YONOS_BLOCKS_H
#define YONOS_BLOCKS_H

#include "graph/graph.h"
#include "model/weights.h"

typedef struct {
    YonosGraph *g;
    YonosWeights *weights;
    const char *root; /* "unet." or "vae." */
    int groups;
    float eps;        /* of the resnets' group norms */
    YonosActivation activation;
    const YonosConst *time; /* act(time embedding) (time_dim), or NULL */
} Net;

/* printf into memory that lives as long as the graph. */
const char *net_path(Net *net, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* path + suffix with these dimensions; NULL and the graph failed where it is not there. */
const YonosConst *net_claim(Net *net, const char *path, const char *suffix, int rank, gint64 d0, gint64 d1, gint64 d2,
                            gint64 d3);
/* A matrix (co,ci) or 1x1 kernel (co,ci,1,1), whichever the file has, and a vector. */
const YonosConst *net_matrix(Net *net, const char *path, int co, int ci);
const YonosConst *net_vector(Net *net, const char *path, const char *suffix, int count);

/* Square kernel, symmetric padding (kernel - 1) / 2. */
YonosTensor *net_conv(Net *net, const YonosTensor *x, const char *path, int co, int kernel, YonosActivation act);
YonosTensor *net_linear(Net *net, const YonosTensor *x, const char *path, int co, gboolean bias,
                        const YonosTensor *residual);
YonosTensor *net_group_norm(Net *net, const YonosTensor *x, const YonosTensor *y, const char *path, float eps,
                            YonosActivation act);
YonosTensor *net_layer_norm(Net *net, const YonosTensor *x, const char *path);

/* ResnetBlock2D on x, or on the channels of [x, skip] where skip is given, to `co` channels. */
const YonosTensor *net_resnet(Net *net, const YonosTensor *x, const YonosTensor *skip, const char *path, int co);
/* Stride-2 3x3 convolution; pad: top, left, bottom, right. */
const YonosTensor *net_downsample(Net *net, const YonosTensor *x, const char *path, const int pad[4]);
/* Nearest to (h, w), then 3x3 convolution to the same number of channels. */
const YonosTensor *net_upsample(Net *net, const YonosTensor *x, const char *path, int h, int w);
/* 1/sqrt(head_dim) attention over one packed [q, k, v] tensor. */
YonosTensor *net_self_attention(Net *net, const YonosTensor *qkv, int heads, const char *path);

#endif
