# SPDX-License-Identifier: GPL-2.0-or-later
"""The part "registration": each vCPU gets a vcpu_info of its own."""

from __future__ import annotations

import statistics

from .part import (FOUR_VCPUS, INSTRUCTIONS, LEAST_MIB, MACHINES,
                   Configuration, Measure, Part, size)
from .samples import Samples
from .variant import Variant

# What is taken off is measured as often as this.
BASES = 5
# In a run there are as many registrations as vCPUs, and one wakeup more or less
# is as dear as one of them.
TIMES_AS_OFTEN = 3


class Registration(Part):
    """By vCPU 0, one after the other; and, in another machine, by each."""
    name = 'registration'
    title = 'a vcpu_info is registered'
    measures = (
        Measure('registration', 'a registration by vCPU 0, until the '
                'hypercall returns', INSTRUCTIONS),
        Measure('all-of-it', 'a registration by vCPU 0, and what comes of it: '
                'all that the threads of the emulator do', INSTRUCTIONS),
        Measure('own', 'a registration by the vCPU itself, until the '
                'hypercall returns', INSTRUCTIONS),
        Measure('all-of-own', 'a registration by the vCPU itself, and what '
                'comes of it: all that the threads of the emulator do',
                INSTRUCTIONS),
    )

    def configurations(self, quick: bool) -> list[Configuration]:
        return [FOUR_VCPUS] if quick else [*MACHINES]

    def repeats(self, _configuration: Configuration, _variant: str,
                asked: int) -> int:
        return asked * TIMES_AS_OFTEN

    def run(self, variant: Variant, configuration: Configuration) -> Samples:
        by_first = measured(variant, configuration, 'v', 'n')
        by_each = measured(variant, configuration, 'u', 'c')
        return {'registration': by_first['registration'],
                'all-of-it': by_first['all'],
                'own': by_each['registration'],
                'all-of-own': by_each['all']}

    def on_xen(self, configuration: Configuration) -> Samples | None:
        from .xen import measured as on_xen

        vcpus, memory = size(configuration)
        if memory > LEAST_MIB:
            return None
        # Xen registers nothing for another vCPU that is up.
        samples = on_xen('event_cost', f'cpus={vcpus}', vcpus, memory)
        return {'own': samples['registration']}


def measured(variant: Variant, configuration: Configuration, command: str,
             base: str) -> Samples:
    """What a registration takes, and what all of them do more than `base`,
    for each."""
    from .guest import bare_metal
    from .work import only_work, work_of

    vcpus, memory = size(configuration)
    with only_work(), bare_metal(
            variant, 'event_cost', f'cpus={vcpus}', vcpus, memory) as guest:
        guest.wait_for(r'READY\r?\n')
        guest.told('a')
        # Each vCPU goes back into the guest once. KVM has asked all of them
        # to do something on their way when the callback was set, and one that
        # is called by its registration would do it then.
        guest.told('c')
        bases = [work_of(guest, lambda: guest.told(base))
                 for _ in range(BASES)]
        work = work_of(guest, lambda: guest.told(command))
        samples = guest.told('p')
        guest.end()
    samples['all'] = [(work - statistics.median(bases)) / vcpus]
    return samples
