# SPDX-License-Identifier: LGPL-2.1-or-later
"""The loop that all stages share: optimiser, warm-up and cosine, EMA, accumulation, checkpoints that resume."""
import contextlib
import itertools
import math
import signal
import time

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from . import checkpoint
from .config import needed
from .data import Samples, batches
from .devices import agree, autocast, average_gradients, device, processes
from .lpips import LPIPS
from .metrics import bytes_of, psnr
from .muon import Muon
from .report import Report
from .resize import resize

WARM_UP, FLOOR = 100, 0.03         # steps; share of the learning rate at the end
SHEET_ROWS = 4
HELD_OUT, HELD_OUT_SEED = 48, 1_000_000  # crops; a seed that draws no training sample


def make_optimizer(name, module, rate):
    """For the parameters that want a gradient; `rate` is AdamW's."""
    common = {"weight_decay": 0, "betas": (0.9, 0.99), "fused": device().type == "cuda"}
    if name == "muon":
        return Muon(module, rate, **common)
    if name == "adamw":
        return torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], lr=rate, **common)
    raise SystemExit(f"optimizer {name!r}: there are adamw and muon")


class _Trained:
    """A network with its optimiser."""

    def __init__(self, module, rate, optimizer="adamw"):
        self.module = module
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        self.optimizer = make_optimizer(optimizer, module, rate)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]

    def state(self):
        return {"module": self.module.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load(self, state):
        self.module.load_state_dict(state["module"])
        self.optimizer.load_state_dict(state["optimizer"])

    def step(self, factor):
        for group, rate in zip(self.optimizer.param_groups, self.rates):
            group["lr"] = rate * factor
        average_gradients(self.parameters)
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()


class Loop:
    """Trains `module`'s parameters for the stage's `minutes` or `steps` on batches of `samples`, and `others`, a
    dictionary of name: (module, learning rate), with it.

    Step i draws its randomness from (seed, i), so that a resumed run continues as an uninterrupted one would.
    `picture`, where there is one, makes of a batch what the stage's networks make of it; it goes to the sample sheets,
    and where the config names a folder of held-out images its figures are printed beside bicubic's.
    `name` is the checkpoint's, if it is not the stage's.
    """

    def __init__(self, config, stage, module, samples, others=None, picture=None, name=None):
        self.config, self.stage, self.samples, self.picture = config, stage, samples, picture
        options = config[stage]
        self.by_clock = options["steps"] is None
        self.length = options["minutes" if self.by_clock else "steps"]
        if self.length is None:
            raise SystemExit(f"{stage}: set {stage}.minutes or {stage}.steps")
        self.end = self.length if options["stop_at"] is None else min(self.length, options["stop_at"])
        self.path = checkpoint.checkpoint_path(config, name or stage)
        self.main = _Trained(module, options["learning_rate"], options["optimizer"])
        self.others = {name: _Trained(*other) for name, other in (others or {}).items()}
        self.ema = {k: v.clone() for k, v in module.state_dict().items()}
        self.steps, self.seconds, self.stop = 0, 0.0, False
        self._resume()

    def _resume(self):
        saved = checkpoint.read(self.path)
        if saved is None:
            return
        self.main.load(saved)
        for name, state in saved.get("others", {}).items():
            self.others[name].load(state)
        self.ema = {key: value.to(device()) for key, value in saved["ema"].items()}
        self.steps, self.seconds = saved["steps"], saved["seconds"]

    def save(self):
        if processes().is_main_process:
            others = {name: other.state() for name, other in self.others.items()}
            part = self.config["checkpoint_part_mib"]
            checkpoint.write(self.path, self.main.state() | {
                "ema": self.ema, "others": others, "steps": self.steps, "seconds": self.seconds,
            }, part and int(part * 2 ** 20))

    def position(self):
        """How far the stage is, in the unit of its length."""
        return self.seconds / 60 if self.by_clock else self.steps

    def _rate_factor(self):
        progress = min(1.0, self.position() / self.length)
        return min(1.0, (self.steps + 1) / WARM_UP) * max(FLOOR, 0.5 * (1 + math.cos(math.pi * progress)))

    @torch.no_grad()
    def _update_ema(self):
        decay = min(self.config["ema"], (self.steps + 1) / (self.steps + 10))
        now = self.main.module.state_dict()
        averaged = [key for key, value in now.items() if value.is_floating_point()]
        get_ema_multi_avg_fn(decay)([self.ema[key] for key in averaged], [now[key] for key in averaged], None)
        for key in now.keys() - averaged:
            self.ema[key].copy_(now[key])

    def _seed(self):
        world = processes()
        torch.manual_seed((self.config["seed"] * 1_000_003 + self.steps) * world.num_processes + world.process_index)

    def _optimise(self, step, data):
        """One step of every network whose loss `step` returns; the figures of the last micro-batch."""
        factor, parts = self._rate_factor(), self.config["accumulate"]
        for _ in range(parts):
            losses, figures = step(next(data), self.position())
            for loss in losses.values():
                (loss / parts).backward()
        for name in losses:
            (self.main if name == "main" else self.others[name]).step(factor)
        return figures

    def run(self, step):
        """`step(batch, position)` returns (losses, figures): {"main": loss, name of another: its loss}, {name: tensor};
        figures stay on the device, since a read of one would wait for it.

        After SIGTERM the process ends, with the status that a shell gives it, when step and checkpoint are done.
        """
        report = None
        if processes().is_main_process:
            unit = "min" if self.by_clock else "steps"
            report = Report(self.config, self.path.stem, self.length, unit, self.position())
        data = batches(self.samples, self.config, self.steps * self.config["accumulate"])
        handler = signal.signal(signal.SIGTERM, lambda *_: setattr(self, "stop", True))
        saved, compiling = time.monotonic(), True  # in the first step: not counted
        while self.position() < self.end and not self.stop:
            begin = time.monotonic()
            self._seed()
            figures = self._optimise(step, data)
            self.steps += 1
            self._update_ema()
            spent = 0 if compiling else time.monotonic() - begin
            self.seconds, self.stop, compiling = *agree(self.seconds + spent, self.stop), False
            if report:
                report.add(figures, self.steps, self.position())
            if time.monotonic() - saved > self.config["save_every"]:
                self._save_and_show(report)
                saved = time.monotonic()
        self._save_and_show(report)
        if report:
            report.close(self.steps, self.position())
        signal.signal(signal.SIGTERM, handler)
        processes().wait_for_everyone()  # the checkpoint is there for all
        if self.stop:
            raise SystemExit(128 + signal.SIGTERM)

    def _save_and_show(self, report):
        self.save()
        if report and self.picture:
            with torch.random.fork_rng(), torch.no_grad(), self._averaged(), autocast(self.config):
                torch.manual_seed(self.config["seed"])
                report.sheet(self._sheet_rows(), self.steps, self.path.with_suffix(".png"))
                if self.config["held_out"]:
                    report.held_out(self._held_out(), self.steps)

    @contextlib.contextmanager
    def _averaged(self):
        """The averaged weights in place of the current ones."""
        module = self.main.module
        now = {key: value.clone() for key, value in module.state_dict().items()}
        module.load_state_dict(self.ema)
        yield
        module.load_state_dict(now)

    def _few(self, count, **changes):
        """Batches of together at least `count` samples, always the same."""
        config = self.config | changes | {"workers": 0, "pool": 0}
        samples = Samples(config, {"lr": config["scale"]})
        return itertools.islice(batches(samples, config, 0), -(-count // config["batch"]))

    def _sheet_rows(self):
        """LR, bicubic, ours, HR of the first samples."""
        batch, = self._few(SHEET_ROWS, batch=SHEET_ROWS)
        hr, lr, ours = batch["hr"], batch["lr"], self.picture(batch)
        enlarged = F.interpolate(lr, hr.shape[2:], mode="nearest"), resize(lr, *hr.shape[2:])
        return list(zip(*enlarged, ours, hr))

    def _held_out(self):
        """{name: (PSNR, LPIPS)}, means over crops of the held-out images."""
        lpips, found = LPIPS(needed(self.config, "lpips")).to(device()), {"bicubic": [], "ours": []}
        for batch in self._few(HELD_OUT, data=self.config["held_out"], listing=None, seed=HELD_OUT_SEED):
            hr = batch["hr"]
            for name, image in (("bicubic", resize(batch["lr"], *hr.shape[2:])), ("ours", self.picture(batch).float())):
                image = image.clamp(-1, 1)
                found[name] += [(psnr(bytes_of(a), bytes_of(b), self.config["scale"]), lpips(a[None], b[None]).item())
                                for a, b in zip(image, hr)]
        return {name: torch.tensor(figures).mean(0).tolist() for name, figures in found.items()}
