# SPDX-License-Identifier: GPL-2.0-or-later
"""The part "queries": somebody looks at a guest."""

from __future__ import annotations

from typing import Any

from .monitor import Monitor, request
from .part import (INSTRUCTIONS, MACHINES, ONE_VCPU, Configuration, Measure,
                   Part, size)
from .samples import Samples, without_highest
from .variant import OURS, Variant

TIMES = 10

# What both have, to compare with; and what only ours has.
BOTH: dict[str, tuple[str, dict[str, Any]]] = {
    'status': ('query-status', {}),
    'cpus': ('query-cpus-fast', {}),
    'event-list': ('xen-event-list', {}),
}
ONLY_OURS: dict[str, tuple[str, dict[str, Any]]] = {
    'overlay': ('query-xen-overlay', {}),
    'verify': ('query-xen-overlay', {'verify': True}),
    'shared-info': ('query-xen-shared-info', {}),
    'vcpu-info': ('query-xen-vcpu-info', {}),
}


def title(command: str, arguments: dict[str, Any]) -> str:
    """The command as people write it."""
    return ' '.join([command, *arguments])


class Queries(Part):
    """What reads the answer and does not look at it is part of each figure."""
    name = 'queries'
    title = 'QMP commands, question and answer'
    measures = tuple(
        measure for key, command in (BOTH | ONLY_OURS).items()
        for measure in (Measure(key, title(*command), INSTRUCTIONS),
                        Measure(f'{key}-length',
                                f'{title(*command)}: length of the answer',
                                'bytes')))

    def configurations(self, quick: bool) -> list[Configuration]:
        return [ONE_VCPU] if quick else [*MACHINES]

    def run(self, variant: Variant, configuration: Configuration) -> Samples:
        from .guest import bare_metal
        from .host_clock import now

        vcpus, memory = size(configuration)
        commands = BOTH | (ONLY_OURS if variant.name == OURS else {})
        samples: Samples = {key: [] for key in commands}
        with Monitor() as monitor, bare_metal(
                variant, 'remap_cost', f'cpus={vcpus}', vcpus, memory,
                arguments=monitor.arguments()) as guest:
            guest.wait_for('READY')
            guest.told('t')
            monitor.connect()
            # Or its vCPU, which waits for what it is told, and the emulator
            # take turns on the one host CPU.
            guest.machine.cmd('stop')
            for key, command in commands.items():
                asked = request(*command)
                monitor.ask(asked)      # the first is dear
                for _ in range(TIMES):
                    before = now()
                    length = monitor.ask(asked)
                    samples[key].append(now() - before)
                samples[f'{key}-length'] = [length]
            guest.machine.cmd('cont')
            guest.end()
        return {key: without_highest(values) if len(values) > 1 else values
                for key, values in samples.items()}
