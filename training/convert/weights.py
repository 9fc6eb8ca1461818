# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reading released files. Pickles are read with weights_only: nothing in them is run."""
import pathlib

import torch
from safetensors.torch import load_file


def read_weights(path):
    """The file's dictionary: tensors by name, or such dictionaries by name."""
    if pathlib.Path(path).suffix == ".safetensors":
        return load_file(path)
    weights = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(weights, dict):
        raise SystemExit(f"{path}: holds no dictionary of tensors")
    return weights
