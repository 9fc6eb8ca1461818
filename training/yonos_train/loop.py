# SPDX-License-Identifier: LGPL-2.1-or-later
"""The training loop that all stages share: AdamW, warm-up and cosine over time, EMA, checkpoints that resume."""
import math
import os
import pathlib
import signal
import time

import torch
from torch import nn

SAVE_EVERY, PRINT_EVERY = 120, 20  # seconds
WARM_UP, FLOOR = 100, 0.03         # steps; share of the learning rate at the end


class Loop:
    """Trains `module`'s parameters for `minutes`; `step()` returns (loss, dictionary of figures)."""

    def __init__(self, config, stage, module):
        self.module, self.stage = module, stage
        self.minutes, self.rate = config[stage]["minutes"], config[stage]["learning_rate"]
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

    def _set_rate(self):
        progress = min(1.0, self.seconds / (self.minutes * 60))
        factor = min(1.0, (self.steps + 1) / WARM_UP) * max(FLOOR, 0.5 * (1 + math.cos(math.pi * progress)))
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * factor

    def _update_ema(self):
        decay = min(0.999, (self.steps + 1) / (self.steps + 10))
        with torch.no_grad():
            for key, value in self.module.state_dict().items():
                self.ema[key].lerp_(value, 1 - decay)

    def run(self, step):
        sums, count, printed, saved = {}, 0, time.monotonic(), time.monotonic()
        while self.seconds < self.minutes * 60 and not self.stop:
            begin = time.monotonic()
            self._set_rate()
            loss, figures = step()
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
            self.optimizer.step()
            self.steps += 1
            self._update_ema()
            for key, value in figures.items():
                sums[key] = sums.get(key, 0.0) + value
            count += 1
            now = time.monotonic()
            self.seconds += now - begin
            if now - printed > PRINT_EVERY:
                means = "  ".join(f"{key} {value / count:.4f}" for key, value in sums.items())
                print(f"{self.stage} {self.steps}  {self.seconds / 60:.1f} of {self.minutes} min  {means}", flush=True)
                sums, count, printed = {}, 0, now
            if now - saved > SAVE_EVERY:
                self.save()
                saved = now
        self.save()


def checkpoint_path(config, stage):
    return pathlib.Path(config["runs"]) / config["name"] / f"{stage}.pt"


def load_ema(config, stage, module):
    """The averaged weights of a finished stage into `module`."""
    path = checkpoint_path(config, stage)
    if not path.exists():
        raise SystemExit(f"{path} is missing: run the stage {stage} first")
    module.load_state_dict(torch.load(path, weights_only=True)["ema"])
    return module
