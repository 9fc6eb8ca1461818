# SPDX-License-Identifier: LGPL-2.1-or-later
"""The paper's claims at our scale: python -m yonos_train ablate --config configs/ablate-cpu.toml

(a) At few DDIM steps a distilled U-Net beats one that was trained directly at its magnification, most at one step.
(b) One step and a decoder tuned for it beat many steps and the autoencoder's own decoder.

For each degradation and seed: the x2 U-Net, then for each scale the distilled one and one trained directly for as
long as all that went into the distilled one; decoders tuned on the one step of both; then the distilled U-Net and its
decoder tuned together for as many steps again; and a decoder tuned on z_l ("no U-Net") for as many as the two have had.
One autoencoder serves all. A step of distillation counts 4/3 of a direct one: the teacher's forward pass is a third of
a step.

Everything lies in RUNS/NAME/; what is there is not done again, so the command may be stopped and repeated.
"""
import itertools
import json
import pathlib
import time

import numpy as np
import torch

from . import autoencoder, checkpoint, diffusion
from .ablate_report import sampled, write_report
from .config import needed
from .data import Samples, batches
from .devices import autocast, device
from .latents import Latents
from .lpips import LPIPS
from .metrics import bytes_of, psnr
from .networks import (OneStep, decoder_checkpoint, save_unet, trained_autoencoder, trained_decoder,
                       trained_unet)
from .resize import resize
from .upscale import Upscaler, ddim

KINDS = {"bicubic": {"bicubic": 1.0}, "h264": {"bicubic": 0.0, "h264": 1.0},
         "second_order": {"bicubic": 0.0, "second_order": 1.0}}
DISTILL_COST = 4 / 3
EVALUATION_SEED = 1000  # of crops, degradations and noise: none that training uses


def ablate(config):
    """Trains and measures what is missing, then writes the report."""
    options, results = config["ablate"], {}
    torch.set_num_threads(config["threads"])
    _stage(config, "autoencoder", autoencoder.autoencoder)
    folder = _folder(config)
    trained_autoencoder(config).save_pretrained(folder / "vae")
    for kind, seed in itertools.product(options["degradations"], options["seeds"]):
        if kind not in KINDS:
            raise SystemExit(f"ablate.degradations: {kind!r}; there are {', '.join(KINDS)}")
        base = _child(config, f"{kind}-seed{seed}", seed=seed, degradation=config["degradation"] | KINDS[kind],
                      autoencoder=config["autoencoder"] | {"init": str(folder)})
        for scale, result in _chain(base, kind):
            results.setdefault(f"{kind} x{scale}", {})[str(seed)] = result
    write_report(config, results)


def _folder(config):
    return pathlib.Path(config["runs"]) / config["name"]


def _child(config, name, **changes):
    return config | changes | {"name": f"{config['name']}/{name}"}


def _stage(config, stage, train, checkpoint_name=None):
    """Runs a stage unless it has run to its end."""
    saved = checkpoint.read(checkpoint.checkpoint_path(config, checkpoint_name or stage))
    if saved is None or saved["steps"] < needed(config, f"{stage}.steps"):
        train(config)


def _chain(base, kind):
    """(scale, result) of one degradation and seed."""
    steps, spent = base["ablate"]["unet_steps"], base["ablate"]["unet_steps"]
    teacher = _with_steps(_child(base, "x2", scale=2), "direct", steps)
    _stage(teacher, "direct", diffusion.direct)
    for scale in base["ablate"]["scales"]:
        distilled = _child(base, f"x{scale}-distilled", scale=scale,
                           distill=base["distill"] | {"teacher": str(_saved_unet(teacher))})
        distilled = _with_steps(distilled, "distill", steps)
        spent += DISTILL_COST * steps
        direct = _with_steps(_child(base, f"x{scale}-direct", scale=scale), "direct", round(spent))
        _stage(distilled, "distill", diffusion.distill)
        _stage(direct, "direct", diffusion.direct)
        models = {"distilled": _tuned(distilled), "direct": _tuned(direct),
                  "together": _tuned(_decoder(distilled, train_unet=True)),
                  "no U-Net": _tuned(_decoder(distilled, unet=False), 2)}
        path = _folder(base) / f"results-x{scale}.json"
        if not path.exists():
            path.write_text(json.dumps(_measure(models), indent=1) + "\n")
        yield scale, json.loads(path.read_text())
        teacher = distilled


def _with_steps(config, stage, steps):
    return config | {stage: config[stage] | {"steps": steps}}


def _decoder(config, **changes):
    return config | {"decoder": config["decoder"] | changes}


def _saved_unet(config):
    """A folder with the U-Net of `config`, for the next scale's distillation."""
    folder = _folder(config)
    save_unet(trained_unet(config, trained_autoencoder(config)), folder)
    return folder


def _tuned(config, times=1):
    """With its decoder tuned for `times` ablate.decoder_steps."""
    config = _with_steps(config, "decoder", times * config["ablate"]["decoder_steps"])
    _stage(config, "decoder", autoencoder.decoder, decoder_checkpoint(config))
    return config


class _Figures:
    """PSNR, LPIPS and Frechet distance of pictures against the evaluation's originals."""

    def __init__(self, config, originals):
        self.lpips, self.border = LPIPS(needed(config, "lpips")).to(device()), config["scale"]
        self.originals, self.wanted = originals, self._statistics(originals)

    def _statistics(self, images):
        """Mean and covariance of the trunk's last features over all positions of all images."""
        features = torch.cat([self.lpips.features(image[None])[-1].flatten(2)[0].T for image in images]).double()
        return features.mean(0), torch.cov(features.T)

    @torch.no_grad()
    def of(self, images):
        images = torch.round((images.clamp(-1, 1) + 1) * 127.5) / 127.5 - 1
        pairs = list(zip(images, self.originals))
        return {"PSNR": float(np.mean([psnr(bytes_of(a), bytes_of(b), self.border) for a, b in pairs])),
                "LPIPS": float(np.mean([self.lpips(a[None], b[None]).item() for a, b in pairs])),
                "Frechet": frechet_distance(*self.wanted, *self._statistics(images))}


def frechet_distance(mean_a, covariance_a, mean_b, covariance_b):
    """|| m_a - m_b ||^2 + tr(A + B - 2 (A B)^(1/2)), as the FID has it (Heusel et al., NeurIPS 2017)."""
    values, vectors = torch.linalg.eigh(covariance_a)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ covariance_b @ root).clamp(min=0).sqrt().sum()
    return ((mean_a - mean_b).square().sum() + covariance_a.trace() + covariance_b.trace() - 2 * cross).item()


def _evaluation_batches(config):
    """ablate.crops crops of ablate.images and their LR, by the degradation that the models were trained on."""
    options = config["ablate"]
    samples = Samples(config | {"data": needed(config, "ablate.images"), "listing": None, "crop": options["crop"],
                                "seed": EVALUATION_SEED}, {"lr": config["scale"]})
    count = -(-options["crops"] // config["batch"])
    return list(itertools.islice(batches(samples, config | {"workers": 0, "pool": 0}, 0), count))


def _measure(models):
    """{row: figures}; rows are `distilled, 4 steps` and so on."""
    config = models["distilled"]
    data = _evaluation_batches(config)
    with torch.no_grad():
        figures = _Figures(config, torch.cat([batch["hr"] for batch in data]))
        bicubic = [resize(batch["lr"], *batch["hr"].shape[2:]) for batch in data]
        rows = {"bicubic": figures.of(torch.cat(bicubic))}
        for name in ("distilled", "direct"):
            rows |= _sampled(name, models[name], data, figures)
        rows["distilled, 1 step, tuned together"] = _decoded(models["together"], data, figures, 1, tuned=True)
        rows["no U-Net, tuned decoder"] = _decoded(models["no U-Net"], data, figures, None, tuned=True)
        rows["no U-Net, original decoder"] = _decoded(models["no U-Net"], data, figures, None, tuned=False)
    return rows


def _sampled(name, config, data, figures):
    rows = {}
    for steps in config["ablate"]["ddim_steps"]:
        begin = time.monotonic()
        rows[sampled(name, steps)] = _decoded(config, data, figures, steps, tuned=False)
        print(f"{config['name']}: {sampled(name, steps)} in {time.monotonic() - begin:.0f} s", flush=True)
    rows[f"{name}, 1 step, tuned decoder"] = _decoded(config, data, figures, 1, tuned=True)
    return rows


def _decoded(config, data, figures, steps, tuned):
    """Figures of sampling in `steps` DDIM steps (None: z_l as it is) and decoding."""
    config = config | {"compile": False}  # a few batches
    latents = Latents(config)
    unet = OneStep(trained_unet(config, latents.autoencoder).to(device()).eval(), config) if steps else None
    if tuned:
        trained_decoder(config, latents.autoencoder)
    upscaler = Upscaler(config, latents, None, latents.autoencoder.decoder)
    torch.manual_seed(EVALUATION_SEED)
    images = []
    for batch in data:
        with autocast(config):
            z = latents.of_upsampled(batch["lr"], config["scale"])
            if steps:
                z = ddim(unet, z, torch.randn_like(z), steps)
            images.append(upscaler.image(z, batch["lr"]))
    return figures.of(torch.cat(images))
