# SPDX-License-Identifier: LGPL-2.1-or-later
"""Steps that measure, each alone on the device: yonos-bench, PyTorch on the same networks, the element, the kernels."""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from kernels import summary
from runner import Failure, OutOfTime, Skip, last_lines

# name, model, part, width, height: of the part's input, or of the frame's
NETWORKS = [
    ("default model, 960x540 -> 1920x1080", "yonos-lite-x2", "frame", 960, 540),
    ("fast model, 960x540 -> 1920x1080", "yonos-nano-x2", "frame", 960, 540),
    ("SD 1.5 U-Net, 64x64 latents", "sd15", "unet", 64, 64),
    ("SD VAE decoder to 512x512", "sd15", "decoder", 64, 64),
    ("SD VAE decoder to 1280x720", "sd15", "decoder", 160, 90),
    ("AutoencoderTiny decoder to 1920x1080", "taesd", "decoder", 240, 135),
    ("SD 1.5 U-Net, 160x90 latents", "sd15", "unet", 160, 90),
    ("SD 2.1 U-Net, 64x64 latents", "sd21", "unet", 64, 64),
]
PROFILED = NETWORKS[:5]
PRECISIONS = ("bf16", "f16", "f32")
MODES = ("reduce-overhead", "max-autotune")
ELEMENT = "yonossr backend=cuda"
ELEMENTS = {  # what stands before and behind it, by where its frames are
    "memory": (),
    "CUDAMemory": ("! cudaupload ! video/x-raw(memory:CUDAMemory)", "! video/x-raw(memory:CUDAMemory)"),
}
OVERLAPS = ("auto", "always", "never")
START_SECONDS = 60  # of PyTorch: import, weights, the eager run
RESERVE = 60        # for the times of what was compiled


class Speed:
    def __init__(self, bundle):
        self.bundle, self.runner, self.options = bundle, bundle.runner, bundle.options
        self.frames = 5 if self.options.quick else 100
        self.waiting = {}  # PyTorch's compiled networks, by name
        self.modes = [mode for mode in MODES if mode != "max-autotune" or not self.options.no_max_autotune]
        self.copy_speed = None  # GB/s
        self.per_op = {}  # yonos-bench's figures, by network

    def environment(self):
        return self.bundle.environment(self.bundle.speed_cache)

    def bench(self, network, *options, env=None):
        _, model, part, width, height = network
        width, height = self.bundle.size(width, height)
        return json.loads(self.runner.call(
            "yonos-bench", "--model", self.bundle.model(model), "--backend", "cuda", "--width", width, "--height",
            height, "--json", "--no-probe", *(() if part == "frame" else ("--part", part)), *options,
            env={**self.environment(), **(env or {})}))

    def network(self, network):
        result = {}
        for precision in self.options.precision or PRECISIONS:
            frames = max(1, self.frames // 5) if precision == "f32" else self.frames
            figures = self.bench(network, "--precision", precision, "--frames", frames)
            result[precision] = {key: round(figures[key], 3) for key in ("median_ms", "p95_ms", "tflop_per_s")}
        return result

    def convolutions(self):
        """The default model with its choices, and without one where the own kernel could run."""
        result = {}
        for name in ("chosen", "own", "cudnn"):
            env = {"YONOS_CUDA_CONV": name} if name != "chosen" else {}
            figures = self.bench(NETWORKS[0], "--precision", "bf16", "--frames", self.frames, env=env)
            result[f"{name}, median_ms"] = round(figures["median_ms"], 3)
        return result

    # ---- PyTorch --------------------------------------------------------------------------------

    def start_pytorch(self, network):
        """A process that has compiled the network and waits to be timed."""
        name, model, part, width, height = network
        folder = self.bundle.shapes(model)
        caches = self.bundle.work / "inductor"
        seconds = (self.runner.left() - START_SECONDS) / max(1, len(self.modes))
        log = open(self.bundle.work / f"{self.runner.local.step.slug()}.log", "w+", encoding="utf-8")
        process = self.runner.start(
            sys.executable, self.bundle.folder / "pytorch.py", folder, part, *self.bundle.size(width, height),
            "--frames", self.frames, "--modes", ",".join(self.modes), "--compile-seconds",
            int(max(5, min(seconds, self.options.compile_seconds))), "--device", self.options.pytorch_device,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
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
        late = self.runner.is_late()
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

    def pipeline_seconds(self, frames, middle, env=None):
        width, height = self.bundle.size(960, 540)
        pipeline = (f"videotestsrc num-buffers={frames} ! video/x-raw,format=NV12,width={width},height={height},"
                    f"framerate=30/1 {middle} ! queue ! fakesink sync=false")
        begin = time.monotonic()
        self.runner.call("gst-launch-1.0", "-q", *pipeline.split(), env={**self.environment(), **(env or {})})
        return time.monotonic() - begin

    def check_device_memory(self):
        for element in ("cudaupload", "yonossr"):
            try:
                text = self.runner.call("gst-inspect-1.0", element, env=self.environment())
            except Failure as failure:
                raise Skip(f"there is no {element}") from failure
            if "memory:CUDAMemory" not in text:
                raise Skip(f"{element} knows no CUDAMemory")

    def element(self, before="", behind=""):
        """Frames per second from the difference of a long and a short run, so without the start; the source alone, with
        what stands before the element, is the limit of what this can show."""
        if before:
            self.check_device_memory()
        short, long = (2, 6) if self.options.quick else (50, 650)
        runs = {f"fps, overlap={overlap}": f"{before} ! queue ! {ELEMENT} overlap={overlap} {behind}"
                for overlap in OVERLAPS}
        self.pipeline_seconds(2, runs["fps, overlap=auto"])  # times its choices, once
        rate = {}
        for name, text in {**runs, "source alone": f"{before} ! queue"}.items():
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
        lines = path.read_text(encoding="utf-8").splitlines()
        if lines[0].startswith("#"):
            raise Skip(lines[0][2:])
        return lines

    def kernels(self, network):
        """Shares of the device's time, and how far GROUP_NORM, PACK and UNPACK are from a plain copy."""
        frames = self.frames // 2
        figures = self.bench(network, "--precision", "bf16", "--frames", frames, "--per-op")
        self.per_op[network[0]] = figures
        self.runner.put("per-op.json", json.dumps(self.per_op, indent=1) + "\n")
        lines = self.trace(lambda env: self.bench(network, "--precision", "bf16", "--frames", frames, env=env))
        pixels = figures["width"] * figures["height"]
        return summary(lines, figures, pixels if network[2] == "frame" else 0, self.copy_speed)

    def element_kernels(self, before="", behind=""):
        """How busy the device is while the element runs."""
        if before:
            self.check_device_memory()
        middle = f"{before} ! queue ! {ELEMENT} {behind}"
        return summary(self.trace(lambda env: self.pipeline_seconds(4 * self.frames, middle, env)), None, 0, None)

    # ---- a long run -------------------------------------------------------------------------------

    def flat_memory(self):
        """Resident and device memory after a quarter and at the end of many frames differ by less than 8 MiB. The
        device's is all that is used on it: nothing else runs."""
        if not shutil.which("nvidia-smi"):
            raise Skip("nvidia-smi is not installed")
        width, height = self.bundle.size(480, 270)
        frames = 100 if self.options.quick else 6000
        with tempfile.TemporaryFile("w+") as out:
            bench = self.runner.start("yonos-bench", "--backend", "cuda", "--width", width, "--height", height,
                                      "--frames", frames, "--json", "--no-probe", stdout=out, stderr=subprocess.STDOUT,
                                      env=self.environment())
            try:
                samples = self.sample(bench)
            finally:
                self.runner.end(bench)
            out.seek(0)
            text = out.read()
        if bench.returncode != 0:
            raise Failure(last_lines(text, 3), text)
        steady = samples[len(samples) // 4:-1]
        if len(steady) < 4:
            raise Skip("too fast to be sampled")
        growth = {what: round(steady[-1][i] - steady[0][i], 1) for i, what in enumerate(("host", "device"))}
        if max(growth.values()) > 8:
            raise Failure(f"memory grew by {growth['host']} MiB on the host, {growth['device']} MiB on the device")
        busy = sorted(sample[2] for sample in steady)
        return {"frames": frames, "growth in MiB": growth, "median_ms": round(json.loads(text)["median_ms"], 3),
                "GPU busy by nvidia-smi in %": busy[len(busy) // 2]}

    def sample(self, bench):
        """(host MiB, device MiB, busy %) until `bench` ends."""
        samples = []
        while bench.poll() is None:
            row = self.runner.call("nvidia-smi", "--query-gpu=memory.used,utilization.gpu",
                                   "--format=csv,noheader,nounits").splitlines()[0]
            status = pathlib.Path(f"/proc/{bench.pid}/status").read_text(encoding="utf-8")
            if "VmRSS:" in status:  # not while it ends
                host = int(status.split("VmRSS:")[1].split()[0]) / 1024
                samples.append((host, *(float(word) for word in row.split(","))))
            time.sleep(0.1)
        return samples

    def choices(self):
        """The algorithms that the measured runs took, for the report."""
        paths = sorted((self.bundle.speed_cache / "yonossr").glob("cuda-*.txt"))
        text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
        (self.bundle.report / "choices.txt").write_text(text, encoding="utf-8")
        return f"{text.count(chr(9))} in choices.txt"


def add_speed(runner, bundle):
    s = Speed(bundle)
    runner.add("speed of a copy", s.copy, seconds=60)
    for network in NETWORKS:
        runner.add(f"speed: {network[0]}", s.network, network, seconds=90)
    runner.add("speed: convolutions of the default model", s.convolutions, seconds=120)
    for where, pads in ELEMENTS.items():
        runner.add(f"element, NV12 in {where}, 960x540 -> 1920x1080", s.element, *pads, seconds=150)
    for network in PROFILED:
        runner.add(f"kernels: {network[0]}", s.kernels, network, seconds=60)
    for where, pads in ELEMENTS.items():
        runner.add(f"kernels: element, NV12 in {where}, 960x540 -> 1920x1080", s.element_kernels, *pads, seconds=60)
    runner.add("flat memory", s.flat_memory, seconds=90)
    runner.add("kept choices", s.choices, seconds=10)
    limit = START_SECONDS + len(s.modes) * (bundle.options.compile_seconds + 10)
    for network in NETWORKS:
        runner.add(f"compile: {network[0]}", s.compile, network, seconds=limit, reserve=RESERVE, pool="compile")
    for network in NETWORKS:
        runner.add(f"PyTorch: {network[0]}", s.pytorch, network, seconds=limit)


def make_table(entries):
    """Speed-up over PyTorch, from what is there so far."""
    results = {entry["name"]: entry.get("result") for entry in entries}
    rows = []
    for name, *_ in NETWORKS:
        ours, theirs = results.get(f"speed: {name}"), results.get(f"PyTorch: {name}") or {}
        if not ours or "bf16" not in ours:
            continue
        times = [theirs.get(mode, "") for mode in ("eager", *MODES)]
        known = [ms for ms in times if isinstance(ms, float)]
        ratio = f"{min(known) / ours['bf16']['median_ms']:.2f}" if known else ""
        cells = [*(ours.get(precision, {}).get("median_ms", "") for precision in reversed(PRECISIONS)), *times, ratio]
        rows.append(f"| {name} | " + " | ".join(str(cell) for cell in cells) + " |")
    if not rows:
        return []
    head = ["network", *reversed(PRECISIONS), *(f"PyTorch bf16 {mode}" for mode in ("eager", *MODES)), "ratio"]
    return ["## Speed", "", "Milliseconds, medians; the ratio is PyTorch's fastest over ours in bf16.", "",
            f"| {' | '.join(head)} |", "|---" * len(head) + "|", *rows, ""]
