# SPDX-License-Identifier: LGPL-2.1-or-later
"""The networks of a config, as diffusers' own classes, and the one step."""
import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel

BETAS = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}


def make_autoencoder(config, scaling_factor=1.0):
    widths = config["autoencoder"]["widths"]
    return AutoencoderKL(
        in_channels=3, out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * len(widths), up_block_types=("UpDecoderBlock2D",) * len(widths),
        block_out_channels=tuple(widths), layers_per_block=1, latent_channels=config["autoencoder"]["latent_channels"],
        norm_num_groups=config["autoencoder"]["groups"], sample_size=config["crop"], scaling_factor=scaling_factor,
        mid_block_add_attention=False, use_quant_conv=False, use_post_quant_conv=False,
    ).to(memory_format=torch.channels_last)


def make_unet(config):
    widths, latent = config["unet"]["widths"], config["autoencoder"]["latent_channels"]
    return UNet2DConditionModel(
        sample_size=config["crop"] // 8, in_channels=2 * latent, out_channels=latent,
        down_block_types=("DownBlock2D",) * len(widths), up_block_types=("UpBlock2D",) * len(widths),
        mid_block_type="UNetMidBlock2D", block_out_channels=tuple(widths), layers_per_block=1,
        norm_num_groups=config["unet"]["groups"], cross_attention_dim=8,
    ).to(memory_format=torch.channels_last)


def make_scheduler():
    return DDIMScheduler(**BETAS, prediction_type="v_prediction", clip_sample=False)


def alphas_cumprod(steps=1000):
    betas = np.linspace(BETAS["beta_start"] ** 0.5, BETAS["beta_end"] ** 0.5, steps) ** 2
    return torch.from_numpy(np.cumprod(1 - betas)).float()


class OneStep:
    """zhat(z_t, z_l, t) of a v-predicting U-Net that sees [z_t, z_l]."""

    def __init__(self, unet):
        self.alphas = alphas_cumprod()
        self.context = torch.zeros(1, 1, 8)  # text-free: diffusers wants the argument, no layer reads it
        self.unet = torch.compile(
            lambda z, z_l, t: unet(torch.cat([z, z_l], 1), t, encoder_hidden_states=self.context).sample)

    def noisy(self, z_h, t, noise):
        a = self.alphas[t].view(-1, 1, 1, 1)
        return a.sqrt() * z_h + (1 - a).sqrt() * noise

    def __call__(self, z, z_l, t):
        a = self.alphas[t].view(-1, 1, 1, 1)
        return a.sqrt() * z - (1 - a).sqrt() * self.unet(z, z_l, t).float()
