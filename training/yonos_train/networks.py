# SPDX-License-Identifier: LGPL-2.1-or-later
"""The networks of a config as diffusers' own classes: new, from a model folder, or as a stage left them."""
import json
import pathlib

import numpy as np
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import load_file, save_file

from .checkpoint import checkpoint_path, load_ema
from .config import needed
from .devices import compiled, device

BETAS = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
LAST = 999  # the timestep of inference
PROMPT = "prompt_embeds.safetensors"
NETWORKS = {kind.__name__: kind for kind in (UNet2DConditionModel, AutoencoderKL, AutoencoderTiny)}


def network_class(folder, part):
    """The diffusers class of FOLDER/PART, by its config."""
    path = pathlib.Path(folder) / part / "config.json"
    if not path.exists():
        raise SystemExit(f"{folder}: no model folder, {part}/config.json is missing")
    name = json.loads(path.read_text()).get("_class_name")
    if name not in NETWORKS:
        raise SystemExit(f"{path}: {name!r} is not one of {', '.join(NETWORKS)}")
    return NETWORKS[name]


def read_network(folder, part):
    return network_class(folder, part).from_pretrained(folder, subfolder=part, torch_dtype=torch.float32)


def _from_folder(folder, part):
    model = read_network(folder, part)
    model.register_to_config(_name_or_path="")  # else the folder's path goes into every model made from it
    return model


def _new_autoencoder(config):
    widths = needed(config, "autoencoder.widths")
    return _new_tiny(config, widths) if config["autoencoder"]["blocks"]["encoder"] else _new_kl(config, widths)


def _new_tiny(config, widths):
    blocks = config["autoencoder"]["blocks"]
    if len({len(widths), *map(len, blocks.values())}) > 1 or len(set(widths)) > 1:
        raise SystemExit("autoencoder.blocks: encoder and decoder have as many entries as autoencoder.widths, "
                         "all of which are the same")
    return AutoencoderTiny(
        in_channels=3, out_channels=3, encoder_block_out_channels=tuple(widths),
        decoder_block_out_channels=tuple(widths), num_encoder_blocks=tuple(blocks["encoder"]),
        num_decoder_blocks=tuple(blocks["decoder"]), latent_channels=needed(config, "autoencoder.latent_channels"))


def _new_kl(config, widths):
    return AutoencoderKL(
        in_channels=3, out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * len(widths), up_block_types=("UpDecoderBlock2D",) * len(widths),
        block_out_channels=tuple(widths), layers_per_block=1,
        latent_channels=needed(config, "autoencoder.latent_channels"),
        norm_num_groups=config["autoencoder"]["groups"], sample_size=config["crop"], scaling_factor=1.0,
        mid_block_add_attention=False, use_quant_conv=False, use_post_quant_conv=False)


def _plain_unet(widths, groups, in_channels, out_channels, sample_size):
    return UNet2DConditionModel(
        sample_size=sample_size, in_channels=in_channels, out_channels=out_channels,
        down_block_types=("DownBlock2D",) * len(widths), up_block_types=("UpBlock2D",) * len(widths),
        mid_block_type="UNetMidBlock2D", block_out_channels=tuple(widths), layers_per_block=1,
        norm_num_groups=groups, cross_attention_dim=8)


def _new_unet(config, autoencoder):
    latent = autoencoder.config.latent_channels
    return _plain_unet(needed(config, "unet.widths"), config["unet"]["groups"], 2 * latent, latent,
                       config["crop"] // latent_factor(autoencoder))


def smallest_unet(autoencoder):
    """One that has z_l in and something of its shape out, for models that do not use it."""
    latent = autoencoder.config.latent_channels
    return _plain_unet([8], 8, latent, latent, None)


def latent_factor(autoencoder):
    return 2 ** (len(autoencoder.config.block_out_channels) - 1)


def latent_of(autoencoder, moments):
    """The unscaled latent: the mean, of what the autoencoder's encoder returns."""
    if getattr(autoencoder, "quant_conv", None) is not None:
        moments = autoencoder.quant_conv(moments)
    return moments[:, :autoencoder.config.latent_channels]


def decoder_input(autoencoder, z):
    """What the autoencoder's decoder takes for an unscaled latent."""
    return z if getattr(autoencoder, "post_quant_conv", None) is None else autoencoder.post_quant_conv(z)


def initial_autoencoder(config):
    """What the stage autoencoder starts from."""
    folder = config["autoencoder"]["init"]
    model = _from_folder(folder, "vae") if folder else _new_autoencoder(config)
    return model.to(memory_format=torch.channels_last)


def _scaling_path(config):
    return checkpoint_path(config, "autoencoder").with_name("scaling.json")


def save_scaling_factor(config, latents):
    """1 / standard deviation of the latents; measured once, behind the autoencoder stage."""
    _scaling_path(config).write_text(json.dumps({"scaling_factor": 1 / latents.std().item()}))


def trained_autoencoder(config):
    """The autoencoder behind its stage, its scaling factor in its config; its decoder is not yet the tuned one."""
    model = initial_autoencoder(config)
    if load_ema(config, "autoencoder", model):
        if not _scaling_path(config).exists():
            raise SystemExit(f"{_scaling_path(config)} is missing: let the stage autoencoder end")
        model.register_to_config(**json.loads(_scaling_path(config).read_text()))
    elif not config["autoencoder"]["init"]:
        raise SystemExit(f"{checkpoint_path(config, 'autoencoder')} is missing: run the stage autoencoder, or name a "
                         "model folder as autoencoder.init")
    return model


def decoder_checkpoint(config):
    """decoder; decoder-no-unet for the one that is tuned on z_l; decoder-and-unet where both are tuned together."""
    if not config["decoder"]["unet"]:
        return "decoder-no-unet"
    return "decoder-and-unet" if config["decoder"]["train_unet"] else "decoder"


def trained_decoder(config, autoencoder):
    """Puts the tuned decoder into `autoencoder`: the stage's, else that of decoder.init, else leaves it as it is. Where
    U-Net and decoder are tuned together, that goes on from the decoder that was tuned alone."""
    folder = config["decoder"]["init"]
    if folder:
        autoencoder.decoder.load_state_dict(_from_folder(folder, "vae").decoder.state_dict())
    name = decoder_checkpoint(config)
    if name == "decoder-and-unet":
        load_ema(config, "decoder", autoencoder.decoder)
        load_ema(config, name, autoencoder.decoder, "decoder")
    else:
        load_ema(config, name, autoencoder.decoder)
    return autoencoder


def unet_stage(config):
    """Which stage makes this config's U-Net: distill where there is a teacher, else direct."""
    return "distill" if config["distill"]["teacher"] else "direct"


def _unet_of_folder(config, folder):
    """A folder's U-Net, with the prompt's embedding that its cross-attention reads as `prompt_embeds` (1, tokens, dim),
    and with a conv_in that sees [z_t, z_l]."""
    unet = _from_folder(folder, "unet")
    if any("CrossAttn" in kind for kind in (*unet.config.down_block_types, *unet.config.up_block_types)):
        path = pathlib.Path(folder) / PROMPT
        if not path.exists():
            raise SystemExit(f"{path} is missing, which the U-Net's cross-attention reads: write it with "
                             f"python -m convert.prompt_embeds {folder}")
        unet.prompt_embeds = load_file(path)["prompt_embeds"].float()
    if unet.config.in_channels == unet.config.out_channels:
        _widen(unet)
    if config["gradient_checkpointing"]:
        unet.enable_gradient_checkpointing()
    return unet.to(memory_format=torch.channels_last)


def _widen(unet):
    """Makes a U-Net that sees z_t one that sees [z_t, z_l]: the new weights are 0, so it begins as what it was."""
    old = unet.conv_in
    unet.conv_in = torch.nn.Conv2d(2 * old.in_channels, old.out_channels, old.kernel_size, padding=old.padding)
    with torch.no_grad():
        unet.conv_in.weight.zero_()
        unet.conv_in.weight[:, :old.in_channels] = old.weight
        unet.conv_in.bias.copy_(old.bias)
    unet.register_to_config(in_channels=2 * old.in_channels)


def teacher_unet(config):
    return _unet_of_folder(config, needed(config, "distill.teacher"))


def initial_unet(config, stage, autoencoder):
    """What direct or distill starts from: its init, else the teacher (distill) or new weights (direct)."""
    if config[stage]["init"]:
        return _unet_of_folder(config, config[stage]["init"])
    if stage == "distill":
        return teacher_unet(config)
    return _new_unet(config, autoencoder).to(memory_format=torch.channels_last)


def trained_unet(config, autoencoder):
    stage = unet_stage(config)
    model = initial_unet(config, stage, autoencoder)
    if not load_ema(config, stage, model) and not config[stage]["init"]:
        raise SystemExit(f"{checkpoint_path(config, stage)} is missing: run the stage {stage}, or name a model folder "
                         f"as {stage}.init")
    if decoder_checkpoint(config) == "decoder-and-unet":
        load_ema(config, "decoder-and-unet", model, "unet")
    return model


def save_unet(unet, folder):
    """unet/ and, where it has cross-attention, prompt_embeds.safetensors of a model folder."""
    unet.save_pretrained(pathlib.Path(folder) / "unet")
    if hasattr(unet, "prompt_embeds"):
        save_file({"prompt_embeds": unet.prompt_embeds.float().cpu().contiguous()}, pathlib.Path(folder) / PROMPT)


def make_scheduler(config):
    return DDIMScheduler(**BETAS, prediction_type=config["prediction_type"], clip_sample=False)


def alphas_cumprod(steps=1000):
    betas = np.linspace(BETAS["beta_start"] ** 0.5, BETAS["beta_end"] ** 0.5, steps) ** 2
    return torch.from_numpy(np.cumprod(1 - betas)).float()


class OneStep:
    """zhat(z_t, z_l, t) = a z_t + b U-Net(z_t, z_l, t) + c z_l of a U-Net that predicts v, the noise, or what z_l lacks."""

    def __init__(self, unet, config):
        self.alphas, self.kind = alphas_cumprod().to(device()), config["prediction_type"]
        if self.kind not in ("v_prediction", "epsilon"):
            raise SystemExit(f"prediction_type {self.kind!r}: there are v_prediction and epsilon")
        self.residual = config["residual"]
        # Without cross-attention no layer reads the context, but diffusers wants it.
        context = getattr(unet, "prompt_embeds", torch.zeros(1, 1, 8)).to(device())

        def call(z, z_l, t):
            return unet(torch.cat([z, z_l], 1), t, encoder_hidden_states=context.expand(len(z), -1, -1)).sample
        self.unet = compiled(config, call)

    def noisy(self, z_h, t, noise):
        """z_t = alpha_t z_h + sigma_t noise"""
        a = self.alphas[t].view(-1, 1, 1, 1)
        return a.sqrt() * z_h + (1 - a).sqrt() * noise

    def signal_to_noise(self, t):
        """exp(lambda_t) = alpha_t^2 / sigma_t^2"""
        return self.alphas[t] / (1 - self.alphas[t])

    def __call__(self, z, z_l, t):
        a, b, c = (x.view(-1, 1, 1, 1) for x in self.coefficients(t))
        return a * z + b * self.unet(z, z_l, t).float() + c * z_l

    def coefficients(self, t):
        """a, b and c for timesteps t.

        With `residual` s: z_h is taken as z_l + s times something of unit variance, of which z_t tells a part: the
        best linear guess from z_t and z_l, and b times the U-Net for the rest, where b is what that guess leaves open
        (the preconditioning of Karras et al., NeurIPS 2022, around z_l). A U-Net that returns 0 returns z_l at t = LAST.
        """
        alpha, sigma = self.alphas[t].sqrt(), (1 - self.alphas[t]).sqrt()
        if self.residual:
            s = self.residual
            total = alpha ** 2 * s ** 2 + sigma ** 2
            a = alpha * s ** 2 / total
            return a, s * sigma / total.sqrt(), 1 - a * alpha
        if self.kind == "epsilon":
            return 1 / alpha, -sigma / alpha, torch.zeros_like(alpha)
        return alpha, -sigma, torch.zeros_like(alpha)

    def from_noise(self, z_l, noise):
        """What inference does: one step from t = LAST."""
        return self(noise, z_l, torch.full((len(z_l),), LAST, device=z_l.device))
