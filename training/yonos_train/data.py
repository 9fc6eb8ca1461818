# SPDX-License-Identifier: LGPL-2.1-or-later
"""Training samples: random crops and their low-resolution versions.

Images are (n, 3, h, w) floats in [-1, 1]. Sample i depends on the seed and on i alone, so a resumed run sees what an
uninterrupted one would have seen, with any number of workers.
"""
import functools
import itertools
import pathlib

import numpy as np
import torch
from PIL import Image

SUFFIXES = {".png", ".webp", ".jpg", ".jpeg"}
CACHED_IMAGES = 512  # decoded images kept in memory


def _paths(folder, listing):
    folder = pathlib.Path(folder)
    if listing:
        return [folder / line.split()[0] for line in (folder / listing).read_text().splitlines() if line.strip()]
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)


def _is_large(path, size):
    with Image.open(path) as image:
        return min(image.size) >= size


@functools.lru_cache(maxsize=CACHED_IMAGES)
def _pixels(path):
    return np.asarray(Image.open(path).convert("RGB"))


def bicubic(image, scale):
    """(h, w, 3) bytes to (h / scale, w / scale, 3) by Pillow's bicubic."""
    size = (image.shape[1] // scale, image.shape[0] // scale)
    return np.asarray(Image.fromarray(image).resize(size, Image.BICUBIC))


class Samples(torch.utils.data.Dataset):
    """Dictionaries of `hr` and, for each (key, scale) of `low`, the low-resolution image of the same crop, as bytes.

    Crops come from all images of config's `data`, or from those that the text file `listing` inside it names.
    """

    def __init__(self, config, low):
        self.size, self.seed, self.low = config["crop"], config["seed"], low
        self.paths = [p for p in _paths(config["data"], config["listing"]) if _is_large(p, self.size)]
        if not self.paths:
            raise SystemExit(f"{config['data']}: no images of at least {self.size} x {self.size} pixels")

    def _crop(self, rng):
        image = _pixels(self.paths[rng.integers(len(self.paths))])
        y, x = (rng.integers(side - self.size + 1) for side in image.shape[:2])
        crop = image[y:y + self.size, x:x + self.size]
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
        if rng.random() < 0.5:
            crop = crop[::-1]
        if rng.random() < 0.5:
            crop = crop.transpose(1, 0, 2)
        return np.ascontiguousarray(crop)

    def __getitem__(self, index):
        rng = np.random.default_rng((self.seed, index))
        hr = self._crop(rng)
        images = {"hr": hr} | {key: bicubic(hr, scale) for key, scale in self.low.items()}
        return {key: torch.from_numpy(image.copy()).permute(2, 0, 1) for key, image in images.items()}


def batches(samples, config, first):
    """Endless batches from number `first` on, as floats."""
    count = config["batch"]
    numbers = (range(i * count, (i + 1) * count) for i in itertools.count(first))
    loader = torch.utils.data.DataLoader(samples, batch_sampler=numbers, num_workers=config["workers"])
    for batch in loader:
        yield {key: (image.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)
               for key, image in batch.items()}
