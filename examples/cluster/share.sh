#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# One task of the array job: share SLURM_ARRAY_TASK_ID of SLURM_ARRAY_TASK_COUNT, with retries. See submit.sh.
set -eu
input=$1
output=$2
shift 2
share=$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT

for try in 1 2 3; do
  status=0
  ${YONOS_UPSCALE:-yonos-upscale} --segment "$share" "$@" "$input" "$output" || status=$?
  case $status in
  0) exit 0 ;;
  # The command line, the input, another job's parts, the model: a retry would end the same way.
  2 | 3 | 5 | 6) break ;;
  esac
  echo "share $share, try $try: status $status" >&2
done
exit "$status"
