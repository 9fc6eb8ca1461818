# SPDX-License-Identifier: LGPL-2.1-or-later
"""The U-Net's stages: direct (the clean latent as target) and distill (the teacher's clean latent as target).

Names follow the paper: z_h = E(HR), z_l = E(upsampled LR), z_t = alpha_t z_h + sigma_t noise, lambda_t = log(alpha_t^2 /
sigma_t^2), zhat the clean latent that a U-Net makes of z_t.
Both losses are E[ w(lambda_t) || zhat(z_t, z_l, t) - target ||^2 ].
"""
import torch
import torch.nn.functional as F

from .data import Samples
from .loop import Loop
from .networks import LAST, OneStep, initial_unet, teacher_unet, trained_autoencoder
from .resize import resize


def autocast(config):
    return torch.autocast("cpu", torch.bfloat16, enabled=config["bf16"])


class Latents:
    """E of images, scaled to unit variance; the encoder is frozen."""

    def __init__(self, config):
        self.autoencoder = trained_autoencoder(config).requires_grad_(False)
        self.factor, self.channels = self.autoencoder.config.scaling_factor, self.autoencoder.config.latent_channels
        encoder = self.autoencoder.encoder
        self.encoder = torch.compile(encoder) if config["compile"] else encoder

    def of(self, image):
        with torch.no_grad():
            return self.encoder(image)[:, :self.channels].float() * self.factor

    def of_upsampled(self, lr, hr):
        """z_l, at the size of hr."""
        return self.of(resize(lr, hr.shape[2], hr.shape[3]))


def draw_timesteps(count, last_share):
    """LAST, where inference is, with probability `last_share`; else uniform."""
    last = torch.full((count,), LAST)
    return torch.where(torch.rand(count) < last_share, last, torch.randint(0, LAST + 1, (count,)))


def loss_weight(kind, signal_to_noise):
    """w(lambda_t) as a factor of the clean latent's squared error.

    clean: 1. The default: the result is used after one step from t = LAST, where the other two weigh the same (1, and
    1.005 for velocity), and 1 does not let the draws at little noise, where they grow to 1176, drown that timestep.
    truncated-snr: max(exp lambda_t, 1) of Salimans and Ho (ICLR 2022): the noise's error at little noise.
    velocity: 1 + exp lambda_t: the error of v, the usual choice for sampling in many steps.
    """
    if kind == "clean":
        return torch.ones_like(signal_to_noise)
    if kind == "truncated-snr":
        return signal_to_noise.clamp(min=1)
    if kind == "velocity":
        return 1 + signal_to_noise
    raise SystemExit(f"loss_weight {kind!r}: there are clean, truncated-snr and velocity")


def weighted_error(estimate, target, weight):
    """Mean over batch and elements of weight (n) times the squared error (n, c, h, w)."""
    return (weight.view(-1, 1, 1, 1) * (estimate - target) ** 2).mean()


def direct(config):
    """The target is z_h."""
    _train(config, "direct", {"lr": config["scale"]}, lambda z_t, t, z_h, batch, latents: z_h)


def distill(config):
    """The target is what the teacher, trained at half the magnification, makes of the same z_t and of z_l' = E(upsampled
    LR'), where LR' has twice the student's resolution. The student starts from the teacher."""
    if config["scale"] % 2:
        raise SystemExit(f"scale {config['scale']}: distillation halves it for the teacher")
    teacher = OneStep(teacher_unet(config).requires_grad_(False).eval(), config["compile"])

    def target(z_t, t, _, batch, latents):
        with torch.no_grad():
            return teacher(z_t, latents.of_upsampled(batch["teacher_lr"], batch["hr"]), t)

    _train(config, "distill", {"lr": config["scale"], "teacher_lr": config["scale"] // 2}, target)


def _train(config, stage, low, target):
    latents, options = Latents(config), config[stage]
    unet = initial_unet(config, stage, latents.autoencoder)
    student = OneStep(unet, config["compile"])

    def step(batch, _):
        with autocast(config):
            z_h, z_l = latents.of(batch["hr"]), latents.of_upsampled(batch["lr"], batch["hr"])
            t = draw_timesteps(len(z_h), options["last_share"])
            z_t = student.noisy(z_h, t, torch.randn_like(z_h))
            wanted = target(z_t, t, z_h, batch, latents)
            estimate = student(z_t, z_l, t)
        loss = weighted_error(estimate, wanted, loss_weight(options["loss_weight"], student.signal_to_noise(t)))
        return loss, {"loss": loss.item(), "mse to z_h": F.mse_loss(estimate, z_h).item(),
                      "mse of z_l to z_h": F.mse_loss(z_l, z_h).item()}

    Loop(config, stage, unet, Samples(config, low)).run(step)
