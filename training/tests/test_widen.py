# SPDX-License-Identifier: LGPL-2.1-or-later
"""Wider and deeper U-Nets compute what those they were made of do."""
import pathlib
import tempfile
import unittest

import torch
from common import TRAINING  # noqa: F401  # finds the packages
from convert import widen
from diffusers import UNet2DConditionModel


def small_unet():
    torch.manual_seed(1)
    return UNet2DConditionModel(
        sample_size=16, in_channels=8, out_channels=4, down_block_types=("DownBlock2D",) * 3,
        up_block_types=("UpBlock2D",) * 3, mid_block_type="UNetMidBlock2D", block_out_channels=(16, 24, 32),
        layers_per_block=1, norm_num_groups=8, cross_attention_dim=8).eval()


def output(unet):
    torch.manual_seed(2)
    with torch.no_grad():
        return unet(torch.randn(2, 8, 16, 16), 999, encoder_hidden_states=torch.zeros(2, 1, 8)).sample


class Widen(unittest.TestCase):
    def distance(self, widths, layers):
        """Of the outputs before and after, in shares of the former."""
        old = small_unet()
        new = widen.widened(old, widths, layers)
        self.assertEqual(list(new.config.block_out_channels), widths)
        return ((output(new) - output(old)).norm() / output(old).norm()).item()

    def test_one_factor(self):
        self.assertLess(self.distance([32, 48, 64], [1, 1, 1]), 1e-5)
        self.assertLess(self.distance([48, 72, 96], [1, 1, 1]), 1e-5)

    def test_deeper(self):
        self.assertLess(self.distance([16, 24, 32], [3, 1, 2]), 1e-5)
        self.assertLess(self.distance([32, 48, 64], [1, 3, 1]), 1e-5)

    def test_other_widths(self):
        """Group norms weigh some channels more than before: about the same, but not that alone."""
        distance = self.distance([40, 48, 64], [2, 1, 1])
        self.assertTrue(1e-4 < distance < 0.5, distance)

    def test_copies_differ(self):
        """What reads two copies of a channel has other weights for each, or they would stay copies in training."""
        torch.manual_seed(0)
        weight = widen.widened(small_unet(), [32, 48, 64], [1, 1, 1]).down_blocks[0].resnets[0].conv1.weight
        self.assertGreater((weight[:, ::2] - weight[:, 1::2]).abs().min(0).values.max().item(), 1e-3)

    def test_refused(self):
        for widths, layers in (([16, 24], [1, 1]), ([16, 24, 24], [1, 1, 1]), ([20, 24, 32], [1, 1, 1]),
                               ([24, 24, 32], [1, 1, 1]), ([16, 24, 32], [1, 0, 1])):
            with self.assertRaises(SystemExit, msg=(widths, layers)):
                widen.widened(small_unet(), widths, layers)

    def test_folder(self):
        with tempfile.TemporaryDirectory() as work:
            folder = pathlib.Path(work)
            small_unet().save_pretrained(folder / "small" / "unet")
            (folder / "small" / "model_index.json").write_text("{}")
            widen.main([str(folder / "small"), str(folder / "wide"), "--widths", "32,48,64", "--layers", "1,1,1"])
            self.assertTrue((folder / "wide" / "model_index.json").exists())
            wide = UNet2DConditionModel.from_pretrained(folder / "wide", subfolder="unet")
            self.assertLess((output(wide.eval()) - output(small_unet())).abs().max().item(), 1e-4)


if __name__ == "__main__":
    unittest.main()
