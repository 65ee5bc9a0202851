# SPDX-License-Identifier: GPL-2.0-or-later
"""A part of the benchmark: what it measures, and in which machines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Sequence, Union

from .samples import Samples
from .variant import OURS, STOCK, Variant

# What a machine is: {'vcpus': 4, 'memory': 128}, in MiB.
Setting = Union[int, str]
Configuration = dict[str, Setting]

INSTRUCTIONS = 'instructions'

# What most parts are measured in: along both axes, from a small machine.
LEAST_MIB = 128
MOST_MIB = 8192
MACHINES: Sequence[Configuration] = (
    *({'vcpus': vcpus, 'memory': LEAST_MIB} for vcpus in (1, 4, 16, 64)),
    {'vcpus': 4, 'memory': MOST_MIB})
ONE_VCPU, FOUR_VCPUS = MACHINES[:2]


def size(configuration: Configuration) -> tuple[int, int]:
    """Its vCPUs, and its MiB of RAM."""
    return int(configuration['vcpus']), int(configuration['memory'])


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


class Part:
    """One part.  Only run() is called inside the nested host."""
    name: str
    title: str
    measures: Sequence[Measure]
    plots: Sequence[Plot] = ()
    # Which of the variants are compared.
    variants: Sequence[str] = (STOCK, OURS)
    # Whether each machine needs a nested host that nobody used before: for
    # its memory, or for what it does to it.
    own_host = False

    def configurations(self, quick: bool) -> list[Configuration]:
        """The machines."""
        raise NotImplementedError

    def repeats(self, _configuration: Configuration, _variant: str,
                asked: int) -> int:
        """How often a variant is measured; fewer times where that takes long,
        not at all where it says nothing new."""
        return asked

    def host_memory(self, configuration: Configuration) -> int:
        """MiB for the guest and what else this part puts in memory."""
        return int(configuration['memory'])

    def files(self) -> list[Path]:
        """What run() needs beside the bare-metal guests; makes it."""
        return []

    def run(self, variant: Variant, configuration: Configuration) -> Samples:
        """Measure, inside."""
        raise NotImplementedError

    def on_xen(self, _configuration: Configuration) -> Samples | None:
        """The same on real Xen; None where that says nothing."""
        return None
