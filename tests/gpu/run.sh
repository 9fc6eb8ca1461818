#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs a bundle (bundle.sh) on a machine that has the driver, CUDA's libraries, installed or in Python packages, and
# Python 3.11 or later, better with PyTorch. Options: run.sh --help. Packages that Python lacks there may stand in
# python/ beside this file, unpacked.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=$(command -v python3 || true)
[ -n "$python" ] || { echo "run.sh: skipped: there is no python3"; exit 77; }
export PYTHONPATH="$here/python${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
exec "$python" "$here/run.py" "$@"
