# SPDX-License-Identifier: LGPL-2.1-or-later
"""The stages: autoencoder -> direct (the one-step U-Net) -> decoder (on the frozen U-Net's latents).

Names follow the paper: z_h = E(HR), z_l = E(upsampled LR), z_t a noisy z_h.
"""
import json

import torch
import torch.nn.functional as F

from .data import Crops
from .loop import Loop, checkpoint_path, load_ema
from .lpips import LPIPS
from .networks import OneStep, make_autoencoder, make_unet
from .resize import back_project, degrade, resize


def _crops(config):
    return Crops(config["data"], config.get("listing"), config["crop"], config["seed"])


def _autocast(config):
    return torch.autocast("cpu", torch.bfloat16, enabled=config["bf16"])


def _scaling_path(config):
    return checkpoint_path(config, "autoencoder").with_name("scaling.json")


def scaling_factor(config):
    """1 / standard deviation of the latents; measured once, behind the autoencoder stage."""
    return json.loads(_scaling_path(config).read_text())["scaling_factor"]


def _measure_scaling(config, autoencoder, crops):
    channels = config["autoencoder"]["latent_channels"]
    with torch.no_grad():
        latents = torch.cat([autoencoder.encoder(crops.batch(8))[:, :channels] for _ in range(10)])
    _scaling_path(config).write_text(json.dumps({"scaling_factor": 1 / latents.std().item()}))


def autoencoder(config):
    """Reconstruction: L1 + w LPIPS, and a weak pull of the latents to 0."""
    crops, lpips = _crops(config), torch.compile(LPIPS(config["lpips"]))
    model = make_autoencoder(config)
    encoder, decoder_, channels = torch.compile(model.encoder), torch.compile(model.decoder), model.config.latent_channels
    weight = config["autoencoder"]["lpips_weight"]

    def step():
        hr = crops.batch(config["batch"])
        with _autocast(config):
            z = encoder(hr)[:, :channels]
            out = decoder_(z)
            l1, perceptual = F.l1_loss(out.float(), hr), lpips(out, hr).float()
        loss = l1 + weight * perceptual + 1e-4 * z.float().pow(2).mean()
        return loss, {"l1": l1.item(), "lpips": perceptual.item()}

    loop = Loop(config, "autoencoder", model)
    loop.run(step)
    _measure_scaling(config, load_ema(config, "autoencoder", model), crops)


class _Latents:
    """The frozen encoder and what is computed from a batch with it."""

    def __init__(self, config):
        self.config, self.crops, self.scale = config, _crops(config), config["scale"]
        self.model = load_ema(config, "autoencoder", make_autoencoder(config)).requires_grad_(False)
        self.factor, self.channels = scaling_factor(config), self.model.config.latent_channels
        self.encoder = torch.compile(self.model.encoder)

    def encode(self, image):
        with torch.no_grad():
            return self.encoder(image)[:, :self.channels].float() * self.factor

    def batch(self):
        """HR, LR and z_l."""
        hr = self.crops.batch(self.config["batch"])
        lr = degrade(hr, self.scale)
        return hr, lr, self.encode(resize(lr, hr.shape[2], hr.shape[3]))


def direct(config):
    """min w || zhat(z_t, z_l, t) - z_h ||^2, half of the draws at t = 999, where inference is; w = 1/2 elsewhere."""
    latents, unet = _Latents(config), make_unet(config)
    one_step = OneStep(unet)

    def step():
        with _autocast(config):
            hr, _, z_l = latents.batch()
            z_h = latents.encode(hr)
            count = hr.shape[0]
            last = torch.full((count,), 999)
            t = torch.where(torch.rand(count) < 0.5, last, torch.randint(0, 1000, (count,)))
            x0 = one_step(one_step.noisy(z_h, t, torch.randn_like(z_h)), z_l, t)
        weight = torch.where(t == 999, 1.0, 0.5).view(-1, 1, 1, 1)
        loss = (weight * (x0 - z_h) ** 2).mean()
        return loss, {"mse": F.mse_loss(x0, z_h).item(), "mse of z_l": F.mse_loss(z_l, z_h).item()}

    Loop(config, "direct", unet).run(step)


def decoder(config):
    """L1 + w LPIPS of the back-projected decoding of the one step's latents. decoder.unet = false trains on z_l."""
    latents, lpips = _Latents(config), torch.compile(LPIPS(config["lpips"]))
    unet = load_ema(config, "direct", make_unet(config)).requires_grad_(False)
    one_step, use_unet = OneStep(unet), config["decoder"].get("unet", True)
    module = latents.model.decoder.requires_grad_(True)
    decode, weight = torch.compile(module), config["decoder"]["lpips_weight"]

    def step():
        with _autocast(config):
            hr, lr, z = latents.batch()
            if use_unet:
                with torch.no_grad():
                    z = one_step(torch.randn_like(z), z, torch.full((hr.shape[0],), 999))
            out = back_project(decode(z / latents.factor).float(), lr)
            l1, perceptual = F.l1_loss(out, hr), lpips(out, hr).float()
        return l1 + weight * perceptual, {"l1": l1.item(), "lpips": perceptual.item()}

    Loop(config, "decoder", module).run(step)
