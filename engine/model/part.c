/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A model's own networks: as steps of a frame's graph, and each alone as a graph.
 */
#include "model/folder.h"

const YonosTensor *yonos_build_unet(YonosModel *model, YonosGraph *g, const YonosTensor *input) {
    return yonos_unet_build(g, model->unet_weights, &model->unet, model->prompt, model->info.timestep,
                            model->class_label, input);
}

const YonosTensor *yonos_build_encoder(YonosModel *model, YonosGraph *g, const YonosTensor *image) {
    return yonos_vae_build_encoder(g, model->vae_weights, &model->vae, image);
}

const YonosTensor *yonos_build_decoder(YonosModel *model, YonosGraph *g, const YonosTensor *latent, const char *name) {
    const YonosTensor *image = yonos_vae_build_decoder(g, model->vae_weights, &model->vae, latent);
    ((YonosTensor *)image)->name = g_string_chunk_insert(g->names, name);
    return image;
}

static int input_channels(const YonosModel *model, YonosPart part) {
    switch (part) {
    case YONOS_PART_UNET:
        return model->unet.in_channels;
    case YONOS_PART_DECODER:
        return model->vae.latent_channels;
    default:
        return 3;
    }
}

YonosGraph *yonos_model_build_part(YonosModel *model, YonosPart part, int h, int w, YonosDType dtype, GError **error) {
    g_autoptr(YonosGraph) graph = yonos_graph_new();
    graph->section = YONOS_SECTION_TILE;
    YonosShape shape = {1, h, w, input_channels(model, part)};
    const YonosTensor *x = yonos_graph_tensor(graph, YONOS_TENSOR_INPUT, YONOS_DTYPE_F32, shape, "input");
    x = yonos_convert(graph, x, dtype);
    if (part == YONOS_PART_UNET)
        x = yonos_build_unet(model, graph, x);
    else if (part == YONOS_PART_ENCODER)
        x = yonos_build_encoder(model, graph, x);
    else
        x = yonos_build_decoder(model, graph, x, "decoded");
    YonosTensor *out = yonos_affine(graph, x, 1.0f, NULL, 0.0f, 0.0f, YONOS_ACTIVATION_NONE, YONOS_DTYPE_F32, "output");
    out->kind = YONOS_TENSOR_OUTPUT;
    return yonos_graph_finish(graph, error) ? g_steal_pointer(&graph) : NULL;
}
