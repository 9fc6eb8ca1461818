# SPDX-License-Identifier: LGPL-2.1-or-later
"""The stages that train the autoencoder: autoencoder (reconstruction), decoder (on the frozen U-Net's one-step latents)."""
import torch
import torch.nn.functional as F

from .config import needed, scheduled
from .data import Samples, batches
from .diffusion import Latents, autocast
from .loop import Loop, load_ema
from .lpips import LPIPS
from .networks import LAST, OneStep, initial_autoencoder, save_scaling_factor, trained_decoder, trained_unet
from .resize import back_project


def _compiled(config, module):
    return torch.compile(module) if config["compile"] else module


def _lpips(config):
    return _compiled(config, LPIPS(needed(config, "lpips")))


def autoencoder(config):
    """Reconstruction: L1 + w LPIPS, and a weak pull of the latents to 0."""
    model, lpips = initial_autoencoder(config), _lpips(config)
    encoder, decode = _compiled(config, model.encoder), _compiled(config, model.decoder)
    channels, weight = model.config.latent_channels, config["autoencoder"]["lpips_weight"]
    samples = Samples(config, {})

    def step(batch, position):
        with autocast(config):
            z = encoder(batch["hr"])[:, :channels]
            out = decode(z)
            l1, perceptual = F.l1_loss(out.float(), batch["hr"]), lpips(out, batch["hr"]).float()
        loss = l1 + scheduled(weight, position) * perceptual + 1e-4 * z.float().pow(2).mean()
        return loss, {"l1": l1.item(), "lpips": perceptual.item()}

    Loop(config, "autoencoder", model, samples).run(step)
    load_ema(config, "autoencoder", model)
    with torch.no_grad():
        some = [model.encoder(batch["hr"])[:, :channels] for _, batch in zip(range(10), batches(samples, config, 0))]
    save_scaling_factor(config, torch.cat(some))


def decoder(config):
    """L1 + w LPIPS of the back-projected decoding of the one step's latents. decoder.unet = false trains on z_l."""
    latents, lpips, weight = Latents(config), _lpips(config), config["decoder"]["lpips_weight"]
    use_unet = config["decoder"]["unet"]
    if use_unet:
        unet = trained_unet(config, latents.autoencoder).requires_grad_(False)
        one_step = OneStep(unet, config["compile"])
    module = trained_decoder(config, latents.autoencoder).decoder.requires_grad_(True)
    decode = _compiled(config, module)

    def step(batch, position):
        hr, lr = batch["hr"], batch["lr"]
        with autocast(config):
            z = latents.of_upsampled(lr, hr)
            if use_unet:
                with torch.no_grad():
                    z = one_step(torch.randn_like(z), z, torch.full((len(z),), LAST))
            out = back_project(decode(z / latents.factor).float(), lr)
            l1, perceptual = F.l1_loss(out, hr), lpips(out, hr).float()
        return l1 + scheduled(weight, position) * perceptual, {"l1": l1.item(), "lpips": perceptual.item()}

    Loop(config, "decoder", module, Samples(config, {"lr": config["scale"]})).run(step)
