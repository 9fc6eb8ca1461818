#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A file to a file, sound kept, as one gst-launch line. yonos-upscale does this with resume, subtitles and tags.
#
#   sh file.sh INPUT OUTPUT.mp4
set -eu
exec gst-launch-1.0 -q filesrc location="$1" ! decodebin name=d \
  d. ! queue ! videoconvert ! yonossr qos=false ! progressreport ! videoconvert ! video/x-raw,format=I420 \
  ! x264enc ! h264parse ! queue ! m. \
  d. ! queue ! audioconvert ! audioresample ! avenc_aac ! aacparse ! queue ! m. \
  mp4mux name=m ! filesink location="$2"
