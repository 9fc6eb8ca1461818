# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes a model whose U-Net is wider and deeper and computes about the same, for training to go on from:

    python -m convert.widen MODEL OUT --widths 104,96,192 --layers 2,1,1 [--seed 0]

Each new channel is a copy of one of the same norm's group, and what reads both takes a random share from each (Net2Net,
Chen et al., ICLR 2016); a new residual block adds 0 to what goes through it. Where all widths grow by one whole factor
the result computes just the same at t = 999, the only timestep it knows; else group norms weigh some channels more. A
level must not become as wide as the one above it if it was not, since its block has no shortcut then.
"""
import argparse
import pathlib
import shutil

import torch
from diffusers import UNet2DConditionModel

from yonos_train.export import let_all_read
from yonos_train.networks import LAST, read_network

PLAIN = {"DownBlock2D", "UNetMidBlock2D", "UpBlock2D"}


def copies(old, new, groups):
    """For each of `new` channels the one of `old` that it copies, of the same group."""
    each, place = new // groups, torch.arange(new)
    return place // each * (old // groups) + place % each * (old // groups) // each


def shares(weight, sources):
    """`weight` (out, in, ...) with copied inputs: of each old weight every copy has a random share, together all."""
    chance = torch.rand(weight.shape[0], len(sources), *weight.shape[2:]) + 0.5
    total = torch.zeros_like(weight).index_add_(1, sources, chance)
    return weight[:, sources] * chance / total[:, sources]


def resnets(widths, layers):
    """(path, levels whose channels come in, level that goes out) of each residual block of a plain U-Net."""
    last = len(widths) - 1
    for level, count in enumerate(layers):
        for i in range(count):
            yield f"down_blocks.{level}.resnets.{i}", [level - 1 if i == 0 < level else level], level
    yield "mid_block.resnets.0", [last], last
    for block, level in enumerate(reversed(range(len(widths)))):
        for i in range(layers[level] + 1):
            hidden = min(level + 1, last) if i == 0 else level
            skip = max(level - 1, 0) if i == layers[level] else level
            yield f"up_blocks.{block}.resnets.{i}", [hidden, skip], level


class _Growth:
    """Fills the new U-Net from the old one, module by module."""

    def __init__(self, old, new):
        self.old, self.new, self.groups = old, new, old.config.norm_num_groups
        self.widths = list(zip(old.config.block_out_channels, new.config.block_out_channels))
        self.levels = [copies(*pair, self.groups) for pair in self.widths]

    def sources(self, levels):
        """Of the channels of these levels, side by side."""
        begins = [0]
        for level in levels:
            begins.append(begins[-1] + self.widths[level][0])
        return torch.cat([begin + self.levels[level] for begin, level in zip(begins, levels)])

    def layer(self, path, out=None, into=None, origin=None):
        """A convolution, norm or linear layer whose channels `out` and `into` are levels; None where they stay."""
        old, new = self.old.get_submodule(origin or path), self.new.get_submodule(path)
        weight, bias = old.weight, old.bias
        if out is not None:
            weight, bias = weight[self.sources(out)], bias[self.sources(out)]
        if into is not None:
            weight = shares(weight, self.sources(into))
        new.weight.copy_(weight)
        new.bias.copy_(bias)

    def resnet(self, path, origin, into, out):
        self.layer(f"{path}.norm1", into, None, f"{origin}.norm1")
        self.layer(f"{path}.conv1", [out], into, f"{origin}.conv1")
        self.layer(f"{path}.time_emb_proj", [out], None, f"{origin}.time_emb_proj")
        self.layer(f"{path}.norm2", [out], None, f"{origin}.norm2")
        self.layer(f"{path}.conv2", [out], [out], f"{origin}.conv2")
        if self.old.get_submodule(origin).conv_shortcut is not None:
            self.layer(f"{path}.conv_shortcut", [out], into, f"{origin}.conv_shortcut")

    def through(self, path):
        """A new block: its first channels go through it unchanged."""
        block = self.new.get_submodule(path)
        for parameter in block.conv2.parameters():
            parameter.zero_()
        if block.conv_shortcut is not None:
            block.conv_shortcut.weight.copy_(torch.eye(*block.conv_shortcut.weight.shape[:2])[:, :, None, None])
            block.conv_shortcut.bias.zero_()

    def time_embedding(self):
        """That of t = LAST, whatever t is: the sines of another width are other ones."""
        old, new = self.old.time_embedding, self.new.time_embedding
        new.linear_1.weight.zero_()
        new.linear_1.bias.copy_(old.linear_1(self.old.time_proj(torch.tensor([LAST])))[0])
        new.linear_2.load_state_dict(old.linear_2.state_dict())

    def fill(self):
        self.time_embedding()
        self.layer("conv_in", [0])
        layers = [_layers(unet) for unet in (self.old, self.new)]
        added = [new - old for old, new in zip(*layers)]
        for path, into, out in resnets(self.widths, layers[1]):
            block, _, i = path.rpartition(".")
            origin = int(i)
            if path.startswith("up") and origin > 0:  # its first block alone has the channels from below
                origin = max(0, origin - added[out])
                is_new = int(i) <= added[out]
            else:
                is_new = path.startswith("down") and origin >= layers[0][out]
            if is_new:
                self.through(path)
            else:
                self.resnet(path, f"{block}.{origin}", into, out)
        last = len(self.widths) - 1
        for level in range(last):
            self.layer(f"down_blocks.{level}.downsamplers.0.conv", [level], [level])
            self.layer(f"up_blocks.{level}.upsamplers.0.conv", [last - level], [last - level])
        self.layer("conv_norm_out", [0])
        self.layer("conv_out", None, [0])


def _layers(unet):
    layers = unet.config.layers_per_block
    return [layers] * len(unet.config.block_out_channels) if isinstance(layers, int) else list(layers)


@torch.no_grad()
def widened(old, widths, layers):
    """A U-Net of these widths and numbers of blocks that begins as `old`."""
    if {*old.config.down_block_types, old.config.mid_block_type, *old.config.up_block_types} - PLAIN:
        raise SystemExit(f"only U-Nets of {', '.join(sorted(PLAIN))} can be widened")
    groups, before, count = old.config.norm_num_groups, old.config.block_out_channels, len(widths)
    least = (*before, *_layers(old))
    if not count == len(before) == len(layers) or any(a > b for a, b in zip(least, (*widths, *layers))):
        raise SystemExit(f"widths and layers need {len(before)} numbers each, none less than those of {least}")
    if any(width % groups for width in widths):
        raise SystemExit(f"widths must be multiples of {groups}, the number of groups of the norms")
    if any(widths[i] == widths[i - 1] and before[i] != before[i - 1] for i in range(1, count)):
        raise SystemExit("a level must not become as wide as the one above it if it was not")
    config = {**old.config, "block_out_channels": widths, "layers_per_block": layers,
              "time_embedding_dim": old.config.time_embedding_dim or 4 * before[0]}
    config.pop("_use_default_values", None)  # names of values that would be taken for not given
    new = UNet2DConditionModel.from_config(config)
    _Growth(old, new).fill()
    return new


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m convert.widen", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--widths", required=True)
    parser.add_argument("--layers", required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.manual_seed(options.seed)
    widths, layers = ([int(number) for number in text.split(",")] for text in (options.widths, options.layers))
    unet = widened(read_network(options.model, "unet"), widths, layers)
    shutil.copytree(options.model, options.out, dirs_exist_ok=True)
    unet.save_pretrained(options.out / "unet")
    let_all_read(options.out)
    print(options.out)


if __name__ == "__main__":
    main()
