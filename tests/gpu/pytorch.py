#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""PyTorch's time for one network, or for the whole frame of a model that takes [noise, latent].

    pytorch.py MODEL-FOLDER unet|decoder|frame WIDTH HEIGHT [--dtype bfloat16] [--frames 50] [--modes a,b] ...

channels_last, cuDNN's benchmark on, TF32 off; eager, and each mode of torch.compile. Random weights from the folder's
configuration. Compiles first, then prints "ready" and waits for a line, so that many can compile at once and be timed
one by one. Prints medians in milliseconds as JSON; times are of the host's clock with a synchronisation after each
run, as yonos-bench takes them. `frame` is yonos-bench's: RGB bytes in memory to RGB bytes in memory.

pytorch.py copy: GB/s of copies on the device, bytes read and written counted. Exit status 77: PyTorch, diffusers or the
device is missing.
"""
import argparse
import contextlib
import json
import pathlib
import signal
import statistics
import sys
import time

try:
    import torch
    from torch.nn import functional
except ImportError as missing:
    print(f"{missing.name} is not installed")
    sys.exit(77)

TIMESTEP = 999


class TooSlow(BaseException):
    """No Exception, or the compiler would take it for a choice that failed."""


@contextlib.contextmanager
def time_limit(seconds):
    def stop(_number, _frame):
        raise TooSlow
    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def load(folder, part):
    """U-Net or autoencoder, with random weights."""
    try:
        import diffusers  # pylint: disable=import-outside-toplevel
    except ImportError as missing:
        print(f"{missing.name} is not installed; its wheel may be in the bundle's python/, see run.sh")
        sys.exit(77)
    config = json.loads((folder / part / "config.json").read_text(encoding="utf-8"))
    return getattr(diffusers, config["_class_name"]).from_config(config)


class Frame(torch.nn.Module):
    """docs/architecture.md's way of the data for one tile, with back-projection."""

    def __init__(self, folder):
        super().__init__()
        self.unet, self.vae = load(folder, "unet"), load(folder, "vae")
        self.scale = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))["yonos"]["scale"]
        self.a, self.b = 0.068265, -0.997667  # v-prediction, one step
        self.factor = 2 ** (len(self.vae.config.block_out_channels) - 1)

    def noise_shape(self, height, width):
        return 1, self.vae.config.latent_channels, *(-(-self.scale * n // self.factor) for n in (height, width))

    def forward(self, picture, noise, prompt):
        low = picture.permute(0, 3, 1, 2).float() / 127.5 - 1
        size = [self.scale * n for n in low.shape[2:]]
        pad = [-n % self.factor for n in size]
        large = functional.interpolate(low, size=size, mode="bicubic")
        large = functional.pad(large, (0, pad[1], 0, pad[0]), mode="replicate").to(
            prompt.dtype, memory_format=torch.channels_last)
        latent = self.vae.encoder(large)[:, :noise.shape[1]] * self.vae.config.scaling_factor
        out = self.unet(torch.cat([noise.to(prompt.dtype), latent], 1), TIMESTEP, encoder_hidden_states=prompt).sample
        latent = (self.a * noise + self.b * out.float()) / self.vae.config.scaling_factor
        latent = latent.to(prompt.dtype, memory_format=torch.channels_last)
        image = self.vae.decoder(latent).float()[:, :, :size[0], :size[1]]
        error = low - functional.interpolate(image, size=low.shape[2:], mode="bicubic", antialias=True)
        image = image + functional.interpolate(error, size=size, mode="bicubic")
        return (127.5 * (image.clamp(-1, 1) + 1)).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def frame_call(folder, options, dtype):
    with torch.device(options.device):
        net = Frame(folder).eval().to(options.device, dtype, memory_format=torch.channels_last)
        noise = torch.randn(net.noise_shape(options.height, options.width))
        prompt = torch.zeros(1, 1, net.unet.config.cross_attention_dim, dtype=dtype)
    pinned = options.device == "cuda"
    source = torch.randint(0, 256, (1, options.height, options.width, 3), dtype=torch.uint8)
    target = torch.empty((1, net.scale * options.height, net.scale * options.width, 3), dtype=torch.uint8)
    if pinned:
        source, target = source.pin_memory(), target.pin_memory()
    return net, lambda module: target.copy_(module(source.to(options.device, non_blocking=True), noise, prompt),
                                            non_blocking=True)


def network_call(folder, options, dtype):
    with torch.device(options.device):
        net = load(folder, "unet" if options.part == "unet" else "vae")
        channels = net.config.in_channels if options.part == "unet" else net.config.latent_channels
        x = torch.randn(1, channels, options.height, options.width)
        prompt = torch.randn(1, 77, net.config.cross_attention_dim, dtype=dtype) if options.part == "unet" else None
    net = (net if options.part == "unet" else net.decoder).eval()
    net = net.to(options.device, dtype, memory_format=torch.channels_last)
    x = x.to(dtype, memory_format=torch.channels_last)
    if options.part == "unet":
        return net, lambda module: module(x, TIMESTEP, encoder_hidden_states=prompt).sample
    return net, lambda module: module(x)


def finish(device):
    if device == "cuda":
        torch.cuda.synchronize()


def median_ms(function, frames, device):
    times = []
    for _ in range(frames + 3):
        begin = time.perf_counter()
        function()
        finish(device)
        times.append(1e3 * (time.perf_counter() - begin))
    return round(statistics.median(times[3:]), 3)


def prepare(net, call, modes, options):
    """Functions to time, by name; or why there is none."""
    variants = {"eager": lambda: call(net)}
    call(net)
    for mode in modes:
        begin = time.monotonic()
        try:
            with time_limit(options.compile_seconds):
                compiled = torch.compile(net, mode=mode)
                for _ in range(3):  # the third run replays the graph
                    call(compiled)
                    finish(options.device)
            variants[mode] = lambda compiled=compiled: call(compiled)
        except TooSlow:
            variants[mode] = f"not compiled in {options.compile_seconds} s"
        except Exception as failure:  # pylint: disable=broad-except  # a refusal is a result
            variants[mode] = f"{type(failure).__name__}: {failure}"[:300]
        print(f"{mode}: {time.monotonic() - begin:.0f} s", file=sys.stderr)
    return variants


def copy_speed(device):
    source = torch.empty(1 << (30 if device == "cuda" else 26), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return {"GB/s": round(2 * source.numel() / median_ms(lambda: target.copy_(source), 20, device) * 1e-6)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("part", nargs="?")
    parser.add_argument("width", nargs="?", type=int)
    parser.add_argument("height", nargs="?", type=int)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--modes", default="reduce-overhead,max-autotune")
    parser.add_argument("--compile-seconds", type=int, default=240)
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        print("PyTorch has no GPU")
        return 77
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    if options.model == "copy":
        print(json.dumps(copy_speed(options.device)))
        return 0
    make = frame_call if options.part == "frame" else network_call
    with torch.inference_mode():
        net, call = make(pathlib.Path(options.model), options, getattr(torch, options.dtype))
        variants = prepare(net, call, [mode for mode in options.modes.split(",") if mode], options)
        if options.device == "cuda":
            torch.cuda.empty_cache()  # others may need it while this one waits
        print("ready", flush=True)
        sys.stdin.readline()
        result = {name: variant if isinstance(variant, str) else median_ms(variant, options.frames, options.device)
                  for name, variant in variants.items()}
    print(json.dumps(result), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
