#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the seeds of the fuzz targets: small legal files, and legal files of one odd kind each.

usage: make_corpus.py FOLDER      (tests/fuzz: corpus-safetensors/ and corpus-json/ are in the repository)
"""
import json
import pathlib
import struct
import sys


def safetensors(header, data=b"", pad=0):
    text = header if isinstance(header, str) else json.dumps(header, separators=(",", ":"))
    text = text.encode() + b" " * pad
    return struct.pack("<Q", len(text)) + text + data


def tensor(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


SAFETENSORS = {
    "empty": safetensors({}),
    "one": safetensors({"w": tensor("F32", [2], 0, 8)}, bytes(8)),
    "types": safetensors({"__metadata__": {"format": "pt"}, "a": tensor("BF16", [3], 0, 6), "b": tensor("F16", [1, 1], 6, 8),
                          "c": tensor("F32", [1, 2, 1], 8, 16), "none": tensor("F32", [0], 16, 16)}, bytes(16)),
    "unaligned": safetensors({"b": tensor("BF16", [1], 0, 2), "f": tensor("F32", [2], 2, 10)}, bytes(10), 3),
    "escapes": safetensors('{"\\u0077\\n\\"\\\\":{"dtype":"F16","shape":[],"data_offsets":[0,2]}}', bytes(2)),
    "duplicate": safetensors('{"w":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},'
                             '"w":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}', bytes(2)),
    "overlap": safetensors({"a": tensor("F32", [1], 0, 4), "b": tensor("F32", [1], 2, 6)}, bytes(6)),
    "huge": safetensors({"a": tensor("F32", [1 << 31, 1 << 31], 0, 4)}, bytes(4)),
}

KL = {"_class_name": "AutoencoderKL", "act_fn": "silu", "block_out_channels": [8, 16], "down_block_types":
      ["DownEncoderBlock2D"] * 2, "up_block_types": ["UpDecoderBlock2D"] * 2, "latent_channels": 4, "layers_per_block": 1,
      "norm_num_groups": 4, "scaling_factor": 0.18215, "shift_factor": None, "mid_block_add_attention": False,
      "use_quant_conv": True, "in_channels": 3, "out_channels": 3, "sample_size": 32}
JSON = {
    "unet": {"_class_name": "UNet2DConditionModel", "in_channels": 8, "out_channels": 4, "attention_head_dim": [2, 4],
             "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"], "block_out_channels": [8, 16],
             "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"], "mid_block_type": None, "norm_num_groups": 4,
             "cross_attention_dim": 16, "layers_per_block": [1, 2], "only_cross_attention": [True, False],
             "use_linear_projection": True, "norm_eps": 1e-5, "transformer_layers_per_block": 1},
    "kl": KL,
    "tiny": {"_class_name": "AutoencoderTiny", "encoder_block_out_channels": [8, 8], "decoder_block_out_channels": [8, 8],
             "num_encoder_blocks": [1, 1], "num_decoder_blocks": [1, 0], "latent_channels": 4, "act_fn": "relu"},
    "ddim": {"_class_name": "DDIMScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
             "num_train_timesteps": 1000, "prediction_type": "v_prediction", "rescale_betas_zero_snr": True},
    "cosine": {"beta_schedule": "squaredcos_cap_v2", "num_train_timesteps": 10, "prediction_type": "epsilon"},
    "trained": {"trained_betas": [0.1, 0.2, 0.3e-1], "num_train_timesteps": 3, "prediction_type": "sample"},
    "strings": {"_a\u00e9\U0001f600\n": "\\\"", "_b": [[[]], {}, True, False, None, -0.5e-3]},
}


def main():
    root = pathlib.Path(sys.argv[1])
    for name, data in SAFETENSORS.items():
        (root / "corpus-safetensors" / name).write_bytes(data)
    for name, value in JSON.items():
        (root / "corpus-json" / name).write_text(json.dumps(value, indent=1) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
