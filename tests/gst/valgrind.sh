#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A few tests of the element under valgrind's memcheck: no invalid access, nothing uninitialised, nothing lost.
#
#   valgrind.sh SUPPRESSIONS PROGRAM TEST...
#
# Without libc-freeres: where a thread of libgomp has ended, which takes libgcc_s into use, glibc 2.36 unloads in it
# libraries that are in use, and what they hold looks lost.
set -eu
command -v valgrind >/dev/null || { echo "valgrind is not installed"; exit 77; }
supp=$1
program=$2
shift 2
set -- $(for test in "$@"; do echo "-p $test"; done)
exec valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite \
  --num-callers=25 --run-libc-freeres=no --suppressions="$supp" "$program" "$@"
