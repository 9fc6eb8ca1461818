#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs a bundle (bundle.sh) on a machine that has the driver, CUDA's libraries, installed or in Python packages, and
# Python, better with PyTorch. Writes report/report.json and report/report.md beside this file, or into the folder given.
#
#   run.sh [REPORT-FOLDER] [--quick]      exit status: 0 all passed, 1 something failed, 77 there was no GPU to test
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=$(command -v python3 || true)
[ -n "$python" ] || { echo "run.sh: skipped: there is no python3"; exit 77; }
[ -d "$here/lib" ] || "$python" -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' \
  "$here/lib.tar.xz" "$here"

# cuDNN and cuBLASLt of Python packages, behind what the system and LD_LIBRARY_PATH have.
packages=$("$python" -c '
import glob, os, site, sys
roots = set(site.getsitepackages() + [site.getusersitepackages()] + sys.path)
wanted = {os.path.dirname(p) for r in roots for n in ("libcudnn.so.9", "libcublasLt.so.1*", "libnvrtc.so.1*")
          for p in glob.glob(os.path.join(r, "nvidia", "*", "lib", n))}
print(":".join(sorted(wanted)))' 2>/dev/null || true)
export LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}${packages:+:$packages}"
export YONOS_MODULES_PATH="$here/lib" YONOS_MODELS_PATH="$here/models"
export GST_PLUGIN_PATH="$here/plugins" GST_PLUGIN_SYSTEM_PATH="$here/plugins" GST_PLUGIN_SCANNER="$here/bin/gst-plugin-scanner"
export PATH="$here/bin:$PATH"
exec "$python" "$here/run.py" "$here" "$@"
