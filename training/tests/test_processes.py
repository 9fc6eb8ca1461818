# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two processes train one network: on the CPU what several GPUs do."""
import os
import subprocess
import sys
import unittest

from common import CONFIG, TRAINING, StageTest


class Processes(StageTest):
    def launch(self, *overrides):
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
                   "-m", "yonos_train", "autoencoder", "--config", str(CONFIG), "device=cpu",
                   *self.overrides("autoencoder.optimizer=adamw", "bf16=false", *overrides)]
        subprocess.run(command, cwd=TRAINING, check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"})

    def test_two_halves_of_a_batch(self):
        """Two processes with 2 samples each have the gradient of one with 4, but for rounding; and they resume."""
        one_process = ("autoencoder.optimizer=adamw", "bf16=false", "batch=4", "autoencoder.lr_share=0")
        self.run_stage("autoencoder", "name=alone", *one_process, "autoencoder.steps=1")
        self.launch("name=two", "batch=2", "autoencoder.lr_share=0", "autoencoder.steps=1")
        alone, two = (self.checkpoint("autoencoder", name) for name in ("alone", "two"))
        for index, state in alone["optimizer"]["state"].items():
            gradient = state["exp_avg"]
            error = (two["optimizer"]["state"][index]["exp_avg"] - gradient).norm() / gradient.norm().clamp(min=1e-6)
            self.assertLess(error, 1e-2)
        self.launch("name=two", "batch=2", "autoencoder.lr_share=0", "autoencoder.steps=2")
        self.assertEqual(self.checkpoint("autoencoder", "two")["steps"], 2)


if __name__ == "__main__":
    unittest.main()
