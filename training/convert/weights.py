# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reading released files, and parts of model folders. Pickles are read with weights_only: nothing in them is run."""
import pathlib

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from safetensors.torch import load_file

NETWORKS = {kind.__name__: kind for kind in (UNet2DConditionModel, AutoencoderKL, AutoencoderTiny)}


def read_weights(path):
    """The file's dictionary: tensors by name, or such dictionaries by name."""
    if pathlib.Path(path).suffix == ".safetensors":
        return load_file(path)
    weights = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(weights, dict):
        raise SystemExit(f"{path}: holds no dictionary of tensors")
    return weights


def network_class(folder, part):
    """The diffusers class of FOLDER/PART, by its config."""
    config = UNet2DConditionModel.load_config(pathlib.Path(folder) / part)
    if config.get("_class_name") not in NETWORKS:
        raise SystemExit(f"{folder}/{part}: {config.get('_class_name')!r} is not one of {', '.join(NETWORKS)}")
    return NETWORKS[config["_class_name"]]


def read_network(folder, part):
    return network_class(folder, part).from_pretrained(folder, subfolder=part, torch_dtype=torch.float32)
