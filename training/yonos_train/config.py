# SPDX-License-Identifier: LGPL-2.1-or-later
"""Configurations: a TOML file plus key=value overrides, dots for tables."""
import tomllib


def read_config(path, overrides=()):
    """The file's dictionary with every `a.b=value` of `overrides` put in; values are read as TOML, else as text."""
    with open(path, "rb") as file:
        config = tomllib.load(file)
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise SystemExit(f"{override}: an override is key=value")
        *tables, last = key.split(".")
        table = config
        for name in tables:
            table = table.setdefault(name, {})
        try:
            table[last] = tomllib.loads(f"x = {text}")["x"]
        except tomllib.TOMLDecodeError:
            table[last] = text
    return config
