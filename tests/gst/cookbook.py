#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs every pipeline of docs/cookbook.md, and looks up every message of docs/troubleshooting.md in the sources.

usage: cookbook.py SOURCE-ROOT MODEL-FOLDER-PROGRAM
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

# What a machine without screen, loudspeaker and camera does instead.
STAND_INS = [
    ("autovideosink sync=false", "fakesink"),
    ("autovideosink", "fakesink"),
    ("autoaudiosink", "fakesink"),
    ("v4l2src", "videotestsrc is-live=true num-buffers=8 ! video/x-raw,width=32,height=24,framerate=25/1"),
]
MADE = re.compile(r"location=(\S+)")
LIMIT = 60  # seconds for one pipeline
# What tells afterwards where a pipeline hung: warnings, states, and what bins do with their elements' messages.
DEBUG = {"GST_DEBUG": "3,GST_STATES:4,bin:6", "GST_DEBUG_NO_COLOR": "1", "GST_DEBUG_FILE": "debug.log"}


def prepare(work):
    """in.mp4, in.png and frame-%04d.png."""
    video = "video/x-raw,format=I420,width=48,height=32,framerate=25/1"
    run(work, f"gst-launch-1.0 -q videotestsrc num-buffers=10 ! {video} ! x264enc ! h264parse ! queue ! m. "
              "audiotestsrc num-buffers=20 ! audioconvert ! avenc_aac ! queue ! m. mp4mux name=m ! filesink location=in.mp4")
    run(work, "gst-launch-1.0 -q videotestsrc num-buffers=1 ! video/x-raw,format=RGBA,width=48,height=32 ! pngenc "
              "! filesink location=in.png")
    run(work, "gst-launch-1.0 -q videotestsrc num-buffers=3 ! video/x-raw,format=RGB,width=48,height=32,framerate=25/1 "
              "! pngenc ! multifilesink location=frame-%04d.png")


def run(work, command):
    """Fails with what GStreamer did last when the command hangs."""
    debug = {} if "GST_DEBUG" in command else DEBUG
    pipeline = subprocess.Popen(["sh", "-ec", command], cwd=work, env=os.environ | debug, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                start_new_session=True)
    try:
        out, err = pipeline.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        os.killpg(pipeline.pid, signal.SIGKILL)
        out, err = pipeline.communicate()
        raise RuntimeError(f"hangs after {LIMIT} s\n{out[-1500:]}\n{err[-1500:]}\n{debug_tail(work)}") from None
    if pipeline.returncode != 0:
        raise RuntimeError(f"exit status {pipeline.returncode}\n{out[-1500:]}\n{err[-1500:]}")


def debug_tail(work, lines=60):
    path = os.path.join(work, DEBUG["GST_DEBUG_FILE"])
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8", errors="replace") as file:
        return "".join(line[:240].rstrip() + "\n" for line in file.readlines()[-lines:])


def check_files(work, command):
    """What the last sink of a recipe writes is there and not empty."""
    names = [n for n in MADE.findall(command) if not n.startswith(("in.", "frame-"))]
    for name in names:
        path = os.path.join(work, re.sub(r"%0(\d)d", lambda m: "0" * int(m.group(1)), name))
        if not os.path.exists(path) or os.path.getsize(path) < 50:
            raise RuntimeError(f"{name} was not written")


def cook(root, work):
    text = open(os.path.join(root, "docs", "cookbook.md"), encoding="utf-8").read()
    recipes = re.findall(r"```sh\n(.*?)```", text, flags=re.S)
    failed = 0
    for recipe in recipes:
        command = recipe
        for name, stand_in in STAND_INS:
            command = command.replace(name, stand_in)
        try:
            run(work, command)
            check_files(work, command)
        except RuntimeError as e:
            failed += 1
            print(f"FAILED:\n{command}\n{e}")
    print(f"{len(recipes)} pipelines, {failed} failed")
    return failed == 0 and len(recipes) >= 15


def look_up(root):
    """The messages in headings, `like this`, with ... for what changes, are written in the sources."""
    text = open(os.path.join(root, "docs", "troubleshooting.md"), encoding="utf-8").read()
    sources = ""
    for folder in ("gst-plugin", "engine", "cuda"):
        for place, _, files in os.walk(os.path.join(root, folder)):
            for name in files:
                if name.endswith((".c", ".h")):
                    sources += open(os.path.join(place, name), encoding="utf-8").read()
    sources = re.sub(r'"\s*\n?\s*"', "", sources)  # strings over several lines
    messages = re.findall(r"^### `(.*)`$", text, flags=re.M)
    missing = 0
    for message in messages:
        for part in message.split("..."):
            if part.strip() and part.strip() not in sources:
                missing += 1
                print(f"no source says: {part.strip()}")
    print(f"{len(messages)} messages, {missing} parts missing")
    return missing == 0 and len(messages) >= 8


def main():
    root, model_folder = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as work:
        models = os.path.join(work, "models")
        os.mkdir(models)
        subprocess.run([model_folder, models], check=True)
        os.environ["YONOS_MODELS_PATH"] = models
        if not shutil.which("gst-play-1.0"):
            print("gst-play-1.0 is not installed (gstreamer1.0-plugins-base-apps)")
            return 77
        prepare(work)
        ok = cook(root, work)
    return 0 if look_up(root) and ok else 1


if __name__ == "__main__":
    sys.exit(main())
