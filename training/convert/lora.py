# SPDX-License-Identifier: LGPL-2.1-or-later
"""Merges a LoRA release into the Stable Diffusion folder that it belongs to, and writes a model folder.

    python -m convert.lora BASE FILE OUT --scale 4 --timestep 999 [--conditioning start_latent] [--alpha 8] [--prompt T]

BASE is the diffusers folder, FILE the release: safetensors, .pkl or .pth, with peft's names (X.lora_A[.ADAPTER].weight,
X.lora_B...) or diffusers' older ones (X.lora.down.weight, X.lora_down.weight, with X.alpha). Whole tensors in it
(X.weight, X.base_layer.weight) replace those of BASE. Dictionaries state_dict_unet and state_dict_vae in FILE, as
OSEDiff's has, go to the two networks, and so do names that begin with "unet." and "vae."; other names are the U-Net's.
"""
import argparse
import pathlib
import re

import torch

from convert.prompt_embeds import write_prompt_embeds
from convert.weights import read_weights
from yonos_train.export import write_index
from yonos_train.networks import read_network

_DOWN = re.compile(r"(.+?)\.(?:lora_A(?:\.[\w-]+)?|lora\.down|lora_down)\.weight$")
_UP = re.compile(r"\.(lora_A|lora\.down|lora_down)\b")
_UP_NAMES = {"lora_A": "lora_B", "lora.down": "lora.up", "lora_down": "lora_up"}


def parts_of(weights):
    """{"unet": tensors, "vae": tensors}"""
    if any(isinstance(value, dict) for value in weights.values()):
        return {"unet": weights.get("state_dict_unet", {}), "vae": weights.get("state_dict_vae", {})}
    parts = {"unet": {}, "vae": {}}
    for name, tensor in weights.items():
        part, dot, rest = name.partition(".")
        if dot and part in parts:
            parts[part][rest] = tensor
        else:
            parts["unet"][name] = tensor
    return parts


def merge(network, weights, alpha):
    """Adds alpha / rank x up x down to each weight that has them; how many. An X.alpha in the file goes before."""
    own = network.state_dict()
    used = _replace(own, weights)
    count = 0
    for name, down in weights.items():
        match = _DOWN.match(name)
        if not match:
            continue
        up_name = _UP.sub(lambda m: "." + _UP_NAMES[m.group(1)], name)
        target = f"{match.group(1)}.weight"
        if up_name not in weights or target not in own:
            raise SystemExit(f"{name}: {'no ' + up_name if up_name not in weights else 'the network has no ' + target}")
        strength = float(weights.get(f"{match.group(1)}.alpha", alpha)) / down.shape[0]
        product = weights[up_name].flatten(1).float() @ down.flatten(1).float()
        own[target] = own[target] + strength * product.view(own[target].shape)
        used |= {name, up_name, f"{match.group(1)}.alpha"}
        count += 1
    left = set(weights) - used
    if left:
        raise SystemExit(f"{len(left)} tensors have no place in the network, such as {sorted(left)[0]}")
    network.load_state_dict(own)
    return count


def _replace(own, weights):
    """Whole tensors; the names that were used."""
    used = set()
    for name, tensor in weights.items():
        target = name.replace(".base_layer.", ".")
        if target in own:
            if own[target].shape != tensor.shape:
                raise SystemExit(f"{name}: {tuple(tensor.shape)}, the network has {tuple(own[target].shape)}")
            own[target] = tensor.float()
            used.add(name)
    return used


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m convert.lora", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=pathlib.Path)
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--scale", type=int, required=True)
    parser.add_argument("--timestep", type=int, required=True)
    parser.add_argument("--conditioning", choices=("start_latent", "concat_latent"), default="start_latent")
    parser.add_argument("--alpha", type=float, default=8, help="where the file has none; peft's default is 8")
    parser.add_argument("--prompt", default="", help="the fixed prompt, where BASE has no prompt_embeds.safetensors")
    parser.add_argument("--licence", default="unknown")
    options = parser.parse_args(arguments)
    weights = parts_of(read_weights(options.file))
    for part in ("unet", "vae"):
        network = read_network(options.base, part)
        with torch.no_grad():
            count = merge(network, weights[part], options.alpha)
        print(f"{part}: {count} weights changed by LoRA")
        network.half().save_pretrained(options.out / part)
    write_prompt_embeds(options.base, options.out, options.prompt)
    write_index(options.out, {
        "format_version": 1, "name": options.out.name, "scale": options.scale, "timestep": options.timestep,
        "conditioning": options.conditioning, "colour_fix": "adain", "licence": options.licence,
    }, type(network).__name__, options.base / "scheduler")
    print(options.out)


if __name__ == "__main__":
    main()
