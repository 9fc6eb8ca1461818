# SPDX-License-Identifier: LGPL-2.1-or-later
"""The decoder's adversary: a PatchGAN (Isola et al., CVPR 2017) with spectral norms and the hinge loss."""
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


class PatchDiscriminator(nn.Module):
    """(n, 3, h, w) in [-1, 1] to (n, 1, ~h/8, ~w/8): how real each patch of 70 pixels looks."""

    def __init__(self, width):
        super().__init__()
        widths = (3, width, 2 * width, 4 * width, 4 * width)
        layers = []
        for i, (before, after) in enumerate(zip(widths, widths[1:])):
            layers += [spectral_norm(nn.Conv2d(before, after, 4, 2 if i < 3 else 1, 1)), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, spectral_norm(nn.Conv2d(widths[-1], 1, 4, 1, 1)))

    def forward(self, image):
        return self.layers(image)


def generator_loss(fake_score):
    return -fake_score.mean()


def discriminator_loss(real_score, fake_score):
    """Hinge: real patches are to score above 1, made ones under -1."""
    return 0.5 * (F.relu(1 - real_score).mean() + F.relu(1 + fake_score).mean())
