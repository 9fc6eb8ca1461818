#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Makes the Python environment of the training package, once for each version of requirements.txt (5.5 GB, because
# PyPI's PyTorch brings CUDA), and prints its interpreter's path.
#
#   sh training/install.sh              installs what is missing
#   sh training/install.sh --print      only prints the path
set -eu
requirements=$(dirname "$0")/requirements.txt
version=$(cksum <"$requirements" | cut -d ' ' -f 1)
folder=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/yonossr/training-$version
if [ "${1:-}" != --print ] && [ ! -f "$folder/complete" ]; then
  python3 -m venv --clear "$folder" >&2
  "$folder/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements" >&2
  touch "$folder/complete"
fi
echo "$folder/bin/python"
