# SPDX-License-Identifier: GPL-2.0-or-later
"""What plugin/count.c wrote: instructions by address, phase by phase."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Iterable

# Places of phases that are no address.
GUEST = 0
USER = 1
AFTER_VMRUN = 2


@dataclass
class Window:
    """Between a begin mark with that number and an end mark."""
    number: int
    # Instructions of blocks that begin at an address, by the phase's place.
    phases: dict[int, Counter[int]] = field(default_factory=dict)

    def total(self) -> int:
        """All instructions of it."""
        return sum(sum(phase.values()) for phase in self.phases.values())


def read(lines: Iterable[str]) -> list[Window]:
    """All windows of a file."""
    windows: list[Window] = []
    for line in lines:
        match line.split():
            case ['window', number]:
                windows.append(Window(int(number)))
            case ['phase', place]:
                phase: Counter[int] = Counter()
                windows[-1].phases[int(place, 16)] = phase
            case [address, length, times]:
                phase[int(address, 16)] += int(length) * int(times)
    return windows


def mean(windows: list[Window], operations: int) -> Window:
    """What one operation takes, of windows with that many in all."""
    made = Window(windows[0].number)
    for window in windows:
        for place, phase in window.phases.items():
            made.phases.setdefault(place, Counter()).update(phase)
    for phase in made.phases.values():
        for address in phase:
            phase[address] /= operations    # type: ignore[assignment]
    return made
