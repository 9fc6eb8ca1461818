#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""examples/cluster: the joined result of shares, one of which is killed on the way, is that of a single run.

usage: cluster.py SOURCE-ROOT PROGRAM MODEL-FOLDER-PROGRAM slurm|parallel

slurm starts a Slurm of one node for itself and ends it. 77 (skipped) where Slurm or GNU parallel is not installed.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

LIMIT = 120  # seconds for the whole of the jobs
SHARES = 4
# Kills itself at the first try of the second share.
WRAPPER = """#!/bin/sh
case "$*" in
*"--segment 2/4"*)
  if [ ! -e {work}/killed ]; then
    touch {work}/killed
    {program} --threads=1 "$@" &
    sleep 0.2
    kill -KILL $!
    wait $!
    exit
  fi ;;
esac
exec {program} --threads=1 "$@"
"""


def run(work, *command):
    return subprocess.run(command, cwd=work, check=True, timeout=LIMIT, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True).stdout


def prepare(work, program, model_folder):
    os.mkdir(f"{work}/models")
    run(work, model_folder, f"{work}/models")
    os.environ["YONOS_MODELS_PATH"] = f"{work}/models"
    os.environ["YONOS_UPSCALE"] = f"{work}/upscale.sh"
    with open(f"{work}/upscale.sh", "w", encoding="utf-8") as file:
        file.write(WRAPPER.format(work=work, program=program))
    os.chmod(f"{work}/upscale.sh", 0o755)
    run(work, "sh", "-ec",
        "gst-launch-1.0 -q videotestsrc pattern=ball num-buffers=250 ! video/x-raw,width=48,height=32,framerate=25/1 "
        "! x264enc key-int-max=40 ! h264parse ! queue ! m. audiotestsrc num-buffers=430 ! audioconvert ! avenc_aac "
        "! queue ! m. mp4mux name=m ! filesink location=in.mp4")
    run(work, program, "--threads=1", "--quiet", "in.mp4", "whole.mp4")


def with_slurm(work, examples):
    node = f"{work}/node"
    os.mkdir(node)
    os.environ["SLURM_CONF"] = f"{node}/slurm.conf"
    try:
        run(work, "sh", f"{examples}/slurm-node.sh", node, "start")
        array, join = run(work, "sh", f"{examples}/submit.sh", "in.mp4", "out.mp4", str(SHARES)).split()
        print(f"array job {array}, joining job {join}")
        end = time.monotonic() + LIMIT
        while run(work, "squeue", "--noheader") and time.monotonic() < end:
            time.sleep(0.5)
        print(run(work, "sh", "-c", "tail -n 3 yonos-*.log"))
    finally:
        run(work, "sh", f"{examples}/slurm-node.sh", node, "stop")


def with_parallel(work, examples):
    run(work, "sh", f"{examples}/parallel.sh", "in.mp4", "out.mp4", str(SHARES), "2")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def main():
    root, program, model_folder, kind = sys.argv[1:5]
    needed = {"slurm": ["slurmctld", "slurmd", "munged", "sbatch"], "parallel": ["parallel"]}[kind]
    os.environ["PATH"] += ":/usr/sbin"
    missing = [n for n in needed if not shutil.which(n)]
    if missing:
        print("not installed:", *missing)
        return 77
    with tempfile.TemporaryDirectory() as work:
        prepare(work, os.path.abspath(program), os.path.abspath(model_folder))
        (with_slurm if kind == "slurm" else with_parallel)(work, os.path.join(root, "examples", "cluster"))
        alike = os.path.exists(f"{work}/out.mp4") and read(f"{work}/out.mp4") == read(f"{work}/whole.mp4")
        killed = os.path.exists(f"{work}/killed")
        tidy = not os.path.exists(f"{work}/out.mp4.parts")
    print(f"{SHARES} shares, one killed: {killed}; the same bytes as one run: {alike}; parts removed: {tidy}")
    return 0 if alike and killed and tidy else 1


if __name__ == "__main__":
    sys.exit(main())
