# SPDX-License-Identifier: GPL-2.0-or-later
"""The part "remap": the shared_info page is moved."""

from __future__ import annotations

from pathlib import Path

from .part import Configuration, Measure, Plot
from .samples import Samples
from .variant import Variant

INSTRUCTIONS = 'instructions'

# What KVM is asked, and what it does: functions of its, in groups.
CALLS = {
    'attributes': ('kvm_xen_hvm_set_attr', 'kvm_xen_vcpu_set_attr'),
    'memslots': ('__kvm_set_memory_region',),
    'zaps': ('kvm_mmu_zap_all_fast',),
    'unmaps': ('kvm_mmu_notifier_invalidate_range_start',),
}
# QEMU asks for them for its guest's RAM.
HUGE_PAGES = Path('/sys/kernel/mm/transparent_hugepage/enabled')

LOOPS = 100
AFTER = 3


class Remap:
    """Costs of a remap, and what it leaves the guest to do."""
    name = 'remap'
    title = 'shared_info is moved'
    measures = (
        Measure('remap', 'a remap', INSTRUCTIONS),
        Measure('exit', 'an empty exit to the emulator, for comparison',
                INSTRUCTIONS),
        Measure('touch-after', 'all RAM touched, after a remap',
                INSTRUCTIONS),
        Measure('touch', 'all RAM touched, without one', INSTRUCTIONS),
        Measure('remap-and-touch', 'a remap and what it left to do',
                INSTRUCTIONS),
        Measure('attributes', 'KVM Xen attributes set per remap', ''),
        Measure('memslots', 'memslot updates per remap', ''),
        Measure('zaps', 'all page tables zapped, times per remap', ''),
        Measure('unmaps', 'ranges unmapped by address, times per remap', ''),
        Measure('clock-updates', 'clock updates per remap', ''),
        Measure('clock-step', 'the largest step of the clock', 'ns'),
    )

    plots = (
        Plot('remap', 'vcpus', 'vCPUs (512 MiB)', {'memory': 512}),
        Plot('remap', 'memory', 'MiB of RAM (4 vCPUs)', {'vcpus': 4}),
        Plot('remap-and-touch', 'memory', 'MiB of RAM (4 vCPUs)',
             {'vcpus': 4}),
    )

    def configurations(self, quick: bool) -> list[Configuration]:
        """Along both axes from a machine of the middle; and that one where
        the host has no huge pages to give."""
        if quick:
            return [{'vcpus': vcpus, 'memory': 128} for vcpus in (1, 4)]
        return [*({'vcpus': vcpus, 'memory': 512} for vcpus in (1, 4, 16, 64)),
                *({'vcpus': 4, 'memory': memory}
                  for memory in (128, 2048, 4096, 8192)),
                {'vcpus': 4, 'memory': 512, 'pages': '4 KiB'}]

    def host_memory(self, configuration: Configuration) -> int:
        return int(configuration['memory'])

    def run(self, variant: Variant, configuration: Configuration) -> Samples:
        from kprobes import KprobeCounts

        from .guest import Guest

        if 'pages' in configuration:
            HUGE_PAGES.write_text('never')
        with Guest(variant, 'remap_cost', f'loops={LOOPS} after={AFTER}',
                   int(configuration['vcpus']),
                   int(configuration['memory'])) as guest:
            guest.wait_for(r'READY free=\d+\r?\n')
            samples = {**guest.told('e'), **guest.told('r')}
            guest.told('t')
            samples |= guest.told('t')
            samples |= guest.told('a')
            clock = guest.told('c')
            functions = [name for group in CALLS.values() for name in group]
            with KprobeCounts(functions) as counts:
                before = counts.read()
                guest.told('r')
                after = counts.read()
            guest.end()
        touch = samples['touch'][0]
        samples['remap-and-touch'] = [
            cost + later - touch for cost, later in
            zip(samples['remap-of-touched'], samples['touch-after'])]
        for key, group in CALLS.items():
            samples[key] = [sum(after[name] - before[name] for name in group)
                            / LOOPS]
        samples['clock-updates'] = [clock['clock-updates'][0] / LOOPS]
        samples['clock-step'] = clock['clock-step']
        return samples
