#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Upscales a video as shares under GNU parallel, with retries, and joins them: see README.md.
#
#   sh parallel.sh INPUT OUTPUT SHARES JOBS [OPTIONS OF YONOS-UPSCALE...]
set -eu
if [ $# -lt 4 ]; then
  echo "usage: $0 INPUT OUTPUT SHARES JOBS [OPTIONS...]" >&2
  exit 2
fi
input=$1
output=$2
shares=$3
jobs=$4
shift 4
upscale=${YONOS_UPSCALE:-yonos-upscale}

# shellcheck disable=SC2086
seq "$shares" | parallel --retries 3 -j "$jobs" --quote ${YONOS_PARALLEL:-} \
  $upscale --quiet --segment "{}/$shares" "$@" "$input" "$output"
exec $upscale --join "$@" "$input" "$output"
