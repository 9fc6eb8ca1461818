#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Bundles this build and runs the bundle from another place: test.sh BUILD-FOLDER BUNDLE-FOLDER
# The result is run.sh's, but where a report is missing or a skipped step has no reason, it is a failure.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
sh "$here/bundle.sh" "$1" "$2"
rm -rf "$2-moved"
cp -r "$2" "$2-moved"
result=0
(cd / && env -u YONOS_MODULES_PATH -u GST_PLUGIN_PATH sh "$2-moved/run.sh" "$2-moved/report" --quick) || result=$?
python3 - "$2-moved/report" <<'EOF'
import json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
steps = json.loads((folder / "report.json").read_text())["steps"]
assert len(steps) > 20 and "| machine | passed |" in (folder / "report.md").read_text()
assert all(s.get("reason") for s in steps if s["status"] != "passed")
EOF
rm -rf "$2-moved"
exit "$result"
