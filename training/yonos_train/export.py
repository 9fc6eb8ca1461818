# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the folder that the element loads: diffusers' save_pretrained in fp16 plus our keys."""
import json
import pathlib

import diffusers

from .loop import load_ema
from .networks import make_autoencoder, make_scheduler, make_unet
from .stages import scaling_factor


def export(config):
    """export.folder gets model_index.json, unet/, vae/, scheduler/."""
    folder = pathlib.Path(config["export"]["folder"])
    model = load_ema(config, "autoencoder", make_autoencoder(config, scaling_factor(config)))
    load_ema(config, "decoder", model.decoder)
    load_ema(config, "direct", make_unet(config)).half().save_pretrained(folder / "unet")
    model.half().save_pretrained(folder / "vae")
    make_scheduler().save_pretrained(folder / "scheduler")
    index = {
        "_class_name": "YonosPipeline",
        "_diffusers_version": diffusers.__version__,
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "yonos": {"format_version": 1, "name": config["name"], "scale": config["scale"], "timestep": 999,
                  "conditioning": "concat_latent", "upsample_filter": "bicubic", "colour_fix": "back-projection",
                  "licence": config["export"]["licence"], "training": config["export"]["training"]},
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    print(folder)
