#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The bundled clip through the shipped model as a user would do it: same number of frames, exactly twice the size.
set -eu
clip=$1/examples/media/bbb_320x180.mp4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# frames FILE WIDTH HEIGHT: how many frames of just this size a file decodes to
frames() {
  rm -f "$work"/frame-*
  gst-launch-1.0 -q filesrc location="$1" ! decodebin ! videoconvert ! "video/x-raw,format=GRAY8,width=$2,height=$3" \
    ! multifilesink location="$work/frame-%04d"
  size=$(wc -c <"$work/frame-0000")
  [ "$size" = $(($2 * $3)) ] || echo "a frame has $size bytes" >&2
  ls "$work" | grep -c '^frame-'
}

gst-launch-1.0 -q filesrc location="$clip" ! decodebin ! videoconvert ! yonossr ! videoconvert \
  ! x264enc speed-preset=ultrafast ! mp4mux ! filesink location="$work/out.mp4"
before=$(frames "$clip" 320 180)
after=$(frames "$work/out.mp4" 640 360)
[ "$before" = "$after" ] || { echo "$after frames came out of $before"; exit 1; }
echo "$after frames"
