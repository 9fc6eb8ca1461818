# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the folder that the element loads: diffusers' save_pretrained in fp16 plus our keys."""
import json
import pathlib

import diffusers
import torch

from .config import needed
from .networks import LAST, make_scheduler, smallest_unet, trained_autoencoder, trained_decoder, trained_unet


def export(config):
    """export.folder gets model_index.json, unet/, vae/, scheduler/, from the stages that have run and their inits.

    With decoder.unet = false, the model "no U-Net": z_l goes to the decoder as it is (a = 1, b = 0), past a U-Net that
    is there only because the format wants one.
    """
    folder = pathlib.Path(needed(config, "export.folder"))
    dtype = getattr(torch, config["export"]["dtype"])
    autoencoder = trained_decoder(config, trained_autoencoder(config))
    yonos = {"format_version": 1, "name": config["name"], "scale": config["scale"], "timestep": LAST,
             "conditioning": "concat_latent", "upsample_filter": "bicubic", "colour_fix": config["colour_fix"],
             "licence": config["export"]["licence"], "training": config["export"]["training"]}
    if config["decoder"]["unet"]:
        unet = trained_unet(config, autoencoder)
    else:
        unet = smallest_unet(autoencoder)
        yonos |= {"conditioning": "start_latent", "a": 1.0, "b": 0.0}
    unet.to(dtype).save_pretrained(folder / "unet")
    autoencoder.to(dtype).save_pretrained(folder / "vae")
    make_scheduler().save_pretrained(folder / "scheduler")
    index = {
        "_class_name": "YonosPipeline",
        "_diffusers_version": diffusers.__version__,
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "yonos": {key: value for key, value in yonos.items() if value is not None},
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    print(folder)
