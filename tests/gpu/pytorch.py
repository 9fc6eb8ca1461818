#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""PyTorch's time for one network on the GPU: pytorch.py MODEL-FOLDER unet|decoder WIDTH HEIGHT DTYPE FRAMES

Random weights from the folder's configuration, channels_last; eager, and torch.compile max-autotune, which uses CUDA
graphs. Prints the medians in milliseconds as JSON. Exit status 77 where PyTorch or diffusers is not installed.
"""
import json
import pathlib
import statistics
import sys

try:
    import diffusers
    import torch
except ImportError as missing:
    print(f"{missing.name} is not installed")
    sys.exit(77)


def network(folder, part, width, height, dtype):
    """Module and inputs on the device."""
    config = json.loads((folder / ("unet" if part == "unet" else "vae") / "config.json").read_text())
    net = getattr(diffusers, config["_class_name"]).from_config(config)
    channels = config["in_channels"] if part == "unet" else config["latent_channels"]
    x = torch.randn(1, channels, height, width)
    net = (net if part == "unet" else net.decoder).eval().to("cuda", dtype, memory_format=torch.channels_last)
    x = x.to("cuda", dtype, memory_format=torch.channels_last)
    if part != "unet":
        return lambda module: module(x), net
    prompt = torch.randn(1, 77, config["cross_attention_dim"], device="cuda", dtype=dtype)
    return lambda module: module(x, 999, encoder_hidden_states=prompt).sample, net


def median_ms(function, frames):
    for _ in range(5):
        function()
    times = []
    for _ in range(frames):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        function()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end))
    return round(statistics.median(times), 3)


def main(folder, part, width, height, dtype, frames):
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    call, net = network(pathlib.Path(folder), part, int(width), int(height), getattr(torch, dtype))
    result = {}
    with torch.inference_mode():
        result["eager"] = median_ms(lambda: call(net), int(frames))
        try:
            compiled = torch.compile(net, mode="max-autotune")
            result["max-autotune"] = median_ms(lambda: call(compiled), int(frames))
        except Exception as failure:  # pylint: disable=broad-except  # a refusal is a result
            result["max-autotune"] = f"{type(failure).__name__}"
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
