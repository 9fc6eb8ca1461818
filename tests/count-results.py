#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Adds up meson's testlog.json files: prints each failure, then "N passed, N failed, N skipped"."""
import json
import sys

PASSED = {"OK", "EXPECTEDFAIL"}


def main(paths):
    passed = failed = skipped = 0
    for path in paths:
        with open(path, encoding="utf-8") as log:
            for line in log:
                test = json.loads(line)
                if test["result"] == "SKIP":
                    skipped += 1
                elif test["result"] in PASSED:
                    passed += 1
                else:
                    failed += 1
                    print(f"{path}: {test['name']}: {test['result']}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
