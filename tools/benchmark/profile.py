# SPDX-License-Identifier: GPL-2.0-or-later
"""The part "profile": where the instructions of a remap go."""

from __future__ import annotations

from .part import INSTRUCTIONS, Configuration, Measure, Part
from .samples import Samples
from .variant import OURS, STOCK, Variant

MEMORY_MIB = 512
LOOPS = 20

# The host kernel's functions, and what of a remap they are.  Indented: a
# part of the one above.
FUNCTIONS = {
    '__x64_sys_mremap': 'mremap()',
    'move_page_tables': '- page table entries moved',
    'do_vmi_align_munmap': '- mappings taken away',
    'copy_vma': '- mappings made',
    '__mmu_notifier_invalidate_range_start':
        '- secondary page tables told: begin',
    '__mmu_notifier_invalidate_range_end': '- secondary page tables told: end',
    'flush_tlb_mm_range': '- TLB flushed',
    'kvm_arch_vcpu_ioctl_translate': "the argument's address translated",
    'kvm_mmu_page_fault': 'pages that the guest faults in',
    'kvm_set_memory_region': 'memslots changed',
    '__kvm_set_memory_region': '- of these, one by one',
    'kvm_mmu_zap_all_fast': '- all page tables zapped',
    'synchronize_srcu_expedited': '- waited for others to notice',
    'kvm_xen_hvm_set_attr': 'KVM told where shared_info is',
    'kvm_xen_vcpu_set_attr': 'KVM told where a vcpu_info is',
}


class Profile(Part):
    """Each function with all that it calls, by the kernel's own tracer.

    One function at a time is traced: the tracer's own work is then outside
    of what it measures.
    """
    name = 'profile'
    title = "where a remap's instructions go"
    measures = (
        Measure('remap', 'a remap, untraced', INSTRUCTIONS),
        *(Measure(function, f'{title} ({function})', INSTRUCTIONS)
          for function, title in FUNCTIONS.items()),
    )
    one_table = True
    variants = (OURS, STOCK)

    def configurations(self, _quick: bool) -> list[Configuration]:
        return [{'vcpus': 4, 'memory': MEMORY_MIB}]

    def repeats(self, _configuration: Configuration, _variant: str,
                _asked: int) -> int:
        return 1

    def run(self, variant: Variant, configuration: Configuration) -> Samples:
        from .guest import bare_metal
        from .host_clock import FunctionTime

        with bare_metal(variant, 'remap_cost', f'loops={LOOPS}',
                        int(configuration['vcpus']), MEMORY_MIB) as guest:
            guest.wait_for('READY')
            guest.told('r')     # the first remap there is dearer
            samples = guest.told('r')
            for function in FUNCTIONS:
                try:
                    with FunctionTime(function) as spent:
                        guest.told('r')
                except ValueError:
                    continue
                samples[function] = [spent.nanoseconds / LOOPS]
            guest.end()
        return samples
