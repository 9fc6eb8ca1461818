#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""yonos-bench against PyTorch's best CPU setting: same networks, machine and threads, taking turns in one run.

    python tests/golden/make_bench_models.py BENCH
    python tests/bench/compare_pytorch.py YONOS_BENCH BENCH models/yonos-lite-x2 [--threads 2] [--frames 3] [--no-compile]

PyTorch runs channels_last in f32 and in bf16, eager and, unless told otherwise, with torch.compile; its fastest counts.
For the default model PyTorch runs encoder, U-Net and decoder alone, without the resampling, the colour fix and the
format conversions that yonos-bench's frame includes. Prints one Markdown table.
"""
import argparse
import json
import statistics
import subprocess
import time

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel


def unet_call(folder, height, width):
    unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet").eval()
    x = torch.randn(1, unet.config.in_channels, height, width)
    prompt = torch.randn(1, 77, unet.config.cross_attention_dim)
    return unet, lambda net, cast: net(cast(x), 999, encoder_hidden_states=cast(prompt)).sample


def decoder_call(folder, height, width, kind):
    vae = kind.from_pretrained(folder, subfolder="vae").eval()
    z = torch.randn(1, vae.config.latent_channels, height, width)
    return vae.decoder, lambda net, cast: net(cast(z))


class Pipeline(torch.nn.Module):
    def __init__(self, folder):
        super().__init__()
        self.vae = AutoencoderKL.from_pretrained(folder, subfolder="vae").eval()
        self.unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet").eval()

    def forward(self, image, noise, prompt):
        z_l = self.vae.encoder(image)[:, :noise.shape[1]]
        return self.vae.decoder(self.unet(torch.cat([noise, z_l], 1), 999, encoder_hidden_states=prompt).sample)


def pipeline_call(folder, height, width):
    net = Pipeline(folder)
    image = torch.randn(1, 3, 2 * height, 2 * width)
    factor = 2 ** (len(net.vae.config.block_out_channels) - 1)
    noise = torch.randn(1, net.vae.config.latent_channels, 2 * height // factor, 2 * width // factor)
    prompt = torch.zeros(1, 1, net.unet.config.cross_attention_dim)
    return net, lambda n, cast: n(cast(image), cast(noise), cast(prompt))


def pytorch_variants(make, compile_too):
    """(name, function without arguments) for every setting."""
    for dtype in (torch.float32, torch.bfloat16):
        net, call = make()
        net = net.to(dtype).to(memory_format=torch.channels_last)

        def cast(x, dtype=dtype):
            x = x.to(dtype)
            return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x

        name = str(dtype).removeprefix("torch.")
        yield name, lambda net=net, call=call, cast=cast: call(net, cast)
        if compile_too:
            compiled = torch.compile(net)
            yield f"{name} compiled", lambda net=compiled, call=call, cast=cast: call(net, cast)


def time_pytorch(function, frames):
    with torch.inference_mode():
        function()
        times = []
        for _ in range(frames):
            begin = time.perf_counter()
            function()
            times.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(times)


def time_yonos(arguments, options, precision):
    command = [options.yonos_bench, *arguments, "--precision", precision, "--threads", str(options.threads),
               "--frames", str(options.frames), "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def compare(name, arguments, make, options):
    ours, theirs = {}, {}
    for precision in ("f32", "bf16"):
        ours[precision] = time_yonos(arguments, options, precision)
    for variant, function in pytorch_variants(make, not options.no_compile):
        try:
            first = time_pytorch(function, options.frames)
            again = time_yonos(arguments, options, "bf16")
            ours["bf16"]["median_ms"] = min(ours["bf16"]["median_ms"], again["median_ms"])
            theirs[variant] = min(first, time_pytorch(function, options.frames))
        except Exception as failure:  # torch.compile may refuse a network: that is a result, not an end
            print(f"<!-- {name}: PyTorch {variant}: {type(failure).__name__} -->")
    best = min(theirs, key=theirs.get)
    our_best = min(ours, key=lambda p: ours[p]["median_ms"])
    figures = ours[our_best]
    share = 100 * figures["tflop_per_frame"] / (figures["median_ms"] / 1e3) / figures["peak_bf16_tflop_per_s"]
    print(f"| {name} | {ours['f32']['median_ms']:.0f} | {ours['bf16']['median_ms']:.0f} | {theirs[best]:.0f} ({best}) | "
          f"{theirs[best] / figures['median_ms']:.2f} | {figures['tflop_per_frame']:.3f} | {share:.0f} % |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("yonos_bench")
    parser.add_argument("bench")
    parser.add_argument("default_model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--frames", type=int, default=3)
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    sd15, taesd, lite = f"{options.bench}/sd15", f"{options.bench}/taesd", options.default_model
    part = ["--width", "64", "--height", "64", "--part"]
    rows = [
        ("default model, 320x180 -> 640x360", ["--model", lite, "--width", "320", "--height", "180"],
         lambda: pipeline_call(lite, 180, 320)),
        ("SD 1.5 U-Net, 64x64 latents", ["--model", sd15, *part, "unet"], lambda: unet_call(sd15, 64, 64)),
        ("SD VAE decoder to 512x512", ["--model", sd15, *part, "decoder"],
         lambda: decoder_call(sd15, 64, 64, AutoencoderKL)),
        ("TAESD decoder to 512x512", ["--model", taesd, *part, "decoder"],
         lambda: decoder_call(taesd, 64, 64, AutoencoderTiny)),
    ]
    print("| network | yonossr f32, ms | bf16, ms | PyTorch's best, ms | ratio | TFLOP | share of the bf16 peak |\n"
          "|---|---|---|---|---|---|---|")
    for name, arguments, make in rows:
        if options.only in name:
            compare(name, arguments, make, options)


if __name__ == "__main__":
    main()
