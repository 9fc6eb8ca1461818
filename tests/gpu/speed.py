# SPDX-License-Identifier: LGPL-2.1-or-later
"""Steps that measure, each alone on the device: yonos-bench, PyTorch on the same networks, the element, the kernels."""
import json
import pathlib
import shutil
import subprocess
import sys
import threading
import time

from kernels import summary
from runner import Failure, OutOfTime, Skip, last_lines

# name, model, part, width, height: of the part's input, or of the frame's
NETWORKS = [
    ("default model, 960x540 -> 1920x1080", "yonos-lite-x2", "frame", 960, 540),
    ("SD 1.5 U-Net, 64x64 latents", "sd15", "unet", 64, 64),
    ("SD VAE decoder to 512x512", "sd15", "decoder", 64, 64),
    ("SD VAE decoder to 1280x720", "sd15", "decoder", 160, 90),
    ("AutoencoderTiny decoder to 1920x1080", "taesd", "decoder", 240, 135),
    ("SD 1.5 U-Net, 160x90 latents", "sd15", "unet", 160, 90),
    ("SD 2.1 U-Net, 64x64 latents", "sd21", "unet", 64, 64),
]
PROFILED = NETWORKS[:4]
PRECISIONS = ("bf16", "f16", "f32")
MODES = ("reduce-overhead", "max-autotune")
START_SECONDS = 90  # of PyTorch: import, weights, the eager run


class Speed:
    def __init__(self, bundle):
        self.bundle, self.runner, self.options = bundle, bundle.runner, bundle.options
        self.frames = 5 if self.options.quick else 100
        self.waiting = {}  # PyTorch's compiled networks, by name
        self.modes = [mode for mode in MODES if mode != "max-autotune" or not self.options.no_max_autotune]
        self.copy_speed = None  # GB/s

    def environment(self):
        return self.bundle.environment(self.bundle.speed_cache)

    def bench(self, network, *options, env=None):
        _, model, part, width, height = network
        width, height = self.bundle.size(width, height)
        return json.loads(self.runner.call(
            "yonos-bench", "--model", self.bundle.model(model), "--backend", "cuda", "--width", width, "--height", height,
            "--json", "--no-probe", *(() if part == "frame" else ("--part", part)), *options,
            env={**self.environment(), **(env or {})}))

    def network(self, network):
        result = {}
        for precision in PRECISIONS:
            frames = max(1, self.frames // 5) if precision == "f32" else self.frames
            figures = self.bench(network, "--precision", precision, "--frames", frames)
            result[precision] = {key: round(figures[key], 3) for key in ("median_ms", "p95_ms", "tflop_per_s")}
        return result

    # ---- PyTorch --------------------------------------------------------------------------------

    def start_pytorch(self, network):
        """A process that has compiled the network and waits to be timed."""
        name, model, part, width, height = network
        folder = self.bundle.folder / "models" / model
        if not folder.is_dir():
            folder = self.bundle.folder / "tests" / "shapes" / model
        caches = self.bundle.work / "inductor"
        log = open(self.bundle.work / f"pytorch-{self.runner.local.step.slug()}.log", "w+", encoding="utf-8")
        process = self.runner.start(
            sys.executable, self.bundle.folder / "pytorch.py", folder, part, *self.bundle.size(width, height), "--frames",
            self.frames, "--modes", ",".join(self.modes), "--compile-seconds", self.options.compile_seconds, "--device",
            self.options.pytorch_device, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            env={"TORCHINDUCTOR_CACHE_DIR": str(caches), "TRITON_CACHE_DIR": str(caches / "triton"),
                 "TORCHINDUCTOR_COMPILE_THREADS": "4"})
        self.waiting[name] = process, log
        lines = []
        while not lines or lines[-1].strip() != "ready":
            line = self.read_line(process)
            if not line:
                self.give_up(name, lines)
            lines.append(line)

    def read_line(self, process):
        """A line of the process's output, none where it ended or was not done in time."""
        timer = threading.Timer(self.runner.left(), self.runner.end, [process])
        timer.start()
        try:
            return process.stdout.readline()
        finally:
            timer.cancel()

    def give_up(self, name, lines):
        process, log = self.waiting.pop(name)
        late = self.runner.left() <= 0.1
        self.runner.end(process)
        log.seek(0)
        text = log.read()
        log.close()
        if process.returncode == 77:
            raise Skip(last_lines("".join(lines), 1))
        raise OutOfTime(text) if late else Failure(f"exit status {process.returncode}: {last_lines(text, 3)}", text)

    def compile(self, network):
        begin = time.monotonic()
        self.start_pytorch(network)
        return f"{time.monotonic() - begin:.0f} s for " + ", ".join(["eager", *self.modes])

    def pytorch(self, network):
        """Same network, device and precision as yonos-bench's bf16."""
        name = network[0]
        if name not in self.waiting:
            self.start_pytorch(network)
        process, _ = self.waiting[name]
        process.stdin.write("\n")
        process.stdin.flush()
        line = self.read_line(process)
        if not line:
            self.give_up(name, [])
        process, log = self.waiting.pop(name)
        self.runner.end(process)
        log.close()
        return json.loads(line)

    # ---- the element ------------------------------------------------------------------------------

    def pipeline_seconds(self, frames, element, sink="fakesink sync=false"):
        width, height = self.bundle.size(960, 540)
        pipeline = (f"videotestsrc num-buffers={frames} ! video/x-raw,format=NV12,width={width},height={height},"
                    f"framerate=30/1 ! queue {element} ! {sink}")
        begin = time.monotonic()
        self.runner.call("gst-launch-1.0", "-q", *pipeline.split(), env=self.environment())
        return time.monotonic() - begin

    def element(self, element):
        """Frames per second from the difference of a long and a short run, so without the start; the source alone is the
        limit of what this can show."""
        short, long = (2, 6) if self.options.quick else (50, 650)
        self.pipeline_seconds(2, element)  # times its choices, once
        rate = {}
        for name, text in (("fps", element), ("source alone", "")):
            seconds = self.pipeline_seconds(long, text) - self.pipeline_seconds(short, text)
            rate[name] = round((long - short) / max(seconds, 1e-3), 1)
        return rate

    # ---- the kernels ------------------------------------------------------------------------------

    def copy(self):
        result = json.loads(self.runner.call(sys.executable, self.bundle.folder / "pytorch.py", "copy", "--device",
                                             self.options.pytorch_device))
        self.copy_speed = result["GB/s"]
        return result

    def trace(self, run):
        """What run(environment) did on the device, in steady state."""
        library = self.bundle.folder / "lib" / "libkernel-times.so"
        path = self.bundle.work / f"{self.runner.local.step.slug()}.txt"
        path.unlink(missing_ok=True)
        if not library.exists():
            raise Skip("the bundle has no libkernel-times.so: it was built without CUPTI")
        run({"CUDA_INJECTION64_PATH": str(library), "KERNEL_TIMES": str(path)})
        if not path.exists() or path.stat().st_size == 0:
            raise Skip("CUPTI gave no records")
        return path.read_text(encoding="utf-8").splitlines()

    def kernels(self, network):
        """Shares of the device's time, and how far GROUP_NORM, PACK and UNPACK are from a plain copy."""
        frames = self.frames // 2
        lines = self.trace(lambda env: self.bench(network, "--precision", "bf16", "--frames", frames, env=env))
        figures = self.bench(network, "--precision", "bf16", "--frames", frames, "--per-op")
        (self.bundle.report / f"{self.runner.local.step.slug()}.json").write_text(json.dumps(figures, indent=1) + "\n",
                                                                                  encoding="utf-8")
        pixels = figures["width"] * figures["height"]
        return summary(lines, figures, pixels if network[2] == "frame" else 0, self.copy_speed)

    def element_kernels(self):
        """How busy the device is while the element runs."""
        element = "! yonossr backend=cuda"

        def run(env):
            width, height = self.bundle.size(960, 540)
            pipeline = (f"videotestsrc num-buffers={4 * self.frames} ! video/x-raw,format=NV12,width={width},"
                        f"height={height},framerate=30/1 ! queue {element} ! fakesink sync=false")
            self.runner.call("gst-launch-1.0", "-q", *pipeline.split(), env={**self.environment(), **env})

        return summary(self.trace(run), None, 0, None)


def add_speed(runner, bundle):
    s = Speed(bundle)
    limit = START_SECONDS + len(s.modes) * (bundle.options.compile_seconds + 10)
    for network in NETWORKS:
        runner.add(f"compile: {network[0]}", s.compile, network, seconds=limit, pool="compile")
    runner.add("element, NV12 in memory, 960x540 -> 1920x1080", s.element, "! yonossr backend=cuda", seconds=120)
    for network in NETWORKS:
        runner.add(f"speed: {network[0]}", s.network, network, seconds=120)
        runner.add(f"PyTorch: {network[0]}", s.pytorch, network, seconds=limit)
    runner.add("speed of a copy", s.copy, seconds=60)
    for network in PROFILED:
        runner.add(f"kernels: {network[0]}", s.kernels, network, seconds=60)
    runner.add("kernels: element, 960x540 -> 1920x1080", s.element_kernels, seconds=60)


def make_table(entries):
    """Speed-up over PyTorch, from what is there so far."""
    results = {entry["name"]: entry.get("result") for entry in entries}
    rows = []
    for name, *_ in NETWORKS:
        ours, theirs = results.get(f"speed: {name}"), results.get(f"PyTorch: {name}") or {}
        if not ours:
            continue
        times = [theirs.get(mode, "") for mode in ("eager", *MODES)]
        known = [ms for ms in times if isinstance(ms, float)]
        ratio = f"{min(known) / ours['bf16']['median_ms']:.2f}" if known else ""
        cells = [*(ours[precision]["median_ms"] for precision in reversed(PRECISIONS)), *times, ratio]
        rows.append(f"| {name} | " + " | ".join(str(cell) for cell in cells) + " |")
    if not rows:
        return []
    head = ["network", *reversed(PRECISIONS), *(f"PyTorch bf16 {mode}" for mode in ("eager", *MODES)), "ratio to the best"]
    return ["## Speed", "", "Milliseconds, medians; the ratio is PyTorch's fastest over ours in bf16.", "",
            f"| {' | '.join(head)} |", "|---" * len(head) + "|", *rows, ""]
