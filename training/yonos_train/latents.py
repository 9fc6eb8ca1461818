# SPDX-License-Identifier: LGPL-2.1-or-later
"""Latents of training samples by the frozen encoder: made batch by batch, or once and kept on disk."""
import hashlib
import json

import torch
from safetensors.torch import load_file, save_file

from . import checkpoint
from .data import Samples
from .devices import autocast, compiled, device, processes
from .networks import decoder_input, latent_factor, latent_of, trained_autoencoder
from .resize import resize


class Latents:
    """E of images, scaled to unit variance; the encoder is frozen."""

    def __init__(self, config):
        self.autoencoder = trained_autoencoder(config).requires_grad_(False).to(device())
        self.factor, self.channels = self.autoencoder.config.scaling_factor, self.autoencoder.config.latent_channels
        self.encoder = compiled(config, self.autoencoder.encoder)

    def of(self, image):
        """The mean of the encoder's distribution, (n, channels, h / factor, w / factor)."""
        with torch.no_grad():
            return latent_of(self.autoencoder, self.encoder(image)).float() * self.factor

    def of_upsampled(self, lr, scale):
        """z_l"""
        return self.of(resize(lr, lr.shape[2] * scale, lr.shape[3] * scale))

    def for_decoder(self, z):
        """What the autoencoder's decoder takes for the latent z."""
        return decoder_input(self.autoencoder, z / self.factor)

    def noise_for(self, image):
        """z_T for the latents of `image`."""
        n, _, height, width = image.shape
        side = latent_factor(self.autoencoder)
        return torch.randn(n, self.channels, height // side, width // side, device=image.device)

    def of_batch(self, batch, low):
        """z_h, and for each (key, scale) of `low` the latent of that LR as z_KEY."""
        return {"z_h": self.of(batch["hr"])} | {f"z_{key}": self.of_upsampled(batch[key], scale)
                                               for key, scale in low.items()}


class CachedLatents(torch.utils.data.Dataset):
    """of_batch of samples 0 to count - 1, over and over, each pass in an order of its own; images are gone.

    They lie beside the checkpoints, under a name made of all that they depend on.
    """

    def __init__(self, config, latents, samples, count):
        self.count, self.seed = count, config["seed"]
        path = checkpoint.checkpoint_path(config, f"latents-{_fingerprint(config, latents, samples, count)}")
        path = path.with_suffix(".safetensors")
        with processes().main_process_first():
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                save_file(_encode(config, latents, samples, count), path)
        self.tensors = load_file(path)

    def __getitem__(self, index):
        round_, place = divmod(index, self.count)
        order = torch.randperm(self.count, generator=torch.Generator().manual_seed(self.seed + round_))
        return {key: tensor[order[place]] for key, tensor in self.tensors.items()}


def _encode(config, latents, samples, count):
    loader = torch.utils.data.DataLoader(torch.utils.data.Subset(samples, range(count)), config["batch"],
                                         num_workers=config["workers"])
    done = {}
    for batch in loader:
        batch = {key: image.to(device()).float() / 127.5 - 1 for key, image in batch.items()}
        with autocast(config):
            for key, value in latents.of_batch(batch, samples.low).items():
                done.setdefault(key, []).append(value.half().cpu())
    return {key: torch.cat(values).contiguous() for key, values in done.items()}


def _fingerprint(config, latents, samples, count):
    digest = hashlib.sha256()
    for value in latents.autoencoder.encoder.state_dict().values():
        digest.update(value.cpu().numpy().tobytes())
    digest.update(json.dumps([latents.factor, samples.low, samples.size, samples.seed, samples.shares, samples.soft,
                              count, [str(source) for source in samples.sources]]).encode())
    return digest.hexdigest()[:16]


def latent_samples(config, stage, latents, low):
    """The samples of a U-Net stage: images, or where STAGE.cached is set that many latents."""
    samples = Samples(config, low)
    count = config[stage]["cached"]
    return CachedLatents(config, latents, samples, count) if count else samples
