# SPDX-License-Identifier: LGPL-2.1-or-later
"""The full-scale recipe on a tiny random Stable Diffusion; releases converted into model folders."""
import json
import unittest

import torch
import torch.nn.functional as F
from common import StageTest
from convert import lora, prompt_embeds, state_dict
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file
from tiny_sd import CONTEXT, write_text_encoder, write_tiny_sd
from transformers import CLIPTextModel

from yonos_train.networks import OneStep, initial_unet


class Recipe(StageTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        write_tiny_sd(cls.work / "sd")

    def sd(self, *more):
        return ("name=sd", f"autoencoder.init={self.work}/sd", f"direct.init={self.work}/sd", *more)

    def test_widened_unet_begins_as_it_was(self):
        original = UNet2DConditionModel.from_pretrained(self.work / "sd", subfolder="unet")
        prompt = load_file(self.work / "sd" / "prompt_embeds.safetensors")["prompt_embeds"]
        wide = initial_unet(self.config(*self.sd()), "direct", None)
        self.assertEqual((wide.config.in_channels, wide.conv_in.weight.shape[1]), (8, 8))
        z, z_l, t = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8), torch.tensor([999, 3])
        with torch.no_grad():
            expected = original(z, t, encoder_hidden_states=prompt.expand(2, -1, -1)).sample
            step = OneStep(wide, {"compile": False, "prediction_type": "v_prediction", "residual": 0.0})
            self.assertTrue(torch.allclose(step.unet(z, z_l, t), expected, atol=1e-5))

    def test_noise_prediction(self):
        """A network that knows the noise gives the clean latent, and v and epsilon agree on it."""
        clean, z_l, noise = torch.randn(3, 2, 4, 3, 3)
        t = torch.tensor([999, 100])
        step = OneStep(lambda x, t, encoder_hidden_states: type("Output", (), {"sample": noise}),
                       {"compile": False, "prediction_type": "epsilon", "residual": 0.0})
        self.assertTrue(torch.allclose(step(step.noisy(clean, t, noise), z_l, t), clean, atol=1e-4))

    def test_recipe(self):
        """direct, decoder and export from the folder, then distill from the result; checkpointing changes nothing."""
        for stage in ("direct", "decoder", "export"):
            self.run_stage(stage, *self.sd("gradient_checkpointing=true"))
        folder = self.work / "model"
        unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet")
        self.assertEqual(unet.config.in_channels, 8)
        vae = AutoencoderKL.from_pretrained(folder, subfolder="vae")
        self.assertAlmostEqual(vae.config.scaling_factor, 0.18215)
        self.assertEqual(load_file(folder / "prompt_embeds.safetensors")["prompt_embeds"].shape, (1, 77, CONTEXT))
        self.run_stage("direct", *self.sd("name=plain"))
        a, b = self.checkpoint("direct", "sd")["module"], self.checkpoint("direct", "plain")["module"]
        for key in a:
            self.assertTrue(torch.allclose(a[key], b[key], atol=1e-5), key)
        self.run_stage("distill", "name=sd4", "scale=4", f"autoencoder.init={folder}", f"distill.teacher={folder}")

    def test_prompt_is_needed(self):
        (self.work / "bare").mkdir()
        (self.work / "bare" / "unet").symlink_to(self.work / "sd" / "unet")
        with self.assertRaises(SystemExit) as caught:
            self.run_stage("direct", "name=bare", f"autoencoder.init={self.work}/sd", f"direct.init={self.work}/bare")
        self.assertIn("prompt_embeds", str(caught.exception))


class Convert(StageTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        write_tiny_sd(cls.work / "sd")
        cls.unet = UNet2DConditionModel.from_pretrained(cls.work / "sd", subfolder="unet")

    def release(self):
        """OSEDiff's layout: peft names with adapters, a whole conv_in, two dictionaries."""
        torch.manual_seed(7)
        names = {"down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q": "default_encoder",
                 "up_blocks.1.resnets.0.conv1": "default_decoder"}
        tensors = {"conv_in.weight": torch.randn_like(self.unet.conv_in.weight)}
        for name, adapter in names.items():
            shape = self.unet.get_submodule(name).weight.shape
            tensors[f"{name}.lora_A.{adapter}.weight"] = torch.randn(4, *shape[1:]) / 10
            tensors[f"{name}.lora_B.{adapter}.weight"] = torch.randn(shape[0], 4, *(1 for _ in shape[2:])) / 10
        return list(names), tensors

    def convert(self, tensors, *more):
        torch.save({"rank_unet": 4, "state_dict_unet": tensors, "state_dict_vae": {}}, self.work / "release.pkl")
        lora.main([str(self.work / "sd"), str(self.work / "release.pkl"), str(self.work / "out"), "--scale", "4",
                   "--timestep", "999", *more])

    def test_lora(self):
        """Merged weights compute what base and adapter compute side by side: alpha / rank = 8 / 4."""
        names, tensors = self.release()
        self.convert(tensors)
        merged = UNet2DConditionModel.from_pretrained(self.work / "out", subfolder="unet", torch_dtype=torch.float32)
        self.assertTrue(torch.allclose(merged.conv_in.weight, tensors["conv_in.weight"], atol=1e-3))
        linear, conv = (merged.get_submodule(name) for name in names)
        down, up = (tensors[f"{names[0]}.lora_{x}.default_encoder.weight"] for x in "AB")
        x = torch.randn(5, down.shape[1])
        expected = self.unet.get_submodule(names[0])(x) + 2 * x @ down.T @ up.T
        self.assertTrue(torch.allclose(linear(x), expected, atol=5e-3))
        down, up = (tensors[f"{names[1]}.lora_{x}.default_decoder.weight"] for x in "AB")
        x = torch.randn(1, down.shape[1], 6, 6)
        expected = self.unet.get_submodule(names[1])(x) + 2 * F.conv2d(F.conv2d(x, down, padding=1), up)
        self.assertTrue(torch.allclose(conv(x), expected, atol=2e-2))
        index = json.loads((self.work / "out" / "model_index.json").read_text())["yonos"]
        self.assertEqual((index["conditioning"], index["timestep"], index["scale"]), ("start_latent", 999, 4))
        self.assertTrue((self.work / "out" / "prompt_embeds.safetensors").exists())

    def test_mistakes(self):
        names, tensors = self.release()
        stray = {"no_such.lora_A.x.weight": torch.zeros(4, 3), "no_such.lora_B.x.weight": torch.zeros(3, 4)}
        for change, words in ((stray, "no_such.weight"), ({"left_over": torch.zeros(1)}, "left_over"),
                              ({"conv_in.weight": torch.zeros(1)}, "conv_in.weight")):
            with self.subTest(words), self.assertRaises(SystemExit) as caught:
                self.convert(tensors | change)
            self.assertIn(words, str(caught.exception))
        up = f"{names[0]}.lora_B.default_encoder.weight"
        with self.assertRaises(SystemExit) as caught:
            self.convert({name: tensor for name, tensor in tensors.items() if name != up})
        self.assertIn(up, str(caught.exception))

    def test_state_dict(self):
        weights = {f"module.{name}": torch.randn_like(tensor) for name, tensor in self.unet.state_dict().items()}
        torch.save({"params_ema": weights}, self.work / "net.pth")
        arguments = [str(self.work / "sd"), "unet", str(self.work / "net.pth"), str(self.work / "from-pth")]
        state_dict.main([*arguments, "--key", "params_ema", "--prefix", "module."])
        unet = UNet2DConditionModel.from_pretrained(self.work / "from-pth", subfolder="unet")
        self.assertTrue(torch.equal(unet.conv_in.weight, weights["module.conv_in.weight"]))
        for wrong in ((), ("--key", "params"), ("--key", "params_ema")):
            with self.assertRaises(SystemExit):
                state_dict.main([*arguments, *wrong])

    def test_prompt_embeds(self):
        """What the folder's text encoder makes of the padded empty prompt."""
        folder = self.work / "clip"
        write_text_encoder(folder)
        prompt_embeds.main([str(folder)])
        written = load_file(folder / "prompt_embeds.safetensors")["prompt_embeds"]
        tokens = torch.tensor([[0] + [1] * 76])  # start, end, and padding, which is the end again
        with torch.no_grad():
            expected = CLIPTextModel.from_pretrained(folder, subfolder="text_encoder")(tokens)[0]
        self.assertEqual(written.shape, (1, 77, CONTEXT))
        self.assertTrue(torch.allclose(written, expected, atol=1e-5))

    def test_prompt_needs_a_text_encoder(self):
        with self.assertRaises(SystemExit) as caught:
            prompt_embeds.main([str(self.work / "sd")])
        self.assertIn("no text_encoder", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
