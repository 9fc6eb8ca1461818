#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Where the time goes between decoder and sink: the latency tracer's figures for each element, as a table in ms.
#
#   sh latency.sh FILE [PROPERTIES OF YONOSSR...]
set -eu
file=$1
shift
log=$(mktemp)
trap 'rm -f "$log"' EXIT
GST_TRACERS="latency(flags=element)" GST_DEBUG=GST_TRACER:7 GST_DEBUG_NO_COLOR=1 GST_DEBUG_FILE=$log \
  gst-launch-1.0 -q filesrc location="$file" ! decodebin ! videoconvert ! yonossr qos=false "$@" ! videoconvert \
  ! video/x-raw,format=I420 ! fakesink sync=false

printf '%-24s %8s %10s %10s\n' element frames 'mean ms' 'max ms'
sed -n 's/.*element-latency,.* element=(string)\([^%,]*\),.* time=(guint64)\([0-9]*\).*/\1 \2/p' "$log" | awk '
  { n[$1]++; sum[$1] += $2; if ($2 > max[$1]) max[$1] = $2 }
  END { for (e in n) printf "%-24s %8d %10.3f %10.3f\n", e, n[e], sum[e] / n[e] / 1e6, max[e] / 1e6 }' | sort
