# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every stage runs, x2 direct and x4 distilled from it; the exported folders load in diffusers."""
import json
import unittest

import torch
from common import TRAINING, StageTest
from convert import mean
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel

from yonos_train.config import read_config
from yonos_train.data import Samples, batches
from yonos_train.upscale import decoder_parts, make_upscaler


class Chain(StageTest):
    def test_chain(self):
        for stage in ("autoencoder", "direct", "decoder", "export"):
            self.run_stage(stage)
        teacher = UNet2DConditionModel.from_pretrained(self.work / "model", subfolder="unet")
        x4 = ("name=x4", "scale=4", f"autoencoder.init={self.work}/model", f"distill.teacher={self.work}/model",
              f"export.folder={self.work}/model-x4")
        for stage in ("distill", "decoder", "export"):
            self.run_stage(stage, *x4)
        folder = self.work / "model-x4"
        unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet")
        DDIMScheduler.from_pretrained(folder, subfolder="scheduler")
        self.assertEqual(json.loads((folder / "model_index.json").read_text())["yonos"]["scale"], 4)
        before, after = (AutoencoderKL.from_pretrained(self.work / name, subfolder="vae")
                         for name in ("model", "model-x4"))
        self.assertEqual(before.config.scaling_factor, after.config.scaling_factor)
        self.assertTrue(torch.equal(before.encoder.conv_in.weight, after.encoder.conv_in.weight))
        self.assertFalse(torch.equal(before.decoder.conv_in.weight, after.decoder.conv_in.weight))
        difference = (teacher.conv_in.weight - unet.conv_in.weight).abs().max().item()
        self.assertTrue(0 < difference < 0.01, difference)  # three steps away from the teacher

    def test_no_unet(self):
        """The decoder that is tuned on z_l is kept and exported beside the other, with a = 1 and b = 0."""
        for stage in ("autoencoder", "direct", "decoder"):
            self.run_stage(stage, "name=both")
        self.run_stage("decoder", "name=both", "decoder.unet=false")
        self.run_stage("export", "name=both", "decoder.unet=false", f"export.folder={self.work}/no-unet")
        index = json.loads((self.work / "no-unet" / "model_index.json").read_text())["yonos"]
        self.assertEqual((index["conditioning"], index["a"], index["b"]), ("start_latent", 1, 0))
        one, other = (self.checkpoint(stage, "both")["ema"]["conv_in.weight"]
                      for stage in ("decoder", "decoder-no-unet"))
        self.assertFalse(torch.equal(one, other))

    def test_unet_tuned_with_decoder(self):
        """Both change, and both are what export writes; without train_unet the U-Net is the stage's own again."""
        for stage in ("autoencoder", "direct"):
            self.run_stage(stage, "name=joint")
        joint = ("name=joint", "decoder.train_unet=true", "export.dtype=float32", f"export.folder={self.work}/joint")
        self.run_stage("decoder", *joint, "decoder.steps=2")
        self.run_stage("decoder", *joint)
        self.run_stage("export", *joint)
        tuned = self.checkpoint("decoder-and-unet", "joint")["ema"]
        frozen = self.checkpoint("direct", "joint")["ema"]
        unet = UNet2DConditionModel.from_pretrained(self.work / "joint", subfolder="unet")
        vae = AutoencoderKL.from_pretrained(self.work / "joint", subfolder="vae")
        self.assertTrue(torch.equal(unet.conv_in.weight, tuned["unet.conv_in.weight"]))
        self.assertTrue(torch.equal(vae.decoder.conv_in.weight, tuned["decoder.conv_in.weight"]))
        self.assertFalse(torch.equal(unet.conv_in.weight, frozen["conv_in.weight"]))
        self.run_stage("export", "name=joint", "export.dtype=float32", f"export.folder={self.work}/apart")
        unet = UNet2DConditionModel.from_pretrained(self.work / "apart", subfolder="unet")
        self.assertTrue(torch.equal(unet.conv_in.weight, frozen["conv_in.weight"]))

    def test_before_the_colour_fix(self):
        """Back-projection makes up for any colours of the decoder's, but for a weight on what it gives itself."""
        for stage in ("autoencoder", "direct"):
            self.run_stage(stage, "name=unfixed")
        errors = []
        for weight in (0, 20):
            options = ("name=unfixed", f"decoder.unfixed_weight={weight}", "colour_fix=back-projection", "ema=0.5")
            self.run_stage("decoder", *options, "decoder.steps=60", "decoder.optimizer=muon")
            config = self.config(*options)
            latents, unet = decoder_parts(config)
            upscaler = make_upscaler(config, latents, unet)
            batch = next(batches(Samples(config, {"lr": config["scale"]}), config, 0))
            with torch.no_grad():
                decoded = upscaler.decoded(upscaler.latent(batch["lr"], latents.noise_for(batch["hr"])))
            errors.append((decoded - batch["hr"]).abs().mean().item())
            (self.work / "runs" / "unfixed" / "decoder.pt").unlink()
        self.assertLess(errors[1], 0.95 * errors[0], errors)

    def test_folder_stands_for_stages(self):
        """With inits alone, export writes the same weights again."""
        for stage in ("autoencoder", "direct", "export"):
            self.run_stage(stage, "name=source", f"export.folder={self.work}/source", "export.dtype=float32")
        inits = [f"{stage}.init={self.work}/source" for stage in ("autoencoder", "direct", "decoder")]
        self.run_stage("export", "name=copy", f"export.folder={self.work}/copy", "export.dtype=float32", *inits)
        for part, network in (("unet", UNet2DConditionModel), ("vae", AutoencoderKL)):
            a, b = (network.from_pretrained(self.work / name, subfolder=part) for name in ("source", "copy"))
            for key, value in a.state_dict().items():
                self.assertTrue(torch.equal(value, b.state_dict()[key]), key)

    def test_mean(self):
        """A quarter of the way from one model to another; of two networks there is none."""
        for stage in ("autoencoder", "direct"):
            self.run_stage(stage, "name=mean")
        for name, change in (("a", "decoder.steps=1"), ("b", "decoder.steps=3")):
            self.run_stage("decoder", "name=mean", change)
            self.run_stage("export", "name=mean", f"export.folder={self.work}/{name}", "export.dtype=float32")
        mean.main([f"{self.work}/a", f"{self.work}/b", "0.25", f"{self.work}/between"])
        a, b, between = (AutoencoderKL.from_pretrained(self.work / name, subfolder="vae").decoder.conv_in.weight
                         for name in ("a", "b", "between"))
        self.assertFalse(torch.equal(a, b))
        self.assertTrue(torch.allclose(between, 0.75 * a + 0.25 * b, atol=1e-7))
        with self.assertRaises(SystemExit):
            mean.mean({"w": a}, {"w": a[:1]}, 0.5)

    def test_configs_are_read(self):
        for path in (TRAINING / "configs").glob("*.toml"):
            self.assertTrue(read_config(path)["name"], path)

    def test_mistakes(self):
        for overrides, words in ((["decoder.lpips_wieght=1"], "no key 'lpips_wieght'"), (["x"], "key=value"),
                                 (["decoder=3"], "is a table"), (["name=new"], "run the stage autoencoder"),
                                 (["autoencoder.init=/nowhere"], "/nowhere"), (["listing=none"], "none"),
                                 (["autoencoder.blocks={encoder=[1],decoder=[1]}"], "as many entries"),
                                 (["name=new", "autoencoder.steps='x'"], "")):
            with self.subTest(overrides), self.assertRaises((SystemExit, OSError, TypeError)) as caught:
                self.run_stage("direct", *overrides)
            self.assertIn(words, str(caught.exception))


if __name__ == "__main__":
    unittest.main()
