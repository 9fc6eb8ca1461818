# SPDX-License-Identifier: LGPL-2.1-or-later
"""Resuming equals not stopping; schedules."""
import unittest

import torch
from common import StageTest

from yonos_train.config import scheduled


class Resume(StageTest):
    def test_resume_equals_uninterrupted(self):
        """4 steps at one go and 2 + 2 give the same weights, averages and optimiser, bit by bit."""
        self.run_stage("autoencoder", "name=whole", "autoencoder.steps=4")
        self.run_stage("autoencoder", "name=parts", "autoencoder.steps=4", "autoencoder.stop_at=2")
        self.assertEqual(self.checkpoint("autoencoder", "parts")["steps"], 2)
        self.run_stage("autoencoder", "name=parts", "autoencoder.steps=4")
        whole, parts = self.checkpoint("autoencoder", "whole"), self.checkpoint("autoencoder", "parts")
        self.assertEqual(whole["steps"], parts["steps"])
        for group in ("module", "ema"):
            for key, value in whole[group].items():
                self.assertTrue(torch.equal(value, parts[group][key]), key)
        for index, state in whole["optimizer"]["state"].items():
            for key, value in state.items():
                self.assertTrue(torch.equal(value, parts["optimizer"]["state"][index][key]), key)


class Schedules(unittest.TestCase):
    def test_scheduled(self):
        self.assertEqual(scheduled(0.5, 100), 0.5)
        steps = [[0, 0.5], [20, 1.0]]
        self.assertEqual([scheduled(steps, p) for p in (0, 19.9, 20, 50)], [0.5, 0.5, 1.0, 1.0])
        self.assertEqual(scheduled([[5, 1.0]], 0), 0)


if __name__ == "__main__":
    unittest.main()
