#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Upscales a video as a Slurm array job and joins the shares: see README.md.
#
#   sh submit.sh INPUT OUTPUT SHARES [OPTIONS OF YONOS-UPSCALE...]
#
# Prints the numbers of the array job and of the joining job. Logs: yonos-*.log in the current folder.
set -eu
if [ $# -lt 3 ]; then
  echo "usage: $0 INPUT OUTPUT SHARES [OPTIONS...]" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
input=$1
output=$2
shares=$3
shift 3

array=$(sbatch --parsable --requeue --job-name=yonos-share --output=yonos-share-%a.log --array="1-$shares" \
  "$here/share.sh" "$input" "$output" "$@")
# A joining job whose shares failed for good would wait forever: kill-on-invalid-dep ends it.
join=$(sbatch --parsable --job-name=yonos-join --output=yonos-join.log --dependency="afterok:$array" \
  --kill-on-invalid-dep=yes "$here/join.sh" "$input" "$output" "$@")
echo "$array $join"
