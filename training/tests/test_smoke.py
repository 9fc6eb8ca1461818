# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every stage for a few steps on generated images; the exported folder must load in diffusers.

    python tests/test_smoke.py LPIPS.safetensors        (from training/)
"""
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from PIL import Image
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

TRAINING = pathlib.Path(__file__).resolve().parent.parent


def run(stage, overrides):
    subprocess.run([sys.executable, "-m", "yonos_train", stage, "--config", "configs/smoke.toml", *overrides],
                   cwd=TRAINING, check=True)


def main(lpips):
    with tempfile.TemporaryDirectory() as work:
        images = pathlib.Path(work) / "images"
        images.mkdir()
        rng = np.random.default_rng(0)
        for i in range(3):
            small = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(small).resize((64, 64), Image.BICUBIC).save(images / f"{i}.png")
        overrides = [f"data={images}", f"lpips={lpips}", f"runs={work}/runs", f"export.folder={work}/model"]
        for stage in ("autoencoder", "direct", "decoder", "export"):
            run(stage, overrides)
        UNet2DConditionModel.from_pretrained(f"{work}/model", subfolder="unet")
        AutoencoderKL.from_pretrained(f"{work}/model", subfolder="vae")
        assert (pathlib.Path(work) / "model" / "scheduler" / "scheduler_config.json").exists()
    print("ok")


if __name__ == "__main__":
    main(sys.argv[1])
