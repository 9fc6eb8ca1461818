#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The shared library exports exactly the functions that yonos.h declares.

usage: check-symbols.py libyonos.so yonos.h
"""
import re
import shutil
import subprocess
import sys

SKIP = 77


def exported(library):
    out = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    names = {line.split()[-1].split("@")[0] for line in out.splitlines() if line.strip()}
    # What linkers and sanitizers add by themselves.
    return {n for n in names if n not in ("_init", "_fini", "_edata", "_end", "__bss_start") and "asan" not in n
            and not n.startswith(("__ubsan", "__sanitizer", "__start_", "__stop_"))}


def declared(header):
    text = re.sub(r"/\*.*?\*/", "", open(header, encoding="utf-8").read(), flags=re.S)
    return set(re.findall(r"YONOS_API\b[^;(]*?\b(yonos_\w+)\s*\(", text))


def main():
    if not shutil.which("nm"):
        print("nm is not installed")
        return SKIP
    have, want = exported(sys.argv[1]), declared(sys.argv[2])
    for name in sorted(have - want):
        print(f"exported, but not in yonos.h: {name}")
    for name in sorted(want - have):
        print(f"in yonos.h, but not exported: {name}")
    if not want:
        print("no declarations found in the header")
        return 1
    return 1 if have != want else 0


if __name__ == "__main__":
    sys.exit(main())
