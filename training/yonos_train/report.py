# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a run shows: a progress bar with the time left, or lines where the output is a file; TensorBoard; sheets."""
import pathlib
import sys
import time

import torch
from PIL import Image
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

EVERY = 20   # seconds between lines and scalars
GAP = 4      # pixels between pictures of a sheet


class Report:
    """Means of a stage's figures. `length` is in minutes or steps, as `unit` says."""

    def __init__(self, config, stage, length, unit, position):
        self.stage, self.length, self.unit = stage, length, unit
        self.writer = SummaryWriter(pathlib.Path(config["runs"]) / config["name"] / "tensorboard" / stage)
        layout = "{desc} {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left {postfix}"
        self.bar = tqdm(total=length, initial=min(position, length), desc=stage, unit=unit, bar_format=layout,
                        disable=not sys.stderr.isatty())
        self.sums, self.count, self.printed = {}, 0, time.monotonic()
        self.begun, self.first = time.monotonic(), position

    def add(self, figures, steps, position):
        for key, value in figures.items():
            self.sums[key] = self.sums.get(key, 0.0) + value.detach()
        self.count += 1
        self.bar.update(min(position, self.length) - self.bar.n)
        if time.monotonic() - self.printed > EVERY:
            self._show(steps, position)

    def _show(self, steps, position):
        means = {key: value.item() / self.count for key, value in self.sums.items()}
        for key, value in means.items():
            self.writer.add_scalar(key, value, steps)
        figures = "  ".join(f"{key} {value:.4f}" for key, value in means.items())
        self.bar.set_postfix_str(figures)
        if self.bar.disable:
            now = time.monotonic()
            left = (self.length - position) / max(position - self.first, 1e-9) * (now - self.begun)
            print(f"{self.stage} {steps}  {position:.1f} of {self.length} {self.unit}, "
                  f"{tqdm.format_interval(left)} left  {figures}", flush=True)
        self.sums, self.count, self.printed = {}, 0, time.monotonic()

    def sheet(self, rows, steps, path):
        """Rows of pictures (3, h, w) in [-1, 1], as a PNG at `path` and in TensorBoard."""
        sheet = contact_sheet(rows)
        self.writer.add_image("sheet", sheet, steps)
        Image.fromarray(sheet.permute(1, 2, 0).numpy()).save(path)

    def held_out(self, figures, steps):
        """{name: (PSNR, LPIPS)} of images that are not trained on."""
        for name, (psnr, lpips) in figures.items():
            self.writer.add_scalar(f"held out/PSNR {name}", psnr, steps)
            self.writer.add_scalar(f"held out/LPIPS {name}", lpips, steps)
        text = ", ".join(f"{name} {psnr:.2f} / {lpips:.4f}" for name, (psnr, lpips) in figures.items())
        tqdm.write(f"{self.stage} {steps}  held out, PSNR / LPIPS: {text}")

    def close(self, steps, position):
        if self.count:
            self._show(steps, position)
        self.bar.close()
        self.writer.close()


def contact_sheet(rows):
    """(3, H, W) bytes: the rows' pictures, all of one size, side by side on white."""
    height, width = rows[0][0].shape[1:]
    size = len(rows) * (height + GAP) - GAP, len(rows[0]) * (width + GAP) - GAP
    sheet = torch.full((3, *size), 255, dtype=torch.uint8)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            y, x = i * (height + GAP), j * (width + GAP)
            bytes_ = ((picture.float().cpu().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
            sheet[:, y:y + height, x:x + width] = bytes_
    return sheet
