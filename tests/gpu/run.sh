#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs a bundle (bundle.sh) on a machine that has the driver, CUDA's libraries, installed or in Python packages, and
# Python 3.11 or later, better with PyTorch. Options: run.sh --help. What Python lacks there can stand as wheels
# without compiled parts in python/ beside this file.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=$(command -v python3 || true)
[ -n "$python" ] || { echo "run.sh: skipped: there is no python3"; exit 77; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  { echo "run.sh: skipped: $("$python" -V) is too old, 3.11 is needed"; exit 77; }
export PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
exec "$python" "$here/run.py" "$@"
