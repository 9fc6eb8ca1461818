#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A reference model of the right shapes with random weights: random_models.py SHAPES-FOLDER OUT-FOLDER

SHAPES-FOLDER is a model folder with lists of tensors (tests/cuda-plan/make_models.py); they become fp16 safetensors
with weights of unit gain, so that activations neither grow nor vanish. Needs PyTorch, neither diffusers nor NumPy; uses
the GPU where there is one. Exit status 77 where PyTorch is not installed.
"""
import ctypes
import json
import math
import pathlib
import shutil
import struct
import sys

try:
    import torch
except ImportError:
    print("PyTorch is not installed")
    sys.exit(77)


def random_tensor(name, shape, generator):
    noise = torch.randn(shape, generator=generator, device=generator.device)
    if len(shape) == 1:
        return 0.05 * noise + (1 if name.endswith("weight") else 0)
    return noise / math.sqrt(math.prod(shape[1:])) if len(shape) != 3 else noise


def half_bytes(tensor):
    tensor = tensor.half().cpu().contiguous()
    return ctypes.string_at(tensor.data_ptr(), 2 * tensor.numel())


def write(shapes, path):
    generator = torch.Generator("cuda" if torch.cuda.is_available() else "cpu").manual_seed(1)
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
            file.write(half_bytes(random_tensor(name, shape, generator)))


def main(source, target):
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        out = target / path.relative_to(source)
        out.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".shapes":
            write(path, out.with_suffix(".safetensors"))
        else:
            shutil.copy(path, out)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
