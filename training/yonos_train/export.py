# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the folder that the element loads: diffusers' save_pretrained in fp16 plus our keys."""
import json
import pathlib

import diffusers
import torch

from .config import needed
from .networks import LAST, make_scheduler, trained_autoencoder, trained_decoder, trained_unet


def export(config):
    """export.folder gets model_index.json, unet/, vae/, scheduler/, from the stages that have run and their inits."""
    folder = pathlib.Path(needed(config, "export.folder"))
    dtype = getattr(torch, config["export"]["dtype"])
    model = trained_autoencoder(config)
    trained_unet(config, model).to(dtype).save_pretrained(folder / "unet")
    trained_decoder(config, model).to(dtype).save_pretrained(folder / "vae")
    make_scheduler().save_pretrained(folder / "scheduler")
    index = {
        "_class_name": "YonosPipeline",
        "_diffusers_version": diffusers.__version__,
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "yonos": {"format_version": 1, "name": config["name"], "scale": config["scale"], "timestep": LAST,
                  "conditioning": "concat_latent", "upsample_filter": "bicubic", "colour_fix": "back-projection",
                  "licence": config["export"]["licence"], "training": config["export"]["training"]},
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    print(folder)
