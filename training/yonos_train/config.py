# SPDX-License-Identifier: LGPL-2.1-or-later
"""Configurations: the defaults below, a TOML file over them, key=value overrides over both."""
import copy
import tomllib

# Every key there is, so that a misspelt one is an error. None: no value unless the file or the command line gives one.
_STAGE = {
    "init": None,           # a model folder that the stage starts from; it stands for the stage until that has run
    "minutes": None,        # length of the stage by the clock, or
    "steps": None,          # in optimiser steps: then the run repeats bit by bit on one machine
    "stop_at": None,        # end this run there, to go on later; in the unit of the length
    "optimizer": "adamw",   # or muon: fewer steps for the same result (docs/models.md)
    "learning_rate": 1e-3,  # of AdamW; Muon's own follows from it
}
_UNET = {
    "last_share": 0.5,      # of the draws of t that are at 999, where inference is
    "loss_weight": "clean",  # w(lambda_t): clean, truncated-snr or velocity (diffusion.py)
    "cached": 0,            # train on that many samples, whose latents are made once; 0: new samples all the time
}
DEFAULTS = {
    "name": None, "scale": None, "seed": 0,
    "device": "auto",       # GPUs where there are any; or cpu
    "threads": 2,           # of PyTorch on the CPU
    "workers": 0,           # processes that prepare batches; 0: the training process does it
    "pool": 0,              # train on that many samples, made once and kept on the device; 0: new samples all the time
    "bf16": True,           # autocast
    "compile": True,        # torch.compile
    "crop": 128,            # side of the HR crops
    "batch": 8,             # of one process, and one micro-batch
    "accumulate": 1,        # micro-batches per optimiser step
    "gradient_checkpointing": False,  # of the U-Net: less memory for a third more time
    # More than 0: the U-Net predicts what z_l lacks, and this is its standard deviation, about sqrt(mse of z_l to z_h).
    "residual": 0.0,
    "prediction_type": "v_prediction",  # what the U-Net predicts; epsilon to go on from a model that predicts noise
    "ema": 0.999,           # decay of the averaged weights, which are what later stages use
    "runs": "runs",         # checkpoints go to RUNS/NAME/
    "save_every": 120,      # seconds between checkpoints and sample sheets
    "checkpoint_part_mib": None,  # split checkpoints into parts of at most this size
    "data": None,           # folder of images and videos, or a list of folders
    "listing": None,        # text file in it that names those to use
    "held_out": None,       # folder of images that are not trained on: their figures are shown at every checkpoint
    "soft": 0.0,            # share of originals that are softened first, as much video is (degrade.py)
    # How low-resolution images are made: shares of the kinds, any numbers; crf bounds H.264's quality, grain the standard
    # deviation (in 1/255) of noise that each frame has of its own.
    "degradation": {"bicubic": 1.0, "h264": 0.0, "second_order": 0.0, "second_order_h264": 0.0, "crf": [18, 36],
                    "grain": 0.0},
    "colour_fix": "back-projection",  # of training and of the exported model; or none
    "lpips": None,          # safetensors file of LPIPS weights
    # lr_share: of a batch that is low-resolution images upsampled to the full size, which the U-Net sees encoded.
    # blocks: with numbers of residual blocks at each level, from its input on, an AutoencoderTiny, whose widths are all
    # the same; without, an AutoencoderKL.
    "autoencoder": _STAGE | {
        "widths": None, "latent_channels": None, "groups": 8, "blocks": {"encoder": [], "decoder": []},
        "lpips_weight": 0.3, "lr_share": 0.0},
    "unet": {"widths": None, "groups": 16},
    "direct": _STAGE | _UNET,
    "distill": _STAGE | _UNET | {"teacher": None},  # a model folder of half the magnification
    "decoder": _STAGE | {
        "lpips_weight": 0.5,
        "chroma_weight": 0.0,    # of Cb's and Cr's error, which LPIPS hardly sees
        "unfixed_weight": 0.0,   # of the L1 of what the decoder gives before the colour fix, which else may drift
        "gan_weight": 0.0, "gan_width": 32, "gan_learning_rate": 4e-4,
        "temporal_weight": 0.0,  # more than 0 takes pairs of frames and about twice the time
        "train_unet": False,     # tune the U-Net with the decoder; kept as decoder-and-unet
        "unet": True,            # false: without the one step, to compare with; kept as decoder-no-unet
    },
    "export": {"folder": None, "licence": None, "training": None, "dtype": "float16"},
    "evaluate": {
        "sets": [],         # folders of originals; LR by Pillow's bicubic
        "pairs": [],        # folders with gt/ and lq/
        "clips": [],        # videos; LR by bicubic, and
        "crf": [],          # once more for each of these qualities, through H.264
        "frames": 24,       # of a clip
        "work": None,       # where pictures and figures go
        "element": None,    # gst-launch description of the element, or several as a table of
        "systems": {},      # name = description
        "folders": {},      # other programs' results: name = folder with SET/NAME.png
    },
    "ablate": {
        "degradations": ["bicubic", "second_order"], "seeds": [1, 2, 3], "scales": [4],
        "unet_steps": None,     # of the x2 U-Net, and of each distillation
        "decoder_steps": None,
        "ddim_steps": [1, 4, 16, 64, 200],
        "images": None,         # folder of the evaluation's images
        "crops": 64, "crop": 128,
        "report": "../docs/paper-claims.md",
        "config_name": None,    # as the report's command names it
    },
}


def read_config(path, overrides=()):
    """The defaults with the file's values and every `a.b=value` of `overrides` put in; values are TOML, else text."""
    with open(path, "rb") as file:
        given = tomllib.load(file)
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise SystemExit(f"{override}: an override is key=value")
        *tables, last = key.split(".")
        table = given
        for name in tables:
            table = table.setdefault(name, {})
        try:
            table[last] = tomllib.loads(f"x = {text}")["x"]
        except tomllib.TOMLDecodeError:
            table[last] = text
    return _merged(DEFAULTS, given, str(path))


def _merged(defaults, given, where):
    result = copy.deepcopy(defaults)
    for key, value in given.items():
        if key not in defaults:
            raise SystemExit(f"{where}: no key {key!r}; there are {', '.join(defaults)}")
        if isinstance(defaults[key], dict) and defaults[key]:  # an empty one takes any names
            if not isinstance(value, dict):
                raise SystemExit(f"{where}: {key} is a table, [{key}]")
            value = _merged(defaults[key], value, f"{where}, [{key}]")
        result[key] = value
    return result


def needed(config, key):
    """The value of `a.b`, which must have been given."""
    value = config
    for name in key.split("."):
        value = value[name]
    if value is None:
        raise SystemExit(f"{key} is missing: set it in the config or on the command line, {key}=VALUE")
    return value


def scheduled(value, position):
    """A weight that is one number, or a list of [from, weight] in the unit of the stage's length (minutes or steps)."""
    if not isinstance(value, list):
        return value
    weight = 0.0
    for begin, later in value:
        if position >= begin:
            weight = later
    return weight
