# SPDX-License-Identifier: LGPL-2.1-or-later
"""Training samples: random crops of images and video frames, their low-resolution versions, and pairs of frames.

Images are (n, 3, h, w) floats in [-1, 1]. Sample i depends on the seed and on i alone, so a resumed run sees what an
uninterrupted one would have seen, with any number of workers.
"""
import collections
import functools
import itertools
import pathlib

import av
import cv2
import numpy as np
import torch
from PIL import Image

from .config import needed
from .degrade import draw, soften
from .devices import device, processes

IMAGES = {".png", ".webp", ".jpg", ".jpeg", ".bmp"}
VIDEOS = {".mp4", ".mkv", ".webm", ".mov", ".avi"}
CACHED = 512         # decoded images and frame pairs kept in memory
PER_VIDEO = 16       # places in a video that samples come from: each counts like an image
LARGEST_PAN = 12     # pixels between the two crops of a still image that stand for a pair of frames
SAME_PIXEL = 20      # of 255: more than this between a frame and the next, warped back to it, is another thing


def files(folder, suffixes, listing=None):
    """The folder's files with these suffixes, at any depth; with `listing` those that this text file in it names."""
    folder = pathlib.Path(folder)
    if listing:
        return [folder / line.split()[0] for line in (folder / listing).read_text().splitlines() if line.strip()]
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in suffixes)


def _image_size(path):
    with Image.open(path) as image:
        return image.size


def _video_size(path):
    with av.open(str(path)) as container:
        return container.streams.video[0].width, container.streams.video[0].height


@functools.lru_cache(maxsize=CACHED)
def _image(path):
    return np.asarray(Image.open(path).convert("RGB"))[None]


@functools.lru_cache(maxsize=CACHED)
def _frame_pair(path, place):
    """Two successive frames (2, h, w, 3) at the share `place` of the video."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        begin = stream.start_time or 0
        length = stream.duration or int((container.duration or 0) / av.time_base / stream.time_base)
        wanted = begin + int(place * length)
        container.seek(wanted, stream=stream)
        frames = collections.deque(maxlen=2)
        for frame in container.decode(stream):
            frames.append(frame)
            if len(frames) == 2 and frames[0].pts >= wanted:
                break
        return np.stack([f.to_ndarray(format="rgb24") for f in (frames[0], frames[-1])])


def flow_between(frame, after):
    """Optical flow (h, w, 2) as (dx, dy): what is at p in `frame` is at p + flow in `after`. (h, w, 3) bytes; OpenCV's
    DIS (Kroeger et al., ECCV 2016)."""
    grey = [cv2.cvtColor(np.ascontiguousarray(f), cv2.COLOR_RGB2GRAY) for f in (frame, after)]
    return cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(*grey, None)


def warp(image, flow):
    """`image` (h, w, c) seen at p + flow(p)."""
    y, x = np.mgrid[:flow.shape[0], :flow.shape[1]].astype(np.float32)
    return cv2.remap(image, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def is_visible(frame, after, flow):
    """(h, w) booleans: where `flow` leads to the same thing in `after`: inside, and of about the same colour."""
    height, width = flow.shape[:2]
    y, x = np.mgrid[:height, :width]
    x, y = x + flow[..., 0], y + flow[..., 1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    change = np.abs(warp(after, flow).astype(np.float32) - frame).max(-1)
    return inside & (change <= SAME_PIXEL)


class Samples(torch.utils.data.Dataset):
    """Dictionaries of `hr` and, for each (key, scale) of `low`, the low-resolution image of the same crop by the same
    degradation draw, as (3, h, w) bytes.

    With `pairs` also `next_hr`, `next_KEY`: the same for the frame behind it (of a still image: the crop moved by a few
    pixels), `flow` (2, h, w) floats from hr to next_hr and `visible` (1, h, w), 1 where the flow can be trusted.
    """

    def __init__(self, config, low, pairs=False):
        self.size, self.seed, self.low, self.pairs = config["crop"], config["seed"], low, pairs
        self.shares = config["degradation"]
        self.soft = config["soft"]
        self.room = LARGEST_PAN if pairs else 0
        folders = needed(config, "data")
        self.sources = []
        for folder in folders if isinstance(folders, list) else [folders]:
            self._add(folder, config["listing"])
        if not self.sources:
            raise SystemExit(f"{folders}: no image or video of at least {self.size + self.room} pixels each way")

    def _add(self, folder, listing):
        for path in files(folder, IMAGES | VIDEOS, listing):
            is_video = path.suffix.lower() in VIDEOS
            if min(_video_size(path) if is_video else _image_size(path)) >= self.size + self.room:
                places = [(i + 0.5) / PER_VIDEO for i in range(PER_VIDEO)] if is_video else [None]
                self.sources += [(path, place) for place in places]

    def _frames(self, rng):
        """(1 or 2, size, size, 3): a crop, or the crop and what follows it; the flow where it is known, else None."""
        path, place = self.sources[rng.integers(len(self.sources))]
        frames = _image(path) if place is None else _frame_pair(path, place)
        side = self.size + self.room
        y, x = (rng.integers(length - side + 1) for length in frames.shape[1:3])
        frames = frames[:, y:y + side, x:x + side]
        if rng.random() < 0.5:
            frames = frames[:, :, ::-1]
        if rng.random() < 0.5:
            frames = frames[:, ::-1]
        if rng.random() < 0.5:
            frames = frames.transpose(0, 2, 1, 3)
        if not self.pairs:
            return frames[:1], None
        corners = rng.integers(self.room + 1, size=(2, 2))
        if place is not None:
            corners[1] = corners[0]
        pair = np.stack([frame[y:y + self.size, x:x + self.size]
                         for frame, (y, x) in zip((frames[0], frames[-1]), corners)])
        pan = (corners[0] - corners[1])[::-1].astype(np.float32)
        return pair, np.broadcast_to(pan, pair.shape[1:3] + (2,)) if place is None else None

    def __getitem__(self, index):
        rng = np.random.default_rng((self.seed, index))
        frames, flow = self._frames(rng)
        if self.soft and rng.random() < self.soft:
            frames = soften(rng, np.ascontiguousarray(frames))
        degradation = draw(rng, self.shares, self.shares["crf"], self.shares["grain"])
        images = {"hr": frames} | {key: degradation.apply(frames, scale) for key, scale in self.low.items()}
        sample = {key: _planes(image[0]) for key, image in images.items()}
        if self.pairs:
            flow = flow_between(*frames) if flow is None else flow
            sample |= {f"next_{key}": _planes(image[1]) for key, image in images.items()}
            sample["flow"] = _planes(flow)
            sample["visible"] = torch.from_numpy(is_visible(*frames, flow))[None].float()
        return sample


def _planes(image):
    return torch.from_numpy(image.copy()).permute(2, 0, 1)


def _loader(samples, config, numbers):
    """Batches of the samples with these numbers, which are lists."""
    return torch.utils.data.DataLoader(samples, batch_sampler=numbers, num_workers=config["workers"],
                                       pin_memory=device().type == "cuda",
                                       generator=torch.Generator())  # else it draws from the steps' own numbers


class _Pool:
    """The samples 0 to count - 1, made once and kept on the device as they are, over and over, each pass in an order of
    its own: where a step takes less time than its samples."""

    def __init__(self, samples, config, count):
        self.count, self.seed, parts = count, config["seed"], {}
        for batch in _loader(samples, config, (range(i, min(i + 64, count)) for i in range(0, count, 64))):
            for key, tensor in batch.items():
                parts.setdefault(key, []).append(tensor.to(device()))
        self.tensors = {key: torch.cat(tensors) for key, tensors in parts.items()}
        self._order = functools.lru_cache(maxsize=2)(self._order)

    def _order(self, number):
        return torch.randperm(self.count, generator=torch.Generator().manual_seed(self.seed + number))

    def batch(self, numbers):
        places = torch.stack([self._order(n // self.count)[n % self.count] for n in numbers]).to(device())
        return {key: tensor[places] for key, tensor in self.tensors.items()}


def batches(samples, config, first):
    """Endless batches from number `first` on, this process's share of each, on the device; bytes become [-1, 1]."""
    world, size = processes(), config["batch"]
    starts = (size * (i * world.num_processes + world.process_index) for i in itertools.count(first))
    numbers = (range(i, i + size) for i in starts)
    pool = config["pool"] and _Pool(samples, config, config["pool"])
    for batch in map(pool.batch, numbers) if pool else _loader(samples, config, numbers):
        yield {key: _floats(tensor.to(device(), non_blocking=True)) for key, tensor in batch.items()}


def _floats(tensor):
    tensor = tensor.float() / 127.5 - 1 if tensor.dtype == torch.uint8 else tensor.float()
    return tensor.contiguous(memory_format=torch.channels_last)
