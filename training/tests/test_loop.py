# SPDX-License-Identifier: LGPL-2.1-or-later
"""Resuming equals not stopping; schedules."""
import contextlib
import io
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import torch
from common import CONFIG, TRAINING, StageTest
from PIL import Image

from yonos_train import checkpoint
from yonos_train.config import scheduled


class Resume(StageTest):
    def assert_same(self, a, b, where=""):
        self.assertIs(type(a), type(b), where)
        if isinstance(a, dict):
            self.assertEqual(a.keys(), b.keys(), where)
            for key in a.keys() - {"seconds"}:
                self.assert_same(a[key], b[key], f"{where}.{key}")
        elif isinstance(a, list):
            for i, (x, y) in enumerate(zip(a, b, strict=True)):
                self.assert_same(x, y, f"{where}.{i}")
        elif isinstance(a, torch.Tensor):
            self.assertTrue(torch.equal(a, b), where)
        else:
            self.assertEqual(a, b, where)

    def compare(self, stage, *overrides):
        """4 steps at one go and 2 + 2 give the same weights, averages and optimisers, bit by bit."""
        overrides = (f"{stage}.steps=4", *overrides)
        self.run_stage(stage, "name=whole", *overrides)
        self.run_stage(stage, "name=parts", *overrides, f"{stage}.stop_at=2")
        self.assertEqual(self.checkpoint(stage, "parts")["steps"], 2)
        self.run_stage(stage, "name=parts", *overrides)
        whole = self.checkpoint(stage, "whole")
        self.assertEqual(whole["steps"], 4)
        self.assert_same(whole, self.checkpoint(stage, "parts"))
        return whole

    def test_resume_equals_uninterrupted(self):
        self.compare("autoencoder", "pool=5")
        self.compare("direct", "direct.cached=5", "degradation.h264=1")
        whole = self.compare("decoder", "decoder.gan_weight=[[0,0],[1,0.1]]", "decoder.temporal_weight=0.5",
                             "accumulate=2", "degradation.second_order=1", "checkpoint_part_mib=0.05")
        self.assertEqual(list(whole["others"]), ["discriminator"])

    def test_accumulation_equals_a_larger_batch(self):
        """Two micro-batches of 2 and one batch of 4 have the same gradients, but for rounding."""
        for name, batch in (("micro", ("batch=2", "accumulate=2")), ("large", ("batch=4",))):
            self.run_stage("autoencoder", f"name={name}", "autoencoder.steps=1", "autoencoder.optimizer=adamw",
                           "autoencoder.lr_share=0", "bf16=false", *batch)
        micro, large = (self.checkpoint("autoencoder", name)["optimizer"]["state"] for name in ("micro", "large"))
        for index in micro:
            gradient = large[index]["exp_avg"]
            error = (micro[index]["exp_avg"] - gradient).norm() / gradient.norm().clamp(min=1e-6)
            self.assertLess(error, 1e-2)

    def test_held_out(self):
        """Figures of the averaged weights, which stay apart from the current ones."""
        with contextlib.redirect_stdout(io.StringIO()) as text:
            self.run_stage("autoencoder", "name=shown", f"held_out={self.work}/images", "autoencoder.steps=2")
            self.run_stage("autoencoder", "name=plain", "autoencoder.steps=2")
        lines = [line for line in text.getvalue().splitlines() if "held out" in line]
        pair = r"[\d.]+ / [\d.]+"
        self.assertRegex(lines[0], f"^autoencoder 2  held out, PSNR / LPIPS: bicubic {pair}, ours {pair}$")
        self.assertEqual(len(lines), 1)
        self.assert_same(self.checkpoint("autoencoder", "shown"), self.checkpoint("autoencoder", "plain"))

    def test_sigterm_saves(self):
        command = [sys.executable, "-m", "yonos_train", "autoencoder", "--config", str(CONFIG),
                   *self.overrides("name=killed", "autoencoder.steps=100000", "save_every=1")]
        sheet = self.work / "runs" / "killed" / "autoencoder.png"
        with subprocess.Popen(command, cwd=TRAINING, stdout=subprocess.DEVNULL) as process:
            while not sheet.exists() and process.poll() is None:
                time.sleep(0.2)
            before = self.checkpoint("autoencoder", "killed")["steps"]
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(60), 143)
        self.assertGreater(self.checkpoint("autoencoder", "killed")["steps"], before)
        self.assertEqual(Image.open(sheet).width, 4 * 32 + 3 * 4)
        self.assertTrue(list(sheet.parent.glob("tensorboard/autoencoder/events*")))


class Parts(unittest.TestCase):
    def test_parts(self):
        """A checkpoint in parts comes back whole; a newer set counts once it is complete; one file replaces parts."""
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "stage.pt"
            self.assertIsNone(checkpoint.read(path))
            for steps in (9, 10):
                checkpoint.write(path, {"steps": steps, "x": torch.arange(3000.0)}, 4096)
            parts = sorted(path.parent.iterdir())
            self.assertTrue(len(parts) > 3 and all(p.stat().st_size <= 4096 and ".10." in p.name for p in parts))
            self.assertTrue(torch.equal(checkpoint.read(path)["x"], torch.arange(3000.0)))
            (path.parent / "stage.pt.11.0000of0002").write_bytes(b"half")
            self.assertEqual(checkpoint.read(path)["steps"], 10)
            checkpoint.write(path, {"steps": 12})
            self.assertEqual(list(path.parent.iterdir()), [path])
            self.assertEqual(checkpoint.read(path)["steps"], 12)


class Schedules(unittest.TestCase):
    def test_scheduled(self):
        self.assertEqual(scheduled(0.5, 100), 0.5)
        steps = [[0, 0.5], [20, 1.0]]
        self.assertEqual([scheduled(steps, p) for p in (0, 19.9, 20, 50)], [0.5, 0.5, 1.0, 1.0])
        self.assertEqual(scheduled([[5, 1.0]], 0), 0)


if __name__ == "__main__":
    unittest.main()
