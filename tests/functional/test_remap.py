#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What KVM is asked to do when a guest moves shared_info.

The bare-metal guest stands still before and after its remaps (wait=1), so
kprobes on KVM's functions tell what the remaps themselves caused.
"""

from overlay_test import KprobeCounts, OverlayTest, main

REMAPS = 100
VCPUS = 4

SET_ATTR = ['kvm_xen_hvm_set_attr', 'kvm_xen_vcpu_set_attr']
ACTIVATE_HVA = 'kvm_gpc_activate_hva'
ACTIVATE_GPA = 'kvm_gpc_activate'
WALLCLOCK = 'kvm_xen_shared_info_init'


class Remap(OverlayTest):
    """100 remaps, counted in the kernel."""

    def setUp(self) -> None:
        super().setUp()
        reason = KprobeCounts.unavailable()
        if reason:
            self.skipTest(reason)

    def remap(self, backend: str) -> tuple[dict[str, int], dict[str, int]]:
        """Run the guest; returns KVM's calls before and by the remaps."""
        functions = [*SET_ATTR, ACTIVATE_HVA, ACTIVATE_GPA, WALLCLOCK]
        with KprobeCounts(functions) as counts:
            self.launch_bare_metal(
                'remap', f'loops={REMAPS} wait=1',
                '-global', f'xen-overlay.shared-info={backend}',
                smp=str(VCPUS))
            self.wait_for(r'READY mapped=\S+\n')
            before = counts.read()
            self.send_byte()
            self.wait_for(rf'DONE loops={REMAPS}\n')
            after = counts.read()
            self.send_byte()
            self.end_of_bare_metal()
        during = {name: after[name] - before[name] for name in functions}
        self.log.info('before the remaps: %s', before)
        self.log.info('by %d remaps: %s', REMAPS, during)
        print(f'{backend}: before {before}, by {REMAPS} remaps {during}')

        trace = self.overlay_trace()
        self.assertEqual([], trace.failures())
        self.assertEqual(REMAPS + 1, len(trace.texts('map')))
        return before, during

    def test_hva(self) -> None:
        """The page and each default slot once; nothing for a remap."""
        before, during = self.remap('hva')
        self.assertEqual(1 + VCPUS, before[ACTIVATE_HVA])
        self.assertEqual(0, before[ACTIVATE_GPA])
        self.assertEqual(dict.fromkeys(during, 0), during)

    def test_gfn(self) -> None:
        """The classic way tells KVM each time; so the test above can fail."""
        before, during = self.remap('gfn')
        self.assertEqual(0, before[ACTIVATE_HVA])
        # Off and on again: the page for each remap, and every vCPU.
        self.assertEqual(2 * REMAPS, during['kvm_xen_hvm_set_attr'])
        self.assertEqual(2 * REMAPS * VCPUS, during['kvm_xen_vcpu_set_attr'])
        self.assertEqual(REMAPS * (1 + VCPUS), during[ACTIVATE_GPA])
        self.assertEqual(REMAPS, during[WALLCLOCK])


if __name__ == '__main__':
    main()
