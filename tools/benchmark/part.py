# SPDX-License-Identifier: GPL-2.0-or-later
"""A part of the benchmark: what it measures, and in which machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Sequence, Union

from .samples import Samples
from .variant import Variant

# What a machine is: {'vcpus': 4, 'memory': 128}, in MiB.
Setting = Union[int, str]
Configuration = dict[str, Setting]


@dataclass(frozen=True)
class Measure:
    """Something measured."""
    key: str
    title: str
    unit: str           # 'instructions', 'ns', 'KiB', '' for a count


@dataclass(frozen=True)
class Plot:
    """A measure over `axis`, of the machines that are `fixed` else."""
    measure: str
    axis: str
    label: str
    fixed: Configuration


class Part(Protocol):
    """One part.  Everything but run() is asked outside the nested host."""
    name: str
    title: str
    measures: Sequence[Measure]
    plots: Sequence[Plot]

    def configurations(self, quick: bool) -> list[Configuration]:
        """The machines, each of which gets a nested host of its own."""

    def host_memory(self, configuration: Configuration) -> int:
        """MiB for the guest and what else this part puts in memory."""

    def run(self, variant: Variant, configuration: Configuration) -> Samples:
        """Measure, inside."""
