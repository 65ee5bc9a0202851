#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Linux guest boots on our device, in each way of telling KVM."""

import time

from overlay_test import OverlayTest, main

# Seconds.  What it takes the guest from reading the wallclock to printing
# it is below the first by far, and the second above it.
CLOCK_ERROR = 5
PAUSE = 2 * CLOCK_ERROR


class LinuxGuest(OverlayTest):
    """Debian's cloud kernel, from power-on to power-off."""

    def boot(self, smp: str, backend: str) -> None:
        """Boot and power off with so many vCPUs, told by `backend`."""
        self.launch_linux('', '-global', f'xen-overlay.shared-info={backend}',
                          smp=smp)
        self.wait_for('guest: .*Hypervisor detected: Xen HVM')
        self.wait_for(r'guest: .*Xen version 4\.17')
        self.wait_for(f'guest: vcpus: {smp}\r?\n')

        self.check_clock()
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

    def check_clock(self) -> None:
        """Linux sets its clock by shared_info's wallclock as it boots."""
        guest_clock = int(self.wait_for(r'guest: epoch: (\d+)\r?\n').group(1))
        self.assertLess(abs(guest_clock - time.time()), CLOCK_ERROR,
                        "the guest's clock is not the host's")

    def test_clock_after_a_pause(self) -> None:
        """Neither a late start nor a pause makes the wallclock late.

        The guest's clock stands still while the machine does, and what is
        in shared_info is relative to it.
        """
        self.launch_linux('then=wait', '-S', reboot=True)
        time.sleep(PAUSE)
        self.vm.cmd('cont')
        self.check_clock()
        self.wait_for('guest: done')
        self.vm.cmd('stop')
        time.sleep(PAUSE)
        self.vm.cmd('cont')
        self.vm.cmd('system_reset')
        self.check_clock()

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
