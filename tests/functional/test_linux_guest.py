#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Linux guest boots on our device, in each way of telling KVM."""

from overlay_test import OverlayTest, main


class LinuxGuest(OverlayTest):
    """Debian's cloud kernel, from power-on to power-off."""

    def boot(self, smp: str, backend: str) -> None:
        """Boot and power off with so many vCPUs, told by `backend`."""
        self.launch_linux('', '-global', f'xen-overlay.shared-info={backend}',
                          smp=smp)
        self.wait_for('guest: .*Hypervisor detected: Xen HVM')
        self.wait_for(r'guest: .*Xen version 4\.17')
        self.wait_for(f'guest: vcpus: {smp}\r?\n')

        self.wait_for('guest: clocksource: xen')

        # Each vCPU took events on a port of its own.
        for vcpu in range(int(smp)):
            line = self.wait_for(
                rf'guest: +\d+:([ \d]+) xen-percpu +-virq +timer{vcpu}\r?\n')
            counts = [int(count) for count in line.group(1).split()]
            self.assertGreater(counts[vcpu], 0, line.group(0))

        self.wait_for('guest: done')
        self.vm.wait(timeout=120)
        self.assertEqual(0, self.vm.exitcode())

        trace = self.overlay_trace()
        self.assertEqual([], trace.failures())
        self.assertEqual([backend], trace.field('backends', 'shared_info'))
        # Linux registers a vcpu_info for each vCPU.
        self.assertEqual(
            [str(vcpu) for vcpu in range(int(smp))],
            sorted(set(trace.field('register_vcpu_info', 'vcpu'))))

    def test_1_vcpu_hva(self) -> None:
        self.boot('1', 'hva')

    def test_4_vcpus_hva(self) -> None:
        self.boot('4', 'hva')

    def test_1_vcpu_gfn(self) -> None:
        self.boot('1', 'gfn')

    def test_4_vcpus_gfn(self) -> None:
        self.boot('4', 'gfn')


if __name__ == '__main__':
    main()
