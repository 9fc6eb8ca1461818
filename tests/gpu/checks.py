# SPDX-License-Identifier: LGPL-2.1-or-later
"""Steps that find out whether the device computes what it should."""
import array
import functools
import hashlib
import json
import math
import os
import platform
import shutil
import struct

from runner import Failure, Skip, last_lines

GOLDEN = ("text-free", "cross-conv", "cross-linear", "null-mid")
MODELS = ("yonos-lite-x2", "taesd", "sd15", "sd21")
SMALL = ("--max-elements", "100000", "--max-gflop", "0.001", "--most", "12")  # what a sanitizer is done with in seconds
LIBRARIES = ("conv2d", "linear", "attention")  # cuDNN's and cuBLASLt's kernels
OWN = ("group_norm", "layer_norm", "geglu", "affine", "concat", "resize", "window", "fill", "blend", "noise", "pack",
       "unpack", "adain", "blur", "motion", "warp", "stillness", "keep")
OWN_CONVOLUTIONS = ("env", "YONOS_CUDA_CONV=own")  # wherever the own kernel takes the shape, untimed
SHARING = ("attention", "group_norm", "layer_norm", "adain", "stillness")  # whose kernels use shared memory


def only(ops):
    """checkop's options for these operations."""
    return tuple(word for op in ops for word in ("--op", op))


def read_tensor(path, name):
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    begin, end = json.loads(data[8:8 + length])[name]["data_offsets"]
    return array.array("f", data[8 + length + begin:8 + length + end])


def write_picture(path, width, height):
    """A safetensors file with an image of waves, f32 (1,height,width,3)."""
    values = array.array("f", (0.5 + 0.4 * math.sin(0.21 * x + 0.13 * y * (c + 1))
                               for y in range(height) for x in range(width) for c in range(3)))
    header = json.dumps({"image": {"dtype": "F32", "shape": [1, height, width, 3],
                                   "data_offsets": [0, 4 * len(values)]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + values.tobytes())


class Checks:
    def __init__(self, bundle):
        self.bundle, self.runner = bundle, bundle.runner

    def program(self, name, *words, tool=()):
        """A program of the bundle, with choices of algorithms of its own: those made beside other work are not kept."""
        cache = self.bundle.work / "cache" / self.runner.local.step.slug()
        return self.runner.call(*tool, name, *words, env=self.bundle.environment(cache))

    # ---- the machine ----------------------------------------------------------------------------

    def machine(self):
        result = {"host": platform.node(), "cpu": platform.processor() or platform.machine(), "cpus": os.cpu_count()}
        if shutil.which("nvidia-smi"):
            result["GPU"] = self.runner.call("nvidia-smi", "--format=csv,noheader",
                                             "--query-gpu=name,driver_version,memory.total,clocks.max.sm").strip()
        result["libraries"] = ", ".join(sorted(set(self.bundle.libraries)))
        return result

    def device(self):
        try:
            figures = json.loads(self.program("yonos-bench", "--backend", "cuda", "--width", "64", "--height", "64",
                                              "--frames", "1", "--json", "--no-probe"))
        except (Failure, FileNotFoundError) as failure:
            self.runner.missing = str(failure).rpartition("yonos-bench: ")[2]
            raise Skip(self.runner.missing) from failure
        return {key: figures[key] for key in ("device", "precision", "load_ms", "prepare_ms", "median_ms")}

    def describe(self):
        text = self.program("describe-device")
        name = json.loads(text)["deviceName"]
        path = self.bundle.report / (name.lower().replace(" ", "-") + ".json")
        path.write_text(text, encoding="utf-8")
        return {"device": name, "file": path.name}

    # ---- operations and models ------------------------------------------------------------------

    def checkop(self, *options, tool=()):
        return last_lines(self.program("checkop", "--backend", "cuda", *options, tool=tool), 1)

    def own_convolutions(self):
        """Those of all networks, then those of the default model, which the kernel is for."""
        return {name: self.checkop("--op", "conv2d", *options, tool=OWN_CONVOLUTIONS) for name, options in (
            ("bf16", ("--dtype", "bf16")), ("f16", ("--dtype", "f16")),
            ("default model", ("--dtype", "bf16", "--no-shapes", "--model", self.bundle.model("yonos-lite-x2"))))}

    def golden(self, model, precision):
        return last_lines(self.program("golden", self.bundle.folder / "tests" / "golden" / model, "cuda", precision), 1)

    def steadiness(self):
        """What stays of the frames before, and ref's pictures with it: the unit test, on the device."""
        return last_lines(self.program("test-steady", tool=(
            "env", "YONOS_TEST_BACKEND=cuda", f"YONOS_TEST_MODELS={self.bundle.folder / 'tests' / 'golden'}")), 1)

    def upscale(self, model, backend, precision, name, *options):
        """The picture that yonos-run makes, f32."""
        folder = self.bundle.work / self.runner.local.step.slug()
        folder.mkdir(parents=True, exist_ok=True)
        picture, path = folder / "in.safetensors", folder / f"{name}.safetensors"
        write_picture(picture, 96, 72)
        self.program("yonos-run", "--model", self.bundle.model(model), "--backend", backend, "--precision", precision,
                     *options, picture, path)
        return path

    def psnr(self, model, backend, precision, expected):
        values = read_tensor(self.upscale(model, backend, precision, f"{backend}-{precision}"), "image")
        error = sum((a - b) ** 2 for a, b in zip(values, expected)) / len(expected)
        return round(10 * math.log10(1 / max(error, 1e-12)), 1) if math.isfinite(error) else 0.0

    def whole_model(self, model):
        """PSNR against the CPU in f32: in f32 to the code, in bf16 and f16 45 dB or about what the CPU has in bf16;
        where that does not compute in it, not far away."""
        expected = read_tensor(self.upscale(model, "cpu", "f32", "cpu-f32"), "image")
        try:
            limit = min(45.0, self.psnr(model, "cpu", "bf16", expected) - 3)
        except Failure:
            limit = 20.0
        result = {"cuda f32": 0.0, "bf16": 0.0, "f16": 0.0, "at least": f"60, {limit:.1f}"}
        for name, bound in (("cuda f32", 60.0), ("bf16", limit), ("f16", limit)):
            result[name] = self.psnr(model, "cuda", name.split()[-1], expected)
            if not result[name] >= bound:
                raise Failure(f"{name}: PSNR {result[name]} dB against cpu f32, less than {bound:.1f}")
        return {"PSNR in dB": result}

    def sanitizer(self, tool, program, *words, exit_code=1, before=(), exclude=None):
        """`exclude`: of the kernels' names; what is left out there is not looked at."""
        if not shutil.which("compute-sanitizer"):
            raise Skip("compute-sanitizer is not installed")
        command = (*before, "compute-sanitizer", "--tool", tool, "--error-exitcode", str(exit_code),
                   "--print-limit", "20",
                   "--report-api-errors", "no")  # libraries ask for what is not there; the backend checks its own calls
        if exclude:
            command += ("--kernel-name-exclude", f"kns={exclude}")
        return last_lines(self.program(self.bundle.folder / "bin" / program, *words, tool=command), 2)

    def memcheck_part(self, model, part, width, height, precision):
        """A network at its full size, choices of algorithms and all."""
        width, height = self.bundle.size(width, height)
        return self.sanitizer("memcheck", "yonos-bench", "--model", self.bundle.model(model), "--part", part,
                              "--backend", "cuda", "--precision", precision, "--width", width, "--height", height,
                              "--frames", 2, "--no-probe")

    def device_memory(self, model):
        if not (self.bundle.folder / "bin" / "cuda-memory").exists():
            raise Skip("built without GStreamer's CUDA library")
        return last_lines(self.program("cuda-memory", model), 1)

    def initcheck(self, ops, exit_code):
        """Nothing is written before the operation writes it: what it leaves out, or reads too early, is seen."""
        return self.sanitizer("initcheck", "checkop", "--backend", "cuda", "--unpoisoned", *SMALL, *only(ops),
                              exit_code=exit_code)

    def determinism(self):
        """The same bytes from three runs: the first times its choices, the others take what it kept."""
        digests = {hashlib.sha256(self.upscale("yonos-lite-x2", "cuda", "bf16", f"run{i}", "--tile-size", "64")
                                  .read_bytes()).hexdigest() for i in range(3)}
        if len(digests) != 1:
            raise Failure("three runs gave different bytes")
        return digests.pop()


def add_checks(runner, bundle):
    c = Checks(bundle)
    runner.add("machine", c.machine, device=False)
    runner.add("device", c.device, seconds=60, device=False)
    runner.add("description of the device", c.describe, seconds=30)
    runner.add("random models", bundle.make_models, seconds=90)
    for dtype in ("f32", "bf16", "f16"):
        runner.add(f"checkop {dtype}", c.checkop, "--dtype", dtype, seconds=240, pool="checks")
    for model in MODELS:  # the CPU's f32 result of a Stable Diffusion takes two minutes beside other work
        runner.add(f"whole model {model}", c.whole_model, model, seconds=300 if model.startswith("sd") else 150,
                   pool="checks")
    runner.add("compute-sanitizer memcheck", c.sanitizer, "memcheck", "checkop", "--backend", "cuda", *SMALL,
               pool="checks")
    # cuDNN's attention synchronises in ways that racecheck takes for races. Where only some of cuDNN's convolutions are
    # looked at, the tool fails itself, so that there all of them are.
    runner.add("compute-sanitizer racecheck", functools.partial(
        c.sanitizer, "racecheck", "checkop", "--backend", "cuda", *SMALL, *only(SHARING), exclude="cudnn"),
        pool="checks")
    for tool in ("memcheck", "racecheck"):
        runner.add(f"compute-sanitizer {tool}, own convolutions", functools.partial(
            c.sanitizer, tool, "checkop", "--backend", "cuda", *SMALL, "--op", "conv2d", "--dtype", "bf16",
            before=OWN_CONVOLUTIONS), pool="checks")
    for precision in ("bf16", "f16"):
        runner.add(f"compute-sanitizer memcheck, SD 1.5 U-Net, 160x90 latents, {precision}", c.memcheck_part, "sd15",
                   "unet", 160, 90, precision, seconds=300, pool="checks")
    runner.add("compute-sanitizer initcheck, own kernels", c.initcheck, OWN, 1, pool="checks")
    # Their results are right, or checkop fails; what initcheck counts all the same are stores that it does not see.
    runner.add("compute-sanitizer initcheck, libraries", c.initcheck, LIBRARIES, 0, pool="checks")
    runner.add("checkop, default model", c.checkop, "--dtype", "bf16", "--no-shapes", "--model",
               bundle.model("yonos-lite-x2"), pool="checks")
    runner.add("checkop own convolutions", c.own_convolutions, seconds=240, pool="checks")
    for model in GOLDEN:
        for precision in ("f32", "bf16"):
            runner.add(f"golden {model} {precision}", c.golden, model, precision, seconds=60, pool="checks")
    runner.add("steadiness", c.steadiness, seconds=60, pool="checks")
    runner.add("frames in CUDA memory", c.device_memory, bundle.model("yonos-lite-x2"), seconds=120, pool="checks")
    runner.add("determinism", c.determinism, seconds=60, pool="checks")
    runner.add("noise has the CPU's bits", c.checkop, "--op", "noise", seconds=60, pool="checks")
