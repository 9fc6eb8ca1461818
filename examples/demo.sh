#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Upscales a clip with the default model: installs what is missing, builds, and writes
# examples/out/NAME-x2.mp4 and a before/after picture of one frame.
#
#   sh examples/demo.sh [FILE]        without FILE, the bundled clip
#
# $BUILD is the build folder (default: build), $OUT that of the results (default: examples/out).
set -eu

input=${1:-}
case "$input" in
"" | /*) ;;
*) input=$(pwd)/$input ;;
esac
cd "$(dirname "$0")/.."
root=$(pwd)
input=${input:-$root/examples/media/bbb_320x180.mp4}
if [ ! -r "$input" ]; then
  echo "$input: cannot be read" >&2
  exit 1
fi

sh tools/install-deps.sh demo
build=${BUILD:-$root/build}
[ -f "$build/build.ninja" ] || meson setup "$build"
meson compile -C "$build"

# Uninstalled use: what `meson devenv -C build` sets.
export GST_PLUGIN_PATH="$build/gst-plugin${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}"
export YONOS_MODELS_PATH="$root/models"

out=${OUT:-$root/examples/out}
name=$(basename "$input")
video=$out/${name%.*}-x2.mp4
picture=$out/${name%.*}-before-after.png
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

about=$(gst-discoverer-1.0 "$input")
width=$(echo "$about" | sed -n 's/^ *Width: *//p' | head -n 1)
height=$(echo "$about" | sed -n 's/^ *Height: *//p' | head -n 1)
if [ -z "$width" ] || [ -z "$height" ]; then
  echo "$input: no video in it" >&2
  exit 1
fi
sound=
if echo "$about" | grep -q '^ *audio'; then
  sound="d. ! queue ! audioconvert ! audioresample ! avenc_aac ! aacparse ! mux."
fi

echo "Upscaling $width x $height to $((2 * width)) x $((2 * height)):"
# shellcheck disable=SC2086
gst-launch-1.0 filesrc location="$input" ! decodebin name=d \
  d. ! queue ! videoconvert ! yonossr steadiness=0.9 ! progressreport name=upscaled update-freq=2 ! videoconvert \
  ! x264enc speed-preset=fast quantizer=18 pass=quant ! h264parse ! mp4mux name=mux ! filesink location="$video" $sound

# One frame: the 25th, or the last of a shorter clip. Left half: resampled; right half: upscaled.
gst-launch-1.0 -q filesrc location="$input" ! decodebin ! videoconvert ! video/x-raw,format=RGB \
  ! identity eos-after=26 ! pngenc ! multifilesink max-files=1 location="$work/before-%04d.png"
gst-launch-1.0 -q filesrc location="$(ls "$work"/before-*.png | tail -n 1)" ! pngdec ! videoconvert ! tee name=t \
  t. ! queue ! videoscale method=catrom ! "video/x-raw,width=$((2 * width)),height=$((2 * height))" \
  ! videocrop right="$width" ! mix.sink_0 \
  t. ! queue ! video/x-raw,format=RGB ! yonossr ! videocrop left="$width" ! videoconvert ! mix.sink_1 \
  compositor name=mix sink_1::xpos="$width" ! videoconvert ! video/x-raw,format=RGB ! pngenc ! filesink location="$picture"

echo
echo "Upscaled video:  $video"
echo "Before | after:  $picture"
