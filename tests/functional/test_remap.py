#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What KVM is asked to do when a guest moves shared_info.

The bare-metal guest stands still before and after its remaps (wait=1), so
kprobes on KVM's functions tell what the remaps themselves caused.
"""

from overlay_test import KprobeCounts, OverlayTest, main
from overlay_test.generation import GFN, KERNEL, generation

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
        functions = [*SET_ATTR, ACTIVATE_GPA]
        # The compiler makes the one a part of its only caller there, and the
        # other does not exist.
        if generation() is not GFN:
            functions += [WALLCLOCK, ACTIVATE_HVA]
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

    def check(self, backend: str, activate: str, other: str) -> None:
        before, during = self.remap(backend)
        # The page and each default slot, at the start and at the reset that
        # every machine begins with; nothing for a remap.
        slots = 0 if (backend, generation()) == ('hva', KERNEL) else VCPUS
        # Before 6.9 also when the mode is set: by that reset, and when the
        # machine starts.
        again = 2 if generation() is GFN else 0
        self.assertEqual(2 * (1 + slots) + again, before[activate])
        self.assertEqual(0, before.get(other, 0))
        self.assertEqual(dict.fromkeys(during, 0), during)

    def test_hva(self) -> None:
        self.check('hva', ACTIVATE_HVA, ACTIVATE_GPA)

    def test_gfn(self) -> None:
        """By guest frame, KVM knows one where the page always shows."""
        self.check('gfn', ACTIVATE_GPA, ACTIVATE_HVA)


if __name__ == '__main__':
    main()
