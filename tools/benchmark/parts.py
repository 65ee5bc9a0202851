# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts by name, in the order in which they run."""

from __future__ import annotations

from .boot import Boot
from .events import Events
from .exits import Exits
from .memory import Memory
from .migration import Migration
from .part import Part
from .queries import Queries
from .registration import Registration
from .remap import Remap
from .reset import Reset
from .start import Start

PARTS: dict[str, Part] = {part.name: part for part in (
    Remap(), Exits(), Events(), Registration(), Start(), Boot(), Reset(),
    Queries(), Memory(), Migration())}
