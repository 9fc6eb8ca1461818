# SPDX-License-Identifier: LGPL-2.1-or-later
"""A Stable Diffusion folder with small random networks: cross-attention, the mid block's, an autoencoder with attention
and quantisation convolutions, v-prediction as in SD 2.1."""
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

CONTEXT = 16


def write_tiny_sd(folder):
    torch.manual_seed(4)
    UNet2DConditionModel(
        sample_size=8, in_channels=4, out_channels=4, block_out_channels=(32, 64), layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=CONTEXT, attention_head_dim=4, norm_num_groups=8, use_linear_projection=True,
    ).save_pretrained(folder / "unet")
    AutoencoderKL(
        block_out_channels=(16, 16, 32, 32), down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4, layers_per_block=1, latent_channels=4, norm_num_groups=8,
        scaling_factor=0.18215,
    ).save_pretrained(folder / "vae")
    DDIMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, prediction_type="v_prediction",
                  clip_sample=False).save_pretrained(folder / "scheduler")
    save_file({"prompt_embeds": torch.randn(1, 77, CONTEXT)}, folder / "prompt_embeds.safetensors")


def write_text_encoder(folder):
    """text_encoder/ and tokenizer/ of a vocabulary of three."""
    torch.manual_seed(5)
    CLIPTextModel(CLIPTextConfig(
        vocab_size=3, hidden_size=CONTEXT, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=77, bos_token_id=0, eos_token_id=1)).save_pretrained(folder / "text_encoder")
    vocabulary = {"<|startoftext|>": 0, "<|endoftext|>": 1, "a</w>": 2}
    CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77).save_pretrained(folder / "tokenizer")
