#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes the golden models: small diffusers pipelines with random weights and what diffusers computes with them.

    python tests/golden/make_golden.py [FOLDER]      (needs torch and diffusers; FOLDER: tests/golden/models)
    python tests/golden/make_golden.py --full FOLDER

With --full the networks have the real shapes of Stable Diffusion 1.5 and 2.1 and of TAESD: gigabytes, to be checked by
hand with `golden FOLDER/sd15 cpu f32` (docs/numerics.md has the result).

Each folder is a model that the engine loads, plus golden.safetensors: `image` (1,h,w,3) in [0,1], `noise`, and under
"expect.NAME" the result of every block NAME, the latents and the picture, all (1,h,w,c) f32. Resampling is Pillow's own.
"""
import json
import pathlib
import shutil
import sys

import numpy as np
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from diffusers.models.downsampling import Downsample2D
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.upsampling import Upsample2D
from diffusers.models.autoencoders.vae import AutoencoderTinyBlock
from PIL import Image
from safetensors.numpy import save_file

SCALE, TIMESTEP, TOKENS, PROMPT_DIM = 2, 999, 5, 24

KL = dict(in_channels=3, out_channels=3, norm_num_groups=4, sample_size=32)
UNET = dict(norm_num_groups=4, sample_size=8)

MODELS = {
    "text-free": dict(
        size=(13, 9), conditioning="concat_latent", prediction="v_prediction", colour_fix="back-projection",
        vae=AutoencoderKL, vae_config=dict(
            KL, down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
            block_out_channels=(8, 12, 16), layers_per_block=1, latent_channels=4, scaling_factor=0.7,
            mid_block_add_attention=False, use_quant_conv=False, use_post_quant_conv=False),
        unet_config=dict(
            UNET, in_channels=8, out_channels=4, down_block_types=("DownBlock2D",) * 3,
            up_block_types=("UpBlock2D",) * 3, mid_block_type="UNetMidBlock2D", block_out_channels=(8, 16, 16),
            layers_per_block=1, cross_attention_dim=PROMPT_DIM)),
    "cross-conv": dict(  # as SD 1.5: 1x1 projections, one number of heads
        size=(20, 14), conditioning="start_latent", prediction="epsilon", colour_fix="none", timestep=200,
        vae=AutoencoderKL, vae_config=dict(
            KL, down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
            block_out_channels=(8, 16), layers_per_block=2, latent_channels=4, scaling_factor=0.18215),
        unet_config=dict(
            UNET, in_channels=4, out_channels=4, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), block_out_channels=(16, 32), layers_per_block=2,
            attention_head_dim=4, cross_attention_dim=PROMPT_DIM)),
    "cross-linear": dict(  # as SD 2.1: linear projections, heads by level; and what else a config can say
        size=(11, 16), conditioning="concat_latent", prediction="sample", colour_fix="none",
        vae=AutoencoderTiny, vae_config=dict(
            encoder_block_out_channels=(8, 8, 8), decoder_block_out_channels=(12, 12, 12), num_encoder_blocks=(1, 2, 1),
            num_decoder_blocks=(2, 1, 1), latent_channels=6),
        unet_config=dict(
            UNET, in_channels=12, out_channels=6, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), mid_block_type="UNetMidBlock2DCrossAttn",
            block_out_channels=(16, 32), layers_per_block=(1, 2), attention_head_dim=(2, 4),
            transformer_layers_per_block=(1, 2), use_linear_projection=True, only_cross_attention=(False, True),
            cross_attention_dim=PROMPT_DIM, num_class_embeds=3, flip_sin_to_cos=False, freq_shift=1, act_fn="gelu")),
    "null-mid": dict(
        size=(9, 7), conditioning="concat_latent", prediction="v_prediction", colour_fix="none",
        vae=AutoencoderKL, vae_config=dict(
            KL, down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
            block_out_channels=(8, 8), layers_per_block=1, latent_channels=4, scaling_factor=1.5, shift_factor=0.1,
            use_quant_conv=False, use_post_quant_conv=False),
        unet_config=dict(
            UNET, in_channels=8, out_channels=4, down_block_types=("DownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "UpBlock2D"), mid_block_type=None, block_out_channels=(12, 8),
            layers_per_block=2, downsample_padding=1, conv_in_kernel=5, norm_eps=1e-4, time_embedding_dim=20,
            cross_attention_dim=PROMPT_DIM)),
}

SD = dict(
    size=(128, 128), colour_fix="none", tokens=77, vae=AutoencoderKL, vae_config=dict(
        block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4, scaling_factor=0.18215,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4))
FULL = {
    "sd15": dict(SD, conditioning="concat_latent", prediction="v_prediction", prompt_dim=768,
                 unet_config=dict(in_channels=8, cross_attention_dim=768)),
    "sd21": dict(SD, conditioning="start_latent", prediction="epsilon", timestep=200, prompt_dim=1024,
                 unet_config=dict(attention_head_dim=(5, 10, 20, 20), use_linear_projection=True,
                                  cross_attention_dim=1024)),
    "taesd": dict(
        size=(128, 128), conditioning="concat_latent", prediction="sample", colour_fix="none", vae=AutoencoderTiny,
        vae_config={}, unet_config=dict(
            in_channels=8, out_channels=4, block_out_channels=(64, 128), layers_per_block=1, mid_block_type=None,
            down_block_types=("DownBlock2D",) * 2, up_block_types=("UpBlock2D",) * 2, cross_attention_dim=PROMPT_DIM)),
}


def resize(x, h, w):
    """(h, w, c) floats by Pillow's bicubic, channel by channel."""
    planes = [Image.fromarray(x[..., c], mode="F").resize((w, h), Image.BICUBIC) for c in range(x.shape[2])]
    return np.stack([np.asarray(p) for p in planes], -1)


def nhwc(x):
    return np.ascontiguousarray(x.detach().float().permute(0, 2, 3, 1).numpy())


def record(module, root, expect):
    """Notes the output of every block of `module` under the name that the engine gives it."""
    for path, child in module.named_modules():
        name = None
        if isinstance(child, (ResnetBlock2D, AutoencoderTinyBlock)) or path in ("conv_in", "conv_out"):
            name = path
        elif isinstance(child, (Downsample2D, Upsample2D)):
            name = f"{path}.conv"
        elif isinstance(child, Transformer2DModel):
            name = f"{path}.proj_out"
        elif isinstance(child, Attention) and root == "vae.":
            name = f"{path}.to_out.0"
        if name:
            def hook(_, __, output, name=root + name):
                expect[name] = nhwc(output[0] if isinstance(output, tuple) else output)
            child.register_forward_hook(hook)


def randomise(module, generator):
    """Default weights, but norms and biases that are not 1 and 0."""
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return module.half().float().eval()  # what the file will hold


def one_step(scheduler, timestep, z, out):
    a = scheduler.alphas_cumprod[timestep].double()
    kind = scheduler.config.prediction_type
    if kind == "sample":
        return out
    if kind == "epsilon":
        return ((z - (1 - a).sqrt() * out) / a.sqrt()).float()
    return (a.sqrt() * z - (1 - a).sqrt() * out).float()


def make(name, model, folder):
    generator = torch.Generator().manual_seed(len(name))
    torch.manual_seed(len(name))
    rng = np.random.default_rng(len(name))
    vae = randomise(model["vae"](**model["vae_config"]), generator)
    unet = randomise(UNet2DConditionModel(**model["unet_config"]), generator)
    timestep = model.get("timestep", TIMESTEP)
    scheduler = DDIMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012,
                              prediction_type=model["prediction"])
    w, h = model["size"]
    config = vae.config
    factor = 2 ** (len(config.get("block_out_channels") or config.encoder_block_out_channels) - 1)
    out_h, out_w = h * SCALE, w * SCALE
    pad_h, pad_w = -out_h % factor, -out_w % factor

    image = rng.random((h, w, 3), dtype=np.float32)
    lr = image * 2 - 1
    upsampled = resize(lr, out_h, out_w)
    padded = np.pad(upsampled, ((0, pad_h), (0, pad_w), (0, 0)), mode="edge")
    latent_shape = ((out_h + pad_h) // factor, (out_w + pad_w) // factor)
    noise = rng.standard_normal((1, *latent_shape, config.latent_channels)).astype(np.float32)
    prompt = torch.from_numpy(rng.standard_normal((1, model.get("tokens", TOKENS), model.get("prompt_dim", PROMPT_DIM)))
                              .astype(np.float32))

    expect = {}
    record(vae, "vae.", expect)
    record(unet, "unet.", expect)
    shift, scale = vae.config.get("shift_factor") or 0.0, vae.config.scaling_factor
    with torch.no_grad():
        encoded = vae.encode(torch.from_numpy(padded).permute(2, 0, 1)[None])
        mean = encoded.latents if model["vae"] is AutoencoderTiny else encoded.latent_dist.mean
        z_l = (mean - shift) * scale
        start = model["conditioning"] == "start_latent"
        z = z_l if start else torch.from_numpy(noise).permute(0, 3, 1, 2)
        labels = torch.tensor([1]) if model["unet_config"].get("num_class_embeds") else None
        out = unet(z if start else torch.cat([z, z_l], 1), timestep, encoder_hidden_states=prompt,
                   class_labels=labels).sample
        latent = one_step(scheduler, timestep, z, out) / scale + shift
        decoded = vae.decode(latent).sample
    result = nhwc(decoded)[0, :out_h, :out_w]
    if model["colour_fix"] == "back-projection":
        result = result + resize(lr - resize(result, h, w), out_h, out_w)
    expect |= {"upsampled": upsampled[None], "z_l": nhwc(z_l), "latent": nhwc(latent),
               "decoded": nhwc(decoded), "image": result[None]}
    if model["vae"] is AutoencoderTiny:  # there is an activation behind the engine's tensor of this name
        expect.pop("vae.decoder.layers.0", None)

    shutil.rmtree(folder, ignore_errors=True)
    unet.half().save_pretrained(folder / "unet")
    vae.half().save_pretrained(folder / "vae")
    scheduler.save_pretrained(folder / "scheduler")
    own = {"name": name, "scale": SCALE, "conditioning": model["conditioning"], "timestep": timestep,
           "colour_fix": model["colour_fix"], "class_label": 1 if labels is not None else 0}
    index = {"_class_name": "YonosPipeline", "unet": ["diffusers", "UNet2DConditionModel"],
             "vae": ["diffusers", model["vae"].__name__], "scheduler": ["diffusers", "DDIMScheduler"], "yonos": own}
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    save_file({"prompt_embeds": prompt.numpy()}, folder / "prompt_embeds.safetensors")
    save_file({"image": image[None], "noise": noise, **{f"expect.{k}": np.ascontiguousarray(v, dtype=np.float32)
                                                       for k, v in expect.items()}}, folder / "golden.safetensors")
    print(f"{name}: {len(expect)} tensors")


def main():
    full = sys.argv[1:2] == ["--full"]
    folders = sys.argv[1 + full:] or [pathlib.Path(__file__).parent / "models"]
    root = pathlib.Path(folders[0])
    for name, model in (FULL if full else MODELS).items():
        make(name, model, root / name)


if __name__ == "__main__":
    main()
