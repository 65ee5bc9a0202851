# SPDX-License-Identifier: GPL-2.0-or-later
"""One machine of one part, and which of these share a nested host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from .part import Configuration, Part
from .variant import Variant


@dataclass(frozen=True)
class Job:
    """A machine, and how often each variant is measured in it."""
    part: Part
    configuration: Configuration
    variants: list[tuple[Variant, int]]

    def order(self) -> list[tuple[Variant, int]]:
        """The runs in turn, each with its number."""
        runs = []
        for repeat in range(max(count for _, count in self.variants)):
            # Whoever comes first must not do so always.
            turn = self.variants if repeat % 2 == 0 else self.variants[::-1]
            runs += [(variant, repeat) for variant, count in turn
                     if repeat < count]
        return runs


def groups(jobs: Iterable[Job]) -> list[list[Job]]:
    """Each group can share a nested host: one part, so that a host that is
    lost is so for one part only."""
    found: list[list[Job]] = []
    for job in jobs:
        if (found and not job.part.own_host and
                job.part is found[-1][0].part):
            found[-1].append(job)
        else:
            found.append([job])
    return found
