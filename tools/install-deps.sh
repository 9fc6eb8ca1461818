#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Installs what building and running (demo), or also testing (test), needs on Debian 12 and 13; ci adds GStreamer's CUDA
# headers, which bring 150 packages with them. Does nothing, and needs no network, where all of it is there.
#
#   sh tools/install-deps.sh demo|test|ci
set -eu

demo="meson ninja-build pkg-config gcc libc6-dev libglib2.0-dev libjson-glib-dev libpng-dev libdnnl-dev
  libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev gstreamer1.0-tools gstreamer1.0-plugins-base
  gstreamer1.0-plugins-base-apps gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly
  gstreamer1.0-libav"
test="$demo g++ python3 python3-venv valgrind clang libclang-rt-dev libomp-dev
  xvfb xdotool gstreamer1.0-x libgstrtspserver-1.0-dev parallel munge slurm-wlm"

case "${1:-}" in
demo) wanted=$demo ;;
test) wanted=$test ;;
ci) wanted="$test libgstreamer-plugins-bad1.0-dev" ;;
*)
  echo "usage: $0 demo|test|ci" >&2
  exit 2
  ;;
esac

missing=
for package in $wanted; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
  as_root=
elif command -v sudo >/dev/null; then
  as_root=sudo
else
  echo "These packages are missing, and there is no sudo; install them as root:$missing" >&2
  exit 1
fi
echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -q
# shellcheck disable=SC2086
$as_root apt-get install -y -q --no-install-recommends $missing
