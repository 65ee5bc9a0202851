# SPDX-License-Identifier: GPL-2.0-or-later
"""The part "remap": the shared_info page is moved."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

from .part import INSTRUCTIONS, Configuration, Measure, Part, Plot, size
from .samples import Samples, without_highest
from .variant import OURS, OURS_BY_MEMSLOT, STOCK, Variant

# What KVM is asked, and what it does: functions of its, in groups.
CALLS = {
    'attributes': ('kvm_xen_hvm_set_attr', 'kvm_xen_vcpu_set_attr'),
    'memslots': ('__kvm_set_memory_region',),
    'zaps': ('kvm_mmu_zap_all_fast',),
    'unmaps': ('kvm_mmu_notifier_invalidate_range_start',),
}
# QEMU asks for them for its guest's RAM.
HUGE_PAGES = Path('/sys/kernel/mm/transparent_hugepage/enabled')

LOOPS = 40
AFTER = 3
# Where touching all RAM takes longest.
AFTER_IF_HEAVY = 2
HEAVY_MIB = 4096
# Neither by memslot nor on Xen do other machines say anything new: there, a
# remap costs what it does in stock QEMU; here, it is the same for all.
MIDDLE: Configuration = {'vcpus': 4, 'memory': 512}


class Remap(Part):
    """Costs of a remap, and what it leaves the guest to do."""
    name = 'remap'
    title = 'shared_info is moved'
    own_host = True
    variants = (STOCK, OURS, OURS_BY_MEMSLOT)
    measures = (
        Measure('remap', 'a remap', INSTRUCTIONS),
        Measure('exit', 'an empty exit to the emulator (real Xen: an empty '
                'hypercall)', INSTRUCTIONS),
        Measure('in-exits', 'a remap, in empty exits', ''),
        Measure('remap-and-touch', 'a remap and what it left to do when all '
                'RAM is touched again', INSTRUCTIONS),
        Measure('fresh', 'a remap to a huge page where the page never was',
                INSTRUCTIONS),
        Measure('fresh-and-touch', 'the same, and what it left to do',
                INSTRUCTIONS),
        Measure('touch', 'all RAM touched, without a remap', INSTRUCTIONS),
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
            return [{'vcpus': 1, 'memory': 128}, MIDDLE]
        return [*({'vcpus': vcpus, 'memory': 512} for vcpus in (1, 4, 16, 64)),
                *({'vcpus': 4, 'memory': memory}
                  for memory in (128, 4096, 8192)),
                {'vcpus': 4, 'memory': 512, 'pages': '4 KiB'}]

    def repeats(self, configuration: Configuration, variant: str,
                asked: int) -> int:
        if variant == OURS_BY_MEMSLOT:
            return int(configuration == MIDDLE)
        return asked

    def run(self, variant: Variant, configuration: Configuration) -> Samples:
        from kprobes import KprobeCounts

        from .guest import bare_metal

        if 'pages' in configuration:
            HUGE_PAGES.write_text('never')
        vcpus, memory = size(configuration)
        after = AFTER_IF_HEAVY if memory >= HEAVY_MIB else AFTER
        with bare_metal(variant, 'remap_cost',
                        f'loops={LOOPS} after={after} cpus={vcpus}', vcpus,
                        memory) as guest:
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
                later = counts.read()
            fresh = guest.told('f')
            guest.end()
        samples['exit'] = without_highest(samples['exit'])
        samples['fresh'] = fresh['remap-fresh']
        samples['touch-after-fresh'] = fresh['touch-after-fresh']
        for key, group in CALLS.items():
            samples[key] = [sum(later[name] - before[name] for name in group)
                            / LOOPS]
        return samples | with_touch(samples) | derived(samples, clock)

    def on_xen(self, configuration: Configuration) -> Samples | None:
        from .xen import measured

        if configuration != MIDDLE:
            return None
        vcpus, memory = size(configuration)
        samples = measured('remap_cost', f'loops={LOOPS} cpus={vcpus}', vcpus,
                           memory)
        samples['exit'] = without_highest(samples['exit'])
        return samples | derived(samples, samples)


def with_touch(samples: Samples) -> Samples:
    """Remaps, each with what touching all RAM costs more afterwards."""
    # The one without a remap can have been hit by the host's timer.
    touch = min(samples['touch'] + samples['touch-after'])
    return {key: [cost + later - touch for cost, later
                  in zip(samples[remap], samples[after])]
            for key, remap, after in (
                ('remap-and-touch', 'remap-of-touched', 'touch-after'),
                ('fresh-and-touch', 'fresh', 'touch-after-fresh'))}


def derived(samples: Samples, clock: Samples) -> Samples:
    """What is calculated from the others, and the clock's."""
    return {'in-exits': [fmean(samples['remap']) / fmean(samples['exit'])],
            'clock-updates': [clock['clock-updates'][0] / LOOPS],
            'clock-step': clock['clock-step']}
