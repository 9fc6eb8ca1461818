#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The test of frames in CUDA memory with a tiny model and small frames, two tiles each; under the leaks tracer.
#
#   memory.sh CUDA-MEMORY-PROGRAM MODEL-FOLDER-PROGRAM
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$2" "$work"
status=0
GST_TRACERS=leaks GST_DEBUG=GST_TRACER:7 "$1" "$work/yonos-lite-x2" 36 6 >"$work/log" 2>&1 || status=$?
grep -Ev 'GST_TRACER' "$work/log" || true
[ "$status" = 0 ] || exit "$status"
if grep -Eq 'object-alive, type-name=\(string\)[^%]' "$work/log"; then
  grep -E 'object-alive, type-name=' "$work/log"
  exit 1
fi
