# SPDX-License-Identifier: LGPL-2.1-or-later
"""Figures of what a user gets: low-resolution PNGs, upscaled by the element, compared with the originals.

    python -m yonos_train make-lr  --config C evaluate.work=DIR     only writes WORK/SET/{hr,lr}/NAME.png, for others
    python -m yonos_train evaluate --config C evaluate.work=DIR     upscales, writes the table, sheets and plots

WORK/SET/SYSTEM/NAME.png are the results; WORK/table.md, results.json, sheet-SET.png and figures.png are made of them.
"""
import itertools
import json
import pathlib
import shutil

import av
import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from .config import needed
from .data import IMAGES, files
from .degrade import h264
from .element import upscale_clip, upscale_images
from .lpips import LPIPS
from .metrics import Motion, chroma_error, lpips_distance, psnr, ssim

BICUBIC, ORIGINAL = "bicubic", "original"
RESAMPLED = {BICUBIC: Image.BICUBIC, "Lanczos": Image.LANCZOS}
SHEET_CROP, SHEET_ZOOM, SHEET_ROWS, GAP = 96, 4, 3, 8
COLUMNS = ("PSNR", "SSIM", "LPIPS", "chroma error", "warping error", "flicker", "fps")
DIGITS = {"PSNR": 2, "SSIM": 4, "LPIPS": 3, "chroma error": 2, "warping error": 2, "flicker": 2, "fps": 2}


def _read(path):
    return np.asarray(Image.open(path).convert("RGB"))


def _save(image, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def _reduced(image, scale):
    return np.asarray(Image.fromarray(image).resize((image.shape[1] // scale, image.shape[0] // scale), Image.BICUBIC))


def _cropped(image, scale):
    return image[:image.shape[0] // scale * scale, :image.shape[1] // scale * scale]


class Set:
    """Pictures WORK/NAME/hr/*.png with their LR beside them; `is_clip` if they follow each other in time."""

    def __init__(self, config, name, is_clip=False):
        self.name, self.is_clip, self.scale = name, is_clip, config["scale"]
        self.folder = pathlib.Path(needed(config, "evaluate.work")) / name
        shutil.rmtree(self.folder / "hr", ignore_errors=True)
        shutil.rmtree(self.folder / "lr", ignore_errors=True)

    def add(self, name, hr, lr):
        _save(hr, self.folder / "hr" / f"{name}.png")
        _save(lr, self.folder / "lr" / f"{name}.png")

    def pictures(self, system):
        return [_read(self.folder / system / path.name) for path in self.paths()]

    def paths(self):
        return sorted((self.folder / "lr").glob("*.png"))


def _set_name(folder):
    folder = pathlib.Path(folder)
    return folder.parent.name if folder.name.lower() in ("hr", "gt") else folder.name


def _image_set(config, folder):
    """Originals; their LR is Pillow's bicubic."""
    result, scale = Set(config, _set_name(folder)), config["scale"]
    for path in files(folder, IMAGES):
        hr = _cropped(_read(path), scale)
        result.add(path.stem, hr, _reduced(hr, scale))
    return result


def _pair_set(config, folder):
    """A folder with gt/ and lq/, of the same names."""
    folder = pathlib.Path(folder)
    result = Set(config, folder.name)
    for path in files(folder / "lq", IMAGES):
        hr, lr = _read(next((folder / "gt").glob(f"{path.stem}.*"))), _read(path)
        if hr.shape[0] != lr.shape[0] * config["scale"] or hr.shape[1] != lr.shape[1] * config["scale"]:
            raise SystemExit(f"{path}: {lr.shape[1]}x{lr.shape[0]}, but gt is {hr.shape[1]}x{hr.shape[0]} at scale "
                             f"{config['scale']}")
        result.add(path.stem, hr, lr)
    return result


def _clip_set(config, path, crf):
    """The clip's first frames; LR by bicubic, then through H.264 where `crf` is given."""
    path, scale = pathlib.Path(path), config["scale"]
    result = Set(config, path.stem if crf is None else f"{path.stem}-crf{crf}", is_clip=True)
    with av.open(str(path)) as container:
        frames = [_cropped(frame.to_ndarray(format="rgb24"), scale)
                  for frame in itertools.islice(container.decode(video=0), config["evaluate"]["frames"])]
    low = np.stack([_reduced(frame, scale) for frame in frames])
    if crf is not None:
        low = h264(low, crf, 0)
    for i, (hr, lr) in enumerate(zip(frames, low)):
        result.add(f"{i:05d}", hr, lr)
    return result


def make_lr(config):
    """All sets of the config, written to WORK."""
    options = config["evaluate"]
    sets = [_image_set(config, folder) for folder in options["sets"]]
    sets += [_pair_set(config, folder) for folder in options["pairs"]]
    sets += [_clip_set(config, path, crf) for path in options["clips"] for crf in (None, *options["crf"])]
    if not sets:
        raise SystemExit("evaluate: nothing to do; set evaluate.sets, evaluate.pairs or evaluate.clips")
    return sets


def _systems(config):
    """{name: gst-launch description}: evaluate.systems, or evaluate.element under the config's name."""
    options = config["evaluate"]
    return options["systems"] or {config["name"]: needed(config, "evaluate.element")}


def _upscale(config, a_set):
    """Fills WORK/SET/SYSTEM/ for all systems; {system: frames per second}."""
    rates = {}
    for name, how in RESAMPLED.items():
        for path in a_set.paths():
            lr = Image.open(path)
            big = lr.resize((lr.width * a_set.scale, lr.height * a_set.scale), how)
            _save(np.asarray(big), a_set.folder / name / path.name)
    for name, element in _systems(config).items():
        (a_set.folder / name).mkdir(exist_ok=True)
        if a_set.is_clip:
            rates[name] = upscale_clip(element, a_set.folder / "lr", a_set.folder / name)
        else:
            upscale_images(element, a_set.paths(), a_set.folder / name)
    return rates


def _other(folder, a_set):
    """Another program's results, FOLDER/SET/NAME.png."""
    results = [pathlib.Path(folder) / a_set.name / path.name for path in a_set.paths()]
    return [_read(path) for path in results] if results and all(path.exists() for path in results) else None


def _figures(pictures, originals, motion, lpips, scale):
    """{column: mean}, and the LPIPS of each picture."""
    for picture, original in zip(pictures, originals):
        if picture.shape != original.shape:
            raise SystemExit(f"a result is {picture.shape[1]}x{picture.shape[0]} instead of "
                             f"{original.shape[1]}x{original.shape[0]}")
    distances = [lpips_distance(lpips, *both) for both in zip(pictures, originals)]
    row = {"PSNR": np.mean([psnr(*both, scale) for both in zip(pictures, originals)]),
           "SSIM": np.mean([ssim(*both, scale) for both in zip(pictures, originals)]),
           "LPIPS": np.mean(distances),
           "chroma error": np.mean([chroma_error(*both) for both in zip(pictures, originals)])}
    if motion:
        row |= {"warping error": motion.warping_error(pictures), "flicker": motion.flicker(pictures)}
    return {key: float(value) for key, value in row.items()}, distances


def evaluate(config):
    """Upscales all sets by all systems, and compares them; other programs' results come from evaluate.folders."""
    lpips, results = LPIPS(needed(config, "lpips")), {}
    work = pathlib.Path(needed(config, "evaluate.work"))
    for a_set in make_lr(config):
        rates = _upscale(config, a_set)
        originals = a_set.pictures("hr")
        motion = Motion(originals) if a_set.is_clip and len(originals) > 1 else None
        pictures = {name: a_set.pictures(name) for name in (*RESAMPLED, *_systems(config))}
        pictures |= {name: found for name, folder in config["evaluate"]["folders"].items()
                     if (found := _other(folder, a_set))}
        rows, distances = {}, {}
        for name, some in pictures.items():
            rows[name], distances[name] = _figures(some, originals, motion, lpips, config["scale"])
            if rates.get(name):
                rows[name]["fps"] = rates[name]
        results[a_set.name] = {"pictures": len(originals), "systems": rows}
        if motion:
            rows[ORIGINAL] = {"warping error": motion.warping_error(originals)}
        _sheet(work / f"sheet-{a_set.name}.png", a_set, pictures, originals, distances)
        (work / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    table = _table(results)
    (work / "table.md").write_text(table)
    _plot(results, work / "figures.png")
    print(table, end="")


def _table(results):
    columns = [c for c in COLUMNS if any(c in row for r in results.values() for row in r["systems"].values())]
    head = ["set", "system", *columns, "LPIPS against bicubic"]
    if "warping error" in columns:
        head.append("warping error against bicubic")
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name, result in results.items():
        base = result["systems"][BICUBIC]
        for system, row in result["systems"].items():
            cells = [f"{name} ({result['pictures']})", system]
            cells += [f"{row[c]:.{DIGITS[c]}f}" if c in row else "" for c in columns]
            cells.append(f"{100 * (row['LPIPS'] / base['LPIPS'] - 1):+.0f} %" if base["LPIPS"] and "LPIPS" in row else "")
            if "warping error" in columns:
                unsteady = base.get("warping error")
                cells.append(f"x {row['warping error'] / unsteady:.2f}" if unsteady else "")
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _sheet(path, a_set, pictures, originals, distances):
    """The pictures where the last system does worst against bicubic, by LPIPS: the part that differs most from the
    original, enlarged SHEET_ZOOM times, in all systems and the original."""
    last = list(pictures)[-1]
    losses = np.array(distances[last]) - np.array(distances[BICUBIC])
    columns, side = [*pictures, ORIGINAL], SHEET_CROP * SHEET_ZOOM
    worst = np.argsort(-losses)[:SHEET_ROWS]
    sheet = Image.new("RGB", (len(columns) * (side + GAP), len(worst) * (side + 24)), "white")
    text = ImageDraw.Draw(sheet)
    for row, index in enumerate(worst):
        y, x = _busiest(np.abs(pictures[last][index].astype(float) - originals[index]).sum(-1))
        for column, name in enumerate(columns):
            picture = originals[index] if name == ORIGINAL else pictures[name][index]
            crop = Image.fromarray(picture[y:y + SHEET_CROP, x:x + SHEET_CROP])
            corner = (column * (side + GAP), row * (side + 24))
            sheet.paste(crop.resize((crop.width * SHEET_ZOOM, crop.height * SHEET_ZOOM), Image.NEAREST),
                        (corner[0], corner[1] + 20))
            figure = f"  LPIPS {distances[name][index]:.3f}" if name in distances else f"  {a_set.paths()[index].stem}"
            text.text((corner[0] + 2, corner[1] + 4), name + figure, fill="black")
    sheet.save(path)


def _busiest(error):
    """The corner (y, x) of the SHEET_CROP square with the largest sum."""
    sums = np.pad(error, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    height, width = (min(SHEET_CROP, side) for side in error.shape)
    squares = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    return np.unravel_index(squares.argmax(), squares.shape)


def _plot(results, path):
    """PSNR and LPIPS of each set; the warping error against bicubic's of each clip."""
    clips = {name: r["systems"] for name, r in results.items() if "warping error" in r["systems"][BICUBIC]}
    figure = Figure(figsize=(12, 4.5))
    axes = figure.subplots(1, 2 if clips else 1, squeeze=False)[0]
    systems = list(dict.fromkeys(system for r in results.values() for system in r["systems"]))
    for system in systems:
        points = [r["systems"][system] for r in results.values() if "PSNR" in r["systems"].get(system, {})]
        if points:
            axes[0].plot([p["PSNR"] for p in points], [p["LPIPS"] for p in points], "o", label=system, alpha=0.7)
        if clips:
            heights = [c[system]["warping error"] / c[BICUBIC]["warping error"] if system in c else 0
                       for c in clips.values()]
            places = np.arange(len(clips)) + 0.8 * systems.index(system) / len(systems)
            axes[1].bar(places, heights, 0.8 / len(systems), label=system)
    axes[0].set(xlabel="PSNR (dB), higher is better", ylabel="LPIPS, lower is better")
    axes[0].legend()
    if clips:
        axes[1].set_xticks(np.arange(len(clips)) + 0.3, clips, rotation=20, ha="right", fontsize=7)
        axes[1].set_ylabel("warping error / bicubic's")
        axes[1].axhline(1, color="black", linewidth=0.5)
    figure.tight_layout()
    figure.savefig(path, dpi=100)
