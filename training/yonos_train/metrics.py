# SPDX-License-Identifier: LGPL-2.1-or-later
"""Figures of pictures, (h, w, 3) bytes, against originals of the same size."""
import cv2
import numpy as np
import torch

from .data import flow_between, is_visible, warp

CHROMA = ((-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))  # BT.601's Cb and Cr of R, G, B, full range


def luma(image, border=0):
    """BT.601, 16 to 235, as float64; `border` pixels cropped."""
    x = image.astype(np.float64)
    y = 16 + (65.481 * x[..., 0] + 128.553 * x[..., 1] + 24.966 * x[..., 2]) / 255
    return y[border:y.shape[0] - border, border:y.shape[1] - border]


def psnr(image, original, border):
    """dB, on luma."""
    error = np.mean((luma(image, border) - luma(original, border)) ** 2)
    return float("inf") if error == 0 else -10 * np.log10(error / 255 ** 2)


def chroma_error(image, original):
    """Mean absolute difference of Cb and Cr, of 255: what PSNR on luma and LPIPS do not see."""
    return np.abs((image.astype(np.float64) - original) @ np.transpose(CHROMA)).mean()


def ssim(image, original, border):
    """Wang et al. (2004), on luma: Gaussian windows of 11 x 11 pixels, sigma 1.5, those that lie inside."""
    x, y = luma(image, border), luma(original, border)

    def mean(values):
        return cv2.GaussianBlur(values, (11, 11), 1.5)[5:-5, 5:-5]

    mean_x, mean_y = mean(x), mean(y)
    var_x, var_y, covariance = mean(x * x) - mean_x ** 2, mean(y * y) - mean_y ** 2, mean(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return np.mean((2 * mean_x * mean_y + c1) * (2 * covariance + c2)
                   / ((mean_x ** 2 + mean_y ** 2 + c1) * (var_x + var_y + c2)))


def tensor(image):
    """(1, 3, h, w) in [-1, 1]"""
    return torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


def bytes_of(image):
    """(3, h, w) in [-1, 1] to (h, w, 3) bytes."""
    return ((image + 1) * 127.5).round().byte().permute(1, 2, 0).cpu().numpy()


def lpips_distance(lpips, image, original):
    with torch.no_grad():
        return lpips(tensor(image), tensor(original)).item()


class Motion:
    """Optical flow and visibility between the successive frames of an original clip."""

    def __init__(self, originals):
        self.originals = originals
        self.flows = [flow_between(a, b) for a, b in zip(originals, originals[1:])]
        self.visible = [is_visible(a, b, flow) for a, b, flow in zip(originals, originals[1:], self.flows)]

    def warping_error(self, frames):
        """Mean absolute difference, of 255, between a frame and the next, warped back to it along the original's
        motion, where that is visible in both (Lai et al., ECCV 2018, with the absolute difference)."""
        total = count = 0
        for frame, after, flow, visible in zip(frames, frames[1:], self.flows, self.visible):
            change = np.abs(warp(after, flow).astype(np.float64) - frame)[visible]
            total, count = total + change.sum(), count + change.size
        return total / max(count, 1)

    def flicker(self, frames):
        """Mean absolute difference, of 255, between what changes from frame to frame and in the original."""
        changes = [np.abs((after.astype(np.float64) - frame) - (next_.astype(np.float64) - original)).mean()
                   for frame, after, original, next_ in zip(frames, frames[1:], self.originals, self.originals[1:])]
        return float(np.mean(changes))
