# SPDX-License-Identifier: LGPL-2.1-or-later
"""Training images: random crops, flipped and transposed, as (n, 3, size, size) in [-1, 1]."""
import pathlib
import random

import numpy as np
import torch
from PIL import Image

SUFFIXES = {".png", ".webp", ".jpg", ".jpeg"}


class Crops:
    """Crops from all images of `folder`, or from those that the text file `listing` inside it names."""

    def __init__(self, folder, listing, size, seed):
        folder = pathlib.Path(folder)
        if listing:
            paths = [folder / line.split()[0] for line in (folder / listing).read_text().splitlines() if line.strip()]
        else:
            paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
        images = [np.asarray(Image.open(p).convert("RGB")) for p in paths]
        self.images = [i for i in images if min(i.shape[:2]) >= size]
        if not self.images:
            raise SystemExit(f"{folder}: no images of at least {size} x {size} pixels")
        self.size = size
        self.random = random.Random(seed)

    def _crop(self):
        image = self.random.choice(self.images)
        y = self.random.randrange(image.shape[0] - self.size + 1)
        x = self.random.randrange(image.shape[1] - self.size + 1)
        crop = image[y:y + self.size, x:x + self.size]
        if self.random.random() < 0.5:
            crop = crop[:, ::-1]
        if self.random.random() < 0.5:
            crop = crop[::-1]
        if self.random.random() < 0.5:
            crop = crop.transpose(1, 0, 2)
        return torch.from_numpy(crop.copy())

    def batch(self, count):
        pixels = torch.stack([self._crop() for _ in range(count)]).permute(0, 3, 1, 2)
        return (pixels.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)
