# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs all tests of this folder, or those named: python tests/run.py [test_loop ...]; 77 where PyTorch is missing."""
import importlib.util
import os
import pathlib
import sys
import unittest

os.environ.setdefault("OMP_NUM_THREADS", "1")
for module in ("torch", "diffusers", "numpy", "PIL", "av", "cv2"):
    if importlib.util.find_spec(module) is None:
        print(f"skipped: no Python module {module}; see training/requirements.txt")
        sys.exit(77)
folder = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(folder), str(folder.parent)]
names = sys.argv[1:] or sorted(p.stem for p in folder.glob("test_*.py"))
result = unittest.TextTestRunner(verbosity=2).run(unittest.defaultTestLoader.loadTestsFromNames(names))
sys.exit(not result.wasSuccessful())
