#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Where the time goes between decoder and sink, as a table in ms: from a buffer's arrival at an element to that of its
# result at the next one. By GStreamer's stats tracer: under its latency tracer every pipeline of 1.26.2, Debian 13's,
# hangs.
#
#   sh latency.sh FILE [PROPERTIES OF YONOSSR...]
set -eu
if [ $# -lt 1 ]; then
  echo "usage: $0 FILE [PROPERTIES OF YONOSSR...]" >&2
  exit 2
fi
file=$1
shift
log=$(mktemp)
trap 'rm -f "$log"' EXIT
GST_TRACERS=stats GST_DEBUG=GST_TRACER:7 GST_DEBUG_NO_COLOR=1 GST_DEBUG_FILE=$log \
  gst-launch-1.0 -q filesrc location="$file" ! decodebin ! videoconvert ! yonossr qos=false "$@" ! videoconvert \
  ! video/x-raw,format=I420 ! fakesink sync=false

printf '%-24s %8s %10s %10s\n' element frames 'mean ms' 'max ms'
# "name number" of each element that is no bin; "- time from to" of each buffer that one element gives another.
element='ix=(uint)\([0-9]*\), parent-ix.* name=(string)\([^,]*\),.* is-bin=(boolean)0;'
buffer='ts=(guint64)\([0-9]*\),.* element-ix=(uint)\([0-9]*\),.* peer-element-ix=(uint)\([0-9]*\),'
sed -n "s/.* new-element, .* $element.*/\\2 \\1/p; s/.* buffer, .* $buffer.*/- \\1 \\2 \\3/p" "$log" | awk '
  $1 != "-" { name[$2] = $1; next }
  $3 in arrival { t = $2 - arrival[$3]; delete arrival[$3]; n[$3]++; sum[$3] += t; if (t > max[$3]) max[$3] = t }
  { arrival[$4] = $2 }
  END { for (e in n) if (e in name) printf "%-24s %8d %10.3f %10.3f\n", name[e], n[e], sum[e] / n[e] / 1e6, max[e] / 1e6
  }' | sort
