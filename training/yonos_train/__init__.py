# SPDX-License-Identifier: LGPL-2.1-or-later
"""Trains the models that the element yonossr runs (YONOS-SR, Noroozi et al., ECCV 2024)."""
