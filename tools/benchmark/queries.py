# SPDX-License-Identifier: GPL-2.0-or-later
"""The part "queries": somebody looks at a running guest."""

from __future__ import annotations

from typing import Any

from .part import INSTRUCTIONS, Configuration, Measure, Part
from .samples import Samples
from .variant import OURS, Variant

MEMORY_MIB = 128
TIMES = 20

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
    """The client, which is Python, is part of each figure."""
    name = 'queries'
    title = 'QMP commands, question and answer'
    measures = tuple(Measure(key, title(*command), INSTRUCTIONS)
                     for key, command in (BOTH | ONLY_OURS).items())

    def configurations(self, quick: bool) -> list[Configuration]:
        return [{'vcpus': vcpus, 'memory': MEMORY_MIB}
                for vcpus in ((1,) if quick else (4,))]

    def run(self, variant: Variant, configuration: Configuration) -> Samples:
        from .guest import bare_metal
        from .host_clock import now

        commands = BOTH | (ONLY_OURS if variant.name == OURS else {})
        samples: Samples = {key: [] for key in commands}
        with bare_metal(variant, 'remap_cost', '',
                        int(configuration['vcpus']), MEMORY_MIB) as guest:
            guest.wait_for('READY')
            for key, (command, arguments) in commands.items():
                guest.machine.cmd(command, **arguments)     # the first is dear
                for _ in range(TIMES):
                    before = now()
                    guest.machine.cmd(command, **arguments)
                    samples[key].append(now() - before)
            guest.end()
        return samples
