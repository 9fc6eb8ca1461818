# SPDX-License-Identifier: LGPL-2.1-or-later
"""Puts a released state dictionary (.pth, .pt, .ckpt, .safetensors, with diffusers' names) into a model folder.

    python -m convert.state_dict BASE PART FILE OUT [--key params_ema] [--prefix module.]

BASE/PART/config.json says what the network is; OUT/PART is written. Of nested files --key names the dictionary.
"""
import argparse
import pathlib

from convert.weights import read_weights
from yonos_train.networks import network_class


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m convert.state_dict", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=pathlib.Path)
    parser.add_argument("part", choices=("unet", "vae"))
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--key")
    parser.add_argument("--prefix", default="")
    options = parser.parse_args(arguments)
    weights = read_weights(options.file)
    if options.key:
        if options.key not in weights:
            raise SystemExit(f"{options.file}: no {options.key!r}; there are {', '.join(list(weights)[:8])}")
        weights = weights[options.key]
    kind = network_class(options.base, options.part)
    network = kind.from_config(kind.load_config(options.base / options.part))
    names = {name.removeprefix(options.prefix): tensor for name, tensor in weights.items()}
    problems = network.load_state_dict(names, strict=False)
    if problems.missing_keys or problems.unexpected_keys:
        raise SystemExit(f"{options.file}: missing {problems.missing_keys[:4]}, "
                         f"too many {problems.unexpected_keys[:4]}")
    network.save_pretrained(options.out / options.part)
    print(options.out / options.part)


if __name__ == "__main__":
    main()
