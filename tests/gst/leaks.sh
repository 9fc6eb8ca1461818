#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The element's test programs under the leaks tracer, without filters: no object of GStreamer may be alive at the end.
set -eu
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for program in "$@"; do
  "$program" >"$log" 2>&1 || { tail -50 "$log"; exit 1; }
  grep -q 'object-alive' "$log" || { echo "the leaks tracer is not there"; exit 77; }
  if grep -Eq 'object-alive, type-name=\(string\)[^%]' "$log"; then
    grep -E 'object-alive, type-name=' "$log"
    exit 1
  fi
  echo "$(basename "$program"): no object is left alive"
done
