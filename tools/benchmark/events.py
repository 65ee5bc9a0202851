# SPDX-License-Identifier: GPL-2.0-or-later
"""The part "events": from the sender of an event to its handler."""

from __future__ import annotations

import statistics

from .part import INSTRUCTIONS, Configuration, Measure, Part
from .samples import Samples, without_highest
from .variant import Variant

LOOPS = 200
MOVED = 'self-while-moved'
NOW_AND_THEN = 'self-with-moves'
IN_A_MOVE = 'self-in-a-move'
# Of these the median counts, and the dearest by another name.
MOST = {MOVED: 'most-while-moved', NOW_AND_THEN: 'most-with-moves'}
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
        Measure('most-while-moved', 'the dearest of these, all the time',
                INSTRUCTIONS),
        Measure('lost-while-moved', f'of {LOOPS // 5} of these, lost', ''),
        Measure(NOW_AND_THEN,
                'an IPI to itself, while another vCPU moves shared_info once '
                'in 5 ms: half of them take at most', INSTRUCTIONS),
        Measure(IN_A_MOVE, 'those of these that were sent in the '
                'middle of a move: the mean', INSTRUCTIONS),
        Measure('most-with-moves', 'the dearest of these, once in 5 ms',
                INSTRUCTIONS),
        Measure('lost-with-moves', f'of {LOOPS * 2} of these, lost', ''),
        Measure('moves', 'and how often it was moved meanwhile', ''),
        Measure('other', 'an IPI to another vCPU, which halts', INSTRUCTIONS),
        Measure('round-trip', 'to another vCPU and back', INSTRUCTIONS),
        Measure('timer', 'VIRQ_TIMER: how late', INSTRUCTIONS),
        Measure('back-end', 'to a back end (XenStore) and back',
                INSTRUCTIONS),
    )

    def configurations(self, quick: bool) -> list[Configuration]:
        return [{'vcpus': vcpus, 'memory': MEMORY_MIB}
                for vcpus in ((4,) if quick else (1, 4, 16, 64))]

    def run(self, variant: Variant, configuration: Configuration) -> Samples:
        from .guest import bare_metal

        vcpus = int(configuration['vcpus'])
        with bare_metal(variant, 'event_cost', f'loops={LOOPS} cpus={vcpus}',
                        vcpus, MEMORY_MIB) as guest:
            guest.wait_for(r'READY\r?\n')
            samples: Samples = {}
            for command in 'sotmrwhx':
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
             for name, values in samples.items()
             if name not in (*MOST, IN_A_MOVE)}
    # With one CPU for both vCPUs: a few instructions, or whole time slices.
    for name, most in MOST.items():
        if samples.get(name):
            found[name] = [statistics.median(samples[name])]
            found[most] = [max(samples[name])]
    # Few, and none that stands out is the host's doing.
    if samples.get(IN_A_MOVE):
        found[IN_A_MOVE] = samples[IN_A_MOVE]
    return found
