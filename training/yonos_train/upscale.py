# SPDX-License-Identifier: LGPL-2.1-or-later
"""Inference in PyTorch, as the element does it: for the decoder's training, for sheets and for comparisons."""
from .devices import compiled, device
from .latents import Latents
from .networks import OneStep, trained_decoder, trained_unet
from .resize import back_project


class Upscaler:
    """(lr, noise) to the image of `scale` times its size: E(upsampled LR), one step, D, back-projection.

    `one_step` None leaves the step out. `decode` is the decoder, compiled or not.
    """

    def __init__(self, scale, latents, one_step, decode):
        self.scale, self.latents, self.one_step, self.decode = scale, latents, one_step, decode

    def latent(self, lr, noise):
        z_l = self.latents.of_upsampled(lr, self.scale)
        return self.one_step.from_noise(z_l, noise) if self.one_step else z_l

    def image(self, z, lr):
        return back_project(self.decode(self.latents.for_decoder(z)).float(), lr)

    def __call__(self, lr, noise):
        return self.image(self.latent(lr, noise), lr)


def decoder_parts(config):
    """Latents with the decoder as it is tuned so far in their autoencoder, and the frozen U-Net (None without one)."""
    latents = Latents(config)
    unet = None
    if config["decoder"]["unet"]:
        unet = trained_unet(config, latents.autoencoder).requires_grad_(False).to(device())
    trained_decoder(config, latents.autoencoder)
    return latents, unet


def make_upscaler(config, latents, unet):
    one_step = OneStep(unet, config) if unet else None
    return Upscaler(config["scale"], latents, one_step, compiled(config, latents.autoencoder.decoder))
