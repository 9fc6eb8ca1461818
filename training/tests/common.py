# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests share: a folder of small images, LPIPS with random weights, the smoke configuration, running a stage.

Each test file is a program: `python tests/test_stages.py` from training/, or all of them by `python tests/run.py`.
"""
import pathlib
import sys
import tempfile
import unittest

TRAINING = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TRAINING))

import av  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from yonos_train import checkpoint  # noqa: E402
from yonos_train.__main__ import main  # noqa: E402
from yonos_train.config import read_config  # noqa: E402

CONFIG = TRAINING / "configs" / "smoke.toml"


def write_images(folder, count=3, size=64):
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(count):
        small = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(small).resize((size, size), Image.BICUBIC).save(folder / f"{i}.png")


def write_video(path, count=12, size=96):
    """A pan over a smooth picture, two pixels a frame, in H.264."""
    rng = np.random.default_rng(1)
    small = Image.fromarray(rng.integers(0, 255, (12, 16, 3), dtype=np.uint8))
    picture = small.resize((size + 2 * count, size), Image.BICUBIC)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.options = size, size, "yuv420p", {"crf": "16"}
        for i in range(count):
            frame = av.VideoFrame.from_image(picture.crop((2 * i, 0, 2 * i + size, size)))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_lpips(path):
    """LPIPS's layers with random weights: the shapes of SqueezeNet 1.1."""
    torch.manual_seed(0)
    tensors = {"features.0.weight": torch.randn(64, 3, 3, 3) / 5, "features.0.bias": torch.zeros(64)}
    width = 64
    for index, (squeeze, expand) in {3: (16, 64), 4: (16, 64), 6: (32, 128), 7: (32, 128), 9: (48, 192),
                                     10: (48, 192), 11: (64, 256), 12: (64, 256)}.items():
        for part, shape in (("squeeze", (squeeze, width, 1, 1)), ("expand1x1", (expand, squeeze, 1, 1)),
                            ("expand3x3", (expand, squeeze, 3, 3))):
            tensors[f"features.{index}.{part}.weight"] = torch.randn(shape) / (shape[1] * shape[2] ** 2) ** 0.5
            tensors[f"features.{index}.{part}.bias"] = torch.zeros(shape[0])
        width = 2 * expand
    for i, channels in enumerate((64, 128, 256, 384, 384, 512, 512)):
        tensors[f"lin{i}.weight"] = torch.rand(1, channels, 1, 1) / channels
    save_file(tensors, path)


class StageTest(unittest.TestCase):
    """A work folder with images and LPIPS weights, for the whole class."""

    @classmethod
    def setUpClass(cls):
        torch.set_num_threads(1)
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.work = pathlib.Path(temporary.name)
        write_images(cls.work / "images")
        write_lpips(cls.work / "lpips.safetensors")

    @classmethod
    def overrides(cls, *more):
        return [f"data={cls.work}/images", f"lpips={cls.work}/lpips.safetensors", f"runs={cls.work}/runs",
                f"export.folder={cls.work}/model", "threads=1", *more]

    @classmethod
    def config(cls, *more):
        return read_config(CONFIG, cls.overrides(*more))

    @classmethod
    def run_stage(cls, stage, *more):
        main([stage, "--config", str(CONFIG), *cls.overrides(*more)])

    @classmethod
    def checkpoint(cls, stage, name="smoke"):
        return checkpoint.read(cls.work / "runs" / name / f"{stage}.pt")
