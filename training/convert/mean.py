# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the weighted mean of two models that were trained one from the other: OUT = (1 - SHARE) A + SHARE B.

    python -m convert.mean A B SHARE OUT

Everything but the weights is B's. Such models often lie in one valley of the loss, and points between them are good
models, too (Wortsman et al., "Model soups", ICML 2022): a dial between what one and the other does better.
"""
import argparse
import pathlib
import shutil

from safetensors.torch import load_file, save_file

from yonos_train.export import let_all_read

PARTS = ("unet", "vae")
WEIGHTS = "diffusion_pytorch_model.safetensors"


def mean(a, b, share):
    """Of two dictionaries of tensors, computed in f32, in B's types."""
    if {name: tensor.shape for name, tensor in a.items()} != {name: tensor.shape for name, tensor in b.items()}:
        raise SystemExit("the two models have different tensors: they are not of one network")
    return {name: ((1 - share) * a[name].float() + share * tensor.float()).to(tensor.dtype).contiguous()
            for name, tensor in b.items()}


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m convert.mean", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("a", type=pathlib.Path)
    parser.add_argument("b", type=pathlib.Path)
    parser.add_argument("share", type=float)
    parser.add_argument("out", type=pathlib.Path)
    options = parser.parse_args(arguments)
    means = {part: mean(*(load_file(folder / part / WEIGHTS) for folder in (options.a, options.b)), options.share)
             for part in PARTS}
    shutil.copytree(options.b, options.out, dirs_exist_ok=True)
    for part, weights in means.items():
        save_file(weights, options.out / part / WEIGHTS, {"format": "pt"})
    let_all_read(options.out)
    print(options.out)


if __name__ == "__main__":
    main()
