# SPDX-License-Identifier: LGPL-2.1-or-later
"""The ablation end to end on tiny data; the Frechet distance and DDIM on cases with known results."""
import unittest
from unittest import mock

import torch
from common import StageTest

from yonos_train import ablate, diffusion
from yonos_train.ablate import frechet_distance
from yonos_train.networks import OneStep
from yonos_train.upscale import ddim


class Parts(StageTest):
    def test_frechet_distance(self):
        """Of Gaussians with diagonal covariances: squared distances of means and of standard deviations."""
        mean, a, b = torch.tensor([[1.0, 2.0], [4.0, 9.0], [1.0, 16.0]]).double()
        self.assertAlmostEqual(frechet_distance(mean, a.diag(), mean, a.diag()), 0, places=8)
        self.assertAlmostEqual(frechet_distance(mean, a.diag(), mean + 3, b.diag()), 18 + 1 + 1, places=8)

    def test_ddim(self):
        """A network that knows the clean latent gets it back from any number of steps; a step is what inference does;
        the timesteps go down from 999."""
        clean, z_l, noise = torch.randn(3, 1, 4, 2, 2)
        seen = []

        def velocity(x, t, encoder_hidden_states):
            seen.append(t.item())
            a = step.alphas[t].view(-1, 1, 1, 1)
            return type("Output", (), {"sample": (a.sqrt() * x[:, :4] - clean) / (1 - a).sqrt()})
        plain = {"compile": False, "prediction_type": "v_prediction", "residual": 0.0}
        step = OneStep(velocity, plain)
        for steps in (1, 4, 200):
            seen.clear()
            self.assertTrue(torch.allclose(ddim(step, z_l, noise, steps), clean, atol=1e-4))
            self.assertEqual(len(seen), steps)
            self.assertEqual(seen[0], 999)
            self.assertEqual(seen, sorted(set(seen), reverse=True))
        self.assertEqual(seen[-1], 4)
        self.assertTrue(torch.equal(ddim(step, z_l, noise, 1), step.from_noise(z_l, noise)))


class Ablate(StageTest):
    def run_ablate(self):
        self.run_stage("ablate", "name=ablation", "ablate.degradations=['second_order']", "ablate.seeds=[1,2]",
                       "ablate.scales=[4,8]",
                       "ablate.unet_steps=3", "ablate.decoder_steps=2", "ablate.ddim_steps=[1,3]",
                       f"ablate.images={self.work}/images", "ablate.crops=3", "ablate.crop=64", "direct.cached=4",
                       f"ablate.report={self.work}/docs/claims.md")

    def test_ablation(self):
        """Stopped in the middle, it goes on where it was; run again, it only writes the report."""
        with mock.patch.object(ablate.autoencoder, "decoder", side_effect=KeyboardInterrupt):
            with self.assertRaises(KeyboardInterrupt):
                self.run_ablate()
        before = self.checkpoint("direct", "ablation/second_order-seed1/x2")
        self.run_ablate()
        self.assertEqual(before["seconds"], self.checkpoint("direct", "ablation/second_order-seed1/x2")["seconds"])
        self.assertEqual(self.checkpoint("direct", "ablation/second_order-seed1/x4-direct")["steps"], 7)
        self.assertEqual(self.checkpoint("direct", "ablation/second_order-seed2/x8-direct")["steps"], 11)
        text = (self.work / "docs" / "claims.md").read_text()
        for words in ("## second order x4", "## second order x8", "distilled, 3 steps", "no U-Net, tuned", "tuned together", "(b)"):
            self.assertIn(words, text)
        self.assertEqual(len(list((self.work / "docs" / "images").glob("*.png"))), 2)
        with mock.patch.object(diffusion, "Loop", side_effect=AssertionError):
            with mock.patch.object(ablate, "_measure", side_effect=AssertionError):
                self.run_ablate()
        self.assertEqual(text, (self.work / "docs" / "claims.md").read_text())


if __name__ == "__main__":
    unittest.main()
