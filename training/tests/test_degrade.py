# SPDX-License-Identifier: LGPL-2.1-or-later
"""Degradations: what a draw shares between scales, each kind's sizes, kernels, codecs."""
import unittest
from unittest import mock

import numpy as np
from common import StageTest, write_video
from PIL import Image

from yonos_train import degrade
from yonos_train.data import Samples, batches, flow_between, is_visible, warp


def frames(count=2, size=64):
    rng = np.random.default_rng(5)
    small = Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8))
    picture = np.asarray(small.resize((size + 8, size), Image.BICUBIC))
    return np.stack([picture[:, 2 * i:2 * i + size] for i in range(count)])


def only(kind):
    return {k: float(k == kind) for k in degrade.KINDS}


class Draws(unittest.TestCase):
    def test_sizes_and_repetition(self):
        clip = frames()
        for kind in degrade.KINDS:
            for seed in range(8):
                with self.subTest(kind=kind, seed=seed):
                    first, again = (degrade.draw(np.random.default_rng(seed), only(kind), (18, 36)) for _ in range(2))
                    for scale in (2, 4, 8):
                        low = first.apply(clip, scale)
                        self.assertEqual(low.shape, (2, 64 // scale, 64 // scale, 3))
                        self.assertEqual(low.dtype, np.uint8)
                        self.assertTrue(np.array_equal(low, again.apply(clip, scale)))

    def test_bicubic_is_pillows(self):
        low = degrade.draw(np.random.default_rng(0), only("bicubic"), (18, 36)).apply(frames(1), 4)[0]
        expected = Image.fromarray(frames(1)[0]).resize((16, 16), Image.BICUBIC)
        self.assertTrue(np.array_equal(low, np.asarray(expected)))

    def test_shares(self):
        shares = {"bicubic": 3, "h264": 1, "second_order": 0, "second_order_h264": 0}
        rng = np.random.default_rng(0)
        kinds = [degrade.draw(rng, shares, (18, 36)).kind for _ in range(800)]
        self.assertEqual(set(kinds), {"bicubic", "h264"})
        self.assertAlmostEqual(kinds.count("h264") / 800, 0.25, delta=0.05)
        for bad in (dict.fromkeys(degrade.KINDS, 0), only("h264") | {"bicubic": -1}):
            with self.assertRaises(SystemExit):
                degrade.draw(rng, bad, (18, 36))

    def test_grain(self):
        """Half of the draws have some, each frame its own, and again the same."""
        still = np.full((2, 64, 64, 3), 128, np.uint8)
        draws = [degrade.draw(np.random.default_rng(seed), only("bicubic"), (18, 36), 8.0) for seed in range(200)]
        self.assertAlmostEqual(sum(draw.grain > 0 for draw in draws) / 200, 0.5, delta=0.1)
        strongest = max(draws, key=lambda draw: draw.grain)
        one, two = strongest.apply(still, 2)
        self.assertAlmostEqual(one.std(), strongest.grain, delta=0.5)
        self.assertAlmostEqual((one - two.astype(float)).std(), strongest.grain * 2 ** 0.5, delta=0.7)
        self.assertTrue(np.array_equal(one, strongest.apply(still, 2)[0]))


class Parts(unittest.TestCase):
    def test_kernels(self):
        for kernel in (degrade.blur_kernel(21, 2, 2, 0, 1, False), degrade.blur_kernel(13, 3, 1, 0.5, 2, True),
                       degrade.sinc_kernel(15, 1.5)):
            self.assertAlmostEqual(kernel.sum(), 1, places=5)
            self.assertTrue(np.allclose(kernel, kernel[::-1, ::-1], atol=1e-6))
        axis = np.arange(21) - 10
        gauss = np.exp(-axis ** 2 / 8)
        expected = np.outer(gauss, gauss) / gauss.sum() ** 2
        self.assertTrue(np.allclose(degrade.blur_kernel(21, 2, 2, 0, 1, False), expected))
        self.assertLess(degrade.sinc_kernel(15, 1.5).min(), 0)  # it rings

    def test_sinc_cuts_off(self):
        """A wave below the cutoff passes, one above is gone."""
        x = np.arange(128)
        for frequency, gain in ((0.5, 1.0), (2.5, 0.0)):
            wave = np.tile(np.cos(frequency * x), (128, 1)).astype(np.float32)
            out = degrade._filtered(wave, degrade.sinc_kernel(21, np.pi / 2))
            self.assertAlmostEqual(out[64, 32:96].std() / wave[64, 32:96].std(), gain, delta=0.12)

    def test_h264(self):
        clip = frames(3, 33)
        clip = np.repeat(clip[..., :1], 3, -1)  # grey: no loss in the chroma
        error = [np.abs(degrade.h264(clip, crf, 1).astype(float) - clip).mean() for crf in (10, 30, 48)]
        self.assertEqual(degrade.h264(clip, 30, 2).shape, clip.shape)
        self.assertLess(error[0], 2)
        self.assertLess(error[0], error[1])
        self.assertLess(error[1], error[2])

    def test_flow(self):
        """Two frames that differ by a pan of two pixels."""
        before, after = frames(2)
        flow = flow_between(before, after)
        self.assertAlmostEqual(np.median(flow[..., 0]), -2, delta=0.2)
        self.assertAlmostEqual(np.median(flow[..., 1]), 0, delta=0.2)
        exact = np.broadcast_to(np.float32([-2, 0]), (64, 64, 2))
        self.assertTrue(np.array_equal(warp(after, exact)[:, 2:], before[:, 2:]))
        visible = is_visible(before, after, exact)
        self.assertTrue(visible[:, 2:].all() and not visible[:, :2].any())


class Pairs(StageTest):
    @classmethod
    def samples(cls, *overrides, pairs):
        return Samples(cls.config(*overrides), {"lr": 4, "teacher_lr": 2}, pairs)

    def test_samples_draw_once(self):
        """One draw serves all scales and both frames of a sample."""
        with mock.patch("yonos_train.data.draw", wraps=degrade.draw) as spy:
            with mock.patch.object(degrade.Draw, "apply", autospec=True, side_effect=degrade.Draw.apply) as apply:
                self.samples(pairs=True)[0]
        self.assertEqual(spy.call_count, 1)
        self.assertEqual(len({id(call.args[0]) for call in apply.call_args_list}), 1)
        self.assertEqual(sorted(call.args[2] for call in apply.call_args_list), [2, 4])

    def test_pairs_of_images_and_videos(self):
        (self.work / "clips").mkdir()
        write_video(self.work / "clips" / "pan.mp4")
        for data in ("images", "clips"):
            samples = self.samples(f"data={self.work / data}", "degradation.h264=1", pairs=True)
            batch = next(batches(samples, self.config(), 0))
            shapes = {key: tuple(value.shape[1:]) for key, value in batch.items()}
            self.assertEqual(shapes, {"hr": (3, 32, 32), "next_hr": (3, 32, 32), "lr": (3, 8, 8), "next_lr": (3, 8, 8),
                                      "teacher_lr": (3, 16, 16), "next_teacher_lr": (3, 16, 16),
                                      "flow": (2, 32, 32), "visible": (1, 32, 32)})
            self.assertGreater(batch["visible"].mean(), 0.3)
            for hr, after, flow, visible in zip(*(batch[k].permute(0, 2, 3, 1).numpy() for k in
                                                  ("hr", "next_hr", "flow", "visible"))):
                change = np.abs(warp(np.ascontiguousarray(after), flow) - hr).max(-1) * 127.5
                self.assertLessEqual(change[visible[..., 0] > 0].max(), 21)

    def test_soft_originals(self):
        """Softened frames have less detail, the same size and mean; with soft=1 that is what samples are."""
        noise = np.random.default_rng(0).integers(0, 255, (2, 48, 64, 3), dtype=np.uint8)
        for seed in range(6):
            soft = degrade.soften(np.random.default_rng(seed), noise)
            self.assertEqual(soft.shape, noise.shape)
            self.assertLess(soft.std(), 0.9 * noise.std())
            self.assertAlmostEqual(soft.mean(), noise.mean(), delta=2)
        Image.fromarray(noise[0]).save(self.work / "images" / "noise.png")
        detail = [Samples(self.config(f"soft={share}", "crop=48"), {})[i]["hr"].float().std()
                  for share in (0, 1) for i in range(8)]
        self.assertLess(sum(detail[8:]), sum(detail[:8]))

    def test_workers_change_nothing(self):
        config = self.config("degradation.second_order=1")
        alone = batches(Samples(config, {"lr": 4}), config, 3)
        helped = batches(Samples(config, {"lr": 4}), config | {"workers": 2}, 3)
        for _ in range(3):
            a, b = next(alone), next(helped)
            self.assertTrue(all((a[key] == b[key]).all() for key in ("hr", "lr")))


if __name__ == "__main__":
    unittest.main()
