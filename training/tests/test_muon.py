# SPDX-License-Identifier: LGPL-2.1-or-later
"""Muon: what it makes of a matrix, which parameters it takes, and that it learns."""
import unittest

import torch
from torch import nn

from yonos_train.muon import Muon, orthogonal


class Orthogonal(unittest.TestCase):
    def test_singular_values_near_one(self):
        torch.manual_seed(0)
        for shape in ((16, 144), (144, 16), (32, 32)):
            values = torch.linalg.svdvals(orthogonal(torch.randn(1, *shape)).float())
            self.assertGreater(values.min().item(), 0.3, shape)
            self.assertLess(values.max().item(), 1.3, shape)

    def test_each_matrix_by_itself(self):
        torch.manual_seed(0)
        matrices = torch.randn(3, 8, 24) * torch.tensor([1.0, 10.0, 0.1]).view(3, 1, 1)
        alone = torch.cat([orthogonal(matrix[None]) for matrix in matrices])
        self.assertLess((orthogonal(matrices) - alone).abs().max().item(), 0.02)

    def test_keeps_directions(self):
        """With equal singular values there is nothing to change but the size."""
        matrix = torch.linalg.qr(torch.randn(8, 8)).Q
        self.assertGreater((orthogonal(5 * matrix[None])[0].float() * matrix).sum().item() / 8, 0.6)


class Step(unittest.TestCase):
    def test_matrices_alone(self):
        """Inner matrices move by Muon's step, whatever the size of their gradient; vectors and frozen ones do not."""
        module = nn.ModuleDict({"conv_in": nn.Conv2d(3, 8, 3), "inner": nn.Conv2d(8, 8, 3), "frozen": nn.Linear(8, 8)})
        module["frozen"].requires_grad_(False)
        before = {name: p.detach().clone() for name, p in module.named_parameters()}
        optimizer = Muon(module, 1e-3)
        for p in module.parameters():
            if p.requires_grad:
                p.grad = torch.randn_like(p) * 1e-6
        optimizer.step()
        moved = {name: (p.detach() - before[name]).norm().item() for name, p in module.named_parameters()}
        self.assertAlmostEqual(moved["inner.weight"], 20e-3 * 8 ** 0.5, delta=0.03)
        self.assertLess(moved["conv_in.weight"], 1.1e-3 * 216 ** 0.5)
        self.assertEqual(moved["frozen.weight"], 0)

    def test_learns(self):
        torch.manual_seed(0)
        net, target, x = nn.Sequential(nn.Linear(16, 16)), torch.randn(64, 16), torch.randn(64, 16)
        optimizer, losses = Muon(net, 1e-3), []
        for _ in range(60):
            loss = (net(x) - target).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        self.assertLess(losses[-1], 0.85 * losses[0])


if __name__ == "__main__":
    unittest.main()
