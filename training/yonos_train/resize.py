# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pillow's bicubic resampling as two matrix products, so that it has a gradient; and what is made of it.

Images are (n, 3, h, w) in [-1, 1].
"""
from functools import lru_cache

import numpy as np
import torch


def _keys(x, a=-0.5):
    x = abs(x)
    if x < 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return (((x - 5) * x + 8) * x - 4) * a if x < 2 else 0.0


@lru_cache(maxsize=64)
def _matrix(size_in, size_out, device):
    """(out, in) weights: half-pixel centres, support stretched when reducing, rows renormalised at the border."""
    scale = size_in / size_out
    stretch = max(scale, 1.0)
    support = 2 * stretch
    matrix = np.zeros((size_out, size_in))
    for i in range(size_out):
        centre = (i + 0.5) * scale
        low, high = max(int(centre - support + 0.5), 0), min(int(centre + support + 0.5), size_in)
        weights = np.array([_keys((j - centre + 0.5) / stretch) for j in range(low, high)])
        matrix[i, low:high] = weights / weights.sum()
    return torch.from_numpy(matrix.astype(np.float32)).to(device)


def resize(x, height, width):
    with torch.autocast(x.device.type, enabled=False):
        rows = torch.matmul(_matrix(x.shape[2], height, x.device), x.float())
        return torch.matmul(rows, _matrix(x.shape[3], width, x.device).t())


def back_project(image, lr):
    """image + upsample(lr - downsample(image)): the colour fix that inference uses."""
    down = resize(image, lr.shape[2], lr.shape[3])
    return image + resize(lr - down, image.shape[2], image.shape[3])
