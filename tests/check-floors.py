#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each floor of the tree includes only headers of the floors below it (docs/architecture.md).

usage: check-floors.py SOURCE_ROOT
Prints every #include that goes up, and fails when there is one.
"""
import pathlib
import re
import sys

# floor -> the floors whose headers it may include, besides its own
BELOW = {
    "util": set(),
    "graph": {"util"},
    "model": {"graph", "util"},
    "backend": {"graph", "util"},
    "plan": {"backend", "graph", "util"},
    "api": {"plan", "backend", "model", "graph", "util"},
}
# Outside of engine/: the element knows the public header only, the tools may look into the floors.
OUTSIDE = {"gst-plugin": set(), "tools": set(BELOW), "cuda": {"backend", "graph", "util"}}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def floor_of(path, root):
    parts = path.relative_to(root).parts
    if parts[0] != "engine":
        return parts[0]
    return parts[1] if len(parts) > 2 else "api"


def floor_of_include(name, path, root):
    """The floor of an included header; None for the public header, neighbours and system headers."""
    if name == "yonos.h" or (path.parent / name).exists():
        return None
    target = root / "engine" / name
    return floor_of(target, root) if target.exists() else None


def allowed(floor):
    return BELOW.get(floor, OUTSIDE.get(floor))


def main():
    root = pathlib.Path(sys.argv[1])
    wrong = checked = 0
    for folder in ["engine", *OUTSIDE]:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in (".c", ".h", ".cu", ".cc"):
                continue
            floor = floor_of(path, root)
            if allowed(floor) is None:
                print(f"{path.relative_to(root)}: {floor} is no known floor")
                wrong += 1
                continue
            for name in INCLUDE.findall(path.read_text(encoding="utf-8")):
                target = floor_of_include(name, path, root)
                checked += 1
                if target and target != floor and target not in allowed(floor):
                    print(f"{path.relative_to(root)}: {floor} must not include {name} of {target}")
                    wrong += 1
    print(f"{checked} includes checked, {wrong} wrong")
    return 1 if wrong or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
