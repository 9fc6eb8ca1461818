#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tests of a bundle on a device, started by run.sh: run.py [REPORT-FOLDER] [options]

Each step passes, fails or is skipped with a reason; report.json has everything, report.md is for docs/bench/. Both are
written after each step. Exit status: 0 all passed, 1 something failed, 77 there was no GPU to test.
"""
import argparse
import glob
import os
import pathlib
import site
import sys
import tarfile
import threading
import time
import zipfile

from checks import add_checks
from runner import Runner, Skip
from speed import PRECISIONS, add_speed, make_table

BEGIN = time.monotonic()
RANDOM = ("taesd", "sd15", "sd21")


def library_folders():
    """Folders of CUDA's libraries in Python packages."""
    roots = {*site.getsitepackages(), site.getusersitepackages(), *sys.path}
    return sorted({os.path.dirname(path) for root in roots if root
                   for name in ("libcudnn.so.9", "libcublasLt.so.1*", "libnvrtc.so.1*", "libcupti.so.1*")
                   for path in glob.glob(os.path.join(root, "nvidia", "*", "lib", name))})


class Bundle:
    """The bundle's folder, a folder for work that a later run goes on with, and the models."""

    def __init__(self, folder, options):
        self.folder, self.options = folder, options
        self.work = pathlib.Path(options.work or folder / "work").resolve()
        self.report = pathlib.Path(options.report or folder / "report").resolve()
        self.speed_cache = self.work / "cache" / "speed"
        self.libraries = library_folders()
        self.making = threading.Lock()
        self.runner = None
        self.work.mkdir(parents=True, exist_ok=True)
        self.unpack()

    def unpack(self):
        if not (self.folder / "lib").is_dir():
            with tarfile.open(self.folder / "lib.tar.xz") as archive:
                archive.extractall(self.folder, filter="data")
        if not (self.work / "python").is_dir():
            for wheel in (self.folder / "python").glob("*.whl"):
                with zipfile.ZipFile(wheel) as archive:
                    archive.extractall(self.work / "python")

    def environment(self, cache):
        """Of the bundle's programs alone: Python and what it starts must not see the libraries of another system."""
        lib, plugins = self.folder / "lib", self.folder / "plugins"
        folders = [str(lib), *os.environ.get("LD_LIBRARY_PATH", "").split(":"), *self.libraries]
        return {"LD_LIBRARY_PATH": ":".join(folder for folder in folders if folder),
                "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                "YONOS_MODULES_PATH": os.environ.get("YONOS_MODULES_PATH") or str(lib),
                "YONOS_MODELS_PATH": str(self.folder / "models"),
                "XDG_CACHE_HOME": str(cache),
                "GST_REGISTRY": str(cache / "registry.bin"),
                "GST_PLUGIN_PATH": str(plugins), "GST_PLUGIN_SYSTEM_PATH": str(plugins),
                "GST_PLUGIN_SCANNER": str(self.folder / "bin" / "gst-plugin-scanner")}

    def size(self, width, height):
        return (width // 8, height // 8) if self.options.quick else (width, height)

    def shapes(self, name):
        """The folder of a model's configuration; its weights may be missing."""
        if name in self.options.without:
            raise Skip(f"left out by --without {name}")
        return self.folder / ("tests/shapes" if name in RANDOM else "models") / name

    def model(self, name):
        """The folder of a model; those with random weights are made when they are first asked for."""
        shapes = self.shapes(name)
        if name not in RANDOM:
            return shapes
        folder = self.work / "models" / name
        with self.making:
            if not folder.is_dir():
                unfinished = folder.with_name(name + ".unfinished")
                self.runner.call(sys.executable, self.folder / "random_models.py", shapes, unfinished)
                unfinished.rename(folder)
        return folder

    def make_models(self):
        return {name: f"{sum(path.stat().st_size for path in self.model(name).rglob('*')) >> 20} MiB"
                for name in RANDOM if name not in self.options.without}


def parse_options():
    parser = argparse.ArgumentParser(prog="run.sh", description=__doc__.splitlines()[0])
    cpus = os.cpu_count()
    parser.add_argument("report", nargs="?", help="folder of report.md and report.json (default: report in the bundle)")
    parser.add_argument("--work", help="folder of models and caches for a later run, too (default: work in the bundle)")
    parser.add_argument("--only", default="", metavar="REGEX", help="steps whose names match")
    parser.add_argument("--skip", metavar="REGEX", help="not the steps whose names match")
    parser.add_argument("--seconds", type=float, default=3600, metavar="N", help="for everything (default: 3600)")
    parser.add_argument("--jobs", type=int, default=max(2, cpus * 3 // 4), metavar="N",
                        help="checks at once (default: %(default)s)")
    parser.add_argument("--compile-jobs", type=int, default=min(4, cpus), metavar="N",
                        help="networks that PyTorch compiles at once (default: %(default)s)")
    parser.add_argument("--compile-seconds", type=int, default=240, metavar="N",
                        help="for each of PyTorch's compilations (default: 240)")
    parser.add_argument("--no-max-autotune", action="store_true", help="torch.compile without it: far quicker")
    parser.add_argument("--without", action="append", default=[], choices=RANDOM, help="a model with random weights")
    parser.add_argument("--precision", action="append", choices=PRECISIONS, help="of the speeds (default: all)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, few frames: to test the tests, not a device")
    parser.add_argument("--pytorch-device", default="cuda", help="cpu: to test the tests")
    return parser.parse_args()


def main():
    options = parse_options()
    bundle = Bundle(pathlib.Path(__file__).resolve().parent, options)
    pools = {"checks": options.jobs, "compile": options.compile_jobs}
    runner = Runner(bundle.report, options, BEGIN + options.seconds, pools, make_table)
    bundle.runner = runner
    packages = [str(bundle.work / "python"), os.environ.get("PYTHONPATH")]
    runner.environment["PYTHONPATH"] = os.pathsep.join(folder for folder in packages if folder)
    add_checks(runner, bundle)
    add_speed(runner, bundle)
    count = runner.run()
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped; {bundle.report}/report.md")
    return 1 if count["failed"] else 77 if runner.missing else 0


if __name__ == "__main__":
    sys.exit(main())
