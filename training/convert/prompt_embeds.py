# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes prompt_embeds.safetensors, the fixed prompt's embedding, into a Stable Diffusion folder.

    python -m convert.prompt_embeds FOLDER [--prompt ""]

Needs the package transformers, and FOLDER's tokenizer and text_encoder.
"""
import argparse
import pathlib
import shutil

import torch
from safetensors.torch import save_file

from yonos_train.networks import PROMPT


def embed(folder, prompt):
    """(1, tokens, dim), as Stable Diffusion pipelines make it: padded to the tokenizer's length."""
    try:
        from transformers import CLIPTextModel, CLIPTokenizer
    except ImportError as missing:
        raise SystemExit("pip install transformers, which reads the text encoder") from missing
    tokenizer = CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer")
    encoder = CLIPTextModel.from_pretrained(folder, subfolder="text_encoder")
    tokens = tokenizer(prompt, padding="max_length", max_length=tokenizer.model_max_length, truncation=True,
                       return_tensors="pt")
    with torch.no_grad():
        return encoder(tokens.input_ids)[0].float()


def write_prompt_embeds(base, folder, prompt):
    """Into `folder`: BASE's own file where there is one, else by BASE's text encoder; nothing where it has none."""
    base, folder = pathlib.Path(base), pathlib.Path(folder)
    if (base / PROMPT).exists():
        if base != folder:
            shutil.copyfile(base / PROMPT, folder / PROMPT)
    elif (base / "text_encoder").exists():
        save_file({"prompt_embeds": embed(base, prompt).contiguous()}, folder / PROMPT)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m convert.prompt_embeds", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--prompt", default="")
    options = parser.parse_args(arguments)
    if not (options.folder / "text_encoder").exists():
        raise SystemExit(f"{options.folder}: no text_encoder in it")
    save_file({"prompt_embeds": embed(options.folder, options.prompt).contiguous()}, options.folder / PROMPT)
    print(options.folder / PROMPT)


if __name__ == "__main__":
    main()
