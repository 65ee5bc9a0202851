# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts by name, in the order in which they run."""

from __future__ import annotations

from .part import Part
from .remap import Remap

PARTS: dict[str, Part] = {part.name: part for part in (Remap(),)}
