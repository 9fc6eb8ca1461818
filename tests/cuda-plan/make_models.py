#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The reference models as configurations and lists of tensors: python make_models.py

Writes models/NAME/ beside this script: model folders with a text file of "name size size .." lines in the place of each
safetensors file, from which test-plan makes files without contents. Needs diffusers; downloads nothing.
"""
import json
import pathlib

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, DDIMScheduler, UNet2DConditionModel

HERE = pathlib.Path(__file__).parent / "models"
KL = dict(block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4,
          down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4)
SD21 = dict(attention_head_dim=(5, 10, 20, 20), cross_attention_dim=1024, use_linear_projection=True)
SMALL = dict(in_channels=4, out_channels=4, block_out_channels=(32,), layers_per_block=1,
             down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",), mid_block_type=None, cross_attention_dim=8)


def write_part(folder, part):
    folder.mkdir(parents=True, exist_ok=True)
    part.save_config(folder)
    lines = [" ".join([name, *map(str, tensor.shape)]) for name, tensor in sorted(part.state_dict().items())]
    (folder / "diffusion_pytorch_model.shapes").write_text("\n".join(lines) + "\n")


def write(name, unet, vae):
    folder = HERE / name
    write_part(folder / "unet", unet)
    write_part(folder / "vae", vae)
    DDIMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012).save_pretrained(folder / "scheduler")
    (folder / "prompt_embeds.shapes").write_text(f"prompt_embeds 1 77 {unet.config.cross_attention_dim}\n")
    index = {"_class_name": "YonosPipeline", "unet": ["diffusers", "UNet2DConditionModel"],
             "vae": ["diffusers", type(vae).__name__], "scheduler": ["diffusers", "DDIMScheduler"],
             "yonos": {"scale": 4, "conditioning": "start_latent"}}
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")


def main():
    with torch.device("meta"):
        write("sd15", UNet2DConditionModel(attention_head_dim=8, cross_attention_dim=768), AutoencoderKL(**KL))
        write("sd21", UNet2DConditionModel(**SD21), AutoencoderKL(**KL))
        write("taesd", UNet2DConditionModel(**SMALL), AutoencoderTiny())


if __name__ == "__main__":
    main()
