#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
echo "skipped: $*"
exit 77
