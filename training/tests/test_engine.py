# SPDX-License-Identifier: LGPL-2.1-or-later
"""What export writes loads in the engine, and gives PyTorch's picture. YONOS_RUN is the path of yonos-run."""
import os
import subprocess
import unittest

import torch
from common import StageTest
from safetensors.torch import load_file, save_file
from tiny_sd import write_tiny_sd

from yonos_train.upscale import decoder_parts, make_upscaler

PROGRAM = os.environ.get("YONOS_RUN")


@unittest.skipUnless(PROGRAM, "YONOS_RUN is not set")
class Engine(StageTest):
    def compare(self, folder, *overrides):
        """One LR image and one noise field through both, in f32."""
        self.run_stage("export", f"export.folder={self.work / folder}", "export.dtype=float32", *overrides)
        config = self.config(*overrides)
        latents, unet = decoder_parts(config)
        torch.manual_seed(3)
        scale, noise = config["scale"], None
        lr = torch.rand(1, 3, 32 // scale, 48 // scale) * 2 - 1
        inputs = {"image": (lr.permute(0, 2, 3, 1).contiguous() + 1) / 2}
        noise = latents.noise_for(torch.empty(1, 3, 32, 48))
        if unet:
            inputs["noise"] = noise.permute(0, 2, 3, 1).contiguous()
        save_file(inputs, self.work / "in.safetensors")
        subprocess.run([PROGRAM, "--model", self.work / folder, "--backend", "cpu", "--precision", "f32",
                        "--threads", "1", self.work / "in.safetensors", self.work / "out.safetensors"], check=True)
        out = load_file(self.work / "out.safetensors")["image"].permute(0, 3, 1, 2)
        with torch.no_grad():
            expected = (make_upscaler(config, latents, unet)(lr, noise) + 1) / 2
        self.assertEqual(out.shape, (1, 3, 32, 48))
        self.assertGreater(expected.std(), 0.05)
        self.assertLess((out.clamp(0, 1) - expected.clamp(0, 1)).abs().max().item(), 2e-3)

    def test_same_picture(self):
        for stage in ("autoencoder", "direct", "decoder"):
            self.run_stage(stage)
        self.compare("x2")
        residual = ("name=residual", "residual=0.3", f"autoencoder.init={self.work}/x2")
        self.run_stage("direct", *residual)
        self.compare("residual", *residual)
        self.run_stage("decoder", "decoder.unet=false")
        self.compare("no-unet", "decoder.unet=false")
        x4 = ("name=x4", "scale=4", f"autoencoder.init={self.work}/x2", f"distill.teacher={self.work}/x2")
        self.run_stage("distill", *x4)
        self.run_stage("decoder", *x4)
        self.compare("x4", *x4)

    def test_tiny_autoencoder(self):
        tiny = ("name=tiny", "autoencoder.blocks={encoder=[0,0,1],decoder=[2,1,0]}", "autoencoder.widths=[16,16,16]")
        for stage in ("autoencoder", "direct", "decoder"):
            self.run_stage(stage, *tiny)
        self.compare("tiny", *tiny)
        x4 = ("name=tiny4", "scale=4", f"autoencoder.init={self.work}/tiny", f"distill.teacher={self.work}/tiny")
        self.run_stage("distill", *x4)
        self.run_stage("decoder", *x4, "decoder.train_unet=true")
        self.compare("tiny4", *x4, "decoder.train_unet=true")

    def test_from_stable_diffusion(self):
        write_tiny_sd(self.work / "sd")
        sd = ("name=sd", f"autoencoder.init={self.work}/sd", f"direct.init={self.work}/sd")
        self.run_stage("direct", *sd)
        self.run_stage("decoder", *sd)
        self.compare("sd2", *sd)


if __name__ == "__main__":
    unittest.main()
