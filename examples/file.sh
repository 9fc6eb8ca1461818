#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A file to a file, sound kept where there is any, as one gst-launch line. yonos-upscale does this with resume, subtitles
# and tags.
#
#   sh file.sh INPUT OUTPUT.mp4
set -eu
if [ $# -ne 2 ]; then
  echo "usage: $0 INPUT OUTPUT.mp4" >&2
  exit 2
fi
# mp4mux would wait for ever for sound that does not come.
sound=
if gst-discoverer-1.0 "$1" | grep -q '^ *audio'; then
  sound="d. ! queue ! audioconvert ! audioresample ! avenc_aac ! aacparse ! queue ! m."
fi
# shellcheck disable=SC2086
exec gst-launch-1.0 -q filesrc location="$1" ! decodebin name=d \
  d. ! queue ! videoconvert ! yonossr qos=false steadiness=0.9 ! progressreport ! videoconvert \
  ! video/x-raw,format=I420 ! x264enc ! h264parse ! queue ! m. \
  mp4mux name=m ! filesink location="$2" $sound
