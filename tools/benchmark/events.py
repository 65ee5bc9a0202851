# SPDX-License-Identifier: GPL-2.0-or-later
"""The part "events": from the sender of an event to its handler."""

from __future__ import annotations

import statistics

from .part import INSTRUCTIONS, Configuration, Measure, Part
from .samples import Samples, without_highest
from .variant import Variant

LOOPS = 200
MOVED = 'self-while-moved'
MEMORY_MIB = 128
# More vCPUs than that change nothing: two of them do something.
MOST_ON_XEN = 4


class Events(Part):
    """In steady state, and while something else goes on."""
    name = 'events'
    title = 'from the sender of an event to its handler'
    measures = (
        Measure('self', 'an IPI to itself', INSTRUCTIONS),
        Measure('self-after-memslot',
                'an IPI to itself, after a memslot changed elsewhere',
                INSTRUCTIONS),
        Measure('self-after-move',
                'an IPI to itself, after shared_info was moved', INSTRUCTIONS),
        Measure(MOVED,
                'an IPI to itself, while another vCPU moves shared_info all '
                'the time: half of them take at most', INSTRUCTIONS),
        Measure('most-while-moved', 'the dearest of these', INSTRUCTIONS),
        Measure('lost-while-moved', f'of {LOOPS // 5} of these, lost', ''),
        Measure('other', 'an IPI to another vCPU, which halts', INSTRUCTIONS),
        Measure('round-trip', 'to another vCPU and back', INSTRUCTIONS),
        Measure('timer', 'VIRQ_TIMER: how late', INSTRUCTIONS),
        Measure('back-end', 'to a back end (XenStore) and back',
                INSTRUCTIONS),
    )

    def configurations(self, quick: bool) -> list[Configuration]:
        return [{'vcpus': vcpus, 'memory': MEMORY_MIB}
                for vcpus in ((2,) if quick else (2, 16))]

    def run(self, variant: Variant, configuration: Configuration) -> Samples:
        from .guest import bare_metal

        vcpus = int(configuration['vcpus'])
        with bare_metal(variant, 'event_cost', f'loops={LOOPS} cpus={vcpus}',
                        vcpus, MEMORY_MIB) as guest:
            guest.wait_for(r'READY\r?\n')
            samples: Samples = {}
            for command in 'sotmrwx':
                samples |= guest.told(command)
            guest.end()
        return typical(samples)

    def on_xen(self, configuration: Configuration) -> Samples | None:
        from .xen import measured

        vcpus = int(configuration['vcpus'])
        if vcpus > MOST_ON_XEN:
            return None
        samples = measured('event_cost', f'loops={LOOPS} cpus={vcpus}', vcpus,
                           MEMORY_MIB)
        samples.pop('registration')     # a part of its own
        return typical(samples)


def typical(samples: Samples) -> Samples:
    """Without what the host does besides, such as its timer's tick."""
    found = {name: without_highest(values) if len(values) > 1 else values
             for name, values in samples.items() if name != MOVED}
    # With one CPU for both vCPUs: a few instructions, or whole time slices.
    if samples.get(MOVED):
        found[MOVED] = [statistics.median(samples[MOVED])]
        found['most-while-moved'] = [max(samples[MOVED])]
    return found
