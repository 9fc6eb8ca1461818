#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Makes the Python environment of the training package and keeps it at requirements.txt (5.5 GB, because PyPI's PyTorch
# brings CUDA). Prints its interpreter's path.
#
#   sh training/install.sh              installs what is missing
#   sh training/install.sh --print      only prints the path
set -eu
requirements=$(dirname "$0")/requirements.txt
folder=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/yonossr/training
if [ "${1:-}" != --print ] && ! cmp -s "$requirements" "$folder/installed.txt"; then
  [ -x "$folder/bin/python" ] || python3 -m venv --clear "$folder" >&2
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements" >&2
  cp "$requirements" "$folder/installed.txt"
fi
echo "$folder/bin/python"
