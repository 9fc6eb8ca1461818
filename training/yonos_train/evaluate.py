# SPDX-License-Identifier: LGPL-2.1-or-later
"""Figures of what a user gets: low-resolution PNGs, upscaled by the element, compared with the originals.

    python -m yonos_train make-lr  --config C evaluate.sets=[...] evaluate.work=DIR
    python -m yonos_train evaluate --config C evaluate.sets=[...] evaluate.work=DIR [evaluate.element="yonossr ..."]

PSNR is on the luma of BT.601 with `scale` pixels of border cropped; LPIPS on RGB, whole picture.
"""
import pathlib
import subprocess

import numpy as np
import torch
from PIL import Image

from .data import IMAGES
from .lpips import LPIPS


def _originals(folder, scale):
    """(name, image) of a set, cropped to a multiple of the scale."""
    for path in sorted(pathlib.Path(folder).iterdir()):
        if path.suffix.lower() in IMAGES:
            image = Image.open(path).convert("RGB")
            w, h = image.width - image.width % scale, image.height - image.height % scale
            yield path.stem, image.crop((0, 0, w, h))


def _set_folder(config, source):
    parts = pathlib.Path(source).parts
    name = parts[-2] if parts[-1].lower() in ("hr", "gt") else parts[-1]
    return pathlib.Path(config["evaluate"]["work"]) / name


def make_lr(config):
    """WORK/SET/lr/NAME.png, by Pillow's bicubic."""
    for source in config["evaluate"]["sets"]:
        folder = _set_folder(config, source) / "lr"
        folder.mkdir(parents=True, exist_ok=True)
        for name, image in _originals(source, config["scale"]):
            size = (image.width // config["scale"], image.height // config["scale"])
            image.resize(size, Image.BICUBIC).save(folder / f"{name}.png")


def _upscale(config, folder):
    """WORK/SET/ours/NAME.png by gst-launch-1.0, lossless."""
    (folder / "ours").mkdir(exist_ok=True)
    for path in sorted((folder / "lr").glob("*.png")):
        line = (f"filesrc location={path} ! pngdec ! videoconvert ! video/x-raw,format=RGB ! "
                f"{config['evaluate']['element']} ! pngenc ! filesink location={folder / 'ours' / path.name}")
        subprocess.run(["gst-launch-1.0", "-q", *line.split()], check=True)


def _luma(image, border):
    x = np.asarray(image).astype(np.float64)
    y = 16 + (65.481 * x[..., 0] + 128.553 * x[..., 1] + 24.966 * x[..., 2]) / 255
    return y[border:-border, border:-border]


def psnr(a, b, border):
    return -10 * np.log10(np.mean((_luma(a, border) - _luma(b, border)) ** 2) / 255 ** 2)


def _tensor(image):
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


def evaluate(config):
    """Prints a Markdown table: each set by bicubic, Lanczos and the element."""
    lpips, scale = LPIPS(config["lpips"]), config["scale"]
    print("| set | images | bicubic PSNR / LPIPS | Lanczos | yonossr | LPIPS against bicubic |\n|---|---|---|---|---|---|")
    for source in config["evaluate"]["sets"]:
        folder = _set_folder(config, source)
        _upscale(config, folder)
        rows = {"bicubic": [], "lanczos": [], "ours": []}
        for name, hr in _originals(source, scale):
            lr = Image.open(folder / "lr" / f"{name}.png")
            pictures = {"bicubic": lr.resize(hr.size, Image.BICUBIC), "lanczos": lr.resize(hr.size, Image.LANCZOS),
                        "ours": Image.open(folder / "ours" / f"{name}.png").convert("RGB")}
            with torch.no_grad():
                for key, picture in pictures.items():
                    rows[key].append((psnr(picture, hr, scale), lpips(_tensor(picture), _tensor(hr)).item()))
        means = {key: np.mean(values, axis=0) for key, values in rows.items()}
        cells = " | ".join(f"{means[key][0]:.2f} / {means[key][1]:.3f}" for key in rows)
        gain = 100 * (means["ours"][1] / means["bicubic"][1] - 1)
        print(f"| {folder.name} | {len(rows['ours'])} | {cells} | {gain:+.0f} % |", flush=True)


def sheet(config):
    """Writes sheet.file: the box (x, y, w, h) of sheet.name in bicubic, ours and the original, enlarged sheet.zoom times.

    Run after `evaluate`; sheet.set is one of evaluate.sets.
    """
    options, scale = config["sheet"], config["scale"]
    folder = _set_folder(config, options["set"])
    hr = dict(_originals(options["set"], scale))[options["name"]]
    lr = Image.open(folder / "lr" / f"{options['name']}.png")
    panels = [lr.resize(hr.size, Image.BICUBIC), Image.open(folder / "ours" / f"{options['name']}.png"), hr]
    x, y, w, h = options["box"]
    zoom, gap = options["zoom"], 8
    out = Image.new("RGB", (len(panels) * (w * zoom + gap) - gap, h * zoom), "white")
    for i, panel in enumerate(panels):
        crop = panel.convert("RGB").crop((x, y, x + w, y + h)).resize((w * zoom, h * zoom), Image.NEAREST)
        out.paste(crop, (i * (w * zoom + gap), 0))
    pathlib.Path(options["file"]).parent.mkdir(parents=True, exist_ok=True)
    out.save(options["file"])
    print(options["file"])
