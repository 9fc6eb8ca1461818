#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What yonos-run and yonos-bench answer to a wrong command line or file: one line that says what to do, status 1.

usage: usage.py YONOS-RUN YONOS-BENCH MODEL-FOLDER-PROGRAM
"""
import os
import subprocess
import sys
import unittest

from tiny_model import TinyModelCase

RUN = BENCH = None
SIZE = ["--width", "16", "--height", "16"]


class Usage(TinyModelCase):
    def refused(self, words, program, *arguments):
        done = subprocess.run([program, *arguments], cwd=self.work, env=self.env, timeout=60, capture_output=True,
                              text=True, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn(words, done.stderr)

    def test_options(self):
        for program in (RUN, BENCH):
            self.refused("--help", program, "--nonsense")
            self.refused("--help", program, "one")
            self.refused("--help", program, "--threads", "x")

    def test_run_files(self):
        self.refused("nowhere.png", RUN, "nowhere.png", "out.png")
        self.refused("usage.py", RUN, os.path.abspath(__file__), "out.png")

    def test_bench(self):
        self.refused("--width and --height", BENCH)
        self.refused("--frames", BENCH, *SIZE, "--frames", "0")
        self.refused("--part", BENCH, *SIZE, "--part", "all")
        self.refused("--predict", BENCH, *SIZE, "--predict", "3")
        self.refused("--json", BENCH, *SIZE, "--predict", "3,3", "--json")


if __name__ == "__main__":
    RUN, BENCH, TinyModelCase.model_maker = (os.path.abspath(p) for p in sys.argv[1:4])
    unittest.main(argv=sys.argv[:1])
