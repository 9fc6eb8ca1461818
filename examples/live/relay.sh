#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A live stream in, upscaled, out as HLS (FOLDER/live.m3u8 for a web server) and SRT.
#
#   sh relay.sh rtsp://CAMERA/STREAM FOLDER SRT-PORT [keep-all]
#
# Frames that come faster than they can be upscaled are dropped before the element, late ones are resampled without
# the networks: the stream stays live. keep-all waits instead, for sources that end.
set -eu
if [ $# -lt 3 ]; then
  echo "usage: $0 RTSP-URI FOLDER SRT-PORT [keep-all]" >&2
  exit 2
fi
uri=$1
folder=$2
port=$3
mkdir -p "$folder"
if [ "${4:-}" = keep-all ]; then
  scale="queue ! yonossr qos=false steadiness=0.9"
else
  scale="queue leaky=downstream max-size-buffers=2 ! yonossr late-policy=fast steadiness=0.9"
fi

# shellcheck disable=SC2086
exec gst-launch-1.0 -q -e rtspsrc location="$uri" latency=100 protocols=tcp ! rtph264depay ! h264parse ! decodebin \
  ! videoconvert ! $scale ! videoconvert ! video/x-raw,format=I420 \
  ! x264enc tune=zerolatency speed-preset=veryfast key-int-max=25 ! h264parse config-interval=1 ! tee name=t \
  t. ! queue ! hlssink2 playlist-location="$folder/live.m3u8" location="$folder/live-%05d.ts" target-duration=2 \
  max-files=0 playlist-length=0 \
  t. ! queue ! mpegtsmux alignment=7 ! srtsink uri="srt://:$port?mode=listener" wait-for-connection=false sync=false
