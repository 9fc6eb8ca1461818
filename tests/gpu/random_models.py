#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reference models of the right shapes with random weights: random_models.py SHAPES-FOLDER OUT-FOLDER

SHAPES-FOLDER holds model folders with lists of tensors (tests/cuda-plan/make_models.py); each becomes fp16 safetensors
with weights of unit gain, so that activations neither grow nor vanish. Needs PyTorch, neither diffusers nor a network.
"""
import json
import math
import pathlib
import shutil
import struct
import sys

import torch


def random_tensor(name, shape, generator):
    if len(shape) == 1:
        ones = name.endswith("weight")
        return (torch.ones(shape) if ones else torch.zeros(shape)) + 0.05 * torch.randn(shape, generator=generator)
    gain = 1 / math.sqrt(math.prod(shape[1:])) if len(shape) != 3 else 1.0
    return gain * torch.randn(shape, generator=generator)


def write(shapes, path):
    generator = torch.Generator().manual_seed(1)
    tensors = [(line.split()[0], [int(n) for n in line.split()[1:]]) for line in shapes.read_text().splitlines()]
    header, at = {}, 0
    for name, shape in tensors:
        size = 2 * math.prod(shape)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in tensors:
            file.write(random_tensor(name, shape, generator).half().numpy().tobytes())


def main(source, target):
    for path in sorted(source.rglob("*")):
        out = target / path.relative_to(source)
        if path.is_dir():
            out.mkdir(parents=True, exist_ok=True)
        elif path.suffix == ".shapes":
            write(path, out.with_suffix(".safetensors"))
        else:
            out.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, out)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
