# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/paper-claims.md from ablate's results: {degradation and scale: {seed: {row: {figure: number}}}}."""
import pathlib

import numpy as np
from matplotlib.figure import Figure

FIGURES = {"PSNR": 2, "LPIPS": 3, "Frechet": 0}
BETTER = {"PSNR": 1, "LPIPS": -1, "Frechet": -1}

_HEAD = """# The paper's claims at our scale

*Written by `python -m yonos_train ablate --config {config}` from its own measurements; do not edit the figures.*

YONOS-SR (Noroozi et al., ECCV 2024) claims that (a) at few steps a U-Net made by scale distillation beats one trained
directly at the same magnification, most at one step, and that (b) one step with a decoder tuned for it beats 200 steps
with the original decoder. Here both are tried with small networks: U-Net of widths {widths}, {seeds} seeds, crops of
{crop}, batch {batch}. What is to be made of it: [models.md](models.md#the-papers-claims).

- Training compute is equal: {unet_steps} steps for the x2 U-Net and {unet_steps} for each distillation (one counts as
  4/3 of a direct step: the teacher's forward pass is a third of a step); the direct U-Net of a scale gets the sum of
  all that went into the distilled one. {decoder_steps} steps for each decoder; "tuned together" is {decoder_steps} more
  for decoder and distilled U-Net; the decoder without a U-Net has as many as both. The same autoencoder for all.
- Figures: {crops} crops of {eval_crop} x {eval_crop} pixels of images that were not trained on, degraded as in
  training; PSNR on luma; LPIPS v0.1 with the SqueezeNet trunk; Frechet distance between the Gaussians of the same
  trunk's last features over all positions. Colour fix: {colour_fix}. DDIM without noise, timesteps from 999 down
  (trailing).
- Mean and standard deviation over the seeds.
"""


def counted(steps):
    return "1 step" if steps == 1 else f"{steps} steps"


def sampled(name, steps):
    """The row of a U-Net sampled in so many steps, with the autoencoder's own decoder."""
    return f"{name}, {counted(steps)}"


def write_report(config, results):
    """ablate.report and its plots in images/ beside it."""
    path = pathlib.Path(config["ablate"]["report"])
    (path.parent / "images").mkdir(parents=True, exist_ok=True)
    options = config["ablate"]
    text = [_HEAD.format(
        config=options["config_name"], widths=config["unet"]["widths"], seeds=len(options["seeds"]),
        crop=config["crop"], batch=config["batch"], eval_crop=options["crop"], crops=options["crops"],
        unet_steps=options["unet_steps"], decoder_steps=options["decoder_steps"], colour_fix=config["colour_fix"])]
    for name, seeds in results.items():
        plot = f"paper-claims-{name.replace(' ', '-').replace('_', '-')}.png"
        _plot(seeds, options["ddim_steps"], path.parent / "images" / plot)
        text.append(f"## {name.replace('_', ' ')}\n\n![figures over DDIM steps](images/{plot})\n")
        text.append(_table(seeds))
        text.append(_verdicts(seeds, options["ddim_steps"]))
    path.write_text("\n".join(text))
    print(path)


def _values(seeds, row, figure):
    return np.array([result[row][figure] for result in seeds.values()])


def _table(seeds):
    rows = list(next(iter(seeds.values())))
    lines = ["| | " + " | ".join(FIGURES) + " |", "|---" * (len(FIGURES) + 1) + "|"]
    for row in rows:
        cells = [_mean(_values(seeds, row, figure), digits) for figure, digits in FIGURES.items()]
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _mean(values, digits):
    return f"{values.mean():.{digits}f} ± {values.std(ddof=1) if len(values) > 1 else 0:.{digits}f}"


def _verdicts(seeds, steps):
    """One line per comparison: how large the difference is, and in how many seeds it has the claim's sign."""
    fewest, most = min(steps), max(steps)
    lines = [_verdict(seeds, f"(a) distilled against direct, {counted(n)}", sampled("distilled", n),
                      sampled("direct", n)) for n in steps]
    gains = {n: _gain(seeds, sampled("distilled", n), sampled("direct", n), "LPIPS").mean() for n in steps}
    largest = max(gains, key=gains.get)
    if gains[largest] > 0:
        lines.append(f"- (a) the gain in LPIPS is largest at {counted(largest)}: "
                     + ("as claimed." if largest == fewest else "not as claimed."))
    else:
        lines.append("- (a) there is no gain in LPIPS at any number of steps: not as claimed.")
    tuned = "distilled, 1 step, tuned decoder"
    lines.append(_verdict(seeds, f"(b) one step, tuned decoder against {counted(most)}, original decoder, distilled",
                          tuned, sampled("distilled", most)))
    lines.append(_verdict(seeds, f"(b) the same against {counted(most)} of the direct U-Net", tuned,
                          sampled("direct", most)))
    lines.append(_verdict(seeds, "the one step against no U-Net, both decoders tuned", tuned,
                          "no U-Net, tuned decoder"))
    lines.append(_verdict(seeds, "the one step, tuned together with its decoder, against no U-Net",
                          "distilled, 1 step, tuned together", "no U-Net, tuned decoder"))
    return "\n".join(lines) + "\n"


def _gain(seeds, ours, other, figure):
    """How much better `ours` is, per seed."""
    return BETTER[figure] * (_values(seeds, ours, figure) - _values(seeds, other, figure))


def _verdict(seeds, what, ours, other):
    parts = []
    for figure, digits in FIGURES.items():
        gain = _gain(seeds, ours, other, figure)
        difference = gain.mean() * BETTER[figure]
        parts.append(f"{figure} {difference:+.{digits}f}, better in {(gain > 0).sum()} of {len(gain)}")
    gain = _gain(seeds, ours, other, "LPIPS")
    relative = 100 * gain.mean() / _values(seeds, other, "LPIPS").mean()
    holds = "holds" if (gain > 0).all() else "does not hold" if (gain <= 0).all() else "is not decided"
    change = f"{abs(relative):.0f} % {'lower' if relative > 0 else 'higher'}"
    return f"- {what}: {'; '.join(parts)}. By LPIPS ({change}) it {holds}."


def _plot(seeds, steps, path):
    figure = Figure(figsize=(12, 3.6))
    for axes, name in zip(figure.subplots(1, len(FIGURES)), FIGURES):
        for kind in ("direct", "distilled"):
            values = np.array([_values(seeds, sampled(kind, n), name) for n in steps])
            spread = values.std(1, ddof=1) if len(seeds) > 1 else None
            axes.errorbar(steps, values.mean(1), spread, marker="o", capsize=3,
                          label=f"{kind}, original decoder")
        for row, style in (("distilled, 1 step, tuned decoder", "-"), ("direct, 1 step, tuned decoder", "-."),
                           ("distilled, 1 step, tuned together", (0, (5, 1))), ("no U-Net, tuned decoder", "--"),
                           ("bicubic", ":")):
            axes.axhline(_values(seeds, row, name).mean(), linestyle=style, color="black", linewidth=1, label=row)
        axes.set(xscale="log", xlabel="DDIM steps", title=name + (" (higher is better)" if BETTER[name] > 0 else ""))
        axes.set_xticks(steps, [str(n) for n in steps])
        axes.minorticks_off()
    axes.legend(fontsize=6)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
