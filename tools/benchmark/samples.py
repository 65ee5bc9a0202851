# SPDX-License-Identifier: GPL-2.0-or-later
"""Samples, and the figure that many of them come to."""

from __future__ import annotations

import re
import statistics
from dataclasses import dataclass
from typing import Iterable, Sequence

# What one run measured, by measure.
Samples = dict[str, list[float]]


def read_samples(text: str) -> Samples:
    """The numbers of a guest's lines that begin with BENCH."""
    return {name: [float(number) for number in numbers.split()]
            for name, numbers in re.findall(
                r'^BENCH ([\w-]+)((?: \d+)+)\r?$', text, re.M)}


@dataclass(frozen=True)
class Figure:
    """The median of some runs, and the lowest and the highest of them."""
    median: float
    low: float
    high: float

    @property
    def spread(self) -> float:
        """How far a run is from the median at most, as a part of it."""
        if not self.median:
            return 0.0
        return max(self.high - self.median,
                   self.median - self.low) / self.median


def run_value(samples: Sequence[float]) -> float:
    """What one run says: the mean of its samples.

    Not the median: what happens in every second remap, or in every tenth,
    costs what it costs, and a median would hide it.
    """
    return statistics.fmean(samples)


def without_highest(samples: Sequence[float]) -> list[float]:
    """All but the highest fiftieth, and but the highest one at least."""
    return sorted(samples)[:len(samples) - max(1, len(samples) // 50)]


def figure(runs: Iterable[float]) -> Figure:
    """What the runs say together: the median, so that one that something
    disturbed does not count."""
    values = sorted(runs)
    return Figure(statistics.median(values), values[0], values[-1])
