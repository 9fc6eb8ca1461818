#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Random-weight models of well-known shapes for yonos-bench: python make_bench_models.py FOLDER

FOLDER/sd15: the U-Net (860 M parameters) and the autoencoder of Stable Diffusion 1.5; FOLDER/taesd: a small text-free
U-Net and an AutoencoderTiny of TAESD's size. fp16 on disk.
"""
import json
import pathlib
import sys

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import save_file

SD15_VAE = dict(block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4,
                down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4)
SMALL_UNET = dict(in_channels=4, out_channels=4, block_out_channels=(32,), layers_per_block=1,
                  down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",), mid_block_type=None,
                  cross_attention_dim=8)


def write(folder, unet, vae):
    unet.half().save_pretrained(folder / "unet")
    vae.half().save_pretrained(folder / "vae")
    DDIMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012).save_pretrained(folder / "scheduler")
    save_file({"prompt_embeds": torch.randn(1, 77, unet.config.cross_attention_dim)}, folder / "prompt_embeds.safetensors")
    index = {"_class_name": "YonosPipeline", "unet": ["diffusers", "UNet2DConditionModel"],
             "vae": ["diffusers", type(vae).__name__], "scheduler": ["diffusers", "DDIMScheduler"],
             "yonos": {"scale": 2, "conditioning": "start_latent"}}
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")


def main(root):
    torch.manual_seed(0)
    write(root / "taesd", UNet2DConditionModel(**SMALL_UNET), AutoencoderTiny())
    write(root / "sd15", UNet2DConditionModel(cross_attention_dim=768), AutoencoderKL(**SD15_VAE))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
