# SPDX-License-Identifier: LGPL-2.1-or-later
"""The U-Net's stages: direct (the clean latent as target) and distill (the teacher's clean latent as target).

Names follow the paper: z_h = E(HR), z_l = E(upsampled LR), z_t = alpha_t z_h + sigma_t noise,
lambda_t = log(alpha_t^2 / sigma_t^2), zhat the clean latent that a U-Net makes of z_t.
Both losses are E[ w(lambda_t) || zhat(z_t, z_l, t) - target ||^2 ].
"""
import torch
import torch.nn.functional as F

from .devices import autocast, device
from .latents import Latents, latent_samples
from .loop import Loop
from .networks import LAST, OneStep, initial_unet, teacher_unet


def draw_timesteps(count, last_share):
    """LAST, where inference is, with probability `last_share`; else uniform."""
    last = torch.rand(count) < last_share
    return torch.where(last, torch.full((count,), LAST), torch.randint(0, LAST + 1, (count,))).to(device())


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
    _train(config, "direct", {"lr": config["scale"]}, lambda latents, z_t, t: latents["z_h"])


def distill(config):
    """The target is what the teacher, trained at half the magnification, makes of the same z_t and of
    z_l' = E(upsampled LR'), where LR' has twice the student's resolution. The student starts from the teacher."""
    if config["scale"] % 2:
        raise SystemExit(f"scale {config['scale']}: distillation halves it for the teacher")
    teacher = OneStep(teacher_unet(config).requires_grad_(False).eval().to(device()), config)

    def target(latents, z_t, t):
        with torch.no_grad():
            return teacher(z_t, latents["z_teacher_lr"], t)

    _train(config, "distill", {"lr": config["scale"], "teacher_lr": config["scale"] // 2}, target)


def _train(config, stage, low, target):
    encoder, options = Latents(config), config[stage]
    unet = initial_unet(config, stage, encoder.autoencoder).to(device())
    student, plain = OneStep(unet, config), OneStep(unet, config | {"compile": False})

    def step(batch, _):
        with autocast(config):
            latents = batch if "z_h" in batch else encoder.of_batch(batch, low)
            z_h, z_l = latents["z_h"], latents["z_lr"]
            t = draw_timesteps(len(z_h), options["last_share"])
            z_t = student.noisy(z_h, t, torch.randn_like(z_h))
            wanted = target(latents, z_t, t)
            estimate = student(z_t, z_l, t)
        loss = weighted_error(estimate, wanted, loss_weight(options["loss_weight"], student.signal_to_noise(t)))
        return {"main": loss}, {"loss": loss, "mse to z_h": F.mse_loss(estimate.detach(), z_h),
                                "mse of z_l to z_h": F.mse_loss(z_l, z_h)}

    def picture(batch):
        z_l = encoder.of_upsampled(batch["lr"], config["scale"])
        return encoder.autoencoder.decoder(encoder.for_decoder(plain.from_noise(z_l, torch.randn_like(z_l))))

    Loop(config, stage, unet, latent_samples(config, stage, encoder, low), picture=picture).run(step)
