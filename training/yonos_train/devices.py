# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where the training runs: one CPU, one GPU, or one process per GPU under `accelerate launch`.

Every process holds all weights, works on its own share of each batch, and the gradients are averaged before each step.
"""
import functools

import torch
from accelerate import PartialState
from accelerate.utils import broadcast


@functools.lru_cache(maxsize=1)
def processes(cpu=False):
    """accelerate's view of the processes; made by the first call, which says whether GPUs are to be left alone."""
    return PartialState(cpu=cpu)


def start(name):
    """`name` is auto (GPUs where there are any) or cpu."""
    if name not in ("auto", "cpu"):
        raise SystemExit(f"device {name!r}: there are auto and cpu")
    processes.cache_clear()
    processes(name == "cpu")
    torch.backends.cudnn.benchmark = True  # a stage's shapes stay


def device():
    return processes().device


def autocast(config):
    return torch.autocast(device().type, torch.bfloat16, enabled=config["bf16"])


def compiled(config, module):
    """torch.compile of a module or function where the config asks for it; what cannot be compiled runs as it is."""
    torch._dynamo.config.suppress_errors = True
    return torch.compile(module) if config["compile"] else module


def average_gradients(parameters):
    if processes().num_processes > 1:
        for parameter in parameters:
            torch.distributed.all_reduce(parameter.grad)
            parameter.grad /= processes().num_processes


def agree(*numbers):
    """The first process's numbers, for all."""
    if processes().num_processes == 1:
        return numbers
    return broadcast(torch.tensor(numbers, dtype=torch.float64, device=device())).tolist()
