#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Makes one folder with all that tests/gpu/run.sh needs on a machine with a GPU: programs, plugin, CUDA module, the
# shared libraries that are not CUDA's or the C library's (GStreamer's too), models, and the tests' data.
#
#   tests/gpu/bundle.sh BUILD-FOLDER OUT-FOLDER [WHEEL...]       then, over there: OUT-FOLDER/run.sh
#
# Wheels: what Python lacks over there, diffusers above all (pip download --no-deps diffusers).
set -eu
[ $# -ge 2 ] || { echo "usage: $0 BUILD-FOLDER OUT-FOLDER [WHEEL...]" >&2; exit 2; }
build=$(cd "$1" && pwd)
source=$(cd "$(dirname "$0")/../.." && pwd)
limit=60 # MiB
mkdir -p "$2"
out=$(cd "$2" && pwd)
shift 2
for part in bin lib plugins models tests python work lib.tar.xz; do
  rm -rf "${out:?}/$part"
done
mkdir -p "$out/bin" "$out/lib" "$out/plugins" "$out/models" "$out/tests"

for program in tools/yonos-bench tools/yonos-run tests/checkop/checkop tests/golden/golden tests/gpu/describe-device \
  tests/gpu/cuda-memory tests/unit/test-steady; do
  [ ! -x "$build/$program" ] || cp "$build/$program" "$out/bin/"
done
for program in gst-launch-1.0 gst-inspect-1.0; do
  path=$(command -v "$program" || true)
  [ -z "$path" ] || cp "$path" "$out/bin/"
done
for module in cuda/libyonos-cuda.so tests/gpu/libkernel-times.so; do
  [ ! -f "$build/$module" ] || cp "$build/$module" "$out/lib/"
done
cp "$build"/engine/libyonos.so.[0-9] "$out/lib/"
[ ! -f "$build/gst-plugin/libgstyonossr.so" ] || cp "$build/gst-plugin/libgstyonossr.so" "$out/plugins/"
gst_plugins=$(pkg-config --variable=pluginsdir gstreamer-1.0 2>/dev/null || true)
for plugin in coreelements videotestsrc videoconvertscale nvcodec; do
  [ ! -f "$gst_plugins/libgst$plugin.so" ] || cp "$gst_plugins/libgst$plugin.so" "$out/plugins/"
done
scanner=$(pkg-config --variable=pluginscannerdir gstreamer-1.0 2>/dev/null || true)/gst-plugin-scanner
[ ! -x "$scanner" ] || cp "$scanner" "$out/bin/"

# What ldd names, but for CUDA's libraries (the other machine has its own) and the C library with its loader.
LD_LIBRARY_PATH=$out/lib ldd "$out"/bin/* "$out"/plugins/*.so "$out"/lib/*.so* 2>/dev/null |
  awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u |
  grep -Ev '/(libc|libm|libdl|librt|libpthread|libresolv|libutil|ld-linux[^/]*)\.so' |
  grep -Ev '/(libcuda|libcudart|libcupti|libcudnn[^/]*|libcublas[^/]*|libnv[^/]*)\.so' |
  while read -r library; do
    [ -e "$out/lib/$(basename "$library")" ] || cp -L "$library" "$out/lib/"
  done
strip --strip-unneeded "$out"/bin/* "$out"/lib/* "$out"/plugins/* 2>/dev/null || true
XZ_OPT=-1 tar -C "$out" -cJf "$out/lib.tar.xz" lib
rm -r "$out/lib"

cp -r "$source"/models/yonos-lite-x2 "$source"/models/yonos-nano-x2 "$out/models/"
cp -r "$source"/tests/golden/models "$out/tests/golden"
cp -r "$source"/tests/cuda-plan/models "$out/tests/shapes"
for script in run.sh run.py runner.py checks.py speed.py kernels.py pytorch.py random_models.py; do
  cp "$source/tests/gpu/$script" "$out/"
done
if [ $# -gt 0 ]; then
  mkdir "$out/python"
  cp "$@" "$out/python/"
fi

size=$(du -sm "$out" | cut -f1)
echo "$out: $size MiB"
[ "$size" -lt "$limit" ] || { echo "$out is larger than $limit MiB" >&2; exit 1; }
