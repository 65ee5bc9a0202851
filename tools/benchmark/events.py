# SPDX-License-Identifier: GPL-2.0-or-later
"""The part "events": from the sender of an event to its handler."""

from __future__ import annotations

import statistics
from typing import Iterator

from .part import (FOUR_VCPUS, INSTRUCTIONS, LEAST_MIB, MACHINES,
                   Configuration, Measure, Part, size)
from .samples import Samples, without_highest
from .variant import Variant

LOOPS = 200
# More vCPUs than that change nothing: two of them do something.
MOST_ON_XEN = 4

# By the letters that the guest knows them by.
EVENTS = {'s': ('self', 'an IPI to itself'),
          'o': ('other', 'an IPI to another vCPU, which halts'),
          't': ('timer', 'VIRQ_TIMER: how late'),
          'x': ('back-end', 'to a back end (XenStore) and back')}
ROUND_TRIP = 'round-trip'
# With one CPU for all vCPUs, one of these takes a few instructions, or whole
# time slices: what half of them take at most is beside the mean.
MOVED = '-while-moved'
MEAN = '-mean'
# In these nobody waits for another's time slice.
NOW_AND_THEN = '-with-moves'
# Few, and none that stands out is the host's doing.
IN_A_MOVE = '-in-a-move'


def of_event(key: str, title: str) -> Iterator[Measure]:
    """All that is measured of one kind of event."""
    yield Measure(key, title, INSTRUCTIONS)
    if key == 'other':
        yield Measure(ROUND_TRIP, 'to another vCPU and back', INSTRUCTIONS)
    yield Measure(f'{key}-after-memslot',
                  f'{title}, after a memslot changed elsewhere', INSTRUCTIONS)
    yield Measure(f'{key}-after-move', f'{title}, after shared_info was moved',
                  INSTRUCTIONS)
    lost = 'lost, or its answer' if key == 'other' else 'lost'
    for condition, how, what, count in (
            (MOVED, 'all the time', 'half of those heard take at most',
             LOOPS // 5),
            (NOW_AND_THEN, 'once in 5 ms', 'those heard', LOOPS * 2)):
        moved = f'{title}, while another vCPU moves shared_info {how}'
        yield Measure(f'{key}{condition}', f'{moved}: {what}', INSTRUCTIONS)
        if condition == MOVED:
            yield Measure(f'{key}{condition}{MEAN}', f'{moved}: the mean of '
                          'those heard', INSTRUCTIONS)
        yield Measure(f'{key}{condition}{IN_A_MOVE}', f'{moved}: those heard '
                      'that were sent or heard in the middle of a move',
                      INSTRUCTIONS)
        yield Measure(f'{key}{condition}-lost', f'{moved}: of {count}, {lost}',
                      '')
        yield Measure(f'{key}{condition}-moves', f'{moved}: how often it was '
                      'moved', '')


class Events(Part):
    """In steady state, and while something else goes on."""
    name = 'events'
    title = 'from the sender of an event to its handler'
    measures = tuple(measure for event in EVENTS.values()
                     for measure in of_event(*event))

    def configurations(self, quick: bool) -> list[Configuration]:
        return [FOUR_VCPUS] if quick else [*MACHINES]

    def run(self, variant: Variant, configuration: Configuration) -> Samples:
        from .guest import bare_metal
        from .scheduler import no_wakeup_preemption

        vcpus, memory = size(configuration)
        with bare_metal(variant, 'event_cost', f'loops={LOOPS} cpus={vcpus}',
                        vcpus, memory) as guest:
            guest.wait_for(r'READY\r?\n')
            guest.told('a')
            with no_wakeup_preemption():
                samples = guest.told('b-')
                for event in EVENTS:
                    for condition in '-mrh':
                        samples |= guest.told(event + condition)
            # There others would wait for a vCPU that never sleeps until its
            # time slice ends.
            for event in EVENTS:
                samples |= guest.told(event + 'w')
            guest.end()
        return typical(samples)

    def on_xen(self, configuration: Configuration) -> Samples | None:
        from .xen import measured

        vcpus, memory = size(configuration)
        if vcpus > MOST_ON_XEN or memory > LEAST_MIB:
            return None
        samples = measured('event_cost', f'loops={LOOPS} cpus={vcpus}', vcpus,
                           memory)
        samples.pop('registration')     # a part of its own
        return typical(samples)


def typical(samples: Samples) -> Samples:
    """Without what the host does besides, such as its timer's tick."""
    found: Samples = {}
    for name, values in samples.items():
        if name.endswith(IN_A_MOVE) or len(values) <= 1:
            found[name] = values
        elif name.endswith(MOVED):
            found[name] = [statistics.median(values)]
            found[name + MEAN] = values
        else:
            found[name] = without_highest(values)
    return found
