#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The runner and the reading of kernels' times, without a device: test_run.py"""
import argparse
import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from kernels import LONGEST, NAMED, find_period, group_of, readable, summary
from runner import Failure, Runner, Skip, compact
from speed import NETWORKS, make_table

FRAME = ("_Z11pack_colourPf5Frame", "sm90_xmma_fprop", "_Z16group_norm_applyIfLi4EEvPT_", "fort_native_sdpa",
         "sm90_xmma_fprop")


def make_runner(folder, seconds=60, only="", skip=None):
    options = argparse.Namespace(only=only, skip=skip)
    return Runner(pathlib.Path(folder), options, time.monotonic() + seconds, {"pool": 4}, lambda entries: [])


class TestRunner(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def entries(self):
        report = json.loads((pathlib.Path(self.folder.name) / "report.json").read_text())
        return {entry["name"]: entry for entry in report["steps"]}

    def run_steps(self, runner):
        count = runner.run()
        return count, self.entries()

    def test_outcomes(self):
        def raise_it(what):
            raise what
        runner = make_runner(self.folder.name)
        runner.add("good", lambda: {"figure": 1.5})
        runner.add("bad", raise_it, Failure("broken", "all of its output"))
        runner.add("absent", raise_it, Skip("no tool"))
        runner.add("exit status", runner.call, "sh", "-c", "echo reason; exit 3")
        runner.add("exit status 77", runner.call, "sh", "-c", "echo why; exit 77")
        count, entries = self.run_steps(runner)
        self.assertEqual(count, {"passed": 1, "failed": 2, "skipped": 2})
        self.assertEqual(entries["good"]["result"], {"figure": 1.5})
        self.assertEqual(entries["bad"]["output"], "all of its output")
        self.assertIn("exit status 3: reason", entries["exit status"]["reason"])
        self.assertEqual(entries["exit status 77"]["reason"], "why")

    def test_step_limit_ends_grandchildren(self):
        runner = make_runner(self.folder.name)
        mark = pathlib.Path(self.folder.name) / "mark"
        runner.add("slow", runner.call, "sh", "-c", f"echo begun; (sleep 2; touch {mark}) & wait", seconds=1)
        count, entries = self.run_steps(runner)
        self.assertEqual(count["failed"], 1)
        self.assertEqual(entries["slow"]["reason"], "took longer than 1 s")
        self.assertEqual(entries["slow"]["output"], "begun\n")
        time.sleep(2)
        self.assertFalse(mark.exists())

    def test_budget(self):
        runner = make_runner(self.folder.name, seconds=6)
        runner.add("cut", runner.call, "sleep", "30", seconds=40, reserve=5)
        runner.add("first", runner.call, "sleep", "30", seconds=40)
        runner.add("second", runner.call, "true")
        _, entries = self.run_steps(runner)
        self.assertEqual([entry["reason"] for entry in entries.values()],
                         ["no time left", "no time left: was stopped", "no time left"])

    def test_pool_and_choice(self):
        runner = make_runner(self.folder.name, only="a|b", skip="bc")
        for name in ("a1", "a2", "a3", "bc", "z"):
            runner.add(name, runner.call, "sleep", "1", pool="pool")
        begin = time.monotonic()
        _, entries = self.run_steps(runner)
        self.assertEqual(list(entries), ["a1", "a2", "a3"])
        self.assertLess(time.monotonic() - begin, 2.5)

    def test_report_of_a_stopped_run(self):
        code = ("import sys; from test_run import make_runner; r = make_runner(sys.argv[1]); r.add('one', lambda: 1); "
                "r.add('two', r.call, 'sleep', '60'); r.add('three', lambda: 3); r.run()")
        with subprocess.Popen([sys.executable, "-c", code, self.folder.name], stdout=subprocess.PIPE, text=True,
                              cwd=pathlib.Path(__file__).parent) as process:
            self.assertIn("one", process.stdout.readline())
            self.assertEqual(self.entries()["one"]["status"], "passed")
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(10), 1)
        self.assertEqual([entry["status"] for entry in self.entries().values()], ["passed", "skipped", "skipped"])
        self.assertIn("SIGTERM", self.entries()["two"]["reason"])


class TestKernels(unittest.TestCase):
    def test_groups(self):
        self.assertEqual([group_of(name) for name in FRAME],
                         ["pack", "convolutions and products", "group norm", "attention", "convolutions and products"])
        self.assertEqual(group_of("_Z14epilogue_eight15YonosCudaTensorS_S_8Epiloguem"), "pointwise")
        self.assertEqual(group_of("_ZN8cublasLt19splitKreduce_kernelE"), "convolutions and products")
        self.assertEqual(group_of("copy kind 1, 9 bytes"), "copies")

    def test_own_kernels_are_known(self):
        """Each kernel of cuda/kernels has a group."""
        folder = pathlib.Path(__file__).resolve().parents[2] / "cuda" / "kernels"
        names = {name for path in [*folder.glob("*.cu"), *folder.glob("*.h")]
                 for name in re.findall(r"__global__ void (?:__launch_bounds__\(\w+\) )?(\w+)\(", path.read_text())}
        self.assertGreater(len(names), 30)
        unknown = [name for name in names if group_of(f"_Z{len(name)}{name}v") == "other own kernels"]
        self.assertEqual(unknown, [])

    def test_period(self):
        self.assertEqual(find_period(["warm"] + 6 * ["a", "b", "b"]), 3)
        self.assertIsNone(find_period(["a", "b", "c", "d", "e"]))

    def test_summary(self):
        lines, at = ["0 500 warm"], 1000
        for _ in range(10):  # 1 ms each, of which kernels take 0.8, and a copy 0.05 between them
            lines.append(f"{at} {at + 50_000} copy kind 1, 9 bytes")
            for k, name in enumerate(FRAME):
                lines.append(f"{at + 50_000 + 190_000 * k} {at + 210_000 + 190_000 * k} {name}")
            at += 1_000_000
        figures = {"median_ms": 1.0, "ops": [{"op": "group_norm", "gb_per_s": 8, "ms": 10}]}
        result = summary(lines, figures, 0, 1000)
        self.assertEqual(result["repetitions"], 9)
        self.assertEqual(result["GPU busy, traced, %"], 80)
        self.assertEqual(result["GPU busy, untraced, %"], 80)
        self.assertEqual(result["with copies, %"], 85)
        self.assertEqual(result["kernels but convolutions, products, attention, %"], 40)
        self.assertEqual(result["GB/s"]["group norm"], "500 (50 % of a copy)")
        self.assertEqual(result["kernels"][0], {"kernel": "sm90_xmma_fprop", "group": "convolutions and products",
                                                "ms": 0.32, "launches": 2})
        self.assertIn({"kernel": "group_norm_apply<float, 4>", "group": "group norm", "ms": 0.16, "launches": 1},
                      result["kernels"])
        self.assertEqual(result["kernels"][-1], {"kernel": "copy kind 1, 9 bytes", "group": "copies", "ms": 0.05,
                                                 "launches": 1})
        self.assertNotIn("xmma", compact(result))

    def test_named_kernels(self):
        """Those with the most time, as many as a report has room for."""
        lines, at = [], 0
        for _ in range(5):
            for k in range(NAMED + 5):
                lines.append(f"{at} {at + 1000 * (k + 1)} kernel{k}")
                at += 100_000
        kernels = summary(lines, None, 0, None)["kernels"]
        self.assertEqual([row["kernel"] for row in kernels], [f"kernel{k}" for k in range(NAMED + 4, 4, -1)])

    def test_readable(self):
        for name, expected in (
                ("_Z13group_momentsPK7Momentsii4NormP5Scale", "group_moments"),
                ("_Z16group_norm_applyI13__nv_bfloat16Li8E4SiluEvPT_6JoinedIS2_E3CutPK5ScaleT1_",
                 "group_norm_apply<__nv_bfloat16, 8, Silu>"),
                ("_Z12part_momentsIfLi4ELi2EEv6JoinedIT_E3CutP7Moments", "part_moments<float, 4, 2>"),
                ("_Z12concat_unitsI5uint4EvPT_PKS1_S4_jjm", "concat_units<uint4>"),
                ("sm90_" + 200 * "x", "sm90_" + (LONGEST - 5) * "x"),
                ("_ZN8cublasLt19splitKreduce_kernelE", "_ZN8cublasLt19splitKreduce_kernelE")):
            self.assertEqual(readable(name), expected)


class TestTable(unittest.TestCase):
    def rows(self, measured):
        name = NETWORKS[0][0]
        table = make_table([{"name": f"speed: {name}", "result": measured},
                            {"name": f"PyTorch: {name}", "result": {"eager": 9.0, "reduce-overhead": 3.0}}])
        return [line.split(" | ")[1:] for line in table if line.startswith(f"| {name}")]

    def test_measured_precisions(self):
        """Those that were not asked for leave their cells empty; the ratio is of bf16."""
        times = {precision: {"median_ms": ms} for precision, ms in (("bf16", 2.0), ("f16", 2.5), ("f32", 8.0))}
        self.assertEqual(self.rows(times)[0][:3], ["8.0", "2.5", "2.0"])
        self.assertEqual(self.rows({"bf16": times["bf16"]}), [["", "", "2.0", "9.0", "3.0", "", "1.50 |"]])
        self.assertEqual(self.rows({"f16": times["f16"]}), [])


if __name__ == "__main__":
    unittest.main()
