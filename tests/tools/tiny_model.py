# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of programs share: a folder to work in, with the tests' tiny model in YONOS_MODELS_PATH."""
import os
import subprocess
import tempfile
import unittest


class TinyModelCase(unittest.TestCase):
    """self.work is the folder, self.env the environment; model_maker is the path of the program that
    writes the model."""

    model_maker = None

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.work = self.folder.name
        models = os.path.join(self.work, "models")
        os.mkdir(models)
        subprocess.run([self.model_maker, models], check=True)
        self.env = dict(os.environ, YONOS_MODELS_PATH=models)

    def tearDown(self):
        self.folder.cleanup()
