#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Installs what is missing, builds, and runs all tests: the normal build, then the library's and the element's tests under
# ASan and UBSan, then the fuzz targets for a short while. The last line counts: "N passed, N failed, N skipped".
#
#   sh tests/run.sh
set -eu
cd "$(dirname "$0")/.."
# PyTorch for the training package's tests is 5.5 GB, GStreamer's CUDA headers are 0.6: in CI they are installed; elsewhere
# those tests run where they are there.
if [ "${CI:-}" = true ]; then
  sh tools/install-deps.sh ci
  sh training/install.sh || echo "No PyTorch: the tests of training/ are skipped" >&2
else
  sh tools/install-deps.sh test
fi

logs=

# run BUILD-FOLDER SUITE-ARGUMENTS...: runs tests; failures are counted at the end, not here
run() {
  folder=$1
  shift
  meson test -C "$folder" --print-errorlogs --no-rebuild --timeout-multiplier 4 "$@" || true
  logs="$logs $folder/meson-logs/testlog.json"
}

# setup BUILD-FOLDER OPTIONS...: configures once, then builds
setup() {
  folder=$1
  shift
  [ -f "$folder/build.ninja" ] || meson setup "$folder" --werror "$@"
  meson compile -C "$folder"
}

setup build-test -Dcuda-archs=90a
run build-test --no-suite long

export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 # else its reports fail no test
setup build-asan -Db_sanitize=address,undefined -Db_lundef=false -Dcuda=disabled
run build-asan --suite gst --suite unit --suite checkop --suite golden --suite cuda-host --suite fuzz

if command -v clang >/dev/null; then
  CC=clang CXX=clang++ setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false -Dgst=disabled -Dcuda=disabled
  run build-fuzz --suite fuzz
fi

# shellcheck disable=SC2086
exec python3 tests/count-results.py $logs
