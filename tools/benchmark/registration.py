# SPDX-License-Identifier: GPL-2.0-or-later
"""The part "registration": each vCPU registers a vcpu_info of its own."""

from __future__ import annotations

from .part import INSTRUCTIONS, Configuration, Measure, Part
from .samples import Samples
from .variant import Variant

MEMORY_MIB = 128


class Registration(Part):
    """One after the other, by vCPU 0."""
    name = 'registration'
    title = 'a vcpu_info is registered'
    measures = (
        Measure('registration', 'a registration', INSTRUCTIONS),
    )

    def configurations(self, quick: bool) -> list[Configuration]:
        return [{'vcpus': vcpus, 'memory': MEMORY_MIB}
                for vcpus in ((4,) if quick else (4, 16))]

    def run(self, variant: Variant, configuration: Configuration) -> Samples:
        from .guest import bare_metal

        vcpus = int(configuration['vcpus'])
        with bare_metal(variant, 'event_cost', f'cpus={vcpus}', vcpus,
                        MEMORY_MIB) as guest:
            guest.wait_for(r'READY\r?\n')
            samples = guest.told('v')
            guest.end()
        return samples

    def on_xen(self, configuration: Configuration) -> Samples | None:
        from .xen import measured

        vcpus = int(configuration['vcpus'])
        samples = measured('event_cost', f'cpus={vcpus}', vcpus, MEMORY_MIB)
        return {'registration': samples['registration']}
