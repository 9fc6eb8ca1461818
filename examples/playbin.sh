#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Watches a file: playbin with yonossr as its video filter. player.c adds keys.
#
#   sh playbin.sh FILE [VIDEO-SINK [AUDIO-SINK]]
set -eu
if [ $# -lt 1 ]; then
  echo "usage: $0 FILE [VIDEO-SINK [AUDIO-SINK]]" >&2
  exit 2
fi
# Blanks, # and % in a name are escaped in its URI; so is every other byte here, but for the slashes.
path=$(printf %s "$(realpath "$1")" | od -An -v -tx1 | tr -d ' \n' | sed 's/../%&/g; s:%2f:/:g')
exec gst-launch-1.0 -q playbin uri="file://$path" video-filter="yonossr late-policy=fast steadiness=0.9" \
  video-sink="${2:-autovideosink}" audio-sink="${3:-autoaudiosink}"
