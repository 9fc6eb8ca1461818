# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the GStreamer element over PNG files, lossless, as a user would: gst-launch-1.0."""
import re
import shlex
import subprocess

_FPS = re.compile(r"yonossr-stats.*\bfps=\(double\)([0-9.e+-]+)")


def _launch(*line):
    done = subprocess.run(["gst-launch-1.0", "-m", *line], text=True, capture_output=True)
    if done.returncode:
        raise SystemExit(f"gst-launch-1.0 {shlex.join(line)}: {done.stderr.strip() or done.stdout[-500:]}")
    return done.stdout


def upscale_images(element, paths, folder):
    """FOLDER/NAME.png for each path, each as frame 0 of a stream of its own."""
    for path in paths:
        _launch("filesrc", f"location={path}", "!", "pngdec", "!", "videoconvert", "!", "video/x-raw,format=RGB", "!",
                *shlex.split(element), "!", "pngenc", "!", "filesink", f"location={folder / path.name}")


def upscale_clip(element, source, folder):
    """FOLDER/%05d.png of SOURCE/%05d.png as one stream; frames per second of the element, None if it does not tell."""
    told = _launch("multifilesrc", f"location={source}/%05d.png", "caps=image/png,framerate=25/1", "!", "pngdec", "!",
                   "videoconvert", "!", "video/x-raw,format=RGB", "!", *shlex.split(element),
                   *(["stats-interval=1"] if element.split()[0] == "yonossr" else []), "!",
                   "pngenc", "!", "multifilesink", f"location={folder}/%05d.png")
    rates = _FPS.findall(told)
    return float(rates[-1]) if rates else None
