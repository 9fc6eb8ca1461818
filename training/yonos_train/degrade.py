# SPDX-License-Identifier: LGPL-2.1-or-later
"""Low-resolution images: drawn once per sample, applied at any scale.

A draw fixes everything that chance decides. The distillation's teacher and student apply the same draw at different
scales: same kernels, noise levels, JPEG qualities, filters and codec quality; sizes in between follow the scale.

Kinds: bicubic (Pillow's, what evaluations use), h264 (downscaled, then through the codec), second_order (Real-ESRGAN,
Wang et al., ICCVW 2021: blur, resize, noise, JPEG, twice, with sinc filters and the last two steps in either order),
second_order_h264 (both). Frames are (n, h, w, 3) bytes: successive frames of one clip, which share the draw.
"""
import dataclasses
import fractions
import io

import av
import cv2
import numpy as np
import torch
from av.video.reformatter import VideoReformatter
from PIL import Image

cv2.setNumThreads(1)
KINDS = ("bicubic", "h264", "second_order", "second_order_h264")
_PILLOW_FILTERS = (Image.BICUBIC, Image.BILINEAR, Image.LANCZOS, Image.BOX)
_RESIZES = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
# Smallest size in the first order is HR / scale^1.37: 0.15 of HR at x4, as in Real-ESRGAN.
_DEEPEST = 1.37


@dataclasses.dataclass(frozen=True)
class Order:
    """One round of blur, resize, noise and JPEG. Sizes: HR x enlarge x scale^-depth (first), LR x enlarge (second)."""
    kernel: np.ndarray | None
    enlarge: float
    depth: float
    resize: int             # an OpenCV interpolation
    noise: float            # Gaussian: standard deviation in 1/255; Poisson: Real-ESRGAN's scale
    poisson: bool
    grey: bool
    quality: int            # of the JPEG


@dataclasses.dataclass(frozen=True)
class Draw:
    kind: str
    seed: int               # of the noise fields
    down: int               # Pillow filter of bicubic and h264
    crf: int
    still_before: int       # times that the codec sees the first frame before the clip: 0 makes it an intra frame
    grain: float            # standard deviation of the camera's noise in the LR image, in 1/255; each frame has its own
    first: Order | None = None
    second: Order | None = None
    sinc: np.ndarray | None = None
    jpeg_last: bool = False
    last_resize: int = cv2.INTER_CUBIC

    def apply(self, frames, scale):
        """(n, h, w, 3) bytes to (n, h / scale, w / scale, 3) bytes."""
        if self.kind.startswith("second_order"):
            low = np.stack([self._second_order(frame, scale, i) for i, frame in enumerate(frames)])
        else:
            size = (frames.shape[2] // scale, frames.shape[1] // scale)
            low = np.stack([np.asarray(Image.fromarray(frame).resize(size, self.down)) for frame in frames])
        if self.grain:
            noise = np.random.default_rng((self.seed, len(frames))).standard_normal(low.shape, dtype=np.float32)
            low = (low + self.grain * noise).clip(0, 255).round().astype(np.uint8)
        return h264(low, self.crf, self.still_before) if self.kind.endswith("h264") else low

    def _second_order(self, frame, scale, number):
        rng = np.random.default_rng((self.seed, number))
        height, width = frame.shape[0] // scale, frame.shape[1] // scale
        first, second = self.first, self.second
        between = first.enlarge * scale ** -first.depth
        image = frame.astype(np.float32) / 255
        image = _one_order(image, first, _scaled(frame.shape[0], frame.shape[1], between), rng)
        image = jpeg(image, first.quality)
        image = _one_order(image, second, _scaled(height, width, second.enlarge), rng)
        if self.jpeg_last:
            image = _filtered(_resized(image, (width, height), self.last_resize), self.sinc)
            image = jpeg(image, second.quality)
        else:
            image = jpeg(image, second.quality)
            image = _filtered(_resized(image, (width, height), self.last_resize), self.sinc)
        return (image.clip(0, 1) * 255).round().astype(np.uint8)


def soften(rng, frames):
    """(n, h, w, 3) bytes as soft as much video is: blurred, or reduced and enlarged again. As originals they teach a
    network to leave alone what has no detail, instead of sharpening whatever it sees."""
    if rng.random() < 0.5:
        sigma = rng.uniform(0.5, 2.0)
        return np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in frames])
    height, width = frames.shape[1:3]
    small = _scaled(height, width, 1 / rng.uniform(1.2, 3.5))
    reduced = [Image.fromarray(frame).resize(small, Image.BICUBIC) for frame in frames]
    return np.stack([np.asarray(image.resize((width, height), Image.BICUBIC)) for image in reduced])


def draw(rng, shares, crf, grain=0.0):
    """A draw whose kind has the probability `shares[kind]` / sum; `crf` (low, high) bounds the codec's quality, `grain`
    the noise's standard deviation, which half of the draws have."""
    weights = np.array([shares[kind] for kind in KINDS], dtype=float)
    if weights.min() < 0 or weights.sum() <= 0:
        raise SystemExit(f"degradation: the shares of {', '.join(KINDS)} must not be negative, and not all 0")
    kind = KINDS[rng.choice(len(KINDS), p=weights / weights.sum())]
    down = Image.BICUBIC if kind == "bicubic" else _PILLOW_FILTERS[rng.integers(len(_PILLOW_FILTERS))]
    plain = Draw(kind, int(rng.integers(2 ** 31)), down, int(rng.integers(crf[0], crf[1] + 1)), int(rng.integers(3)),
                 grain * max(0.0, rng.uniform(-1, 1)))
    if not kind.startswith("second_order"):
        return plain
    return dataclasses.replace(
        plain,
        first=_draw_order(rng, (0.2, 3.0), 1.0, (0.2, 0.7), (1, 30), (0.05, 3.0), first=True),
        second=_draw_order(rng, (0.2, 1.5), 0.8, (0.3, 0.4), (1, 25), (0.05, 2.5), first=False),
        sinc=sinc_kernel(_odd(rng), rng.uniform(np.pi / 3, np.pi)) if rng.random() < 0.8 else None,
        jpeg_last=bool(rng.random() < 0.5), last_resize=_RESIZES[rng.integers(3)])


def _draw_order(rng, sigma, blur_share, up_down, gauss, poisson_scale, first):
    """Ranges and shares are those of Real-ESRGAN's x4 configuration."""
    kernel = _draw_kernel(rng, sigma) if rng.random() < blur_share else None
    choice, enlarge, depth = rng.random(), 1.0, 0.0
    if choice < up_down[0]:
        enlarge = rng.uniform(1, 1.5 if first else 1.2)
    elif choice < sum(up_down):
        enlarge, depth = (1.0, rng.uniform(0, _DEEPEST)) if first else (rng.uniform(0.3, 1), 0.0)
    is_poisson = bool(rng.random() < 0.5)
    noise = rng.uniform(*poisson_scale) if is_poisson else rng.uniform(*gauss)
    return Order(kernel, enlarge, depth, _RESIZES[rng.integers(3)], noise, is_poisson, bool(rng.random() < 0.4),
                 int(rng.integers(30, 96)))


def _odd(rng):
    return 2 * int(rng.integers(3, 11)) + 1


def _draw_kernel(rng, sigma):
    size = _odd(rng)
    if rng.random() < 0.1:
        return sinc_kernel(size, rng.uniform(np.pi / 3 if size < 13 else np.pi / 5, np.pi))
    shape = rng.choice(("gauss", "generalised", "plateau"), p=(0.7, 0.15, 0.15))
    isotropic = rng.random() < (0.65 if shape == "gauss" else 0.8)
    x = rng.uniform(*sigma)
    y, angle = (x, 0.0) if isotropic else (rng.uniform(*sigma), rng.uniform(-np.pi, np.pi))
    beta = {"gauss": 1.0, "generalised": rng.uniform(0.5, 4), "plateau": rng.uniform(1, 2)}[str(shape)]
    return blur_kernel(size, x, y, angle, beta, plateau=shape == "plateau")


def blur_kernel(size, sigma_x, sigma_y, angle, beta, plateau):
    """exp(-(d / 2)^beta), or 1 / (1 + d^beta) with a plateau, where d is the squared Mahalanobis distance; sum 1."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    inverse = turn @ np.diag([sigma_x ** -2, sigma_y ** -2]) @ turn.T
    axis = np.arange(size) - size // 2
    grid = np.stack(np.meshgrid(axis, axis), -1).astype(float)
    distance = np.einsum("hwi,ij,hwj->hw", grid, inverse, grid)
    kernel = 1 / (1 + distance ** beta) if plateau else np.exp(-0.5 * distance ** beta)
    return (kernel / kernel.sum()).astype(np.float32)


def sinc_kernel(size, cutoff):
    """The circular low pass of `cutoff` radians, cutoff J1(cutoff r) / (2 pi r), sum 1. It rings as sharpening does."""
    axis = np.arange(size) - size // 2
    radius = np.hypot(*np.meshgrid(axis, axis))
    radius[size // 2, size // 2] = 1  # replaced by the limit below
    bessel = torch.special.bessel_j1(torch.from_numpy(cutoff * radius)).numpy()
    kernel = cutoff * bessel / (2 * np.pi * radius)
    kernel[size // 2, size // 2] = cutoff ** 2 / (4 * np.pi)
    return (kernel / kernel.sum()).astype(np.float32)


def _scaled(height, width, factor):
    return max(4, round(width * factor)), max(4, round(height * factor))


def _resized(image, size, how):
    return image if (image.shape[1], image.shape[0]) == size else cv2.resize(image, size, interpolation=how)


def _filtered(image, kernel):
    return image if kernel is None else cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT_101)


def _one_order(image, order, size, rng):
    return _noisy(_resized(_filtered(image, order.kernel), size, order.resize), order, rng).clip(0, 1)


def _noisy(image, order, rng):
    """Gaussian noise, or Poisson noise with the brightness in steps of 1 / 255, `noise` times as strong."""
    shape = image.shape[:2] + ((1,) if order.grey else (3,))
    if not order.poisson:
        return image + rng.standard_normal(shape, dtype=np.float32) * (order.noise / 255)
    light = image.clip(0, 1).mean(-1, keepdims=True) if order.grey else image.clip(0, 1)
    return image + ((rng.poisson(light * 255) / 255 - light) * order.noise).astype(np.float32)


def jpeg(image, quality):
    """(h, w, 3) in [0, 1] through JPEG with 4:2:0 chroma."""
    file = io.BytesIO()
    Image.fromarray((image.clip(0, 1) * 255).round().astype(np.uint8)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)).astype(np.float32) / 255


_to_yuv, _to_rgb = VideoReformatter(), VideoReformatter()  # kept: a frame's own takes 5 ms to set up


def h264(frames, crf, still_before):
    """(n, h, w, 3) bytes through x264 at constant quality `crf`, the first frame `still_before` times ahead of them."""
    n, height, width, _ = frames.shape
    even = np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    even = np.concatenate([even[:1]] * still_before + [even])
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = even.shape[2], even.shape[1], "yuv420p"
    encoder.time_base, encoder.framerate = fractions.Fraction(1, 25), fractions.Fraction(25)
    encoder.thread_count = 1
    # Without mbtree, whose AVX-512 code reads beyond what it wrote in pictures this small: other bits now and then.
    encoder.options = {"crf": str(crf), "preset": "veryfast", "mbtree": "0"}
    packets = []
    for number, frame in enumerate(even):
        picture = _to_yuv.reformat(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24"), format="yuv420p")
        picture.pts, picture.time_base = number, encoder.time_base
        packets += encoder.encode(picture)
    packets += encoder.encode(None)
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    decoded = [f for packet in packets for f in decoder.decode(packet)] + decoder.decode(None)
    return np.stack([_to_rgb.reformat(f, format="rgb24").to_ndarray() for f in decoded])[still_before:, :height, :width]
