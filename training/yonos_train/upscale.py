# SPDX-License-Identifier: LGPL-2.1-or-later
"""Inference in PyTorch, as the element does it: for the decoder's training, for sheets and for comparisons."""
import torch

from .devices import compiled, device
from .latents import Latents
from .networks import LAST, OneStep, trained_decoder, trained_unet
from .resize import back_project


class Upscaler:
    """(lr, noise) to the image of `scale` times its size: E(upsampled LR), one step, D, colour fix.

    `one_step` None leaves the step out. `decode` is the decoder, compiled or not.
    """

    def __init__(self, config, latents, one_step, decode):
        if config["colour_fix"] not in ("back-projection", "none"):
            raise SystemExit(f"colour_fix {config['colour_fix']!r}: training knows back-projection and none")
        self.scale, self.fix = config["scale"], config["colour_fix"] == "back-projection"
        self.latents, self.one_step, self.decode = latents, one_step, decode

    def latent(self, lr, noise):
        z_l = self.latents.of_upsampled(lr, self.scale)
        return self.one_step.from_noise(z_l, noise) if self.one_step else z_l

    def decoded(self, z):
        return self.decode(self.latents.for_decoder(z)).float()

    def fixed(self, image, lr):
        return back_project(image, lr) if self.fix else image

    def image(self, z, lr):
        return self.fixed(self.decoded(z), lr)

    def __call__(self, lr, noise):
        return self.image(self.latent(lr, noise), lr)


def decoder_parts(config):
    """Latents with the decoder as it is tuned so far in their autoencoder, and the U-Net (None without one), frozen."""
    latents = Latents(config)
    unet = None
    if config["decoder"]["unet"]:
        unet = trained_unet(config, latents.autoencoder).requires_grad_(False).to(device())
    trained_decoder(config, latents.autoencoder)
    return latents, unet


def make_upscaler(config, latents, unet):
    one_step = OneStep(unet, config) if unet else None
    return Upscaler(config, latents, one_step, compiled(config, latents.autoencoder.decoder))


def ddim(one_step, z_l, noise, steps):
    """The clean latent after `steps` DDIM steps without noise (Song et al., ICLR 2021), from t = LAST down, evenly
    spaced so that one step is the first ("trailing", Lin et al., WACV 2024)."""
    times = [round((LAST + 1) * (1 - i / steps)) - 1 for i in range(steps)]
    z = noise
    with torch.no_grad():
        for t, following in zip(times, times[1:] + [None]):
            clean = one_step(z, z_l, torch.full((len(z),), t, device=z.device))
            if following is None:
                return clean
            a, b = one_step.alphas[t], one_step.alphas[following]
            z = b.sqrt() * clean + (1 - b).sqrt() * (z - a.sqrt() * clean) / (1 - a).sqrt()
