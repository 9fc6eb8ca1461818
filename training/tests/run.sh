#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs the training package's tests with $YONOS_TRAINING_PYTHON, else the environment that training/install.sh made,
# else python3.
set -eu
folder=$(dirname "$0")
python=${YONOS_TRAINING_PYTHON:-$(sh "$folder/../install.sh" --print)}
[ -x "$python" ] || python=python3
exec "$python" "$folder/run.py" "$@"
