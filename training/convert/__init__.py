# SPDX-License-Identifier: LGPL-2.1-or-later
"""Turns released weights (.pth, .pkl, LoRA) into model folders; the element itself never reads a pickle."""
