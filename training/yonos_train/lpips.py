# SPDX-License-Identifier: LGPL-2.1-or-later
"""LPIPS v0.1 (Zhang et al., CVPR 2018) with the SqueezeNet 1.1 trunk, from one safetensors file.

The file holds torchvision's `features.N.*` and the linear layers `lin0.weight` ... `lin6.weight`.
"""
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

_FIRES = ((3, 4), (6, 7), (9,), (10,), (11,), (12,))  # slices behind conv1; a max-pool stands before the first three


class LPIPS(nn.Module):
    def __init__(self, path):
        super().__init__()
        for name, weight in load_file(path).items():
            self.register_buffer(name.replace(".", "_"), weight.float())
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1))

    def _conv(self, x, name, **options):
        return F.relu(F.conv2d(x, getattr(self, f"{name}_weight"), getattr(self, f"{name}_bias"), **options))

    def _fire(self, x, index):
        x = self._conv(x, f"features_{index}_squeeze")
        return torch.cat([self._conv(x, f"features_{index}_expand1x1"),
                          self._conv(x, f"features_{index}_expand3x3", padding=1)], 1)

    def features(self, x):
        x = self._conv((x - self.shift) / self.scale, "features_0", stride=2)
        slices = [x]
        for number, fires in enumerate(_FIRES):
            if number < 3:
                x = F.max_pool2d(x, 3, 2, ceil_mode=True)
            for index in fires:
                x = self._fire(x, index)
            slices.append(x)
        return slices

    def forward(self, a, b):
        """Mean distance of two batches in [-1, 1]."""
        total = 0
        for i, (x, y) in enumerate(zip(self.features(a), self.features(b))):
            x = x / (x.pow(2).sum(1, keepdim=True).sqrt() + 1e-10)
            y = y / (y.pow(2).sum(1, keepdim=True).sqrt() + 1e-10)
            total = total + F.conv2d((x - y) ** 2, getattr(self, f"lin{i}_weight")).mean()
        return total
