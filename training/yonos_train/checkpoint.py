# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checkpoints: RUNS/NAME/STAGE.pt, in one file or in numbered parts; never half of one, whenever the process dies.

The state: `module`, `optimizer`, `ema` of the trained network, `others` (a discriminator's module and optimizer),
`steps` and `seconds`.
"""
import io
import os
import pathlib

import torch


def checkpoint_path(config, stage):
    return pathlib.Path(config["runs"]) / config["name"] / f"{stage}.pt"


def _parts(path):
    """The complete sets of parts, {steps: paths in order}. A part is called STAGE.pt.STEPS.NUMBERofCOUNT."""
    sets = {}
    for part in sorted(path.parent.glob(f"{path.name}.*of*")):
        steps, numbers = part.name[len(path.name) + 1:].split(".")
        sets.setdefault((int(steps), int(numbers.split("of")[1])), []).append(part)
    return {steps: parts for (steps, count), parts in sets.items() if len(parts) == count}


def _replace(path, data):
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(data)
    os.replace(temporary, path)


def write(path, state, part_size=None):
    """In one file, or where `part_size` bytes are given in parts of at most that."""
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getvalue()
    old = set(path.parent.glob(f"{path.name}.*of*")) | {path}
    if part_size is None:
        new = [path]
        _replace(path, data)
    else:
        count = -(-len(data) // part_size)
        new = [path.with_name(f"{path.name}.{state['steps']}.{i:04d}of{count:04d}") for i in range(count)]
        for i, part in enumerate(new):
            _replace(part, data[i * part_size:(i + 1) * part_size])
    for stale in old - set(new):
        stale.unlink(missing_ok=True)


def read(path):
    """The state of the last complete save, on the CPU; None where there is none."""
    if path.exists():
        return torch.load(path, weights_only=True, map_location="cpu")
    parts = _parts(path)
    if not parts:
        return None
    data = b"".join(part.read_bytes() for part in parts[max(parts)])
    return torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")


def load_ema(config, stage, module, part=""):
    """The averaged weights of a stage that has run into `module`; whether it has run. `part` is the module's name in the
    checkpoint, where that holds several."""
    state = read(checkpoint_path(config, stage))
    if state is None:
        return False
    prefix = part and f"{part}."
    module.load_state_dict({key.removeprefix(prefix): value for key, value in state["ema"].items()
                            if key.startswith(prefix)})
    return True
