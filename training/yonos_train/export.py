# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the folder that the element loads: diffusers' save_pretrained in fp16 plus our keys."""
import json
import pathlib
import shutil

import diffusers
import torch

from .config import needed
from .networks import (LAST, OneStep, make_scheduler, save_unet, smallest_unet, trained_autoencoder, trained_decoder,
                       trained_unet)


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
        if config["residual"]:
            yonos |= zip("abc", (x.item() for x in OneStep(unet, config | {"compile": False}).coefficients(LAST)))
    else:
        unet = smallest_unet(autoencoder)
        yonos |= {"conditioning": "start_latent", "a": 1.0, "b": 0.0}
    save_unet(unet.to(dtype), folder)
    autoencoder.to(dtype).save_pretrained(folder / "vae")
    make_scheduler(config).save_pretrained(folder / "scheduler")
    write_index(folder, {key: value for key, value in yonos.items() if value is not None}, type(autoencoder).__name__)
    let_all_read(folder)
    print(folder)


def let_all_read(folder):
    """safetensors leaves the files that it writes to their owner alone."""
    for weights in folder.rglob("*.safetensors"):
        weights.chmod(0o644)


def write_index(folder, yonos, autoencoder="AutoencoderKL", scheduler=None):
    """model_index.json with our keys; the scheduler's folder is copied where one is given."""
    if scheduler:
        shutil.copytree(scheduler, folder / "scheduler", dirs_exist_ok=True)
    index = {
        "_class_name": "YonosPipeline",
        "_diffusers_version": diffusers.__version__,
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", autoencoder],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "yonos": yonos,
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
