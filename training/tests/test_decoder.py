# SPDX-License-Identifier: LGPL-2.1-or-later
"""The decoder's losses on cases computed by hand."""
import unittest

import torch
from common import StageTest

from yonos_train.autoencoder import chroma_loss, cut, temporal_loss, warped
from yonos_train.discriminator import PatchDiscriminator, discriminator_loss, generator_loss


class Adversarial(StageTest):
    def test_hinge(self):
        real, fake = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 1.0])
        self.assertAlmostEqual(discriminator_loss(real, fake).item(), 0.5 * (0.25 + 1.0))
        self.assertEqual(generator_loss(fake).item(), 1.0)

    def test_learns_to_tell(self):
        """A few steps part noise from flat pictures."""
        torch.manual_seed(0)
        network = PatchDiscriminator(8)
        optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
        flat, noise = torch.zeros(2, 3, 64, 64), torch.randn(2, 3, 64, 64)
        self.assertEqual(network(flat).shape, (2, 1, 6, 6))
        first = discriminator_loss(network(flat), network(noise)).item()
        for _ in range(30):
            optimizer.zero_grad()
            loss = discriminator_loss(network(flat), network(noise))
            loss.backward()
            optimizer.step()
        self.assertLess(loss.item(), 0.6 * first)

    def test_weight_from_its_moment_on(self):
        """The discriminator stays as it was drawn while its weight is 0, and the decoder's loss is another after."""
        self.run_stage("autoencoder")
        self.run_stage("direct")
        for name, weight in (("without", "0"), ("later", "[[0,0],[2,0.5]]"), ("never", "[[0,0],[9,0.5]]")):
            for stage in ("autoencoder", "direct"):
                (self.work / "runs" / name).mkdir(exist_ok=True)
                for file in (f"{stage}.pt", "scaling.json"):
                    (self.work / "runs" / name / file).write_bytes((self.work / "runs" / "smoke" / file).read_bytes())
            self.run_stage("decoder", f"name={name}", f"decoder.gan_weight={weight}")
        without, later, never = (self.checkpoint("decoder", name) for name in ("without", "later", "never"))
        weight = "conv_in.weight"
        self.assertTrue(torch.equal(without["module"][weight], never["module"][weight]))
        self.assertFalse(torch.equal(without["module"][weight], later["module"][weight]))
        self.assertEqual(never["others"]["discriminator"]["optimizer"]["state"], {})
        self.assertNotEqual(later["others"]["discriminator"]["optimizer"]["state"], {})


class Cut(unittest.TestCase):
    def test_cut(self):
        """All images at the same place, which moves over all offsets of an 8 x 8 grid; the size stays."""
        image = torch.arange(256.0).view(1, 1, 16, 16)
        corners = set()
        for _ in range(1500):
            a, b = cut(image, image + 1)
            self.assertEqual(a.shape, (1, 1, 9, 9))
            self.assertTrue(torch.equal(a + 1, b))
            corners.add(a[0, 0, 0, 0].item())
        self.assertEqual(corners, {16.0 * y + x for y in range(8) for x in range(8)})


class Chroma(unittest.TestCase):
    def test_loss(self):
        """Grey costs nothing; blue d more is 0.5 d of Cb and -0.0813 d of Cr."""
        hr = torch.rand(1, 3, 4, 4)
        self.assertAlmostEqual(chroma_loss(hr + 0.3, hr).item(), 0, places=6)
        blue = hr.clone()
        blue[:, 2] += 0.4
        self.assertAlmostEqual(chroma_loss(blue, hr).item(), 0.4 * (0.5 + 0.081312) / 2, places=6)


class Temporal(unittest.TestCase):
    def test_warped(self):
        image = torch.arange(25.0).view(1, 1, 5, 5)
        flow = torch.zeros(1, 2, 5, 5)
        self.assertTrue(torch.allclose(warped(image, flow), image, atol=1e-4))
        flow[:, 0] = 1
        self.assertTrue(torch.allclose(warped(image, flow)[..., :4], image[..., 1:], atol=1e-4))
        flow[:, 0], flow[:, 1] = 0, -2
        self.assertTrue(torch.allclose(warped(image, flow)[:, :, 2:], image[:, :, :3], atol=1e-4))

    def test_loss(self):
        """A result that moves as the original does costs nothing; a flicker of 0.1 costs 0.1; hidden pixels nothing."""
        torch.manual_seed(0)
        wide = torch.rand(1, 3, 8, 9)
        batch = {"hr": wide[..., :8], "next_hr": wide[..., 1:], "flow": torch.zeros(1, 2, 8, 8),
                 "visible": torch.ones(1, 1, 8, 8)}
        batch["flow"][:, 0] = -1
        batch["visible"][..., 0] = 0  # came in from outside
        same = temporal_loss(batch["hr"] + 0.2, batch["next_hr"] + 0.2, batch).item()
        self.assertAlmostEqual(same, 0, places=4)
        flicker = temporal_loss(batch["hr"], batch["next_hr"] + 0.1, batch).item()
        self.assertAlmostEqual(flicker, 0.1, places=4)
        batch["visible"].zero_()
        self.assertEqual(temporal_loss(batch["hr"], batch["next_hr"] + 0.1, batch).item(), 0)


if __name__ == "__main__":
    unittest.main()
