#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The job after the array job. See submit.sh.
set -eu
input=$1
output=$2
shift 2
exec ${YONOS_UPSCALE:-yonos-upscale} --join "$@" "$input" "$output"
