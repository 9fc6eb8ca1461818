# SPDX-License-Identifier: LGPL-2.1-or-later
"""The autoencoder's stages: autoencoder (reconstruction), decoder (on the frozen U-Net's one-step latents)."""
import itertools

import torch
import torch.nn.functional as F

from .checkpoint import load_ema
from .config import needed, scheduled
from .data import Samples, batches
from .devices import autocast, compiled, device, processes
from .discriminator import PatchDiscriminator, discriminator_loss, generator_loss
from .loop import Loop
from .lpips import LPIPS
from .metrics import CHROMA
from .networks import decoder_checkpoint, decoder_input, initial_autoencoder, latent_of, save_scaling_factor
from .resize import resize
from .upscale import decoder_parts, make_upscaler


def _lpips(config):
    return compiled(config, LPIPS(needed(config, "lpips")).to(device()))


def autoencoder(config):
    """Reconstruction of HR and, by lr_share, of upsampled LR: L1 + w LPIPS, and a weak pull of the latents to 0."""
    model, lpips = initial_autoencoder(config).to(device()), _lpips(config)
    encoder, decode = compiled(config, model.encoder), compiled(config, model.decoder)
    weight, share = config["autoencoder"]["lpips_weight"], config["autoencoder"]["lr_share"]
    samples = Samples(config, {"lr": config["scale"]} if share else {})

    def step(batch, position):
        image = _with_upsampled(batch, share)
        with autocast(config):
            z = latent_of(model, encoder(image))
            out = decode(decoder_input(model, z))
            l1, perceptual = F.l1_loss(out.float(), image), lpips(out, image).float()
        loss = l1 + scheduled(weight, position) * perceptual + 1e-4 * z.float().pow(2).mean()
        return {"main": loss}, {"l1": l1, "lpips": perceptual}

    def picture(batch):
        return model.decoder(decoder_input(model, latent_of(model, model.encoder(batch["hr"]))))

    Loop(config, "autoencoder", model, samples, picture=picture).run(step)
    if processes().is_main_process:
        load_ema(config, "autoencoder", model)
        with torch.no_grad():
            some = [latent_of(model, model.encoder(batch["hr"]))
                    for batch in itertools.islice(batches(samples, config | {"pool": 0, "workers": 0}, 0), 10)]
        save_scaling_factor(config, torch.cat(some))
    processes().wait_for_everyone()


def _with_upsampled(batch, share):
    """The batch's HR, but for a share of upsampled LR."""
    hr = batch["hr"]
    count = round(share * len(hr))
    if not count:
        return hr
    upsampled = resize(batch["lr"][:count], hr.shape[2], hr.shape[3])
    return torch.cat([upsampled, hr[count:]]).contiguous(memory_format=torch.channels_last)


class _Adversary:
    """The discriminator's part in the decoder's stage."""

    def __init__(self, config):
        self.discriminator = PatchDiscriminator(config["decoder"]["gan_width"]).to(device())

    def losses(self, real, made):
        """What the decoder is to lower, and what the discriminator is to lower."""
        self.discriminator.requires_grad_(False)
        wanted = generator_loss(self.discriminator(made).float())
        self.discriminator.requires_grad_(True)
        return wanted, discriminator_loss(self.discriminator(real).float(), self.discriminator(made.detach()).float())


def warped(image, flow):
    """`image` (n, c, h, w) seen at p + flow (n, 2, h, w; dx, dy in pixels); 0 outside."""
    n, _, height, width = image.shape
    rows, columns = (torch.arange(side, device=image.device) for side in (height, width))
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    x, y = (x + flow[:, 0]) * 2 / (width - 1) - 1, (y + flow[:, 1]) * 2 / (height - 1) - 1
    return F.grid_sample(image, torch.stack([x, y], -1), align_corners=True)


def temporal_loss(out, next_out, batch):
    """How much more the result changes from a frame to the next than the original does, along the motion, where it is
    visible in both: mean absolute difference. Of crops of one still image it is the error of shift equivariance."""
    change = warped(next_out, batch["flow"]) - out
    wanted = warped(batch["next_hr"], batch["flow"]) - batch["hr"]
    visible = batch["visible"]
    return ((change - wanted).abs() * visible).sum() / (visible.sum() * out.shape[1]).clamp(min=1)


_LARGEST_CUT = 7  # pixels; the first three strides of LPIPS' trunk make 8


def cut(*images):
    """The images (n, c, h, w) without _LARGEST_CUT rows and columns, at a place drawn anew each time.

    LPIPS' trunk sees every second pixel, then every fourth and eighth. Where those lie on the same pixels of the latents
    in every step, a network learns to put dark dots there, which lower LPIPS and nothing else.
    """
    y, x = torch.randint(_LARGEST_CUT + 1, (2,)).tolist()
    height, width = (side - _LARGEST_CUT for side in images[0].shape[2:])
    return [image[:, :, y:y + height, x:x + width] for image in images]


def chroma_loss(out, hr):
    """Mean absolute difference of Cb and Cr. LPIPS hardly sees colour, and alone lets fine lines have fringes."""
    difference = (out - hr).permute(0, 2, 3, 1)
    return (difference @ difference.new_tensor(CHROMA).T).abs().mean()


def decoder(config):
    """L1 and weighted LPIPS, chroma, GAN and temporal loss of the decoded one-step latents, back-projection inside the
    loop, and weighted L1 before it.

    decoder.unet = false trains on z_l: what a decoder can do without the one step. decoder.train_unet = true tunes the
    U-Net with the decoder, by the same loss. With a temporal loss both frames of a pair go through the networks, with the
    same noise, as with noise-mode=static, and both count for the other losses, too.
    """
    options, lpips = config["decoder"], _lpips(config)
    latents, unet = decoder_parts(config)
    module, adversary = latents.autoencoder.decoder.requires_grad_(True), _Adversary(config)
    if unet and options["train_unet"]:
        module = torch.nn.ModuleDict({"decoder": module, "unet": unet.requires_grad_(True)})
    upscale = make_upscaler(config, latents, unet)
    upscale_plainly = make_upscaler(config | {"compile": False}, latents, unet)

    def step(batch, position):
        weight = {name: scheduled(options[f"{name}_weight"], position)
                  for name in ("lpips", "chroma", "unfixed", "gan", "temporal")}
        hr, lr, noise = batch["hr"], batch["lr"], latents.noise_for(batch["hr"])
        if weight["temporal"]:
            hr, lr, noise = (torch.cat(pair) for pair in ((hr, batch["next_hr"]), (lr, batch["next_lr"]), (noise, noise)))
        with autocast(config):
            unfixed = upscale.decoded(upscale.latent(lr, noise))
            out = upscale.fixed(unfixed, lr)
            parts = {"l1": F.l1_loss(out, hr), "lpips": lpips(*cut(out, hr)).float(), "chroma": chroma_loss(out, hr)}
            loss = parts["l1"] + weight["lpips"] * parts["lpips"] + weight["chroma"] * parts["chroma"]
            if weight["unfixed"]:
                parts["unfixed"] = F.l1_loss(unfixed, hr)
                loss = loss + weight["unfixed"] * parts["unfixed"]
            if weight["temporal"]:
                parts["temporal"] = temporal_loss(*out.chunk(2), batch)
                loss = loss + weight["temporal"] * parts["temporal"]
            losses = {"main": loss}
            if weight["gan"]:
                parts["gan"], parts["discriminator"] = adversary.losses(hr, out)
                losses = {"main": loss + weight["gan"] * parts["gan"], "discriminator": parts["discriminator"]}
        return losses, parts

    def picture(batch):
        return upscale_plainly(batch["lr"], latents.noise_for(batch["hr"]))

    samples = Samples(config, {"lr": config["scale"]}, pairs=bool(options["temporal_weight"]))
    others = {"discriminator": (adversary.discriminator, options["gan_learning_rate"])} if options["gan_weight"] else {}
    Loop(config, "decoder", module, samples, others, picture, decoder_checkpoint(config)).run(step)
