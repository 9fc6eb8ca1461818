#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# docs/element.md is what the element says about itself.
#
#   element-doc.sh SOURCE-ROOT DESCRIBE-PROGRAM [--write]
set -eu
page=$1/docs/element.md
if [ "${3:-}" = --write ]; then
  "$2" >"$page.new"
  mv "$page.new" "$page"
  exit
fi
made=$(mktemp)
trap 'rm -f "$made"' EXIT
"$2" >"$made"
diff -u "$page" "$made" || { echo "docs/element.md is old: run meson compile -C build element-doc"; exit 1; }
