# SPDX-License-Identifier: GPL-2.0-or-later
"""The part "reset": system_reset of a guest that has mapped shared_info."""

from __future__ import annotations

from .part import INSTRUCTIONS, Configuration, Measure, Part
from .samples import Samples
from .variant import Variant

MEMORY_MIB = 128
TIMES = 3


class Reset(Part):
    """The reset itself, and the way back to the same point."""
    name = 'reset'
    title = 'system_reset'
    measures = (
        Measure('reset', 'from the command to its event', INSTRUCTIONS),
        Measure('back', 'to the first word of the guest, which has mapped '
                'shared_info again', INSTRUCTIONS),
    )

    def configurations(self, quick: bool) -> list[Configuration]:
        return [{'vcpus': vcpus, 'memory': MEMORY_MIB}
                for vcpus in ((1,) if quick else (1, 16))]

    def run(self, variant: Variant, configuration: Configuration) -> Samples:
        from .guest import bare_metal
        from .host_clock import now

        samples: Samples = {'reset': [], 'back': []}
        with bare_metal(variant, 'remap_cost', '',
                        int(configuration['vcpus']), MEMORY_MIB,
                        no_reboot=False) as guest:
            guest.wait_for('READY')
            for _ in range(TIMES):
                before = now()
                guest.machine.cmd('system_reset')
                guest.machine.event_wait('RESET', timeout=600)
                samples['reset'].append(now() - before)
                guest.wait_for('READY')
                samples['back'].append(now() - before)
            guest.end()
        return samples
