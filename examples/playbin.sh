#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Watches a file: playbin with yonossr as its video filter. player.c adds keys.
#
#   sh playbin.sh FILE [VIDEO-SINK [AUDIO-SINK]]
set -eu
exec gst-launch-1.0 -q playbin uri="file://$(realpath "$1")" video-filter="yonossr late-policy=fast" \
  video-sink="${2:-autovideosink}" audio-sink="${3:-autoaudiosink}"
