# SPDX-License-Identifier: GPL-2.0-or-later
"""The part "exits": hypercalls that the emulator refuses at once."""

from __future__ import annotations

from .part import INSTRUCTIONS, Configuration, Measure, Part
from .samples import Samples, without_highest
from .variant import Variant

MEMORY_MIB = 128
LOOPS = 1000


class Exits(Part):
    """What everything else rests on: it must not have become dearer."""
    name = 'exits'
    title = 'a hypercall that is refused'
    measures = (
        Measure('exit', "an unknown operation of sched_op", INSTRUCTIONS),
        Measure('memory-op', "an unknown operation of memory_op",
                INSTRUCTIONS),
    )

    def configurations(self, _quick: bool) -> list[Configuration]:
        return [{'vcpus': 1, 'memory': MEMORY_MIB}]

    def run(self, variant: Variant, configuration: Configuration) -> Samples:
        from .guest import bare_metal

        with bare_metal(variant, 'remap_cost', f'loops={LOOPS}',
                        int(configuration['vcpus']), MEMORY_MIB) as guest:
            guest.wait_for('READY')
            samples = guest.told('e') | guest.told('n')
            guest.end()
        # Without what the host does besides, such as its timer's tick.
        return {name: without_highest(values)
                for name, values in samples.items()}
