# SPDX-License-Identifier: LGPL-2.1-or-later
"""The training loop that all stages share: AdamW, warm-up and cosine, EMA, checkpoints that resume."""
import math
import os
import pathlib
import signal
import time

import torch
from torch import nn

from .data import batches

SAVE_EVERY, PRINT_EVERY = 120, 20  # seconds
WARM_UP, FLOOR = 100, 0.03         # steps; share of the learning rate at the end


class Loop:
    """Trains `module`'s parameters for the stage's `minutes` or `steps` on batches of `samples`.

    Step i draws its randomness from (seed, i), so that a resumed run continues as an uninterrupted one would.
    """

    def __init__(self, config, stage, module, samples):
        self.config, self.module, self.stage, self.samples = config, module, stage, samples
        self.rate = config[stage]["learning_rate"]
        self.by_clock = config[stage]["steps"] is None
        self.length = config[stage]["minutes" if self.by_clock else "steps"]
        if self.length is None:
            raise SystemExit(f"{stage}: set {stage}.minutes or {stage}.steps")
        self.end = self.length if config[stage]["stop_at"] is None else min(self.length, config[stage]["stop_at"])
        self.path = checkpoint_path(config, stage)
        self.optimizer = torch.optim.AdamW(module.parameters(), lr=self.rate, weight_decay=0, betas=(0.9, 0.99))
        self.ema = {k: v.clone() for k, v in module.state_dict().items()}
        self.steps, self.seconds, self.stop = 0, 0.0, False
        if self.path.exists():
            self._load()
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "stop", True))

    def _load(self):
        saved = torch.load(self.path, weights_only=True)
        self.module.load_state_dict(saved["module"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.ema, self.steps, self.seconds = saved["ema"], saved["steps"], saved["seconds"]

    def save(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        torch.save({"module": self.module.state_dict(), "optimizer": self.optimizer.state_dict(), "ema": self.ema,
                    "steps": self.steps, "seconds": self.seconds}, temporary)
        os.replace(temporary, self.path)

    def position(self):
        """How far the stage is, in the unit of its length."""
        return self.seconds / 60 if self.by_clock else self.steps

    def _set_rate(self):
        progress = min(1.0, self.position() / self.length)
        factor = min(1.0, (self.steps + 1) / WARM_UP) * max(FLOOR, 0.5 * (1 + math.cos(math.pi * progress)))
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * factor

    def _update_ema(self):
        decay = min(0.999, (self.steps + 1) / (self.steps + 10))
        with torch.no_grad():
            for key, value in self.module.state_dict().items():
                self.ema[key].lerp_(value, 1 - decay)

    def _optimise(self, loss):
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        self.optimizer.step()

    def run(self, step):
        """`step(batch, position)` returns (loss, dictionary of figures)."""
        sums, count, printed, saved = {}, 0, time.monotonic(), time.monotonic()
        data = batches(self.samples, self.config, self.steps)
        while self.position() < self.end and not self.stop:
            begin = time.monotonic()
            torch.manual_seed(self.config["seed"] * 1_000_003 + self.steps)
            self._set_rate()
            loss, figures = step(next(data), self.position())
            self._optimise(loss)
            self.steps += 1
            self._update_ema()
            for key, value in figures.items():
                sums[key] = sums.get(key, 0.0) + value
            count += 1
            now = time.monotonic()
            self.seconds += now - begin
            if now - printed > PRINT_EVERY:
                self._print({key: value / count for key, value in sums.items()})
                sums, count, printed = {}, 0, now
            if now - saved > SAVE_EVERY:
                self.save()
                saved = now
        self.save()

    def _print(self, means):
        length = f"{self.seconds / 60:.1f} of {self.length} min" if self.by_clock else f"of {self.length}"
        figures = "  ".join(f"{key} {value:.4f}" for key, value in means.items())
        print(f"{self.stage} {self.steps}  {length}  {figures}", flush=True)


def checkpoint_path(config, stage):
    return pathlib.Path(config["runs"]) / config["name"] / f"{stage}.pt"


def load_ema(config, stage, module):
    """The averaged weights of a stage that has run into `module`; whether it has run."""
    path = checkpoint_path(config, stage)
    if not path.exists():
        return False
    module.load_state_dict(torch.load(path, weights_only=True)["ema"])
    return True
