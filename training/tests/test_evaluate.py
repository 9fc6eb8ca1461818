# SPDX-License-Identifier: LGPL-2.1-or-later
"""Metrics on cases with known results; evaluate over images, pairs and clips."""
import json
import os
import shutil
import unittest

import numpy as np
from common import StageTest, write_video
from PIL import Image

from yonos_train import metrics
from yonos_train.lpips import LPIPS


def texture(seed=0, size=64):
    small = np.random.default_rng(seed).integers(0, 255, (size // 4, size // 4, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((size, size), Image.BICUBIC))


class Metrics(StageTest):
    def test_psnr(self):
        """A grey level more everywhere is 219 / 255 of luma: 20 log10(255 / 0.8588)."""
        image = texture() // 2
        self.assertAlmostEqual(metrics.psnr(image + 1, image, 4), 20 * np.log10(255 * 255 / 219), places=4)
        self.assertEqual(metrics.psnr(image, image, 4), float("inf"))
        spoilt = image.copy()
        spoilt[:4] = 255  # in the border that is cropped
        self.assertEqual(metrics.psnr(spoilt, image, 4), float("inf"))

    def test_chroma_error(self):
        """A grey level more costs nothing; 10 of blue more are 5 of Cb and 0.81 of Cr."""
        image = texture() // 2
        self.assertAlmostEqual(metrics.chroma_error(image + 10, image), 0)
        blue = image.copy()
        blue[..., 2] += 10
        self.assertAlmostEqual(metrics.chroma_error(blue, image), 10 * (0.5 + 0.081312) / 2, places=2)

    def test_ssim(self):
        """1 for the same picture; without structure (a constant) only the means count; worse with more noise."""
        image, rng = texture(), np.random.default_rng(0)
        self.assertAlmostEqual(metrics.ssim(image, image, 2), 1)
        a, b = np.full((32, 32, 3), 100, np.uint8), np.full((32, 32, 3), 140, np.uint8)
        x, y = metrics.luma(a)[0, 0], metrics.luma(b)[0, 0]
        c1 = 2.55 ** 2
        self.assertAlmostEqual(metrics.ssim(a, b, 2), (2 * x * y + c1) / (x * x + y * y + c1), places=6)
        noisy = [metrics.ssim(np.clip(image + rng.normal(0, s, image.shape), 0, 255).astype(np.uint8), image, 2)
                 for s in (5, 20, 60)]
        self.assertTrue(0.9 > noisy[1] > noisy[2] and noisy[0] > noisy[1])

    def test_lpips(self):
        lpips = LPIPS(self.work / "lpips.safetensors")
        self.assertAlmostEqual(metrics.lpips_distance(lpips, texture(), texture()), 0, places=6)
        self.assertGreater(metrics.lpips_distance(lpips, texture(), texture(1)), 1e-4)

    def test_motion(self):
        """A pan costs nothing; a flicker of 6 costs 6; both are measured where things stay visible."""
        wide = texture(size=80)
        frames = [wide[:, 2 * i:2 * i + 64] // 2 for i in range(4)]
        motion = metrics.Motion(frames)
        self.assertGreater(np.mean(motion.visible), 0.5)
        still = motion.warping_error(frames)
        flickering = [frame + 6 * (i % 2) for i, frame in enumerate(frames)]
        self.assertLess(still, 1.5)
        self.assertAlmostEqual(motion.warping_error(flickering), 6, delta=1.5)
        self.assertAlmostEqual(motion.flicker(flickering), 6)
        self.assertEqual(motion.flicker(frames), 0)


@unittest.skipUnless(shutil.which("gst-launch-1.0"), "gst-launch-1.0 is not there")
class Evaluate(StageTest):
    def setUp(self):
        self.pairs = self.work / "pairs"
        shutil.rmtree(self.pairs, ignore_errors=True)
        for folder, picture in (("gt", texture()), ("lq", texture()[::2, ::2])):
            (self.pairs / folder).mkdir(parents=True)
            Image.fromarray(picture).save(self.pairs / folder / "a.png")

    def evaluate(self, *overrides):
        work = self.work / "evaluate"
        shutil.rmtree(work, ignore_errors=True)
        self.run_stage("evaluate", f"evaluate.work={work}", *overrides)
        return work, json.loads((work / "results.json").read_text())

    def test_tables_sheets_plots(self):
        """GStreamer's scaler in the element's place, and another program that is perfect."""
        write_video(self.work / "clip.mp4", 5, 64)
        perfect = self.work / "perfect" / "pairs"
        perfect.mkdir(parents=True)
        Image.fromarray(texture()).save(perfect / "a.png")
        work, results = self.evaluate(
            f"evaluate.sets=['{self.work}/images']", f"evaluate.pairs=['{self.pairs}']",
            f"evaluate.clips=['{self.work}/clip.mp4']", "evaluate.crf=[40]", "evaluate.frames=4",
            f"evaluate.folders.perfect={self.work}/perfect",
            "evaluate.systems.scaler=videoscale ! video/x-raw,width=64,height=64")
        self.assertEqual(list(results), ["images", "pairs", "clip", "clip-crf40"])
        self.assertEqual(list(results["pairs"]["systems"]), ["bicubic", "Lanczos", "scaler", "perfect"])
        self.assertAlmostEqual(results["pairs"]["systems"]["perfect"]["LPIPS"], 0, places=6)
        clean, coded = (results[name]["systems"]["bicubic"] for name in ("clip", "clip-crf40"))
        self.assertGreater(clean["PSNR"], coded["PSNR"] + 1)
        self.assertEqual(results["clip"]["pictures"], 4)
        self.assertTrue(clean["warping error"] > 0 and clean["flicker"] > 0)
        lines = (work / "table.md").read_text().splitlines()
        self.assertEqual(len(lines), 2 + 3 * 3 + 4 + 2)
        self.assertEqual(list(results["clip"]["systems"]["original"]), ["warping error"])
        self.assertEqual(len({line.count("|") for line in lines}), 1)
        for name in ("figures.png", "sheet-images.png", "sheet-clip.png"):
            Image.open(work / name).verify()

    @unittest.skipUnless(os.environ.get("GST_PLUGIN_PATH"), "the element is not built")
    def test_element(self):
        """An exported model by the element: the picture of PyTorch's size, frames per second of a clip."""
        for stage in ("autoencoder", "direct", "export"):
            self.run_stage(stage)
        write_video(self.work / "short.mp4", 3, 64)
        work, results = self.evaluate(f"evaluate.sets=['{self.work}/images']",
                                      f"evaluate.clips=['{self.work}/short.mp4']",
                                      f"evaluate.element=yonossr model={self.work}/model threads=1")
        self.assertGreater(results["short"]["systems"]["smoke"]["fps"], 0)
        self.assertEqual(Image.open(work / "images" / "smoke" / "0.png").size, (64, 64))

    def test_mistakes(self):
        Image.fromarray(texture()[:60]).save(self.pairs / "gt" / "a.png")
        for overrides, words in (([], "nothing to do"), ([f"evaluate.pairs=['{self.pairs}']"], "gt is 64x60"),
                                 ([f"evaluate.sets=['{self.work}/images']", "evaluate.element=nosuchelement"],
                                  "nosuchelement")):
            with self.subTest(words), self.assertRaises(SystemExit) as caught:
                self.evaluate("evaluate.sets=[]", *overrides)
            self.assertIn(words, str(caught.exception))


if __name__ == "__main__":
    unittest.main()
