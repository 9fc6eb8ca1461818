#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# gst-inspect-1.0 lists every property, each with a sentence and when it may change.
set -eu
text=$(gst-inspect-1.0 yonossr)
for property in model scale backend cuda-device-id max-vram threads precision seed noise-mode steadiness tile-size tile-overlap \
  colour-fix add-borders bypass late-policy overlap reuse-static compare compare-position stats-interval stats; do
  echo "$text" | grep -Eq "^  $property +: .{10,}" || { echo "$property: no description"; exit 1; }
done
changeable=$(echo "$text" | grep -c 'changeable')
[ "$changeable" -ge 18 ] || { echo "only $changeable properties say when they may change"; exit 1; }
echo "$text" | grep -q 'Filter/Effect/Converter/Video/Scaler' || { echo "wrong class"; exit 1; }
