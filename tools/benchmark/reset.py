# SPDX-License-Identifier: GPL-2.0-or-later
"""The part "reset": of the machine, and of Xen's part of it alone."""

from __future__ import annotations

from .part import (INSTRUCTIONS, MACHINES, ONE_VCPU, Configuration, Measure,
                   Part, size)
from .samples import Samples
from .variant import Variant

TIMES = 4
SOFT_TIMES = 10


class Reset(Part):
    """Of a guest that has mapped shared_info."""
    name = 'reset'
    title = 'system_reset, and the soft reset of kexec'
    measures = (
        Measure('reset', 'from the command to its event', INSTRUCTIONS),
        Measure('back', 'until the guest has mapped shared_info again, started '
                'its vCPUs and waits for a command', INSTRUCTIONS),
        Measure('all-of-it', 'until then: all that the threads of the emulator '
                'do', INSTRUCTIONS),
        Measure('soft-reset', 'a soft reset, after a vcpu_info was registered '
                'for each vCPU', INSTRUCTIONS),
        Measure('soft-reset-and-map', 'a soft reset, and shared_info mapped '
                'again', INSTRUCTIONS),
    )

    def configurations(self, quick: bool) -> list[Configuration]:
        return [ONE_VCPU] if quick else [*MACHINES]

    def run(self, variant: Variant, configuration: Configuration) -> Samples:
        vcpus, memory = size(configuration)
        return (resets(variant, vcpus, memory) |
                soft_resets(variant, vcpus, memory))


def resets(variant: Variant, vcpus: int, memory: int) -> Samples:
    """Of a guest that halts. One that is busy, be it only with looking for a
    command, has its part of the one CPU while QEMU resets the machine."""
    from .guest import bare_metal
    from .host_clock import now
    from .work import only_work, work_of

    samples: Samples = {'reset': [], 'back': [], 'all-of-it': []}
    with only_work(), bare_metal(variant, 'event_cost', f'cpus={vcpus}', vcpus,
                                 memory, no_reboot=False) as guest:
        guest.wait_for('READY')

        def reset() -> None:
            before = now()
            guest.machine.cmd('system_reset')
            guest.machine.event_wait('RESET', timeout=600)
            samples['reset'].append(now() - before)
            guest.wait_for('READY')
            samples['back'].append(now() - before)

        for _ in range(TIMES):
            guest.told('a')
            samples['all-of-it'].append(work_of(guest, reset))
        guest.end()
    return samples


def soft_resets(variant: Variant, vcpus: int, memory: int) -> Samples:
    """Measured by the guest itself."""
    from .guest import bare_metal

    with bare_metal(variant, 'remap_cost', f'after={SOFT_TIMES} cpus={vcpus}',
                    vcpus, memory) as guest:
        guest.wait_for('READY')
        guest.told('t')
        samples = guest.told('s')
        guest.end()
    return samples
