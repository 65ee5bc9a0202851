# SPDX-License-Identifier: GPL-2.0-or-later
"""The part "start": from the emulator's start to the guest's."""

from __future__ import annotations

from .part import (INSTRUCTIONS, MACHINES, ONE_VCPU, Configuration, Measure,
                   Part, size)
from .samples import Samples
from .variant import Variant


class Start(Part):
    """To the guest's first instruction, and until it has something to say."""
    name = 'start'
    title = 'from the start of the emulator to its guest'
    measures = (
        Measure('first', "to the guest's first instruction", INSTRUCTIONS),
        Measure('word', 'to the first word of a bare-metal guest that has '
                'mapped shared_info', INSTRUCTIONS),
    )

    def configurations(self, quick: bool) -> list[Configuration]:
        return [ONE_VCPU] if quick else [*MACHINES]

    def run(self, variant: Variant, configuration: Configuration) -> Samples:
        from .guest import bare_metal
        from .host_clock import FirstEntry, now

        vcpus, memory = size(configuration)
        with FirstEntry() as entry:
            before = now()
            with bare_metal(variant, 'remap_cost', '', vcpus,
                            memory) as guest:
                guest.wait_for(r'READY')
                word = now() - before
                guest.end()
        return {'first': [entry.nanoseconds()], 'word': [word]}
