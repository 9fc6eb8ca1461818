# SPDX-License-Identifier: LGPL-2.1-or-later
"""python -m yonos_train STAGE --config FILE [key=value ...]"""
import argparse
import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # a machine that also does other things

import torch  # noqa: E402

from . import ablate, autoencoder, devices, diffusion, evaluate, export  # noqa: E402
from .config import read_config  # noqa: E402

STAGES = {
    "autoencoder": autoencoder.autoencoder,
    "direct": diffusion.direct,
    "distill": diffusion.distill,
    "decoder": autoencoder.decoder,
    "export": export.export,
    "ablate": ablate.ablate,
    "make-lr": evaluate.make_lr,
    "evaluate": evaluate.evaluate,
}


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="yonos_train", description=__doc__)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--config", required=True, help="a TOML file of training/configs")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="e.g. decoder.minutes=5 data=/path")
    arguments = parser.parse_intermixed_args(arguments)
    config = read_config(arguments.config, arguments.overrides)
    devices.start(config["device"])
    torch.manual_seed(config["seed"])
    torch.set_num_threads(config["threads"])
    STAGES[arguments.stage](config)


if __name__ == "__main__":
    main()
