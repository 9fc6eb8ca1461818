# SPDX-License-Identifier: LGPL-2.1-or-later
"""The losses against cases computed by hand, and what teacher and student see."""
import math
import unittest

import torch
from common import StageTest

from yonos_train import diffusion
from yonos_train.data import Samples, batches
from yonos_train.devices import autocast
from yonos_train.latents import Latents
from yonos_train.networks import OneStep, alphas_cumprod


PLAIN = {"compile": False, "prediction_type": "v_prediction", "residual": 0.0}


class Network:
    """In place of a U-Net: v = gain x z_l, whatever z_t is."""

    def __init__(self, gain):
        self.gain = gain

    def __call__(self, x, t, encoder_hidden_states):
        self.seen = x
        return type("Output", (), {"sample": self.gain * x.chunk(2, 1)[1]})


class Losses(unittest.TestCase):
    def test_alphas(self):
        """alpha_t and sigma_t of design and paper's t = 999: a z + b v."""
        alpha = alphas_cumprod()[999].item()
        self.assertAlmostEqual(math.sqrt(alpha), 0.068265, places=5)
        self.assertAlmostEqual(math.sqrt(1 - alpha), 0.997667, places=5)

    def test_distillation_by_hand(self):
        """One pixel, one channel: z_t = 2, z_l = 3 (student, v = 0.5 z_l), z_l' = 5 (teacher, v = 0.1 z_l'), t = 999.
        zhat = 0.068265 z_t - 0.997667 v, so the z_t terms cancel: (0.997667 (1.5 - 0.5))^2."""
        z_t, t = torch.full((1, 1, 1, 1), 2.0), torch.tensor([999])
        student, teacher = (OneStep(Network(gain), PLAIN) for gain in (0.5, 0.1))
        estimate = student(z_t, torch.full_like(z_t, 3), t)
        wanted = teacher(z_t, torch.full_like(z_t, 5), t)
        self.assertAlmostEqual(estimate.item(), 0.068265 * 2 - 0.997667 * 1.5, places=5)
        weight = diffusion.loss_weight("clean", student.signal_to_noise(t))
        self.assertAlmostEqual(diffusion.weighted_error(estimate, wanted, weight).item(), 0.997667 ** 2, places=5)

    def test_residual(self):
        """Without an answer from the U-Net: z_l at t = 999, z_t / alpha where there is no noise; in between the mean of
        z_h given both, here for s = 0.5 and alpha^2 = 0.5 by hand."""
        step = OneStep(Network(0.0), PLAIN | {"residual": 0.5})
        z_t, z_l, t = torch.full((1, 1, 1, 1), 2.0), torch.full((1, 1, 1, 1), 3.0), torch.tensor([999])
        self.assertAlmostEqual(step(z_t, z_l, t).item(), 3, delta=0.04)
        step.alphas = torch.tensor([1.0, 0.5])
        self.assertAlmostEqual(step(z_t, z_l, torch.tensor([0])).item(), 2, places=5)
        half = 0.5 ** 0.5
        a = half * 0.25 / (0.5 * 0.25 + 0.5)
        self.assertAlmostEqual(step(z_t, z_l, torch.tensor([1])).item(), 3 + a * (2 - half * 3), places=5)
        self.assertAlmostEqual(step.coefficients(torch.tensor([1]))[1].item(), 0.5 * half / 0.625 ** 0.5, places=5)

    def test_weights(self):
        ratio = torch.tensor([0.25, 4.0])
        self.assertEqual(diffusion.loss_weight("clean", ratio).tolist(), [1, 1])
        self.assertEqual(diffusion.loss_weight("truncated-snr", ratio).tolist(), [1, 4])
        self.assertEqual(diffusion.loss_weight("velocity", ratio).tolist(), [1.25, 5])
        with self.assertRaises(SystemExit):
            diffusion.loss_weight("eps", ratio)
        error = diffusion.weighted_error(torch.ones(2, 1, 1, 2), torch.zeros(2, 1, 1, 2), torch.tensor([1.0, 3.0]))
        self.assertEqual(error.item(), 2)

    def test_velocity_weight_is_the_error_of_v(self):
        """(1 + exp lambda) || zhat - z_h ||^2 = || vhat - v ||^2."""
        step, t = OneStep(Network(0.7), PLAIN), torch.tensor([200, 700])
        z_h, z_l, noise = torch.randn(3, 2, 4, 3, 3)
        z_t = step.noisy(z_h, t, noise)
        a = step.alphas[t].view(-1, 1, 1, 1)
        v = a.sqrt() * noise - (1 - a).sqrt() * z_h
        weight = diffusion.loss_weight("velocity", step.signal_to_noise(t))
        weighted = diffusion.weighted_error(step(z_t, z_l, t), z_h, weight)
        self.assertAlmostEqual(weighted.item(), ((0.7 * z_l - v) ** 2).mean().item(), places=4)

    def test_timesteps(self):
        torch.manual_seed(0)
        t = diffusion.draw_timesteps(4000, 0.5)
        self.assertAlmostEqual((t == 999).float().mean().item(), 0.5, delta=0.03)
        self.assertTrue(0 <= t.min() < 20 and (diffusion.draw_timesteps(50, 1.0) == 999).all())


class TeacherAndStudent(StageTest):
    def test_what_they_see(self):
        """The same z_t; z_l of the student from LR, the teacher's from an LR of twice the resolution."""
        self.run_stage("autoencoder")
        self.run_stage("direct")
        self.run_stage("export")
        seen = []
        original = OneStep.__call__

        def spy(one_step, z, z_l, t):
            seen.append((z.clone(), z_l.clone(), t.clone()))
            return original(one_step, z, z_l, t)

        OneStep.__call__ = spy
        try:
            self.run_stage("distill", "name=x4", "scale=4", "distill.steps=1", f"autoencoder.init={self.work}/model",
                           f"distill.teacher={self.work}/model")
        finally:
            OneStep.__call__ = original
        (z_teacher, teacher_l, t_teacher), (z_student, student_l, t_student) = seen[:2]
        self.assertTrue(torch.equal(z_teacher, z_student) and torch.equal(t_teacher, t_student))
        config = self.config("name=x4", "scale=4", f"autoencoder.init={self.work}/model")
        latents = Latents(config)
        batch = next(batches(Samples(config, {"lr": 4, "teacher_lr": 2}), config, 0))
        self.assertEqual([batch[k].shape[-1] for k in ("hr", "lr", "teacher_lr")], [32, 8, 16])
        with autocast(config):
            self.assertTrue(torch.equal(student_l, latents.of_upsampled(batch["lr"], 4)))
            self.assertTrue(torch.equal(teacher_l, latents.of_upsampled(batch["teacher_lr"], 2)))


if __name__ == "__main__":
    unittest.main()
