#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The element's test program under the leaks tracer: no object of GStreamer may be alive at its end.
set -eu
log=$(mktemp)
trap 'rm -f "$log"' EXIT
"$1" -p /element/states -p /element/seek >"$log" 2>&1 || { cat "$log"; exit 1; }
if grep -Eq 'object-alive, type-name=\(string\)[^%]' "$log"; then
  grep -E 'object-alive, type-name=' "$log"
  exit 1
fi
echo "no object is left alive"
