#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tests of a bundle on a device, started by run.sh: run.py BUNDLE [REPORT-FOLDER] [--quick]

Each step passes, fails or is skipped with a reason; report.json has everything, report.md is for docs/bench/.
"""
import array
import hashlib
import json
import math
import os
import pathlib
import platform
import shutil
import struct
import subprocess
import sys
import time

STEP_SECONDS = 1500
SANITIZERS = ("memcheck", "racecheck", "initcheck")
GOLDEN = ("text-free", "cross-conv", "cross-linear", "null-mid")
# name, model, part, width, height: of the part's input, or of the frame's
BENCHMARKS = [
    ("default model, 960x540 -> 1920x1080", "yonos-lite-x2", None, 960, 540),
    ("SD 1.5 U-Net, 64x64 latents", "sd15", "unet", 64, 64),
    ("SD 1.5 U-Net, 160x90 latents", "sd15", "unet", 160, 90),
    ("SD 2.1 U-Net, 64x64 latents", "sd21", "unet", 64, 64),
    ("SD VAE decoder to 512x512", "sd15", "decoder", 64, 64),
    ("SD VAE decoder to 1280x720", "sd15", "decoder", 160, 90),
    ("AutoencoderTiny decoder to 1920x1080", "taesd", "decoder", 240, 135),
]


class Skip(Exception):
    """A step that cannot be done here, and why."""


class Failure(Exception):
    """A step that went wrong, and how."""


def call(*command, seconds=STEP_SECONDS, env=None):
    """Output of a command; its end is the Failure's text where it fails."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=seconds,
                          env={**os.environ, **(env or {})}, check=False)
    if done.returncode == 77:
        raise Skip(last_lines(done.stdout + done.stderr, 1))
    if done.returncode != 0:
        raise Failure(f"{pathlib.Path(str(command[0])).name}: exit status {done.returncode}: "
                      + last_lines(done.stdout + done.stderr, 8))
    return done.stdout


def last_lines(text, count):
    return "\n".join(text.strip().splitlines()[-count:])


def read_tensor(path, name):
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    begin, end = json.loads(data[8:8 + length])[name]["data_offsets"]
    return array.array("f", data[8 + length + begin:8 + length + end])


class Run:
    def __init__(self, bundle, report, quick):
        self.bundle, self.report, self.quick = bundle, report, quick
        self.steps, self.models = [], {"yonos-lite-x2": bundle / "models" / "yonos-lite-x2"}
        self.work = report / "work"
        self.work.mkdir(parents=True, exist_ok=True)
        self.missing = None  # why there is no device

    def step(self, name, function, *arguments, device=True):
        begin, entry = time.time(), {"name": name}
        self.steps.append(entry)
        try:
            if device and self.missing:
                raise Skip(self.missing)
            entry["result"] = function(*arguments)
            entry["status"] = "passed"
        except Skip as reason:
            entry.update(status="skipped", reason=str(reason))
        except subprocess.TimeoutExpired as slow:
            entry.update(status="failed", reason=f"took longer than {slow.timeout:.0f} s")
        except (Failure, OSError, KeyError, ValueError) as failure:
            entry.update(status="failed", reason=str(failure))
        entry["seconds"] = round(time.time() - begin, 1)
        print(f"{entry['status']:8} {name}" + (f": {entry['reason']}" if "reason" in entry else ""), flush=True)

    # ---- steps ----------------------------------------------------------------------------------

    def machine(self):
        result = {"host": platform.node(), "cpu": platform.processor() or platform.machine(), "cpus": os.cpu_count()}
        if shutil.which("nvidia-smi"):
            result["nvidia-smi"] = call("nvidia-smi", "--query-gpu=name,driver_version,memory.total,clocks.max.sm",
                                        "--format=csv,noheader").strip()
        return result

    def device(self):
        command = ["yonos-bench", "--backend", "cuda", "--width", "64", "--height", "64", "--frames", "1", "--json",
                   "--no-probe"]
        try:
            return json.loads(call(*command))
        except (Failure, FileNotFoundError) as failure:
            self.missing = str(failure).rpartition("yonos-bench: ")[2]
            raise Skip(self.missing) from failure

    def describe(self):
        text = call("describe-device")
        name = json.loads(text)["deviceName"]
        path = self.report / (name.lower().replace(" ", "-") + ".json")
        path.write_text(text)
        return {"device": name, "file": path.name}

    def checkop(self, dtype, *options):
        return last_lines(call("checkop", "--backend", "cuda", "--dtype", dtype, *options), 1)

    def golden(self, model, precision):
        return last_lines(call("golden", self.bundle / "tests" / "golden" / model, "cuda", precision), 1)

    def random_models(self):
        try:
            import torch  # pylint: disable=import-outside-toplevel,unused-import
        except ImportError as missing:
            raise Skip("PyTorch is not installed") from missing
        call(sys.executable, self.bundle / "random_models.py", self.bundle / "tests" / "shapes", self.work / "models")
        self.models |= {name: self.work / "models" / name for name in ("sd15", "sd21", "taesd")}

    def model(self, name):
        if name not in self.models:
            raise Skip(f"{name} was not made")
        return self.models[name]

    def picture(self):
        """A safetensors file with an image of waves, f32 (1,72,96,3)."""
        path, width, height = self.work / "in.safetensors", 96, 72
        values = array.array("f", (0.5 + 0.4 * math.sin(0.21 * x + 0.13 * y * (c + 1))
                                   for y in range(height) for x in range(width) for c in range(3)))
        header = json.dumps({"image": {"dtype": "F32", "shape": [1, height, width, 3],
                                       "data_offsets": [0, 4 * len(values)]}}).encode()
        path.write_bytes(struct.pack("<Q", len(header)) + header + values.tobytes())
        return path

    def upscale(self, model, backend, precision, name="out", *options):
        path = self.work / f"{name}.safetensors"
        call("yonos-run", "--model", self.model(model), "--backend", backend, "--precision", precision, *options,
             self.picture(), path)
        return path

    def whole_model(self, model):
        """f32 to the code, bf16 to a PSNR, against the CPU in f32."""
        expected = read_tensor(self.upscale(model, "cpu", "f32"), "image")
        result = {}
        for precision, bound in (("f32", 60.0), ("bf16", 30.0), ("f16", 30.0)):
            values = read_tensor(self.upscale(model, "cuda", precision), "image")
            error = sum((a - b) ** 2 for a, b in zip(values, expected)) / len(expected)
            result[precision] = round(10 * math.log10(1 / max(error, 1e-12)), 1)
            if not result[precision] >= bound:
                raise Failure(f"{precision}: PSNR {result[precision]} dB against cpu f32, less than {bound}")
        return {"PSNR, dB": result}

    def sanitizer(self, tool):
        if not shutil.which("compute-sanitizer"):
            raise Skip("compute-sanitizer is not installed")
        return last_lines(call("compute-sanitizer", "--tool", tool, "--error-exitcode", "1", "checkop", "--backend",
                               "cuda", "--max-gflop", "0.0005"), 2)

    def determinism(self):
        """The same bytes from two runs, and from two fresh tunings' kept choices."""
        digests = {hashlib.sha256(self.upscale("yonos-lite-x2", "cuda", "bf16", f"run{i}", "--tile-size", "64")
                                  .read_bytes()).hexdigest() for i in range(3)}
        if len(digests) != 1:
            raise Failure("three runs gave different bytes")
        return digests.pop()

    def noise(self):
        return last_lines(call("checkop", "--backend", "cuda", "--op", "noise"), 1)

    def memory(self, pid):
        status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        host = int(status.split("VmRSS:")[1].split()[0]) / 1024
        rows = call("nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits").splitlines()
        device = [float(row.split(",")[1]) for row in rows if row.split(",")[0].strip() == str(pid)]
        return host, sum(device)

    def flat_memory(self):
        """Resident and device memory at 10 % and at 90 % of a thousand frames differ by less than 8 MiB."""
        frames = 100 if self.quick else 1000
        command = ["yonos-bench", "--backend", "cuda", "--width", "480", "--height", "270", "--frames", str(frames),
                   "--json", "--no-probe"]
        single = json.loads(call(*command[:-4], "20", "--json", "--no-probe"))["median_ms"] / 1e3
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            samples = []
            while process.poll() is None:
                samples.append(self.memory(process.pid))
                time.sleep(max(0.2, frames * single / 40))
            figures = json.loads(process.stdout.read())
        steady = samples[len(samples) // 4:-1]
        if len(steady) < 2:
            raise Skip("too fast to be sampled")
        growth = [steady[-1][i] - steady[0][i] for i in range(2)]
        if max(growth) > 8:
            raise Failure(f"memory grew by {growth[0]:.0f} MiB (host), {growth[1]:.0f} MiB (device)")
        return {"frames": frames, "growth, MiB": growth, "median_ms": figures["median_ms"]}

    def element(self):
        frames = 30 if self.quick else 300
        pipeline = (f"videotestsrc num-buffers={frames} ! video/x-raw,format=NV12,width=480,height=270 ! "
                    "yonossr backend=cuda ! fakesink sync=false")
        begin = time.time()
        call("gst-launch-1.0", "-q", *pipeline.split())
        return {"frames": frames, "seconds, start included": round(time.time() - begin, 1)}

    def benchmark(self, model, part, width, height):
        command = ["yonos-bench", "--model", self.model(model), "--backend", "cuda", "--width", str(width), "--height",
                   str(height), "--frames", "10" if self.quick else "100", "--json", "--no-probe"]
        result = {}
        for precision in ("bf16", "f16", "f32"):
            figures = json.loads(call(*command, "--precision", precision, *(["--part", part] if part else [])))
            result[precision] = {key: figures[key] for key in ("median_ms", "p95_ms", "tflop_per_frame") if key in figures}
        return result

    def pytorch(self, model, part, width, height):
        """Same network, device and precision as the benchmark before it."""
        return json.loads(call(sys.executable, self.bundle / "pytorch.py", self.model(model), part, width, height,
                               "bfloat16", 10 if self.quick else 100))

    # ---- all of it ------------------------------------------------------------------------------

    def everything(self):
        self.step("machine", self.machine, device=False)
        self.step("device", self.device, device=False)
        self.step("description of the device", self.describe)
        for dtype in ("f32", "bf16", "f16"):
            self.step(f"checkop {dtype}", self.checkop, dtype)
        self.step("checkop, default model", self.checkop, "bf16", "--no-shapes", "--model", self.models["yonos-lite-x2"])
        for model in GOLDEN:
            for precision in ("f32", "bf16"):
                self.step(f"golden {model} {precision}", self.golden, model, precision)
        self.step("random models", self.random_models)
        for model in ("yonos-lite-x2", "taesd", "sd15", "sd21"):
            self.step(f"whole model {model}", self.whole_model, model)
        for tool in SANITIZERS:
            self.step(f"compute-sanitizer {tool}", self.sanitizer, tool)
        self.step("determinism", self.determinism)
        self.step("noise has the CPU's bits", self.noise)
        self.step("flat memory", self.flat_memory)
        self.step("element", self.element)
        for name, *arguments in BENCHMARKS:
            self.step(name, self.benchmark, *arguments)
            if arguments[1]:
                self.step(f"PyTorch bf16: {name}", self.pytorch, *arguments)

    def write(self):
        count = {status: sum(s["status"] == status for s in self.steps) for status in ("passed", "failed", "skipped")}
        (self.report / "report.json").write_text(json.dumps({"count": count, "steps": self.steps}, indent=2) + "\n",
                                                 encoding="utf-8")
        lines = ["# GPU report", "", ", ".join(f"{n} {status}" for status, n in count.items()) + ".", "",
                 "| step | status | seconds | result |", "|---|---|---|---|"]
        for s in self.steps:
            text = s.get("reason") or json.dumps(s.get("result"))
            lines.append(f"| {s['name']} | {s['status']} | {s['seconds']} | {' '.join(text.split())[:400]} |")
        (self.report / "report.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped; {self.report}/report.md")
        return count


def main():
    bundle = pathlib.Path(sys.argv[1])
    words = [word for word in sys.argv[2:] if word != "--quick"]
    run = Run(bundle, pathlib.Path(words[0] if words else bundle / "report").resolve(), "--quick" in sys.argv)
    run.everything()
    count = run.write()
    shutil.rmtree(run.work, ignore_errors=True)
    return 1 if count["failed"] else 77 if run.missing else 0


if __name__ == "__main__":
    sys.exit(main())
